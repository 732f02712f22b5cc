"""Values as the plain objects that generation 1 has for them: the inverse of its shapes.

Bodies and their parts only; the envelopes round them are written in the ``generation1``
modules. What a published client is sent has no key outside the table of
docs/protocol/generation-1.md section 3.4: one more would lose it the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from moobius_trio.codec.groups1 import GroupOf
from moobius_trio.codec.plain import ListUpdate, Plain, content_object
from moobius_trio.codec.tags import CHANNEL_INFO, GROUP_ID, MENU_ITEM_CLICK, TO_SERVICE
from moobius_trio.codec.tags1 import (
    BUTTON_CLICK,
    BUTTONS,
    CANVAS,
    CHARACTERS,
    CONTENT_KEYS,
    MENU,
    MESSAGE_SUBTYPES,
    STYLE,
    component_to_wire,
    widget_to_wire,
)
from moobius_trio.types import (
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    JsonValue,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Playground,
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
    "button_click_body",
    "channel_info_body",
    "channel_info_for_user",
    "menu_item_click_body",
    "message_down_body",
    "message_for_user_body",
    "message_up_body",
    "said_twice",
    "update_body",
    "user_message_body",
)


def _known_content(content: Content) -> Plain:
    """The content without the keys that a published client refuses."""
    plain = content_object(content)
    return {key: value for key, value in plain.items() if key in CONTENT_KEYS}


def message_down_body(message: MessageDown, timestamp: int, group_of: GroupOf) -> Plain:
    """A service's message; ``timestamp`` stands in for None."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": content_object(message.content),
        "recipients": group_of(message.recipients),
        "timestamp": timestamp if message.timestamp is None else message.timestamp,
        "context": {},
        "sender": message.sender,
    }


def message_for_user_body(message: MessageDown, timestamp: int) -> Plain:
    """The same for a user's client: without who else gets it."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": _known_content(message.content),
        "timestamp": timestamp,
        "sender": message.sender,
        "message_id": message.msg_id,
        "context": {},
    }


def message_up_body(message: MessageUp, group_of: GroupOf) -> Plain:
    """What a service is told of a message."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": _known_content(message.content),
        "timestamp": message.timestamp,
        "recipients": _upward(message.recipients, group_of),
        "sender": message.sender,
        "message_id": message.msg_id,
        "context": {},
    }


def user_message_body(message: UserMessage, timestamp: int, group_of: GroupOf) -> Plain:
    """A user's message: sender and id are the platform's to add."""
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": content_object(message.content),
        "recipients": _upward(message.recipients, group_of),
        "timestamp": timestamp,
        "context": {},
    }


def _upward(recipients: tuple[UserId, ...], group_of: GroupOf) -> str:
    return group_of(recipients) if recipients else TO_SERVICE


def _filled_in(argument: FeatureCallArgument) -> Plain:
    return {
        "label": argument.name,
        "value": str(argument.value),  # every value is a text (section 4)
        "filename": argument.filename,
    }


def button_click_body(call: FeatureCall) -> Plain:
    """A key press, without who pressed it."""
    return {
        "subtype": BUTTON_CLICK,
        "button_id": call.feature_id,
        "channel_id": call.channel_id,
        "arguments": [_filled_in(each) for each in call.arguments],
        "bottom_button_id": call.bottom_button_id,
        "context": {},
    }


def menu_item_click_body(click: MenuItemClick) -> Plain:
    """A choice from a message's menu, without who chose."""
    return {
        "subtype": MENU_ITEM_CLICK,
        "menu_item_id": click.menu_item_id,
        "channel_id": click.channel_id,
        "message_id": click.message_id,
        "message_subtype": click.message_subtype,
        "message_content": _known_content(click.message_content),
        "arguments": [_filled_in(each) for each in click.arguments],
        "bottom_button_id": click.bottom_button_id,
        "context": {},
    }


def _component(argument: FeatureArgument) -> Plain:
    return {
        "label": argument.name,
        "type": component_to_wire(argument.type),
        "required": not argument.optional,
        "placeholder": argument.placeholder or None,
        "choices": argument.values or None,
    }


def _dialog(
    label: str, arguments: tuple[FeatureArgument, ...], dialog: Dialog | None
) -> Plain | None:
    """The form; None where there is nothing to fill in and nothing to show."""
    if dialog is None:
        if not arguments:
            return None
        dialog = Dialog()
    buttons = [
        {"id": each.id, "text": each.text, "submit": each.submit} for each in dialog.bottom_buttons
    ]
    return {
        "title": dialog.title or label,
        "components": [_component(each) for each in arguments],
        "bottom_buttons": buttons or None,
    }


def _button(feature: Feature) -> Plain:
    return {
        "button_id": feature.feature_id,
        "button_text": feature.button_text,
        "dialog": _dialog(feature.button_text, feature.arguments, feature.dialog),
    }


def _menu_item(item: MenuItem) -> Plain:
    return {
        "menu_item_id": item.menu_item_id,
        "menu_item_text": item.menu_item_text,
        "message_subtypes": item.message_subtypes or MESSAGE_SUBTYPES,
        "dialog": _dialog(item.menu_item_text, item.arguments, item.dialog),
    }


def _canvas_item(item: Playground) -> Plain:
    return {"text": item.text, "path": item.path}


def _style_item(item: StyleItem) -> Plain:
    return {
        "widget": widget_to_wire(item.widget),
        "display": item.display,
        "expand": item.expand,
        "button_id": item.feature_id,
        "text": item.text,
    }


def update_body(update: ListUpdate, group_of: GroupOf, *, with_recipients: bool) -> Plain:
    """The body of an update; towards users without the recipients (section 3.4)."""
    body: Plain = {"channel_id": update.channel_id}
    if not isinstance(update, UpdateUserList):  # the only one without (section 3.2)
        body["context"] = {}
    if with_recipients:
        body["recipients"] = group_of(update.recipients)
    match update:
        case UpdateUserList():
            group_id = group_of(tuple(each.user_id for each in update.user_list))
            body |= {"subtype": CHARACTERS, "content": {"characters": group_id}}
        case UpdateFeatures():
            content = [_button(each) for each in update.features]
            body |= {"subtype": BUTTONS, "content": content, "group_id": GROUP_ID}
        case UpdateMenu():
            body |= {"subtype": MENU, "content": [_menu_item(each) for each in update.menu]}
        case UpdatePlayground():
            content = [_canvas_item(each) for each in update.items]
            body |= {"subtype": CANVAS, "content": content, "group_id": GROUP_ID}
        case UpdateStyle():
            content = [_style_item(each) for each in update.style]
            body |= {"subtype": STYLE, "content": content, "group_id": GROUP_ID}
        case _:
            assert_never(update)
    return body


def said_twice(data: Mapping[str, JsonValue]) -> Plain:
    """The part of what is known of a band that its ``context`` repeats (section 3.2)."""
    return {key: data[key] for key in ("channel_description", "channel_type") if key in data}


def channel_info_body(update: UpdateChannelInfo) -> Plain:
    """What a service says of a band, with the description twice."""
    body: Plain = {"context": said_twice(update.data), **update.data}
    body["channel_id"] = update.channel_id
    return body


def channel_info_for_user(update: UpdateChannelInfo) -> Plain:
    """The same for a user's client, in the keys that updates for users have."""
    return {
        "subtype": CHANNEL_INFO,
        "channel_id": update.channel_id,
        "content": update.data,
        "context": {},
    }
