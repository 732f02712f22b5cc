"""What leaves: the updates a service sends, the logins, and what a user's client sends up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from moobius_trio.types.events import Copy, FeatureCall, MenuItemClick, UnknownPayload
from moobius_trio.types.ids import ChannelId, GroupId, ServiceId, UserId, as_user_ids
from moobius_trio.types.messages import Content, MessageDown
from moobius_trio.types.people import Character, as_characters
from moobius_trio.types.values import JsonValue, as_mapping
from moobius_trio.types.widgets import (
    Feature,
    MenuItem,
    Playground,
    StyleItem,
    as_features,
    as_menu,
    as_playground,
    as_playgrounds,
    as_style_items,
)

__all__ = (
    "GenericUpdate",
    "Ping",
    "RawPayload",
    "ServiceCommand",
    "ServiceLogin",
    "Update",
    "UpdateChannelInfo",
    "UpdateCharacterGroup",
    "UpdateFeatures",
    "UpdateMenu",
    "UpdatePlayground",
    "UpdateStyle",
    "UpdateUserList",
    "UserAction",
    "UserCommand",
    "UserEvent",
    "UserFrame",
    "UserLogin",
    "UserMessage",
)


@attrs.frozen(kw_only=True)
class UpdateUserList:
    """The character list of the recipients becomes this, in this order."""

    channel_id: ChannelId
    user_list: tuple[Character, ...] = attrs.field(converter=as_characters)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)


@attrs.frozen(kw_only=True)
class UpdateFeatures:
    """The keys of the recipients become these; none hides them all."""

    channel_id: ChannelId
    features: tuple[Feature, ...] = attrs.field(converter=as_features)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)


@attrs.frozen(kw_only=True)
class UpdatePlayground:
    """The stage of the recipients becomes this."""

    channel_id: ChannelId
    content: Playground = attrs.field(converter=as_playground)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    more: tuple[Playground, ...] = attrs.field(default=(), converter=as_playgrounds)
    """What follows ``content`` where a canvas has several items, to be scrolled through."""

    @property
    def items(self) -> tuple[Playground, ...]:
        """All of them in order; none when the stage is empty."""
        return (self.content, *self.more) if self.more or self.content != Playground() else ()


@attrs.frozen(kw_only=True)
class UpdateStyle:
    """The style of the recipients' screens becomes this."""

    channel_id: ChannelId
    style: tuple[StyleItem, ...] = attrs.field(converter=as_style_items)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)


@attrs.frozen(kw_only=True)
class UpdateMenu:
    """The menu that messages open becomes this for the recipients; no items: there is none."""

    channel_id: ChannelId
    menu: tuple[MenuItem, ...] = attrs.field(converter=as_menu)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)


@attrs.frozen(kw_only=True)
class UpdateCharacterGroup:
    """A character list as generation 1 tells a user of it: by a group, to be looked up."""

    channel_id: ChannelId
    group_id: GroupId


@attrs.frozen(kw_only=True)
class UpdateChannelInfo:
    """What is known of the band itself; it has no recipients and its data is free."""

    channel_id: ChannelId
    data: Mapping[str, JsonValue] = attrs.field(converter=as_mapping, hash=False)


@attrs.frozen(kw_only=True)
class GenericUpdate:
    """An update whose body the program writes itself."""

    data: Mapping[str, JsonValue] = attrs.field(converter=as_mapping, hash=False)


@attrs.frozen(kw_only=True)
class RawPayload:
    """A frame of any type with any body, for what this version has no value for."""

    type: str
    body: JsonValue


@attrs.frozen(kw_only=True)
class ServiceLogin:
    """The first frame of a service's connection. Its repr hides the token."""

    service_id: ServiceId
    access_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class UserLogin:
    """The first frame of a user's connection. Its repr hides the token."""

    access_token: str = attrs.field(repr=False)


@attrs.frozen
class Ping:
    """The heartbeat."""


@attrs.frozen(kw_only=True)
class UserAction:
    """A user's client asks for something; ``subtype`` in the words of ``Action.subtype``."""

    subtype: str
    channel_id: ChannelId


@attrs.frozen(kw_only=True)
class UserMessage:
    """A user's client sends a message up."""

    channel_id: ChannelId
    content: Content
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    subtype: str = "text"


Update: TypeAlias = (
    UpdateUserList
    | UpdateFeatures
    | UpdatePlayground
    | UpdateStyle
    | UpdateMenu
    | UpdateChannelInfo
    | GenericUpdate
)
ServiceCommand: TypeAlias = MessageDown | Update | ServiceLogin | Ping | RawPayload
"""Everything a service sends."""

UserCommand: TypeAlias = UserLogin | UserAction | UserMessage | FeatureCall | MenuItemClick | Ping
"""Everything a user's client sends (docs/protocol/generation-0.md section 3.4)."""

UserEvent: TypeAlias = MessageDown | Update | Copy | UnknownPayload
"""Everything a user's client is sent."""

UserFrame: TypeAlias = UserEvent | UpdateCharacterGroup
"""The same as the wire has it: who a character list names may have to be looked up first."""
