"""Generation 1, the user's side: what a user's client sends, and what it is sent.

Facts: docs/protocol/generation-1.md sections 3.3 and 3.4. Pure: no clock, no ids of its own, and
whom a group means is the caller's to find out.
"""

from __future__ import annotations

from typing import assert_never

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of, type_of, unknown
from moobius_trio.codec.groups1 import GroupOf
from moobius_trio.codec.plain import Plain, action_body
from moobius_trio.codec.plain1 import button_click_body, menu_item_click_body, user_message_body
from moobius_trio.codec.shapes1 import CopyShape, MessageForUserShape
from moobius_trio.codec.tags import AUTH_ORIGIN, UPDATE
from moobius_trio.codec.tags1 import COPY, MESSAGE_DOWN, action_for_platform, origin_type
from moobius_trio.codec.text import dump, parse_object
from moobius_trio.codec.updates1 import update_for_user
from moobius_trio.types import (
    FeatureCall,
    MenuItemClick,
    Ping,
    RequestId,
    UserAction,
    UserCommand,
    UserFrame,
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("decode_for_user", "encode_from_user")


def decode_for_user(text: str | bytes) -> UserFrame:
    """What the platform told a user's client with one frame.

    A character list names a group, whose members have to be asked for, and is an
    ``UpdateCharacterGroup``.

    Raises:
        MalformedPayload: it is no frame; the faults carry their paths. Nothing else is raised.
    """
    frame = parse_object(text, "frame")
    kind = type_of(frame)
    if kind == UPDATE:
        return update_for_user(frame)
    if kind == MESSAGE_DOWN:
        return structure(body_of(frame, kind), MessageForUserShape, what=kind, at="body").value()
    if kind == COPY:
        return structure(body_of(frame, kind), CopyShape, what=kind, at="body").value()
    return unknown(frame, kind)


def encode_from_user(
    command: UserCommand,
    *,
    request_id: RequestId,
    user_id: UserId,
    timestamp: int,
    group_of: GroupOf,
) -> str:
    """The frame with which a user's client sends ``command``.

    A request for one part of the screen is one for all of it (section 7), and the sender that a
    key press names is not written, since the connection says who it is.

    Args:
        request_id: what the platform's receipt names.
        user_id: the user who speaks.
        timestamp: milliseconds since 1970, written into a message.
        group_of: the id of the group of the recipients, in this order; not asked for a message
            to the Service.

    Raises:
        LookupError: ``group_of`` cannot say.
        TypeError, ValueError: a free part of the command holds what JSON cannot.
    """
    frame: Plain = {"type": origin_type(command), "request_id": request_id}
    match command:
        case UserLogin():
            frame["auth_origin"] = AUTH_ORIGIN
            frame["access_token"] = command.access_token
            return dump(frame)
        case Ping():
            frame["body"] = {}
            return dump(frame)
        case UserMessage():
            frame["service_id"] = user_id  # so does the published client (section 3.3)
            frame["body"] = user_message_body(command, timestamp, group_of)
        case UserAction():
            subtype = action_for_platform(command.subtype)
            frame["body"] = action_body(subtype, command.channel_id, None)
        case FeatureCall():
            frame["body"] = button_click_body(command)
        case MenuItemClick():
            frame["body"] = menu_item_click_body(command)
        case _:
            assert_never(command)
    frame["user_id"] = user_id
    return dump(frame)
