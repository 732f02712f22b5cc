"""A file of keys, in the form in which the wire has them (docs/protocol/generation-0.md 3.5)."""

from __future__ import annotations

from typing import Final

from moobius_trio.codec.converter import structure
from moobius_trio.codec.text import MAX_REPLY_BYTES, parse_object
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import Feature

__all__ = ("decode_features",)

_KEY: Final = "features"


def decode_features(text: str) -> tuple[Feature, ...]:
    """The keys that the text of a features.json holds: a list of objects.

    Raises:
        MalformedPayload: it is none; the faults say where.
    """
    # Only objects are parsed, so the list becomes one; a text that closes it early has more keys.
    found = parse_object(f'{{"{_KEY}":{text}}}', "features", max_bytes=MAX_REPLY_BYTES)
    if set(found) != {_KEY}:
        raise MalformedPayload("features", ["expected a list"])
    return structure(found[_KEY], tuple[Feature, ...], what="features", at=_KEY)
