"""Generation 0, the platform's side: frames of services and users, what either is sent.

Facts: docs/protocol/generation-0.md sections 3.2 to 3.4. Pure: what the platform makes of a
frame is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import (
    ClientFrame,
    ClientHead,
    body_of,
    is_menu_item_click,
    type_of,
    unknown,
)
from moobius_trio.codec.plain import (
    Plain,
    action_body,
    copy_body,
    feature_call_body,
    menu_item_click_body,
    message_down_body,
    message_up_body,
    platform_error_frame,
    update_body,
)
from moobius_trio.codec.tags import CHANNEL_INFO, UPDATE, origin_type
from moobius_trio.codec.text import dump, parse_object
from moobius_trio.codec.updates import decode_update
from moobius_trio.types import (
    Action,
    Copy,
    FeatureCall,
    GenericUpdate,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Ping,
    PlatformError,
    ServiceCommand,
    ServiceEvent,
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
    UserEvent,
    UserLogin,
    UserMessage,
)

__all__ = ("decode_from_client", "encode_for_service", "encode_for_user")

_LOGINS: Final[Mapping[str, type[ServiceLogin | UserLogin]]] = MappingProxyType(
    {"service_login": ServiceLogin, "user_login": UserLogin}
)
_COMMANDS: Final[Mapping[str, type[MessageDown | UserAction | UserMessage | FeatureCall]]] = (
    MappingProxyType(
        {
            "msg_down": MessageDown,
            "msg_up": UserMessage,
            "action": UserAction,
            "feature_call": FeatureCall,
        }
    )
)


def decode_from_client(text: str | bytes) -> ClientFrame:
    """What a service, or a user's client, sent with one frame.

    A frame of a type that nobody knows gives an ``UnknownPayload`` as its command; so does
    every ``RawPayload`` of a service.

    Raises:
        MalformedPayload: it is no frame; the faults carry their paths. Nothing else is raised.
    """
    frame = parse_object(text, "frame")
    kind = type_of(frame)
    head = structure(frame, ClientHead, what=kind)
    return ClientFrame(head.request_id, head.client_id, _command(frame, kind))


def _command(frame: dict[str, object], kind: str) -> ServiceCommand | UserCommand | UnknownPayload:
    if (command := _COMMANDS.get(kind)) is not None:
        body = body_of(frame, kind)
        if command is UserAction and is_menu_item_click(body):
            return structure(body, MenuItemClick, what=kind, at="body")
        return structure(body, command, what=kind, at="body")
    if kind == UPDATE:
        return decode_update(frame)
    if (login := _LOGINS.get(kind)) is not None:
        return structure(frame, login, what=kind)
    if kind == "ping":
        return Ping()
    return unknown(frame, kind)


def encode_for_service(event: ServiceEvent) -> str:
    """The frame that tells a service of ``event``.

    Raises:
        TypeError, ValueError: a free part of the event holds what JSON cannot.
    """
    body: Plain
    match event:
        case MessageUp():
            body = message_up_body(event)
        case Action():
            body = action_body(event.subtype, event.channel_id, event.sender)
        case FeatureCall():
            body = feature_call_body(event)
        case MenuItemClick():
            body = menu_item_click_body(event)
        case Copy():
            body = copy_body(event)
        case PlatformError():
            return dump(platform_error_frame(event))
        case UnknownPayload():
            return dump(event.frame)
        case _:
            assert_never(event)
    return dump({"type": origin_type(event), "body": body})


def encode_for_user(event: UserEvent) -> str:
    """The frame that a user's client is sent: an update does not say who else gets it.

    Raises:
        TypeError, ValueError: a free part of the event holds what JSON cannot, or a message has
            no timestamp.
    """
    frame: Plain = {"type": origin_type(event)}
    match event:
        case MessageDown():
            if event.timestamp is None:
                raise ValueError("a message for a user needs a timestamp")
            frame["body"] = message_down_body(event, event.timestamp)
        case (
            UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateStyle() | UpdateMenu()
        ):
            frame["body"] = update_body(event, with_recipients=False)
        case UpdateChannelInfo():
            frame["subtype"] = CHANNEL_INFO
            frame["channel_id"] = event.channel_id
            frame["body"] = event.data
        case GenericUpdate():
            frame["body"] = event.data
        case Copy():
            frame["body"] = copy_body(event)
        case UnknownPayload():
            return dump(event.frame)
        case _:
            assert_never(event)
    return dump(frame)
