"""JSON by the standard library: what defines which texts are read, what is written, and the words.

``text`` does the same with a faster library where both surely agree, and comes here on any
doubt. No wire name and no limit of a frame may live here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Final, NoReturn

from moobius_trio.errors import MalformedPayload

__all__ = ("dump_strictly", "parse_strictly", "plain_mapping")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):  # 1e999 is JSON by its grammar, and inf by Python's float
        raise ValueError("a number is out of range")
    return value


def plain_mapping(value: object) -> object:
    """What an encoder asks for a value that it does not know: read-only mappings are ours.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent as JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain_mapping
)


def parse_strictly(text: str | bytes, what: str, max_depth: int) -> object:
    """The JSON value that ``text`` is; see ``text.parse``, whose size it does not look at.

    Raises:
        MalformedPayload: not JSON, not UTF-8, too deep, or with a number that JSON or Python
            cannot hold. Nothing else, whatever the text.
    """
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
    if _deeper_than(value, max_depth):
        raise MalformedPayload(what, [f"deeper than {max_depth} levels"])
    return value


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


def dump_strictly(value: object) -> str:
    """``value`` as compact JSON that can always be encoded as UTF-8; see ``text.dump``.

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
