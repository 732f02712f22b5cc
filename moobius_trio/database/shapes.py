"""What a declared type asks of a value, decided once and then asked cheaply.

A value that comes out of a store already is a Python value; here it is only compared with the
annotation and, where data of another hand is plainer than the annotation, brought into its form
(a list where a tuple is declared, an object where a class is). No JSON, no names of the data and
no registry of classes here.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Literal, Protocol

import attrs

__all__ = ("Build", "Misfit", "Shape", "exact_kinds", "fit", "shape_of")

Build = Callable[[type, dict[Any, Any]], object]
"""Makes an object of a class from the plain object that stands for it; raises `Misfit`."""


class Misfit(Exception):
    """A value is not what was declared. ``path`` says where, from the outside in."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    @classmethod
    def of(cls, value: object, declared: str) -> Misfit:
        """The usual one."""
        return cls(f"is {_shown(value)}, declared is {declared}")

    def at(self, step: str) -> Misfit:
        """The same, seen from one level further out."""
        self.path.insert(0, step)
        return self


class Shape(Protocol):
    """One declared type."""

    def check(self, value: object) -> None:
        """Raise `Misfit` unless the value is of the type, all the way down."""

    def read(self, value: object) -> object:
        """The value in the declared form; raises `Misfit`."""


def fit(shape: Shape, value: object) -> object:
    """The value itself if it is of the type, else what can be made of it.

    Raises:
        Misfit: nothing can.
    """
    try:
        shape.check(value)
    except Misfit:
        return shape.read(value)
    return value


@attrs.frozen
class _Anything:
    def check(self, value: object) -> None:
        pass

    def read(self, value: object) -> object:
        return value


@attrs.frozen
class _Exactly:
    """One of a few classes, without their subclasses."""

    kinds: frozenset[type]
    said: str

    def check(self, value: object) -> None:
        if type(value) not in self.kinds:
            raise Misfit.of(value, self.said)

    def read(self, value: object) -> object:
        self.check(value)
        return value


@attrs.frozen
class _Choice:
    """``Literal``."""

    choices: tuple[object, ...]

    def check(self, value: object) -> None:
        if not any(value == one and type(value) is type(one) for one in self.choices):
            raise Misfit.of(value, " or ".join(repr(one) for one in self.choices))

    def read(self, value: object) -> object:
        self.check(value)
        return value


@attrs.frozen
class _Items:
    """A list, tuple or set of one kind of element."""

    kinds: tuple[Callable[[list[object]], object], ...]
    element: Shape
    said: str

    def check(self, value: object) -> None:
        if type(value) not in self.kinds:
            raise Misfit.of(value, self.said)
        if _all_fit(self.element, typing.cast("list[object]", value)):
            return
        for index, one in enumerate(typing.cast("list[object]", value)):
            try:
                self.element.check(one)
            except Misfit as exc:
                raise exc.at(f"[{index}]") from None

    def read(self, value: object) -> object:
        if type(value) not in self.kinds and type(value) is not list:
            raise Misfit.of(value, self.said)
        make = self.kinds[0]
        if type(value) in self.kinds:
            make = typing.cast("Callable[[list[object]], object]", type(value))
        items: list[object] = []
        for index, one in enumerate(typing.cast("list[object]", value)):
            try:
                items.append(fit(self.element, one))
            except Misfit as exc:
                raise exc.at(f"[{index}]") from None
        return make(items)


@attrs.frozen
class _Row:
    """A tuple of fixed length."""

    elements: tuple[Shape, ...]

    def check(self, value: object) -> None:
        if type(value) is not tuple or len(value) != len(self.elements):
            raise Misfit.of(value, f"a tuple of {len(self.elements)}")
        for index, (shape, one) in enumerate(zip(self.elements, value, strict=True)):
            try:
                shape.check(one)
            except Misfit as exc:
                raise exc.at(f"[{index}]") from None

    def read(self, value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != len(self.elements):
            raise Misfit.of(value, f"a tuple of {len(self.elements)}")
        return tuple(fit(shape, one) for shape, one in zip(self.elements, value, strict=True))


@attrs.frozen
class _Pairs:
    """A dict."""

    key: Shape
    value: Shape

    def check(self, value: object) -> None:
        if type(value) is not dict and type(value) is not types.MappingProxyType:
            raise Misfit.of(value, "dict")
        pairs = typing.cast("dict[object, object]", value)
        if _all_fit(self.key, pairs) and _all_fit(self.value, pairs.values()):
            return
        for key, one in pairs.items():
            try:
                self.key.check(key)
                self.value.check(one)
            except Misfit as exc:
                raise exc.at(f"[{key!r}]") from None

    def read(self, value: object) -> object:
        if type(value) is not dict:
            raise Misfit.of(value, "dict")
        result: dict[object, object] = {}
        for key, one in value.items():
            try:
                result[fit(self.key, _number_key(self.key, key))] = fit(self.value, one)
            except Misfit as exc:
                raise exc.at(f"[{key!r}]") from None
        return result


@attrs.frozen
class _OneOf:
    """A union: the first member that takes the value as it is, else the first that can read it."""

    members: tuple[Shape, ...]
    said: str

    def check(self, value: object) -> None:
        inside: Misfit | None = None
        for member in self.members:
            try:
                return member.check(value)
            except Misfit as exc:
                if exc.path:  # a member of the right kind knows best what is wrong inside
                    inside = exc
        raise inside or Misfit.of(value, self.said)

    def read(self, value: object) -> object:
        for member in self.members:
            try:
                return fit(member, value)
            except Misfit:
                continue
        raise Misfit.of(value, self.said)


@attrs.frozen
class _Instance:
    """An object of a class; its own fields are the class's matter."""

    cls: type
    build: Build

    def check(self, value: object) -> None:
        if not isinstance(value, self.cls):
            raise Misfit.of(value, self.cls.__name__)

    def read(self, value: object) -> object:
        if type(value) is dict:
            return self.build(self.cls, value)
        self.check(value)
        return value


_ANYTHING = _Anything()
_ATOMS: dict[object, _Exactly] = {
    type(None): _Exactly(frozenset({type(None)}), "None"),
    str: _Exactly(frozenset({str}), "str"),
    bool: _Exactly(frozenset({bool}), "bool"),
    int: _Exactly(frozenset({int, bool}), "int"),
    float: _Exactly(frozenset({float, int, bool}), "float"),
    bytes: _Exactly(frozenset({bytes}), "bytes"),
    datetime: _Exactly(frozenset({datetime}), "datetime"),
    date: _Exactly(frozenset({date, datetime}), "date"),
    time: _Exactly(frozenset({time}), "time"),
    timedelta: _Exactly(frozenset({timedelta}), "timedelta"),
}
_ITEM_KINDS: dict[object, tuple[Callable[[list[object]], object], ...]] = {
    list: (list,),
    tuple: (tuple,),
    set: (set,),
    frozenset: (frozenset,),
    collections.abc.Sequence: (list, tuple),
    collections.abc.MutableSequence: (list,),
    collections.abc.Set: (set, frozenset),
    collections.abc.MutableSet: (set,),
    collections.abc.Collection: (list, tuple, set, frozenset),
    collections.abc.Iterable: (list, tuple, set, frozenset),
}
_PAIR_KINDS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def shape_of(declared: object, build: Build) -> Shape:
    """The shape of an annotation; what is not understood takes anything.

    That is safe: stored values say themselves what they are, an annotation only narrows it.
    """
    while isinstance(declared, typing.NewType):
        declared = declared.__supertype__
    origin = typing.get_origin(declared)
    if origin is typing.Annotated:
        return shape_of(typing.get_args(declared)[0], build)
    if declared is None:
        declared = type(None)
    atom = _ATOMS.get(declared)
    if atom is not None:
        return atom
    if origin is Literal:
        return _Choice(typing.get_args(declared))
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(declared), declared, build)
    return _generic(origin or declared, typing.get_args(declared), declared, build)


def exact_kinds(shape: Shape) -> frozenset[type]:
    """The types whose objects the shape takes without a look at what they are; maybe not all."""
    return shape.kinds if isinstance(shape, _Exactly) else frozenset()


def _all_fit(shape: Shape, values: Iterable[object]) -> bool:
    """True when a quick look says that every value is of the shape."""
    return isinstance(shape, _Anything) or exact_kinds(shape).issuperset(map(type, values))


def _union(members: tuple[object, ...], declared: object, build: Build) -> Shape:
    shapes = tuple(shape_of(member, build) for member in members)
    if any(isinstance(shape, _Anything) for shape in shapes):
        return _ANYTHING
    if all(isinstance(shape, _Exactly) for shape in shapes):
        return _Exactly(frozenset().union(*map(exact_kinds, shapes)), str(declared))
    return _OneOf(shapes, str(declared))


def _generic(origin: object, args: tuple[object, ...], declared: object, build: Build) -> Shape:
    inner = [shape_of(arg, build) for arg in args if arg is not Ellipsis]
    if origin is tuple and args and Ellipsis not in args:
        return _Row(tuple(inner))
    if origin in _ITEM_KINDS:
        element = inner[0] if inner else _ANYTHING
        said = declared.__name__ if isinstance(declared, type) and not args else str(declared)
        return _Items(_ITEM_KINDS[origin], element, said)
    if origin in _PAIR_KINDS:
        return _Pairs(*inner) if len(inner) == 2 else _Pairs(_ANYTHING, _ANYTHING)
    if isinstance(origin, type) and (attrs.has(origin) or issubclass(origin, Enum)):
        return _Instance(origin, build)
    return _ANYTHING


def _number_key(shape: Shape, key: object) -> object:
    """JSON has only text keys, so a plain file has ``"5"`` where ``int`` is declared."""
    if shape is _ATOMS[int] and type(key) is str:
        try:
            return int(key)
        except ValueError:
            return key
    return key


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:39] + '…'} ({type(value).__name__})"
