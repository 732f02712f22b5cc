"""The words of generation 1, each written once, and what they are called in our vocabulary.

Tables only; no parsing and no values are made here. Facts: docs/protocol/generation-1.md
sections 3, 4 and 7. Words that both generations share stand in ``tags``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from moobius_trio.codec.tags import UPDATE, subtype_from_wire
from moobius_trio.types import (
    Action,
    Copy,
    FeatureCall,
    GenericUpdate,
    GroupMessage,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Ping,
    RawPayload,
    ServiceCommand,
    ServiceLogin,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserCommand,
    UserLogin,
    UserMessage,
)

__all__ = (
    "ACTION",
    "BUTTONS",
    "BUTTON_CLICK",
    "CANVAS",
    "CHARACTERS",
    "CONTENT_KEYS",
    "COPY",
    "HEARTBEAT",
    "MENU",
    "MESSAGE_DOWN",
    "MESSAGE_SUBTYPES",
    "MESSAGE_UP",
    "REFRESH",
    "SERVICE_LOGIN",
    "STYLE",
    "USER_LOGIN",
    "action_for_platform",
    "action_for_service",
    "action_from_wire",
    "component_from_wire",
    "component_to_wire",
    "origin_type",
    "widget_from_wire",
    "widget_to_wire",
)

MESSAGE_UP: Final = "message_up"
MESSAGE_DOWN: Final = "message_down"
ACTION: Final = "action"
COPY: Final = "copy"
HEARTBEAT: Final = "heartbeat"
SERVICE_LOGIN: Final = "service_login"
USER_LOGIN: Final = "user_login"

REFRESH: Final = "refresh"
"""A subtype of an action, and a type of its own (section 3.4)."""
BUTTON_CLICK: Final = "button_click"

CHARACTERS: Final = "characters"
BUTTONS: Final = "buttons"
MENU: Final = "menu"
CANVAS: Final = "canvas"
STYLE: Final = "style"

CONTENT_KEYS: Final = frozenset({"text", "path", "size", "filename", "link", "title", "button"})
"""The only keys that a published client takes in the content of a message (section 3.4)."""

MESSAGE_SUBTYPES: Final = ("text", "image", "audio", "file", "card")
"""All kinds of message (section 4); that an empty list would mean them, no source says."""

_TYPES: Final[Mapping[type, str]] = MappingProxyType(
    {
        Action: ACTION,
        Copy: COPY,
        FeatureCall: ACTION,
        GenericUpdate: UPDATE,
        GroupMessage: MESSAGE_UP,
        MenuItemClick: ACTION,
        MessageDown: MESSAGE_DOWN,
        MessageUp: MESSAGE_UP,
        Ping: HEARTBEAT,
        ServiceLogin: SERVICE_LOGIN,
        UpdateChannelInfo: UPDATE,
        UpdateFeatures: UPDATE,
        UpdateMenu: UPDATE,
        UpdatePlayground: UPDATE,
        UpdateStyle: UPDATE,
        UpdateUserList: UPDATE,
        UserAction: ACTION,
        UserLogin: USER_LOGIN,
        UserMessage: MESSAGE_UP,
    }
)

_FREE: Final = (RawPayload, UnknownPayload)
"""They say their type themselves."""


def origin_type(
    value: (
        ServiceCommand | UserCommand | MessageUp | GroupMessage | Action | UnknownPayload | Copy
    ),
) -> str:
    """The frame type that carries ``value``, which is also what a receipt for it names."""
    if isinstance(value, _FREE):
        return value.type
    return _TYPES[type(value)]


_WIDGETS: Final = MappingProxyType({"playground": "canvas", "feature": "button"})
_WIDGETS_FROM_WIRE: Final = MappingProxyType({wire: ours for ours, wire in _WIDGETS.items()})
_COMPONENTS: Final = MappingProxyType({"enum": "dropdown", "string": "text"})
_COMPONENTS_FROM_WIRE: Final = MappingProxyType(
    {
        **{wire: ours for ours, wire in _COMPONENTS.items()},
        **{each: each for each in ("textbox", "number", "password")},
    }
)


def widget_to_wire(widget: str) -> str:
    """The wire's word for a part of the screen; words that nobody knows stay as they are."""
    return _WIDGETS.get(widget, widget)


def widget_from_wire(widget: str) -> str:
    """Our word for a part of the screen; words that nobody knows stay as they are."""
    return _WIDGETS_FROM_WIRE.get(widget, widget)


def component_to_wire(kind: str) -> str:
    """The wire's word for a kind of field; words that nobody knows stay as they are."""
    return _COMPONENTS.get(kind, kind)


def component_from_wire(kind: str) -> str:
    """Our word for a kind of field; what nobody knows is a line of text."""
    return _COMPONENTS_FROM_WIRE.get(kind, "string")


_FETCHES: Final = MappingProxyType(
    {
        f"fetch_{part}": REFRESH
        for part in ("user_list", "features", "playground", "style", "channel_info")
    }
)
_ACTIONS_FOR_SERVICE: Final = MappingProxyType(
    {**_FETCHES, "join_channel": "join", "leave_channel": "leave"}
)
_ACTIONS_FROM_WIRE: Final = MappingProxyType({"join": "join_channel", "leave": "leave_channel"})


def action_for_platform(subtype: str) -> str:
    """The word with which a user's client asks for a subtype of ``UserAction``."""
    return _FETCHES.get(subtype, subtype)


def action_for_service(subtype: str) -> str:
    """The word with which a service is told a subtype of ``Action``."""
    return _ACTIONS_FOR_SERVICE.get(subtype, subtype)


def action_from_wire(subtype: str) -> str:
    """Our word for an action in either direction; words that nobody knows stay as they are."""
    return _ACTIONS_FROM_WIRE.get(subtype, subtype_from_wire(subtype))
