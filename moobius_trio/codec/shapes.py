"""The objects of the wire whose keys or nesting differ from our flat values.

A field's name is the key on the wire. A field without a default is a key that must be there
(docs/protocol/generation-0.md sections 2.2 and 3); keys that are not named are ignored. No
checking here: the converter structures these, ``value`` only moves what it found.
"""

from __future__ import annotations

from typing import Final, NewType

import attrs

from moobius_trio.types import (
    CONFIRM,
    ChannelId,
    Character,
    Content,
    Copy,
    Feature,
    FeatureCall,
    FeatureCallArgument,
    JsonValue,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageId,
    MessageUp,
    PlatformError,
    Playground,
    RequestId,
    StyleItem,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
    UserMessage,
)

__all__ = (
    "ChannelInfoShape",
    "CharacterShape",
    "CopyShape",
    "FeatureCallShape",
    "FeaturesShape",
    "JsonObject",
    "MenuItemClickShape",
    "MenuShape",
    "MessageDownShape",
    "MessageUpShape",
    "PlatformErrorShape",
    "PlaygroundShape",
    "ProfileShape",
    "StyleItemShape",
    "StyleShape",
    "UserListShape",
    "UserMessageShape",
)

JsonObject = NewType("JsonObject", dict[str, JsonValue])
"""An object whose content is free."""

_ABSENT: Final = object()

# A shape lives for one call: left mutable, because a frozen one takes twice as long to make.


@attrs.define(eq=False, repr=False)
class _MessageContext:
    sender: UserId
    recipients: tuple[UserId, ...]


@attrs.define(eq=False, repr=False)
class MessageUpShape:
    """Sender and recipients are those of ``context``; the list beside it is not read."""

    subtype: str
    channel_id: ChannelId
    timestamp: int
    msg_id: MessageId
    content: Content
    context: _MessageContext

    def value(self) -> MessageUp:
        return MessageUp(
            channel_id=self.channel_id,
            sender=self.context.sender,
            content=self.content,
            recipients=self.context.recipients,
            subtype=self.subtype,
            timestamp=self.timestamp,
            msg_id=self.msg_id,
        )


@attrs.define(eq=False, repr=False)
class MessageDownShape:
    """Both shapes of section 3.2; the one with a ``msg_id`` is an upward message turned round."""

    subtype: str
    channel_id: ChannelId
    content: Content
    recipients: tuple[UserId, ...]
    sender: UserId
    timestamp: int
    msg_id: object = _ABSENT
    message_id: MessageId = MessageId("")

    def value(self) -> MessageDown:
        return MessageDown(
            channel_id=self.channel_id,
            content=self.content,
            recipients=self.recipients,
            sender=self.sender,
            subtype=self.subtype,
            timestamp=self.timestamp,
            relayed=self.msg_id is not _ABSENT,
            msg_id=self.message_id,
        )


@attrs.define(eq=False, repr=False)
class UserMessageShape:
    """A user's message; its timestamp is not read, since the platform stamps by its own clock."""

    subtype: str
    channel_id: ChannelId
    content: Content
    recipients: tuple[UserId, ...]

    def value(self) -> UserMessage:
        return UserMessage(
            channel_id=self.channel_id,
            content=self.content,
            recipients=self.recipients,
            subtype=self.subtype,
        )


@attrs.define(eq=False, repr=False)
class FeatureCallShape:
    """A key press; the list of arguments is there even for a key that has none."""

    feature_id: str
    channel_id: ChannelId
    sender: UserId
    arguments: tuple[FeatureCallArgument, ...]
    bottom_button_id: str = CONFIRM

    def value(self) -> FeatureCall:
        return FeatureCall(
            feature_id=self.feature_id,
            channel_id=self.channel_id,
            sender=self.sender,
            arguments=self.arguments,
            bottom_button_id=self.bottom_button_id,
        )


@attrs.define(eq=False, repr=False)
class MenuItemClickShape:
    """A choice from a message's menu: an action of ours in generation 0."""

    menu_item_id: str
    channel_id: ChannelId
    sender: UserId
    message_id: MessageId
    message_subtype: str
    message_content: Content
    arguments: tuple[FeatureCallArgument, ...] = ()
    bottom_button_id: str = CONFIRM

    def value(self) -> MenuItemClick:
        return MenuItemClick(
            menu_item_id=self.menu_item_id,
            channel_id=self.channel_id,
            sender=self.sender,
            message_id=self.message_id,
            message_subtype=self.message_subtype,
            message_content=self.message_content,
            arguments=self.arguments,
            bottom_button_id=self.bottom_button_id,
        )


@attrs.define(eq=False, repr=False)
class CopyShape:
    """A receipt."""

    request_id: RequestId
    origin_type: str
    status: bool
    context: JsonObject

    def value(self) -> Copy:
        return Copy(
            request_id=self.request_id,
            origin_type=self.origin_type,
            status=self.status,
            context=self.context,
        )


@attrs.define(eq=False, repr=False)
class PlatformErrorShape:
    """A whole frame of the platform's host, which spells in its own way."""

    message: str
    connectionId: str | None = None
    requestId: RequestId | None = None

    def value(self) -> PlatformError:
        return PlatformError(
            message=self.message, connection_id=self.connectionId, request_id=self.requestId
        )


@attrs.define(eq=False, repr=False)
class ProfileShape:
    """The part of a character that its owner writes: three texts, none of them null."""

    nickname: str
    description: str
    avatar: str

    def character(self, user_id: UserId, username: str | None) -> Character:
        return Character(
            user_id=user_id,
            username=username or "",
            nickname=self.nickname,
            avatar=self.avatar,
            description=self.description,
        )


@attrs.define(eq=False, repr=False)
class CharacterShape:
    """A row of a character list (section 2.2)."""

    user_id: UserId
    user_context: ProfileShape
    username: str | None = None

    def value(self) -> Character:
        return self.user_context.character(self.user_id, self.username)


@attrs.define(eq=False, repr=False)
class UserListShape:
    """The body of an update of the character list."""

    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    userlist: tuple[Character, ...]

    def value(self) -> UpdateUserList:
        return UpdateUserList(
            channel_id=self.channel_id, user_list=self.userlist, recipients=self.recipients
        )


@attrs.define(eq=False, repr=False)
class FeaturesShape:
    """The body of an update of the keys."""

    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    features: tuple[Feature, ...]

    def value(self) -> UpdateFeatures:
        return UpdateFeatures(
            channel_id=self.channel_id, features=self.features, recipients=self.recipients
        )


@attrs.define(eq=False, repr=False)
class PlaygroundShape:
    """The body of an update of the stage."""

    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    content: Playground
    more: tuple[Playground, ...] = ()

    def value(self) -> UpdatePlayground:
        return UpdatePlayground(
            channel_id=self.channel_id,
            content=self.content,
            recipients=self.recipients,
            more=self.more,
        )


@attrs.define(eq=False, repr=False)
class MenuShape:
    """The body of an update of the menu, which is ours in generation 0."""

    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    content: tuple[MenuItem, ...]

    def value(self) -> UpdateMenu:
        return UpdateMenu(channel_id=self.channel_id, menu=self.content, recipients=self.recipients)


@attrs.define(eq=False, repr=False)
class _FeatureHook:
    feature_id: str | None = None


@attrs.define(eq=False, repr=False)
class StyleItemShape:
    """How a part of the screen is shown; a key is named by an object with more in it."""

    widget: str
    display: str = "visible"
    expand: bool = True
    text: str | None = None
    feature_hook: _FeatureHook | None = None

    def value(self) -> StyleItem:
        hook = self.feature_hook
        return StyleItem(
            widget=self.widget,
            display=self.display,
            expand=self.expand,
            feature_id=None if hook is None else hook.feature_id,
            text=self.text,
        )


@attrs.define(eq=False, repr=False)
class StyleShape:
    """The body of an update of the style."""

    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    content: tuple[StyleItem, ...]

    def value(self) -> UpdateStyle:
        return UpdateStyle(
            channel_id=self.channel_id, style=self.content, recipients=self.recipients
        )


@attrs.define(eq=False, repr=False)
class ChannelInfoShape:
    """A whole frame: the band's id stands beside the body, which is the data itself."""

    channel_id: ChannelId
    body: JsonObject

    def value(self) -> UpdateChannelInfo:
        return UpdateChannelInfo(channel_id=self.channel_id, data=self.body)
