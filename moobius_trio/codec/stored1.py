"""What SDK 1.8 has stored of its own types, turned into ours.

docs/protocol/generation-1.md section 4 has the types and their fields. Only names and fields
come in: no name is ever looked up anywhere but in the table here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from moobius_trio.types import Character, JsonValue, Playground, StyleItem, UserId

__all__ = ("STORED_BY_1_8", "read_stored")

_WIDGETS: Final = {"canvas": "playground", "button": "feature"}


def read_stored(name: str, fields: Mapping[str, JsonValue]) -> object | None:
    """Our value for an object of one of 1.8's types; None for a type that has none here.

    Args:
        name: the type's name without its module.
        fields: as they were stored.
    """
    read = STORED_BY_1_8.get(name)
    return read(fields) if read is not None else None


def _text(fields: Mapping[str, JsonValue], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _text_or_none(fields: Mapping[str, JsonValue], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) else None


def _character(fields: Mapping[str, JsonValue]) -> Character:
    return Character(
        user_id=UserId(_text(fields, "character_id")),
        nickname=_text(fields, "name"),
        avatar=_text(fields, "avatar"),
        description=_text(fields, "description"),
    )


def _canvas_item(fields: Mapping[str, JsonValue]) -> Playground:
    return Playground(path=_text_or_none(fields, "path"), text=_text_or_none(fields, "text"))


def _style_item(fields: Mapping[str, JsonValue]) -> StyleItem:
    widget = _text(fields, "widget")
    return StyleItem(
        widget=_WIDGETS.get(widget, widget),
        display=_text(fields, "display"),
        expand=fields.get("expand") is not False,
        feature_id=_text_or_none(fields, "button_id"),
        text=_text_or_none(fields, "text"),
    )


STORED_BY_1_8: Final[Mapping[str, Callable[[Mapping[str, JsonValue]], object]]] = MappingProxyType(
    {"Character": _character, "CanvasItem": _canvas_item, "StyleItem": _style_item}
)
"""The types of 1.8 that have a counterpart here, by name."""
