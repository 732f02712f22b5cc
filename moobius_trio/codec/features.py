"""A file of keys, in the form in which the wire has them.

Only the text is read here, never a file. Facts: docs/protocol/generation-0.md section 3.5.
"""

from __future__ import annotations

from moobius_trio.codec.converter import structure
from moobius_trio.codec.text import MAX_REPLY_BYTES, parse
from moobius_trio.types import Feature

__all__ = ("decode_features",)


def decode_features(text: str) -> tuple[Feature, ...]:
    """The keys that the text of a features.json holds: a list of objects.

    Raises:
        MalformedPayload: it is none; the faults say where, as ``features[0].button_text``.
    """
    rows = parse(text, "features", max_bytes=MAX_REPLY_BYTES)
    return structure(rows, tuple[Feature, ...], what="features", at="features")
