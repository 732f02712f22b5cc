"""Plain data, which JSON has itself: whether a value is that already, and its canonical text.

Nearly every value is plain as it is, so it goes to the encoder without a copy. Types that JSON
lacks and the tags that stand for them are the matter of ``encoding``.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson
import ormsgpack

__all__ = (
    "AS_IT_IS",
    "RareFloat",
    "has_text",
    "is_plain",
    "is_rare",
    "json_text",
    "plain_text",
    "to_text",
)

AS_IT_IS = frozenset({str, int, bool, type(None)})

_TAG: Final = ord("$")  # as a number, which is looked for in a third of the time
json_text = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
"""What defines the canonical text, before UTF-8."""


_TYPES_OF_ITS_OWN: Final = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""What ormsgpack is to refuse, where it would write one type as another."""


class RareFloat(float):
    """A float that `is_rare`, in a copy; orjson refuses subclasses of float."""

    __slots__ = ()


def is_rare(value: float) -> bool:
    """True unless the float has neither an exponent nor many zeros, and so one way to be written.

    Also of NaN and the infinities.
    """
    return not 1e-4 <= abs(value) < 1e15 and value != 0


_FLOAT: Final = 0xCB
_NOT_FINITE: Final = re.compile(rb"\xcb[\x7f\xff]")
"""How NaN and the infinities begin in what ormsgpack writes; other data may have it too."""


def is_plain(value: Any, levels: int) -> bool:
    """True when `to_text` may be given the value itself.

    Args:
        levels: of nesting; what is nested deeper is not plain.
    """
    kind = type(value)
    if kind in AS_IT_IS:
        return True
    if levels == 0:
        return False
    if kind is dict:
        for key, one in value.items():
            if type(key) is not str or key[:1] == "$":
                return False
            if type(one) not in AS_IT_IS and not is_plain(one, levels - 1):
                return False
        return True
    if kind is list:
        for one in value:
            if type(one) not in AS_IT_IS and not is_plain(one, levels - 1):
                return False
        return True
    return kind is float and not is_rare(value)


def plain_text(value: object, levels: int) -> bytes | None:
    """What `to_text` gives for a value that `is_plain`; None: a closer look is needed.

    The quick way for nearly every value: the encoder refuses keys that are no texts by itself,
    and a key that begins with ``$`` shows in the text.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        if not is_plain(value, levels):
            return None
    elif not _has_plain_parts(value, levels):
        return None
    try:
        text = orjson.dumps(value)
    except TypeError:
        return None
    return text if _TAG not in text or is_plain(value, levels) else None


def has_text(value: object, text: bytes) -> bool:
    """True when this is the canonical text of the value; False says nothing.

    The quick way to see that nothing has changed. orjson's text alone does not show it: a tuple's
    is that of a list, a NaN's that of None. ormsgpack refuses whatever is not plain data by itself,
    in less time than a walk over the parts takes; what it writes goes no further.
    """
    if _TAG in text:
        return False  # it stands for something, or only looks so
    try:
        packed = ormsgpack.packb(value, None, _TYPES_OF_ITS_OWN)
        same = orjson.dumps(value) == text
    except TypeError:
        return False
    return same and (_FLOAT not in packed or _NOT_FINITE.search(packed) is None)


def _has_plain_parts(value: Any, levels: int) -> bool:
    """As `is_plain`, but for the keys of dicts; of a dict or a list."""
    if levels == 0:
        return False
    levels -= 1
    for one in value.values() if type(value) is dict else value:
        kind = type(one)
        if kind is str or kind is int:  # by far the most often
            continue
        if kind is dict or kind is list:
            if not _has_plain_parts(one, levels):
                return False
        elif kind is float:
            if levels == 0 or (not 1e-4 <= abs(one) < 1e15 and one != 0):  # see `is_rare`
                return False
        elif kind not in AS_IT_IS:
            return False
    return True


def to_text(plain: object) -> bytes:
    """The canonical text of plain data, UTF-8 in which lone surrogates are let through.

    Raises:
        ValueError: an int has more digits than Python writes.
    """
    try:
        return orjson.dumps(plain)
    except TypeError:  # lone surrogates, ints of more than 64 bits, rare floats: it knows none
        return json_text(plain).encode("utf-8", "surrogatepass")
