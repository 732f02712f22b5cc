"""The wire's own words: frame types, subtypes and constants, each written once.

Tables only; no parsing and no values are made here. Facts: docs/protocol/generation-0.md
section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from moobius_trio.types import (
    Action,
    Copy,
    FeatureCall,
    GenericUpdate,
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
    "AUTH_ORIGIN",
    "CHANNEL_INFO",
    "GROUP_ID",
    "MENU_ITEM_CLICK",
    "ROGER",
    "TO_SERVICE",
    "UPDATE",
    "UPDATE_FEATURES",
    "UPDATE_MENU",
    "UPDATE_PLAYGROUND",
    "UPDATE_STYLE",
    "UPDATE_USER_LIST",
    "origin_type",
    "subtype_from_wire",
    "subtype_of",
    "subtype_to_wire",
)

AUTH_ORIGIN: Final = "cognito"
"""The constant that every login carries (section 3.2)."""

TO_SERVICE: Final = "service"
"""In place of a group of recipients (docs/protocol/generation-1.md section 3.4)."""

GROUP_ID: Final = "temp"
"""The constant group of updates; no source explains it (section 9)."""

ROGER: Final = "roger"
"""A client's frame of generation 1 that no client sends; what it does is unknown."""

UPDATE: Final = "update"
UPDATE_USER_LIST: Final = "update_userlist"
UPDATE_FEATURES: Final = "update_features"
UPDATE_PLAYGROUND: Final = "update_playground"
UPDATE_STYLE: Final = "update_style"
UPDATE_MENU: Final = "update_menu"
"""No word of generation 0, which has no menus: ours for services and pages that speak it."""
MENU_ITEM_CLICK: Final = "menu_item_click"
"""An action of generation 1; in generation 0 ours, as ``update_menu`` is."""
CHANNEL_INFO: Final = "channel_info"
"""A subtype beside ``body`` and not in it, without the prefix of the others (section 3.2)."""

_TYPES: Final[Mapping[type, str]] = MappingProxyType(
    {
        Action: "action",
        Copy: "copy_client",
        FeatureCall: "feature_call",
        GenericUpdate: UPDATE,
        MenuItemClick: "action",
        MessageDown: "msg_down",
        MessageUp: "msg_up",
        Ping: "ping",
        ServiceLogin: "service_login",
        UpdateChannelInfo: UPDATE,
        UpdateFeatures: UPDATE,
        UpdateMenu: UPDATE,
        UpdatePlayground: UPDATE,
        UpdateStyle: UPDATE,
        UpdateUserList: UPDATE,
        UserAction: "action",
        UserLogin: "user_login",
        UserMessage: "msg_up",
    }
)

_FREE: Final = (RawPayload, UnknownPayload)
"""They say their type themselves."""


def origin_type(
    value: ServiceCommand | UserCommand | MessageUp | Action | UnknownPayload | Copy,
) -> str:
    """The frame type that carries ``value``, which is also what a receipt for it names.

    Compare ``Copy.origin_type`` with this, so that the wire's words stay in this package.
    """
    if isinstance(value, _FREE):
        return value.type
    return _TYPES[type(value)]


_UPDATES: Final[Mapping[type, str]] = MappingProxyType(
    {
        UpdateChannelInfo: CHANNEL_INFO,
        UpdateFeatures: UPDATE_FEATURES,
        UpdateMenu: UPDATE_MENU,
        UpdatePlayground: UPDATE_PLAYGROUND,
        UpdateStyle: UPDATE_STYLE,
        UpdateUserList: UPDATE_USER_LIST,
    }
)


def subtype_of(value: ServiceCommand | UserCommand | UnknownPayload) -> str:
    """The subtype of the frame that carries ``value``; empty where there is none, or no known
    one."""
    match value:
        case MessageDown() | UserMessage():
            return value.subtype
        case UserAction():
            return subtype_to_wire(value.subtype)
        case MenuItemClick():
            return MENU_ITEM_CLICK
        case _:
            return _UPDATES.get(type(value), "")


_SUBTYPES_TO_WIRE: Final = MappingProxyType({"fetch_user_list": "fetch_userlist"})
_SUBTYPES_FROM_WIRE: Final = MappingProxyType(
    {theirs: ours for ours, theirs in _SUBTYPES_TO_WIRE.items()}
)


def subtype_to_wire(subtype: str) -> str:
    """The wire's word for a subtype of ``Action``; words that nobody knows stay as they are."""
    return _SUBTYPES_TO_WIRE.get(subtype, subtype)


def subtype_from_wire(subtype: str) -> str:
    """Our word for the wire's subtype of an action; words that nobody knows stay as they are."""
    return _SUBTYPES_FROM_WIRE.get(subtype, subtype)
