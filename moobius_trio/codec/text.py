"""JSON text to plain objects and back, with the limits that untrusted text needs.

orjson does the work where it surely does what the standard library's json does, which is nearly
always; on any doubt, and for every refusal, ``strict`` does it again. No wire name and no type
of the field may live here; nothing here knows what a text is for.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Final

import orjson

from moobius_trio.codec.strict import dump_strictly, parse_strictly, plain_mapping
from moobius_trio.errors import MalformedPayload

__all__ = (
    "MAX_DEPTH",
    "MAX_MESSAGE_BYTES",
    "MAX_REPLY_BYTES",
    "UNREAD",
    "as_object",
    "assured",
    "certain",
    "dump",
    "glance",
    "parse",
    "parse_object",
)

MAX_MESSAGE_BYTES: Final = 131_072
"""The largest frame or request that is parsed (docs/architecture.md section 5)."""

MAX_REPLY_BYTES: Final = 1024 * 1024
"""The largest HTTP reply that is parsed: a list of characters outgrows a frame."""

MAX_DEPTH: Final = 64
"""Levels of lists and objects inside each other."""

_ALIKE: Final = frozenset({str, int, bool, type(None)})
"""Kinds of values that orjson reads and writes as json does, if it does so at all."""

UNREAD: Final = object()
"""What ``glance`` gives for a text that only ``assured`` can read, or refuse."""


def parse_object(
    text: str | bytes,
    what: str,
    *,
    max_bytes: int = MAX_MESSAGE_BYTES,
    max_depth: int = MAX_DEPTH,
) -> dict[str, object]:
    """The JSON object that ``text`` is; as ``parse``, and anything but an object is malformed."""
    return as_object(parse(text, what, max_bytes=max_bytes, max_depth=max_depth), what)


def as_object(value: object, what: str) -> dict[str, object]:
    """The value itself.

    Raises:
        MalformedPayload: it is no object.
    """
    if type(value) is not dict:
        raise MalformedPayload(what, ["expected an object"])
    return value


def parse(
    text: str | bytes,
    what: str,
    *,
    max_bytes: int = MAX_MESSAGE_BYTES,
    max_depth: int = MAX_DEPTH,
) -> object:
    """The JSON value that ``text`` is.

    Args:
        text: a frame's text, or the UTF-8 bytes of a body.
        what: what is being read, for the error.
        max_bytes: refuse more than this before anything is parsed.
        max_depth: refuse more levels of lists and objects than this.

    Raises:
        MalformedPayload: not JSON, not UTF-8, too large, too deep, or with a
            number that JSON or Python cannot hold. Nothing else, whatever the text.
    """
    return assured(glance(text, what, max_bytes=max_bytes), text, what, max_depth=max_depth)


def glance(text: str | bytes, what: str, *, max_bytes: int = MAX_MESSAGE_BYTES) -> object:
    """The JSON value that ``text`` is as far as orjson can tell, or ``UNREAD``.

    A number in it may be another than the one that stood there, and it may be too deep: take
    only what is looked at whole (``certain``), and ask ``assured`` for the rest.

    Raises:
        MalformedPayload: it is too large, and nothing was parsed.
    """
    # A letter has at most four bytes, which spares most texts to be measured.
    if len(text) * 4 > max_bytes and _size(text, max_bytes) > max_bytes:
        raise MalformedPayload(what, [f"larger than {max_bytes:,} bytes"])
    try:
        return orjson.loads(text)
    except ValueError:  # it may be right all the same: orjson reads no lone surrogates
        return UNREAD


def assured(glanced: object, text: str | bytes, what: str, *, max_depth: int = MAX_DEPTH) -> object:
    """The JSON value that ``text`` is; ``glanced`` is what ``glance`` gave; raises as ``parse``."""
    if certain((glanced,), max_depth):
        return glanced
    return parse_strictly(text, what, max_depth)


def _size(text: str | bytes, enough: int) -> int:
    """The bytes of ``text``; the exact number only while it may be ``enough`` or less."""
    if isinstance(text, bytes) or text.isascii() or len(text) > enough:
        return len(text)
    return len(text.encode(errors="surrogatepass"))


def certain(values: Iterable[Any], levels: int) -> bool:
    """True when orjson surely reads and writes these values as json does.

    It differs in integers of more than 64 bits, which it reads as floats; in NaN and the
    infinities, which it writes as null; in how very large and very small floats are spelt; and
    in types of which json knows no text, such as enumerations.

    Args:
        levels: False where more lists and objects than this lie inside each other.
    """
    for value in values:
        kind = type(value)
        if kind is str or kind is int:
            continue
        if kind is dict or kind is MappingProxyType:
            if levels == 0 or (value and not certain(value.values(), levels - 1)):
                return False
        elif kind is list or kind is tuple:
            if levels == 0:
                return False
            if not _ALIKE.issuperset(map(type, value)) and not certain(value, levels - 1):
                return False
        elif kind is float:
            if not 1e-4 <= abs(value) < 1e15 and value != 0:
                return False
        elif kind not in _ALIKE:
            return False
    return True


def dump(value: object, *, looked_at: bool = False) -> str:
    """``value`` as compact JSON that can always be encoded as UTF-8.

    A lone surrogate is written as its escape, which gives it back when parsed.

    Args:
        looked_at: the value is known to be ``certain``, so that nobody need look again.

    Raises:
        TypeError: something in it is neither a text, number, list nor mapping.
        ValueError: a NaN or infinite number, or a value that contains itself or is too deep.
    """
    if looked_at or certain((value,), MAX_DEPTH):
        try:
            return orjson.dumps(value, plain_mapping).decode()
        except TypeError:  # a lone surrogate, a key that is no text, an integer too large for it
            pass
    return dump_strictly(value)
