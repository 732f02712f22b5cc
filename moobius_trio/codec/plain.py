"""Values as the plain objects that the wire has for them: the inverse of the converter.

Bodies and their parts only; the envelopes round them are written in the ``generation0``
modules and in ``http0``. Facts: docs/protocol/generation-0.md sections 2.2, 3.2 and 3.5.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from moobius_trio.codec.tags import (
    GROUP_ID,
    UPDATE_FEATURES,
    UPDATE_PLAYGROUND,
    UPDATE_STYLE,
    UPDATE_USER_LIST,
    subtype_to_wire,
)
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Copy,
    Feature,
    FeatureArgument,
    FeatureCall,
    MessageDown,
    MessageUp,
    PlatformError,
    Playground,
    StyleItem,
    UpdateFeatures,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
    UserMessage,
)

__all__ = (
    "ListUpdate",
    "Plain",
    "action_body",
    "character_object",
    "copy_body",
    "feature_call_body",
    "feature_object",
    "message_down_body",
    "message_up_body",
    "platform_error_frame",
    "profile_object",
    "update_body",
    "user_message_body",
)

Plain: TypeAlias = dict[str, object]
"""An object about to be written as JSON."""

ListUpdate: TypeAlias = UpdateUserList | UpdateFeatures | UpdatePlayground | UpdateStyle
"""The updates whose body is of one pattern, with recipients."""


def _content(content: Content) -> Plain:
    plain: Plain = dict(content.extra) if content.extra else {}
    if content.text is not None:
        plain["text"] = content.text
    if content.path is not None:
        plain["path"] = content.path
    return plain


def message_down_body(message: MessageDown, timestamp: int) -> Plain:
    """Shape A, or for a relayed message shape B; ``timestamp`` stands in for None."""
    body: Plain = {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": _content(message.content),
        "recipients": message.recipients,
        "sender": message.sender,
        "timestamp": timestamp if message.timestamp is None else message.timestamp,
    }
    if message.relayed:
        body["msg_id"] = None
    else:
        body["context"] = {}
    return body


def user_message_body(message: UserMessage, timestamp: int) -> Plain:
    """Shape A without a sender (section 3.4)."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": _content(message.content),
        "recipients": message.recipients,
        "timestamp": timestamp,
        "context": {},
    }


def message_up_body(message: MessageUp) -> Plain:
    """What a service is sent: the recipients stand in it twice (section 3.3)."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "timestamp": message.timestamp,
        "recipients": message.recipients,
        "msg_id": message.msg_id,
        "content": _content(message.content),
        "context": {
            "sender": message.sender,
            "recipients": message.recipients,
            "group_id": None,
        },
    }


def action_body(subtype: str, channel_id: ChannelId, sender: UserId | None) -> Plain:
    """A request; towards the platform without a sender (section 3.4)."""
    body: Plain = {"subtype": subtype_to_wire(subtype), "channel_id": channel_id, "context": {}}
    if sender is not None:
        body["sender"] = sender
    return body


def feature_call_body(call: FeatureCall) -> Plain:
    """A key press, alike in both directions."""
    return {
        "feature_id": call.feature_id,
        "channel_id": call.channel_id,
        "sender": call.sender,
        "arguments": [{"name": each.name, "value": each.value} for each in call.arguments],
        "context": {},
    }


def copy_body(copy: Copy) -> Plain:
    """A receipt."""
    return {
        "request_id": copy.request_id,
        "origin_type": copy.origin_type,
        "status": copy.status,
        "context": copy.context,
    }


def platform_error_frame(error: PlatformError) -> Plain:
    """A frame of the platform's host: no type, and its own spelling of names."""
    frame: Plain = {"message": error.message}
    if error.connection_id is not None:
        frame["connectionId"] = error.connection_id
    if error.request_id is not None:
        frame["requestId"] = error.request_id
    return frame


def profile_object(character: Character) -> Plain:
    """The three texts of a character."""
    return {
        "nickname": character.nickname,
        "description": character.description,
        "avatar": character.avatar,
    }


def character_object(character: Character) -> Plain:
    """A row of a character list."""
    return {
        "user_id": character.user_id,
        "username": character.username,
        "user_context": profile_object(character),
    }


def _argument(argument: FeatureArgument) -> Plain:
    plain: Plain = {
        "name": argument.name,
        "type": argument.type,
        "optional": argument.optional,
        "placeholder": argument.placeholder,
    }
    if argument.values:
        plain["values"] = argument.values
    return plain


def feature_object(feature: Feature) -> Plain:
    """A key; without arguments the list is left out."""
    plain: Plain = {
        "feature_id": feature.feature_id,
        "feature_name": feature.feature_name,
        "button_text": feature.button_text,
        "new_window": feature.new_window,
    }
    if feature.arguments:
        plain["arguments"] = [_argument(each) for each in feature.arguments]
    return plain


def _playground(playground: Playground) -> Plain:
    given = {"path": playground.path, "text": playground.text}
    return {key: value for key, value in given.items() if value is not None}


def _style_item(item: StyleItem) -> Plain:
    return {
        "widget": item.widget,
        "display": item.display,
        "expand": "true" if item.expand else "false",
    }


def update_body(update: ListUpdate, *, with_recipients: bool) -> Plain:
    """The body of an update; towards users without the recipients (section 3.4)."""
    body: Plain
    match update:
        case UpdateUserList():
            rows = [character_object(each) for each in update.user_list]
            body = {"subtype": UPDATE_USER_LIST, "userlist": rows}
        case UpdateFeatures():
            keys = [feature_object(each) for each in update.features]
            body = {"subtype": UPDATE_FEATURES, "features": keys, "group_id": GROUP_ID}
        case UpdatePlayground():
            stage = _playground(update.content)
            body = {"subtype": UPDATE_PLAYGROUND, "content": stage, "group_id": GROUP_ID}
        case UpdateStyle():
            items = [_style_item(each) for each in update.style]
            body = {"subtype": UPDATE_STYLE, "content": items, "group_id": GROUP_ID}
        case _:
            assert_never(update)
    body["channel_id"] = update.channel_id
    body["context"] = {}
    if with_recipients:
        body["recipients"] = update.recipients
    return body
