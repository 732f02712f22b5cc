"""Generation 1, the platform's side: frames of services and users, what either is sent.

Facts: docs/protocol/generation-1.md sections 3.2 to 3.4 and 8. Pure: what the platform makes of
a frame is decided elsewhere, and so is who is in a group.
"""

from __future__ import annotations

from typing import assert_never

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import ClientFrame, body_of, is_menu_item_click, type_of, unknown
from moobius_trio.codec.groups1 import GroupOf, MembersOf, recipients_from_user, recipients_in
from moobius_trio.codec.irregular import or_null
from moobius_trio.codec.plain import Plain, action_body, copy_body, platform_error_frame
from moobius_trio.codec.plain1 import (
    button_click_body,
    channel_info_for_user,
    menu_item_click_body,
    message_for_user_body,
    message_up_body,
    update_body,
)
from moobius_trio.codec.shapes1 import (
    ButtonClickShape,
    MenuItemClickShape,
    MessageDownShape,
    UserActionShape,
    UserMessageShape,
)
from moobius_trio.codec.tags import UPDATE
from moobius_trio.codec.tags1 import (
    ACTION,
    BUTTON_CLICK,
    HEARTBEAT,
    MESSAGE_DOWN,
    MESSAGE_UP,
    SERVICE_LOGIN,
    USER_LOGIN,
    action_for_service,
    origin_type,
)
from moobius_trio.codec.text import dump, parse_object
from moobius_trio.codec.updates1 import update_from_client
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
    RequestId,
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
)

__all__ = ("decode_from_client", "encode_for_service", "encode_for_user")


@attrs.define(eq=False, repr=False)
class _Head:
    """The keys beside a body; a free frame has its own (section 3.2)."""

    request_id: RequestId
    user_id: str | None = or_null(None)
    service_id: str | None = or_null(None)
    character_id: str | None = or_null(None)

    def client_id(self) -> str | None:
        """Whoever it is (a user's message has the user as service as well); an empty id is none."""
        return self.user_id or self.service_id or self.character_id


def decode_from_client(text: str | bytes, *, members_of: MembersOf) -> ClientFrame:
    """What a service, or a user's client, sent with one frame.

    A frame of a type that nobody knows gives an ``UnknownPayload`` as its command. A key press or
    choice from a menu has as sender whom the frame names as its client. ``client_id`` is None for
    logins and heartbeats, and for generic updates, in which the published client writes the
    target instead (section 9, defect 10).

    Args:
        members_of: who is in a group, in order; None for one that does not exist.

    Raises:
        MalformedPayload: it is no frame, or names a group that does not exist; the faults carry
            their paths. Nothing else is raised.
    """
    frame = parse_object(text, "frame")
    kind = type_of(frame)
    head = structure(frame, _Head, what=kind)
    client_id = head.client_id()
    command = _command(frame, kind, client_id or "", members_of)
    if isinstance(command, ServiceLogin | UserLogin | Ping | GenericUpdate):
        client_id = None
    return ClientFrame(head.request_id, client_id, command, origin_type=kind)


def _command(
    frame: dict[str, object], kind: str, client_id: str, members_of: MembersOf
) -> ServiceCommand | UserCommand | UnknownPayload:
    if kind == MESSAGE_DOWN:
        body = body_of(frame, kind)
        down = structure(body, MessageDownShape, what=kind, at="body")
        return down.value(recipients_in(body, kind, members_of))
    if kind == MESSAGE_UP:
        body = body_of(frame, kind)
        up = structure(body, UserMessageShape, what=kind, at="body")
        return up.value(recipients_from_user(body, kind, members_of))
    if kind == ACTION:
        return _action(body_of(frame, kind), client_id)
    if kind == UPDATE:
        return update_from_client(frame, members_of)
    if kind == HEARTBEAT:
        return Ping()
    if kind == SERVICE_LOGIN:
        return structure(frame, ServiceLogin, what=kind)
    if kind == USER_LOGIN:
        return structure(frame, UserLogin, what=kind)
    return unknown(frame, kind)


def _action(body: object, client_id: str) -> UserAction | FeatureCall | MenuItemClick:
    if isinstance(body, dict):  # who acts stands beside the body, not in it
        named = {**body, "sender": client_id}
        if is_menu_item_click(body):
            return structure(named, MenuItemClickShape, what=ACTION, at="body").value()
        if body.get("subtype") == BUTTON_CLICK:
            return structure(named, ButtonClickShape, what=ACTION, at="body").value()
    return structure(body, UserActionShape, what=ACTION, at="body").value()


def encode_for_service(event: ServiceEvent, *, group_of: GroupOf) -> str:
    """The frame that tells a service of ``event``.

    It has no key that the published client does not know: one more in a body would lose it the
    event. A request for one part of the screen is one for all of it (section 7).

    Args:
        group_of: the id of the group of a message's recipients, in this order; not asked for a
            message to the Service.

    Raises:
        LookupError: ``group_of`` cannot say.
        TypeError, ValueError: a free part of the event holds what JSON cannot.
    """
    body: Plain
    match event:
        case MessageUp():
            body = message_up_body(event, group_of)
        case Action():
            body = action_body(action_for_service(event.subtype), event.channel_id, event.sender)
        case FeatureCall():
            body = {**button_click_body(event), "sender": event.sender}
        case MenuItemClick():
            body = {**menu_item_click_body(event), "sender": event.sender}
        case Copy():
            body = copy_body(event)
        case PlatformError():
            return dump(platform_error_frame(event))
        case UnknownPayload():
            return dump(event.frame)
        case _:
            assert_never(event)
    return dump({"type": origin_type(event), "body": body})


def encode_for_user(event: UserEvent, *, group_of: GroupOf) -> str:
    """The frame that a user's client is sent: nothing says who else gets it.

    It has no key that the published client does not know, but for the body of a generic update,
    which is the service's own.

    Args:
        group_of: the id of the group that is a character list, in this order.

    Raises:
        LookupError: ``group_of`` cannot say.
        TypeError, ValueError: a free part of the event holds what JSON cannot, or a message has
            no timestamp.
    """
    body: object
    match event:
        case MessageDown():
            if event.timestamp is None:
                raise ValueError("a message for a user needs a timestamp")
            body = message_for_user_body(event, event.timestamp)
        case (
            UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateStyle() | UpdateMenu()
        ):
            body = update_body(event, group_of, with_recipients=False)
        case UpdateChannelInfo():
            body = channel_info_for_user(event)
        case GenericUpdate():
            body = event.data
        case Copy():
            body = copy_body(event)
        case UnknownPayload():
            return dump(event.frame)
        case _:
            assert_never(event)
    return dump({"type": origin_type(event), "body": body})
