"""Values as the plain objects that the wire has for them: the inverse of the converter.

Bodies and their parts only; the envelopes round them are written in the ``generation0``
modules and in ``http0``. Facts: docs/protocol/generation-0.md sections 2.2, 3.2 and 3.5.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from moobius_trio.codec.tags import (
    GROUP_ID,
    MENU_ITEM_CLICK,
    UPDATE_FEATURES,
    UPDATE_MENU,
    UPDATE_PLAYGROUND,
    UPDATE_STYLE,
    UPDATE_USER_LIST,
    subtype_to_wire,
)
from moobius_trio.types import (
    CONFIRM,
    ChannelId,
    Character,
    Content,
    Copy,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    PlatformError,
    Playground,
    StyleItem,
    UpdateFeatures,
    UpdateMenu,
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
    "content_object",
    "copy_body",
    "feature_call_body",
    "feature_object",
    "menu_item_click_body",
    "message_down_body",
    "message_up_body",
    "platform_error_frame",
    "profile_object",
    "update_body",
    "user_message_body",
)

Plain: TypeAlias = dict[str, object]
"""An object about to be written as JSON."""

ListUpdate: TypeAlias = (
    UpdateUserList | UpdateFeatures | UpdatePlayground | UpdateStyle | UpdateMenu
)
"""The updates whose body is of one pattern, with recipients."""


def content_object(content: Content) -> Plain:
    """What a message says; keys that nobody knows are written as they came."""
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
        "content": content_object(message.content),
        "recipients": message.recipients,
        "sender": message.sender,
        "timestamp": timestamp if message.timestamp is None else message.timestamp,
    }
    if message.relayed:
        body["msg_id"] = None
    else:
        body["context"] = {}
    if message.msg_id:  # a key of ours: generation 0 has no name for a message down
        body["message_id"] = message.msg_id
    return body


def user_message_body(message: UserMessage, timestamp: int) -> Plain:
    """Shape A without a sender (section 3.4)."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": content_object(message.content),
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
        "content": content_object(message.content),
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


def _filled_in(argument: FeatureCallArgument) -> Plain:
    plain: Plain = {"name": argument.name, "value": argument.value}
    if argument.filename is not None:
        plain["filename"] = argument.filename
    return plain


def feature_call_body(call: FeatureCall) -> Plain:
    """A key press, alike in both directions; the form's button only where there was a choice."""
    body: Plain = {
        "feature_id": call.feature_id,
        "channel_id": call.channel_id,
        "sender": call.sender,
        "arguments": [_filled_in(each) for each in call.arguments],
        "context": {},
    }
    if call.bottom_button_id != CONFIRM:
        body["bottom_button_id"] = call.bottom_button_id
    return body


def menu_item_click_body(click: MenuItemClick) -> Plain:
    """A choice from a menu, alike in both directions: an action of ours in generation 0."""
    return {
        "subtype": MENU_ITEM_CLICK,
        "menu_item_id": click.menu_item_id,
        "channel_id": click.channel_id,
        "sender": click.sender,
        "message_id": click.message_id,
        "message_subtype": click.message_subtype,
        "message_content": content_object(click.message_content),
        "arguments": [_filled_in(each) for each in click.arguments],
        "bottom_button_id": click.bottom_button_id,
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


def _dialog(dialog: Dialog) -> Plain:
    buttons = [
        {"id": each.id, "text": each.text, "submit": each.submit} for each in dialog.bottom_buttons
    ]
    return {"title": dialog.title, "bottom_buttons": buttons}


def _menu_item(item: MenuItem) -> Plain:
    return {
        "menu_item_id": item.menu_item_id,
        "menu_item_text": item.menu_item_text,
        "message_subtypes": item.message_subtypes,
        "arguments": [_argument(each) for each in item.arguments],
        "dialog": None if item.dialog is None else _dialog(item.dialog),
    }


def feature_object(feature: Feature) -> Plain:
    """A key; without arguments the list is left out, and a dialog of the usual kind as well."""
    plain: Plain = {
        "feature_id": feature.feature_id,
        "feature_name": feature.feature_name,
        "button_text": feature.button_text,
        "new_window": feature.new_window,
    }
    if feature.arguments:
        plain["arguments"] = [_argument(each) for each in feature.arguments]
    if feature.dialog is not None:
        plain["dialog"] = _dialog(feature.dialog)
    return plain


def _playground(playground: Playground) -> Plain:
    given = {"path": playground.path, "text": playground.text}
    return {key: value for key, value in given.items() if value is not None}


def _style_item(item: StyleItem) -> Plain:
    plain: Plain = {
        "widget": item.widget,
        "display": item.display,
        "expand": "true" if item.expand else "false",
    }
    if item.feature_id is not None:  # the later form's three keys, of which we know one
        hook = {"feature_id": item.feature_id, "button_text": "", "arguments": []}
        plain["feature_hook"] = hook
    if item.text is not None:
        plain["text"] = item.text
    return plain


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
            if update.more:  # a key of ours: generation 0 has one item
                body["more"] = [_playground(each) for each in update.more]
        case UpdateStyle():
            items = [_style_item(each) for each in update.style]
            body = {"subtype": UPDATE_STYLE, "content": items, "group_id": GROUP_ID}
        case UpdateMenu():
            menu = [_menu_item(each) for each in update.menu]
            body = {"subtype": UPDATE_MENU, "content": menu, "group_id": GROUP_ID}
        case _:
            assert_never(update)
    body["channel_id"] = update.channel_id
    body["context"] = {}
    if with_recipients:
        body["recipients"] = update.recipients
    return body
