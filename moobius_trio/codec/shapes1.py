"""The bodies of generation 1's messages, actions and receipts, as the wire has them.

A field's name is the key on the wire; one without a default must be there, keys that are not
named are ignored (docs/protocol/generation-1.md sections 3.2 to 3.4). No checking here: the
converter structures these, ``value`` only moves what it found. Parts of the screen are in
``widgets1``.
"""

from __future__ import annotations

import attrs

from moobius_trio.codec.irregular import flat, or_null
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.tags1 import action_from_wire
from moobius_trio.types import (
    CONFIRM,
    NO_SENDER,
    Action,
    ChannelId,
    Content,
    Copy,
    FeatureCall,
    FeatureCallArgument,
    MenuItemClick,
    MessageDown,
    MessageId,
    MessageUp,
    RequestId,
    UserAction,
    UserId,
    UserMessage,
)

__all__ = (
    "ActionShape",
    "ButtonClickShape",
    "CopyShape",
    "MenuItemClickShape",
    "MessageDownShape",
    "MessageForUserShape",
    "MessageUpShape",
    "RefreshShape",
    "UserActionShape",
    "UserMessageShape",
)


def _said(content: Content) -> Content:
    """The content without the nulls that stand for what it does not have."""
    if None not in content.extra.values():
        return content
    extra = {key: value for key, value in content.extra.items() if value is not None}
    return attrs.evolve(content, extra=extra)


@attrs.define(eq=False, repr=False)
class MessageUpShape:
    """What a service is told of a message; the recipients are read apart."""

    subtype: str
    channel_id: ChannelId
    content: Content
    timestamp: int
    sender: UserId
    message_id: MessageId

    def value(self, recipients: tuple[UserId, ...]) -> MessageUp:
        return MessageUp(
            channel_id=self.channel_id,
            sender=self.sender,
            content=_said(self.content),
            recipients=recipients,
            subtype=self.subtype,
            timestamp=self.timestamp,
            msg_id=self.message_id,
        )


@attrs.define(eq=False, repr=False)
class MessageDownShape:
    """A service's message; the recipients are read apart."""

    subtype: str
    channel_id: ChannelId
    content: Content
    timestamp: int | None = or_null(None)
    sender: UserId = or_null(NO_SENDER)

    def value(self, recipients: tuple[UserId, ...]) -> MessageDown:
        return MessageDown(
            channel_id=self.channel_id,
            content=_said(self.content),
            recipients=recipients,
            sender=self.sender,
            subtype=self.subtype,
            timestamp=self.timestamp,
        )


@attrs.define(eq=False, repr=False)
class MessageForUserShape:
    """The same as a user's client is sent it: with an id, and without who else gets it."""

    subtype: str
    channel_id: ChannelId
    content: Content
    timestamp: int
    sender: UserId = or_null(NO_SENDER)
    message_id: MessageId = or_null(MessageId(""))

    def value(self) -> MessageDown:
        return MessageDown(
            channel_id=self.channel_id,
            content=_said(self.content),
            sender=self.sender,
            subtype=self.subtype,
            timestamp=self.timestamp,
            msg_id=self.message_id,
        )


@attrs.define(eq=False, repr=False)
class UserMessageShape:
    """A user's message; its time is not read, since the platform stamps by its own clock."""

    subtype: str
    channel_id: ChannelId
    content: Content

    def value(self, recipients: tuple[UserId, ...]) -> UserMessage:
        return UserMessage(
            channel_id=self.channel_id,
            content=_said(self.content),
            recipients=recipients,
            subtype=self.subtype,
        )


@attrs.define(eq=False, repr=False)
class ActionShape:
    """A request, as a service is told of it."""

    subtype: str
    channel_id: ChannelId
    sender: UserId

    def value(self) -> Action:
        subtype = action_from_wire(self.subtype)
        return Action(subtype=subtype, channel_id=self.channel_id, sender=self.sender)


@attrs.define(eq=False, repr=False)
class RefreshShape:
    """The body of a frame of the type ``refresh``: the type says what is asked for."""

    channel_id: ChannelId
    sender: UserId

    def value(self) -> Action:
        return Action(subtype="refresh", channel_id=self.channel_id, sender=self.sender)


@attrs.define(eq=False, repr=False)
class UserActionShape:
    """A request, as a user's client makes it: who asks is known by the connection."""

    subtype: str
    channel_id: ChannelId

    def value(self) -> UserAction:
        return UserAction(subtype=action_from_wire(self.subtype), channel_id=self.channel_id)


@attrs.define(eq=False, repr=False)
class _ArgumentShape:
    label: str
    value: str | int
    filename: str | None = None


def _arguments(shapes: tuple[_ArgumentShape, ...]) -> tuple[FeatureCallArgument, ...]:
    return tuple(
        FeatureCallArgument(name=each.label, value=each.value, filename=each.filename)
        for each in shapes
    )


@attrs.define(eq=False, repr=False)
class ButtonClickShape:
    """A key press."""

    button_id: str
    channel_id: ChannelId
    sender: UserId
    arguments: tuple[_ArgumentShape, ...] = or_null((), regular=flat)
    bottom_button_id: str = or_null(CONFIRM)

    def value(self) -> FeatureCall:
        return FeatureCall(
            feature_id=self.button_id,
            channel_id=self.channel_id,
            sender=self.sender,
            arguments=_arguments(self.arguments),
            bottom_button_id=self.bottom_button_id,
        )


@attrs.define(eq=False, repr=False)
class MenuItemClickShape:
    """A choice from a message's menu."""

    menu_item_id: str
    channel_id: ChannelId
    sender: UserId
    message_subtype: str
    message_content: Content
    message_id: MessageId = or_null(MessageId(""))
    arguments: tuple[_ArgumentShape, ...] = or_null((), regular=flat)
    bottom_button_id: str = or_null(CONFIRM)

    def value(self) -> MenuItemClick:
        return MenuItemClick(
            menu_item_id=self.menu_item_id,
            channel_id=self.channel_id,
            sender=self.sender,
            message_id=self.message_id,
            message_subtype=self.message_subtype,
            message_content=_said(self.message_content),
            arguments=_arguments(self.arguments),
            bottom_button_id=self.bottom_button_id,
        )


@attrs.define(eq=False, repr=False)
class CopyShape:
    """A receipt."""

    request_id: RequestId
    origin_type: str
    status: bool
    context: JsonObject | None = None

    def value(self) -> Copy:
        return Copy(
            request_id=self.request_id,
            origin_type=self.origin_type,
            status=self.status,
            context=self.context or {},
        )
