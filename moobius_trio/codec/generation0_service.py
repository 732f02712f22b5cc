"""Generation 0, the service's side: events from the platform, commands to it.

Facts: docs/protocol/generation-0.md sections 3.2 and 3.3. Pure: no clock, no ids of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of, is_menu_item_click, type_of, unknown
from moobius_trio.codec.plain import Plain, message_down_body, update_body
from moobius_trio.codec.tags import AUTH_ORIGIN, CHANNEL_INFO, origin_type
from moobius_trio.codec.text import as_object, assured, dump, glance
from moobius_trio.codec.usual import USUAL_0, is_usual, usual_event
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
    RawPayload,
    RequestId,
    ServiceCommand,
    ServiceEvent,
    ServiceId,
    ServiceLogin,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("decode_for_service", "encode_from_service")

_EVENTS: Final[Mapping[str, type[MessageUp | Action | FeatureCall | Copy]]] = MappingProxyType(
    {
        "msg_up": MessageUp,
        "action": Action,
        "feature_call": FeatureCall,
        "copy_client": Copy,
        "copy": Copy,
    }
)


def decode_for_service(text: str | bytes) -> ServiceEvent:
    """What the platform told a service with one frame.

    A frame without a type but with a ``message`` comes from the platform's host and gives a
    ``PlatformError``; one of a type that nobody knows gives an ``UnknownPayload``.

    Raises:
        MalformedPayload: it is no frame; the faults carry their paths. Nothing else is raised.
    """
    glanced = glance(text, "frame")
    if (usual := usual_event(glanced, USUAL_0)) is not None:
        return usual
    frame = as_object(assured(glanced, text, "frame"), "frame")
    if "type" not in frame and "message" in frame:
        return structure(frame, PlatformError, what="platform error")
    kind = type_of(frame)
    event = _EVENTS.get(kind)
    if event is None:
        return unknown(frame, kind)
    body = body_of(frame, kind)
    if event is Action and is_menu_item_click(body):
        return structure(body, MenuItemClick, what=kind, at="body")
    return structure(body, event, what=kind, at="body")


def encode_from_service(
    command: ServiceCommand, *, request_id: RequestId, client_id: ServiceId, timestamp: int
) -> str:
    """The frame with which a service sends ``command``.

    Args:
        request_id: what the platform's receipt names; the same when the frame is sent again.
        client_id: the service that speaks.
        timestamp: milliseconds since 1970, for a message that has no time of its own.

    Raises:
        TypeError, ValueError: a free part of the command holds what JSON cannot.
    """
    frame: Plain = {"type": origin_type(command), "request_id": request_id}
    match command:
        case MessageDown():  # first: it is by far the most frequent
            frame["body"] = message_down_body(command, timestamp)
            frame["client_id"] = client_id
            return dump(frame, looked_at=is_usual(command, request_id, client_id))
        case ServiceLogin():
            frame["auth_origin"] = AUTH_ORIGIN
            frame["access_token"] = command.access_token
            frame["service_id"] = command.service_id
            return dump(frame)
        case Ping():
            return dump(frame)
        case (
            UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateStyle() | UpdateMenu()
        ):
            frame["body"] = update_body(command, with_recipients=True)
        case UpdateChannelInfo():
            frame["subtype"] = CHANNEL_INFO
            frame["channel_id"] = command.channel_id
            frame["body"] = command.data
        case GenericUpdate():
            frame["body"] = command.data
        case RawPayload():
            frame["body"] = command.body
        case _:
            assert_never(command)
    frame["client_id"] = client_id
    return dump(frame)
