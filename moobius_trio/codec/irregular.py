"""Fields that the wire writes in more than one way, made regular before they are read strictly.

Generation 1's parties write the same thing as null, as a key left out, as a lone text or as a
list one level too deep (docs/protocol/generation-1.md sections 3.2 to 3.4). How a field may be
written is told where the field is; the converter asks for it. No wire name may live here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import attrs

__all__ = ("REGULAR", "Regular", "as_list", "flat", "not_false", "or_null", "true_or_false")

T = TypeVar("T")

Regular: TypeAlias = Callable[[object], object]
"""Makes of what stood there what should have stood there; None: the field's default."""

REGULAR: Final = "regular"
"""The key of a field's metadata under which its ``Regular`` is."""


def _unchanged(value: object) -> object:
    return value


def or_null(default: T, *, regular: Regular = _unchanged) -> T:
    """A field of a shape that may be left out or null, which both mean ``default``.

    Args:
        regular: called with what stands there, before it is checked.
    """
    field: Any = attrs.field(default=default, metadata={REGULAR: regular})
    given: T = field  # as attrs.field itself: said to be the value, so that types can be checked
    return given


def not_false(value: object) -> object:
    """For an object that may be ``false`` instead of null."""
    return None if value is False else value


def as_list(value: object) -> object:
    """For a list that may be one lone text."""
    return [value] if type(value) is str else value


def flat(value: object) -> object:
    """For a list that may be wrapped in one list too many."""
    if type(value) is not list:
        return value
    return [each for part in value for each in (part if type(part) is list else (part,))]


def true_or_false(value: object) -> object:
    """For a boolean that may be written as a text."""
    if value == "true" or value == "false":
        return value == "true"
    return value
