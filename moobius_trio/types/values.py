"""What the value classes share: converters for any iterable, and read-only mappings.

Nothing here knows JSON or wire names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Never, TypeAlias, TypeVar

__all__ = (
    "JsonValue",
    "OldName",
    "as_mapping",
    "as_tuple",
    "as_tuple_of",
    "empty_mapping",
    "expect",
)

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


def expect(kind: type[T], value: T, remedy: str) -> T:
    """The value itself.

    Raises:
        TypeError: it is of another class; `remedy` says what to write.
    """
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}, not {value!r}; {remedy}")
    return value


def as_tuple_of(kind: type[T], values: Iterable[T], remedy: str) -> tuple[T, ...]:
    """The values as a tuple.

    Raises:
        TypeError: they are no iterable, or one of them is of another class.
    """
    if isinstance(values, kind):
        raise TypeError(f"expected a list, not one {kind.__name__}; put it in brackets")
    return tuple(expect(kind, value, remedy) for value in as_tuple(values))


class OldName:
    """An attribute that a value of 0.0.1 or 1.8 had: to read it says what to write here.

    (A ``__getattr__`` would make all other attributes slower to read.)

    Args:
        remedy: what stands for it here.
    """

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, value: object, owner: type) -> Never:
        problem = f"{owner.__name__!r} object has no attribute {self._name!r}"
        problem += f": write {self._remedy}"
        raise AttributeError(problem, name=self._name, obj=value)


def as_mapping(values: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """A read-only copy."""
    return MappingProxyType(dict(values)) if values else _EMPTY


def empty_mapping() -> Mapping[str, JsonValue]:
    """The read-only mapping with nothing in it."""
    return _EMPTY
