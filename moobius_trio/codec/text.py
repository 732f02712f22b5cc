"""JSON text to plain objects and back, with the limits that untrusted text needs.

No wire name and no type of the field may live here; nothing here knows what a text is for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Final, NoReturn

from moobius_trio.errors import MalformedPayload

__all__ = ("MAX_DEPTH", "MAX_MESSAGE_BYTES", "MAX_REPLY_BYTES", "dump", "parse", "parse_object")

MAX_MESSAGE_BYTES: Final = 131_072
"""The largest frame or request that is parsed (docs/architecture.md section 5)."""

MAX_REPLY_BYTES: Final = 1024 * 1024
"""The largest HTTP reply that is parsed: a list of characters outgrows a frame."""

MAX_DEPTH: Final = 64
"""Levels of lists and objects inside each other."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):  # 1e999 is JSON by its grammar, and inf by Python's float
        raise ValueError("a number is out of range")
    return value


def _plain(value: object) -> object:
    """What the encoder asks for a value that it does not know: read-only mappings are ours."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent as JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)


def parse_object(
    text: str | bytes,
    what: str,
    *,
    max_bytes: int = MAX_MESSAGE_BYTES,
    max_depth: int = MAX_DEPTH,
) -> dict[str, object]:
    """The JSON object that ``text`` is; as ``parse``, and anything but an object is malformed."""
    value = parse(text, what, max_bytes=max_bytes, max_depth=max_depth)
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
    if _size(text, max_bytes) > max_bytes:
        raise MalformedPayload(what, [f"larger than {max_bytes:,} bytes"])
    # The causes are cut off: a JSONDecodeError carries the whole text, which may hold a token.
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value: object = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise MalformedPayload(what, ["not UTF-8"]) from None
    except json.JSONDecodeError as exc:
        raise MalformedPayload(what, [f"not JSON: {exc.msg} at character {exc.pos}"]) from None
    except ValueError:  # NaN, Infinity, 1e999, an integer of more digits than Python converts
        raise MalformedPayload(what, ["a number is out of range"]) from None
    except RecursionError:
        raise MalformedPayload(what, [f"deeper than {max_depth} levels"]) from None
    # Each level has its bracket, so that few brackets prove what many would have to show.
    if text.count("{") + text.count("[") > max_depth and _deeper_than(value, max_depth):
        raise MalformedPayload(what, [f"deeper than {max_depth} levels"])
    return value


def _size(text: str | bytes, enough: int) -> int:
    """The bytes of ``text``; the exact number only while it may be ``enough`` or less."""
    if isinstance(text, bytes) or text.isascii() or len(text) > enough:
        return len(text)
    return len(text.encode(errors="surrogatepass"))


def _deeper_than(value: object, levels: int) -> bool:
    """True when lists and objects lie inside each other more than ``levels`` deep."""
    layer = [value]
    for _ in range(levels):
        inside: list[object] = []
        for item in layer:
            if type(item) is dict:
                inside.extend(item.values())
            elif type(item) is list:
                inside.extend(item)
        layer = [item for item in inside if type(item) is dict or type(item) is list]
        if not layer:
            return False
    return True


def dump(value: object) -> str:
    """``value`` as compact JSON that can always be encoded as UTF-8.

    A lone surrogate is written as its escape, which gives it back when parsed.

    Raises:
        TypeError: something in it is neither a text, number, list nor mapping.
        ValueError: a NaN or infinite number, or a value that contains itself or is too deep.
    """
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        raise ValueError("the value is too deep to be sent") from None
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
    return text
