"""What the value classes share: converters for any iterable, and read-only mappings.

Nothing here knows JSON or wire names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias, TypeVar

__all__ = ("JsonValue", "as_mapping", "as_tuple", "empty_mapping")

JsonValue: TypeAlias = (
    "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] "
    "| tuple[JsonValue, ...] | Mapping[str, JsonValue] | None"
)
"""Plain data as it travels: texts, numbers, lists and objects of them."""

T = TypeVar("T")

_EMPTY: Mapping[str, JsonValue] = MappingProxyType({})


def as_tuple(values: Iterable[T]) -> tuple[T, ...]:
    """The values as a tuple; a text is refused, since it would fall apart into letters."""
    if isinstance(values, str | bytes):
        raise TypeError(f"expected a list of values, not the text {values!r}")
    return tuple(values)


def as_mapping(values: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """A read-only copy."""
    return MappingProxyType(dict(values)) if values else _EMPTY


def empty_mapping() -> Mapping[str, JsonValue]:
    """The read-only mapping with nothing in it."""
    return _EMPTY
