"""What SDK 1.8 has stored of its own types, turned into ours.

Their fields are those of the wire (docs/protocol/generation-1.md section 4), but for a character,
which is flat. Only a name and fields come in: no name is ever looked up anywhere but in the table
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from moobius_trio.codec.converter import structure
from moobius_trio.codec.widgets1 import ButtonsShape, CanvasShape, MenuShape, StyleShape
from moobius_trio.types import (
    Character,
    Content,
    Feature,
    JsonValue,
    MenuItem,
    Playground,
    StyleItem,
    UserId,
)

__all__ = ("read_stored",)

Fields = Mapping[str, JsonValue]


def read_stored(name: str, fields: Fields) -> object | None:
    """Our value for an object of one of 1.8's types; None for a type that has none here.

    Args:
        name: the type's name without its module.
        fields: as they were stored, those of objects inside it as plain objects.

    Raises:
        MalformedPayload: they are not that type's; the faults say where.
    """
    read = _TYPES.get(name)
    return read(fields) if read is not None else None


def _character(fields: Fields) -> Character:
    def text(key: str) -> str:
        value = fields.get(key)
        return value if isinstance(value, str) else ""

    return Character(
        user_id=UserId(text("character_id")),
        nickname=text("name"),
        avatar=text("avatar"),
        description=text("description"),
    )


def _content(fields: Fields) -> Content:
    said = {key: value for key, value in fields.items() if value is not None}
    return structure(said, Content, what="MessageContent")


def _alone(fields: Fields) -> dict[str, Any]:
    """The body of an update with this one item."""
    return {"channel_id": "", "content": [fields]}


def _button(fields: Fields) -> Feature:
    return structure(_alone(fields), ButtonsShape, what="Button").value(()).features[0]


def _menu_item(fields: Fields) -> MenuItem:
    return structure(_alone(fields), MenuShape, what="MenuItem").value(()).menu[0]


def _canvas_item(fields: Fields) -> Playground:
    return structure(_alone(fields), CanvasShape, what="CanvasItem").value(()).content


def _style_item(fields: Fields) -> StyleItem:
    return structure(_alone(fields), StyleShape, what="StyleItem").value(()).style[0]


_TYPES: Final[Mapping[str, Callable[[Fields], object]]] = MappingProxyType(
    {
        "Button": _button,
        "CanvasItem": _canvas_item,
        "Character": _character,
        "MenuItem": _menu_item,
        "MessageContent": _content,
        "StyleItem": _style_item,
    }
)
