"""Plain objects to values, strictly: no wrong type is bent into the right one.

Two cattrs converters with the same hooks. The fast one stops at the first fault and does not
know where it was; only then the detailed one runs, once, for the paths of all faults. No
frame and no HTTP call is known here, and no union is ever guessed: who calls knows the kind.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import attrs
import cattrs
from cattrs.cols import is_mapping, list_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from moobius_trio.codec import shapes
from moobius_trio.codec.irregular import REGULAR
from moobius_trio.codec.tags import subtype_from_wire
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import (
    Action,
    Character,
    Content,
    Copy,
    Feature,
    FeatureArgument,
    FeatureCall,
    MenuItemClick,
    MessageDown,
    MessageUp,
    PlatformError,
    StyleItem,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserMessage,
)

__all__ = ("structure",)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Hook = Callable[[Any, Any], Any]

_INT64: Final = 2**63
_MOST_FAULTS: Final = 20

_SAID: Final[Mapping[type, str]] = types.MappingProxyType(
    {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "an integer",
        float: "a fraction",
        type(None): "null",
    }
)


class _Shape(Protocol[T_co]):
    def value(self) -> T_co: ...


def structure(data: object, kind: type[T], *, what: str, at: str = "") -> T:
    """``data``, parsed from JSON, as a value of ``kind``.

    Args:
        what: what is being read, for the error.
        at: the path of ``data``, such as ``body``; empty for the whole.

    Raises:
        MalformedPayload: it is not one; the faults say where, and never what stood there.
    """
    try:
        return _FAST.structure(data, kind)
    except Exception:
        # Boundary: whatever a hook of the fast converter raised, the detailed one explains it.
        return _structure_with_paths(data, kind, what, at)


def _structure_with_paths(data: object, kind: type[T], what: str, at: str) -> T:
    path = f"$.{at}" if at else "$"
    try:
        return _DETAILED.structure(data, kind)
    except Exception as exc:
        # Boundary: the same hooks again; what they raise is a fault of the data, with its path.
        found = cattrs.transform_error(exc, path, _described)
    faults = [fault.replace(" @ $.", " @ ", 1) for fault in found[:_MOST_FAULTS]]
    if len(found) > _MOST_FAULTS:
        faults.append(f"and {len(found) - _MOST_FAULTS} more")
    raise MalformedPayload(what, faults) from None  # neither cause says more, and both are long


def _described(exc: BaseException, _: type | None) -> str:
    """A fault in words. The hooks word their own; a KeyError is cattrs' missing key."""
    return "required field missing" if isinstance(exc, KeyError) else str(exc)


def _wrong(wanted: type, value: object) -> TypeError:
    return TypeError(f"expected {_SAID[wanted]}, got {_SAID.get(type(value), 'something else')}")


def _exactly(wanted: type) -> Hook:
    def check(value: object, _: object) -> object:
        if type(value) is not wanted:  # isinstance would take True for an integer
            raise _wrong(wanted, value)
        return value

    return check


def _integer(value: object, _: object) -> int:
    if type(value) is not int:
        raise _wrong(int, value)
    if not -_INT64 <= value < _INT64:  # what follows stores and compares 64 bits
        raise ValueError("the integer is out of range")
    return value


def _text_or_integer(value: object, kind: object) -> str | int:
    if type(value) is str:
        return value
    if type(value) is bool:  # booleans pass as integers (section 3.3)
        return int(value)
    if type(value) is int:
        return _integer(value, kind)
    raise TypeError(f"expected a text or an integer, got {_SAID.get(type(value), 'nothing')}")


def _text_or_boolean(value: object, _: object) -> bool:
    """``expand``: the text ``true`` in this generation, a boolean in a later one (section 9)."""
    if type(value) is bool:
        return value
    if value == "true" or value == "false":
        return value == "true"
    raise TypeError('expected "true" or "false"')


def _subtype(value: object, _: object) -> str:
    if type(value) is not str:
        raise _wrong(str, value)
    return subtype_from_wire(value)


def _is_union(kind: Any) -> bool:
    """True for a union of more than one type and null."""
    return typing.get_origin(kind) in (typing.Union, types.UnionType) and (
        len([each for each in typing.get_args(kind) if each is not type(None)]) > 1
    )


def _union(kind: Any, _: cattrs.Converter) -> Hook:
    if kind == (str | int):
        return _text_or_integer
    raise TypeError(f"{kind} has no hook, and a union is not guessed")


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _tuple(kind: Any, converter: cattrs.Converter) -> Hook:
    of_list = list_structure_factory(kind, converter)

    def structure_tuple(value: object, _: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise _wrong(list, value)
        return tuple(of_list(value, kind))

    return structure_tuple


def _mapping(kind: Any, converter: cattrs.Converter) -> Hook:
    return _only_objects(mapping_structure_factory(kind, converter), kind)


def _object(kind: Any, converter: cattrs.Converter) -> Hook:
    overrides = dict(_OVERRIDES.get(kind, {}))
    if kind is Feature:
        form = _or_nothing(converter.get_structure_hook(tuple[FeatureArgument, ...]))
        overrides["arguments"] = override(struct_hook=form)
    for field in attrs.fields(attrs.resolve_types(kind)):
        if REGULAR in field.metadata:
            overrides[field.name] = override(struct_hook=_regular(field, converter))
    hook = make_dict_structure_fn(kind, converter, **overrides)
    needs_a_key = any(field.default is attrs.NOTHING for field in attrs.fields(kind))
    if needs_a_key and not converter.detailed_validation:
        return hook  # taking that key from anything but an object raises by itself, and sooner
    return _only_objects(hook, kind)


def _only_objects(hook: Hook, kind: Any) -> Hook:
    def structure_object(value: object, _: object) -> object:
        if type(value) is not dict:  # a text without the optional keys would pass otherwise
            raise _wrong(dict, value)
        return hook(value, kind)

    return structure_object


def _or_nothing(hook: Hook) -> Hook:
    """For lists that may also be null (section 3.5)."""
    return lambda value, kind: () if value is None else hook(value, kind)


def _regular(field: attrs.Attribute[Any], converter: cattrs.Converter) -> Hook:
    """For fields that the wire writes in more than one way (``irregular``)."""
    make, default, kind = field.metadata[REGULAR], field.default, field.type
    hook = converter.get_structure_hook(kind)

    def structure_regular(value: object, _: object) -> object:
        regular = make(value)
        return default if regular is None else hook(regular, kind)

    return structure_regular


_OVERRIDES: Final[Mapping[type, Mapping[str, Any]]] = types.MappingProxyType(
    {
        Action: {"subtype": override(struct_hook=_subtype)},
        UserAction: {"subtype": override(struct_hook=_subtype)},
        Content: {"extra": override(omit=True)},
        shapes.StyleItemShape: {"expand": override(struct_hook=_text_or_boolean)},
    }
)
"""Fields read otherwise than their type says."""

_CONTENT_KEYS: Final = frozenset(("text", "path"))


def _content(kind: Any, converter: cattrs.Converter) -> Hook:
    """Content keeps the keys that nobody knows."""
    known = _object(Content, converter)

    def structure_content(value: Any, _: object) -> Content:
        if type(value) is dict and len(value) == 1 and type(value.get("text")) is str:
            return Content(text=value["text"])  # nearly all of them, in half the time
        content: Content = known(value, Content)
        if value.keys() <= _CONTENT_KEYS:
            return content
        extra = {key: item for key, item in value.items() if key not in _CONTENT_KEYS}
        return attrs.evolve(content, extra=extra)

    return structure_content


_SHAPES: Final[Mapping[Any, type[_Shape[object]]]] = types.MappingProxyType(
    {
        Character: shapes.CharacterShape,
        Copy: shapes.CopyShape,
        FeatureCall: shapes.FeatureCallShape,
        MenuItemClick: shapes.MenuItemClickShape,
        MessageDown: shapes.MessageDownShape,
        MessageUp: shapes.MessageUpShape,
        PlatformError: shapes.PlatformErrorShape,
        StyleItem: shapes.StyleItemShape,
        UpdateChannelInfo: shapes.ChannelInfoShape,
        UpdateFeatures: shapes.FeaturesShape,
        UpdateMenu: shapes.MenuShape,
        UpdatePlayground: shapes.PlaygroundShape,
        UpdateStyle: shapes.StyleShape,
        UpdateUserList: shapes.UserListShape,
        UserMessage: shapes.UserMessageShape,
    }
)


def _through_shape(kind: Any, converter: cattrs.Converter) -> Hook:
    """Structure the shape that the wire has, and give the value of it."""
    shape = _SHAPES[kind]
    hook = converter.get_structure_hook(shape)
    return lambda value, _: hook(value, shape).value()


def _make_converter(*, detailed: bool) -> cattrs.Converter:
    """A converter that makes the code for a type when it first meets it."""
    converter = cattrs.Converter(detailed_validation=detailed)
    for plain in (str, bool, float):
        converter.register_structure_hook(plain, _exactly(plain))
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(shapes.JsonObject, _exactly(dict))
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    for applies, factory in (
        (attrs.has, _object),
        (_SHAPES.__contains__, _through_shape),
        (lambda kind: kind is Content, _content),
        (_is_union, _union),
        (_is_tuple, _tuple),
        (is_mapping, _mapping),
    ):
        converter.register_structure_hook_factory(applies, factory)
    return converter


_FAST: Final = _make_converter(detailed=False)
_DETAILED: Final = _make_converter(detailed=True)
