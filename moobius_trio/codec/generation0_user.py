"""Generation 0, the user's side: what a user's client sends, and what it is sent.

Facts: docs/protocol/generation-0.md section 3.4. Pure: no clock, no ids of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of, type_of, unknown
from moobius_trio.codec.plain import (
    Plain,
    action_body,
    feature_call_body,
    menu_item_click_body,
    user_message_body,
)
from moobius_trio.codec.tags import AUTH_ORIGIN, UPDATE, origin_type
from moobius_trio.codec.text import dump, parse_object
from moobius_trio.codec.updates import decode_update
from moobius_trio.types import (
    Copy,
    FeatureCall,
    MenuItemClick,
    MessageDown,
    Ping,
    RequestId,
    UserAction,
    UserCommand,
    UserEvent,
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("decode_for_user", "encode_from_user")

_EVENTS: Final[Mapping[str, type[MessageDown | Copy]]] = MappingProxyType(
    {"msg_down": MessageDown, "copy_client": Copy, "copy": Copy}
)


def decode_for_user(text: str | bytes) -> UserEvent:
    """What the platform told a user's client with one frame.

    Raises:
        MalformedPayload: it is no frame; the faults carry their paths. Nothing else is raised.
    """
    frame = parse_object(text, "frame")
    kind = type_of(frame)
    if kind == UPDATE:
        return decode_update(frame, as_user=True)
    event = _EVENTS.get(kind)
    if event is None:
        return unknown(frame, kind)
    return structure(body_of(frame, kind), event, what=kind, at="body")


def encode_from_user(
    command: UserCommand, *, request_id: RequestId, client_id: UserId, timestamp: int
) -> str:
    """The frame with which a user's client sends ``command``.

    Args:
        request_id: what the platform's receipt names.
        client_id: the user who speaks.
        timestamp: milliseconds since 1970, written into a message.

    Raises:
        TypeError, ValueError: a free part of the command holds what JSON cannot.
    """
    frame: Plain = {"type": origin_type(command), "request_id": request_id}
    match command:
        case UserLogin():
            frame["auth_origin"] = AUTH_ORIGIN
            frame["access_token"] = command.access_token
            return dump(frame)
        case Ping():
            return dump(frame)
        case UserMessage():
            frame["body"] = user_message_body(command, timestamp)
        case UserAction():
            frame["body"] = action_body(command.subtype, command.channel_id, None)
        case FeatureCall():
            frame["body"] = feature_call_body(command)
        case MenuItemClick():
            frame["body"] = menu_item_click_body(command)
        case _:
            assert_never(command)
    frame["client_id"] = client_id
    return dump(frame)
