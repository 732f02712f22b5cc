"""Generation 1, the service's side: frames from the platform, commands to it.

Facts: docs/protocol/generation-1.md sections 3.2 and 3.4. Pure: no clock, no ids of its own, and
whom a group means is the caller's to find out.
"""

from __future__ import annotations

from typing import assert_never

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of, is_menu_item_click, type_of, unknown
from moobius_trio.codec.groups1 import GroupOf, read_recipients
from moobius_trio.codec.plain import Plain
from moobius_trio.codec.plain1 import channel_info_body, message_down_body, update_body
from moobius_trio.codec.shapes1 import (
    ActionShape,
    ButtonClickShape,
    CopyShape,
    MenuItemClickShape,
    MessageUpShape,
    RefreshShape,
)
from moobius_trio.codec.tags import AUTH_ORIGIN, CHANNEL_INFO
from moobius_trio.codec.tags1 import (
    ACTION,
    BUTTON_CLICK,
    COPY,
    MESSAGE_DOWN,
    MESSAGE_UP,
    REFRESH,
    origin_type,
)
from moobius_trio.codec.text import as_object, assured, dump, glance
from moobius_trio.codec.usual import USUAL_1, is_usual, usual_event
from moobius_trio.types import (
    Action,
    FeatureCall,
    GenericUpdate,
    GroupMessage,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Ping,
    PlatformError,
    RawPayload,
    RequestId,
    ServiceCommand,
    ServiceFrame,
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


def decode_for_service(text: str | bytes) -> ServiceFrame:
    """What the platform told a service with one frame.

    A message to the Service is a ``MessageUp`` without recipients, as in generation 0; one to
    others names a group and is a ``GroupMessage``. A frame without a type but with a ``message``
    comes from the platform's host and gives a ``PlatformError``; one of a type that nobody knows
    gives an ``UnknownPayload``.

    Raises:
        MalformedPayload: it is no frame; the faults carry their paths. Nothing else is raised.
    """
    glanced = glance(text, "frame")
    if (usual := usual_event(glanced, USUAL_1)) is not None:
        return usual
    frame = as_object(assured(glanced, text, "frame"), "frame")
    if "type" not in frame and "message" in frame:
        return structure(frame, PlatformError, what="platform error")
    kind = type_of(frame)
    if kind not in (MESSAGE_UP, ACTION, REFRESH, COPY):
        return unknown(frame, kind)
    body = body_of(frame, kind)
    if kind == MESSAGE_UP:
        return _message(body)
    if kind == ACTION:
        return _action(body)
    if kind == REFRESH:
        return structure(body, RefreshShape, what=kind, at="body").value()
    return structure(body, CopyShape, what=kind, at="body").value()


def _message(body: object) -> MessageUp | GroupMessage:
    shape = structure(body, MessageUpShape, what=MESSAGE_UP, at="body")
    recipients = read_recipients(body, MESSAGE_UP)
    if isinstance(recipients, tuple):
        return shape.value(recipients)
    return GroupMessage(message=shape.value(()), group_id=recipients)


def _action(body: object) -> Action | FeatureCall | MenuItemClick:
    if is_menu_item_click(body):
        return structure(body, MenuItemClickShape, what=ACTION, at="body").value()
    if isinstance(body, dict) and body.get("subtype") == BUTTON_CLICK:
        return structure(body, ButtonClickShape, what=ACTION, at="body").value()
    return structure(body, ActionShape, what=ACTION, at="body").value()


def encode_from_service(
    command: ServiceCommand,
    *,
    request_id: RequestId,
    client_id: ServiceId,
    timestamp: int,
    group_of: GroupOf,
) -> str:
    """The frame with which a service sends ``command``.

    What it cannot say is told by ``losses``. The group of nobody is asked for like any other: do
    not send what has no recipients.

    Args:
        request_id: what the platform's receipt names; the same when the frame is sent again.
        client_id: the service that speaks.
        timestamp: milliseconds since 1970, for a message that has no time of its own.
        group_of: the id of the group of the recipients, or of a character list, in this order.

    Raises:
        LookupError: ``group_of`` cannot say.
        TypeError, ValueError: a free part of the command holds what JSON cannot.
    """
    if isinstance(command, MessageDown):  # first: it is by far the most frequent
        message: Plain = {
            "type": MESSAGE_DOWN,
            "request_id": request_id,
            "body": message_down_body(command, timestamp, group_of),
            "service_id": client_id,
        }
        return dump(message, looked_at=is_usual(command, request_id, client_id))
    frame: Plain = {"type": origin_type(command), "request_id": request_id}
    match command:
        case ServiceLogin():
            frame["auth_origin"] = AUTH_ORIGIN
            frame["access_token"] = command.access_token
            frame["service_id"] = command.service_id
            return dump(frame)
        case Ping():
            frame["body"] = {}
            return dump(frame)
        case RawPayload():  # its ids are those of the published client's free frames
            frame["body"] = command.body
            frame["character_id"] = client_id
            if command.type == MESSAGE_DOWN:
                frame["service_id"] = client_id
            return dump(frame)
        case (
            UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateStyle() | UpdateMenu()
        ):
            frame["body"] = update_body(command, group_of, with_recipients=True)
        case UpdateChannelInfo():
            frame["subtype"] = CHANNEL_INFO
            frame["channel_id"] = command.channel_id
            frame["body"] = channel_info_body(command)
        case GenericUpdate():
            frame["body"] = command.data
        case _:
            assert_never(command)
    frame["service_id"] = client_id
    return dump(frame)
