"""What one client frame does: the rules of the platform for services and for users.

Pure functions: a frame, the ``World``, the time and new ids come in; changes and frames for whom
come out. No trio, SQLite, clock, randomness or wire names. The rules of the HTTP calls are in
``rules_http``.

Known facts are those of docs/protocol/; what the platform is known to do besides
(docs/architecture.md section 8): a service that is away misses what users do, recipients who are
no members are ignored, the order of lists is kept, a repeated request id is dropped and answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from moobius_trio.codec.generations import Generation
from moobius_trio.local.records import Band, Change, Message, RequestSeen, UserJoined, UserLeft
from moobius_trio.local.world import World
from moobius_trio.types import (
    Action,
    ChannelId,
    Character,
    FeatureCall,
    GenericUpdate,
    MenuItemClick,
    MessageDown,
    MessageId,
    MessageUp,
    Ping,
    RequestId,
    ServiceCommand,
    ServiceEvent,
    ServiceId,
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
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("Delivery", "Outcome", "ToService", "ToUsers", "from_service", "from_user", "leaving")

ListUpdate: TypeAlias = (
    UpdateUserList | UpdateFeatures | UpdatePlayground | UpdateStyle | UpdateMenu
)

MAX_REQUEST_ID = 200
"""Characters; clients send UUIDs. A hundred thousand ids are remembered for each service."""

JOIN = "join_channel"
LEAVE = "leave_channel"
REFRESH = "refresh"
PARTS = ("fetch_user_list", "fetch_features", "fetch_playground")
"""What a refresh stands for (docs/protocol/generation-1.md section 7)."""
NO_ID = MessageId("")

UNKNOWN_SUBTYPE = "<unknown>"
"""What a client writes that names the message of a menu by its id alone."""


@attrs.frozen(kw_only=True)
class ToUsers:
    """An event for each of these users, in order."""

    users: tuple[UserId, ...]
    event: UserEvent


@attrs.frozen(kw_only=True)
class ToService:
    """An event for the service, if it is connected."""

    service_id: ServiceId
    event: ServiceEvent
    generation: Generation = 0
    """In which generation of the protocol it is told, on those of its connections that speak it."""
    covered: bool = False
    """The service was told just before, and is not told again."""


Delivery: TypeAlias = ToUsers | ToService


@attrs.frozen(kw_only=True)
class Outcome:
    """What a frame led to. With a ``refusal`` there are neither changes nor frames."""

    changes: tuple[Change, ...] = ()
    frames: tuple[Delivery, ...] = ()
    note: str = "received"
    refusal: str = ""
    """Why the frame was not accepted; empty when it was."""
    msg_id: MessageId = MessageId("")
    """What a user's message is called from now on; its receipt tells them."""


def from_service(
    world: World,
    service_id: ServiceId,
    request_id: RequestId,
    command: ServiceCommand | UserCommand | UnknownPayload,
    *,
    now: int,
    msg_id: MessageId = NO_ID,
    drop_repeats: bool = True,
    by_id: bool = False,
) -> Outcome:
    """What a frame of a logged-in service does (docs/protocol/generation-0.md section 3.2).

    ``now`` is in milliseconds since 1970 and fills a missing timestamp; ``msg_id`` is the id of the
    message if this is one. With ``by_id`` a character list has ids alone, as in generation 1; in
    generation 0 the service writes what it wants to be seen.
    """
    if len(request_id) > MAX_REQUEST_ID:
        return Outcome(refusal=f"a request_id may have {MAX_REQUEST_ID} characters")
    if isinstance(command, Ping):
        return Outcome()
    if drop_repeats and request_id and world.was_seen(service_id, request_id):
        return Outcome(note="received before; not delivered again")
    match command:
        case MessageDown():
            return _message_down(world, service_id, request_id, command, now, msg_id)
        case UpdateUserList() if by_id:
            shown = attrs.evolve(command, user_list=[_whole(world, c) for c in command.user_list])
            return _update(world, service_id, request_id, shown, command.recipients)
        case (
            UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateStyle() | UpdateMenu()
        ):
            return _update(world, service_id, request_id, command, command.recipients)
        case UpdateChannelInfo():
            everybody = world.members(command.channel_id)
            return _update(world, service_id, request_id, command, everybody)
        case GenericUpdate():
            # Its body is free and names nobody, so there is nobody to show it to.
            seen = RequestSeen(service_id=service_id, request_id=request_id)
            return Outcome(changes=(seen,), note="received; an update of no known kind")
        case ServiceLogin() | UserLogin():
            return Outcome(refusal="a login is answered by the session, not by the rules")
        case _:
            return Outcome(refusal="a service cannot send this")


def _whole(world: World, character: Character) -> Character:
    """The character as it is known; an id of nobody stays what it is."""
    return world.character(character.user_id) or character


def _message_down(
    world: World,
    service_id: ServiceId,
    request_id: RequestId,
    command: MessageDown,
    now: int,
    msg_id: MessageId,
) -> Outcome:
    if refusal := _not_held(world, service_id, command.channel_id):
        return Outcome(refusal=refusal)
    readers = _members_among(world, command.channel_id, command.recipients)
    timestamp = now if command.timestamp is None else command.timestamp
    message = Message(
        channel_id=command.channel_id,
        direction="down",
        content=command.content,
        sender=command.sender,
        recipients=command.recipients,
        readers=readers,
        subtype=command.subtype,
        timestamp=timestamp,
        msg_id=msg_id,
        service_id=service_id,
        request_id=request_id,
    )
    event = attrs.evolve(command, timestamp=timestamp, msg_id=msg_id)
    return Outcome(changes=(message,), frames=(ToUsers(users=readers, event=event),))


def _update(
    world: World,
    service_id: ServiceId,
    request_id: RequestId,
    command: ListUpdate | UpdateChannelInfo,
    recipients: Iterable[UserId],
) -> Outcome:
    if refusal := _not_held(world, service_id, command.channel_id):
        return Outcome(refusal=refusal)
    readers = _members_among(world, command.channel_id, recipients)
    return Outcome(
        changes=(RequestSeen(service_id=service_id, request_id=request_id),),
        frames=(ToUsers(users=readers, event=command),),
    )


def _not_held(world: World, service_id: ServiceId, channel_id: ChannelId) -> str:
    """Why the service may not speak in the band; empty when it may."""
    band = world.bands.get(channel_id)
    if band is None:
        return f"there is no band {channel_id}"
    if band.service_id != service_id:
        return f"band {channel_id} is not bound to service {service_id}"
    return ""


def _members_among(
    world: World, channel_id: ChannelId, recipients: Iterable[UserId]
) -> tuple[UserId, ...]:
    """Those of the recipients who are members, in the order given, each once."""
    return tuple(
        user_id for user_id in dict.fromkeys(recipients) if world.is_member(channel_id, user_id)
    )


def from_user(
    world: World,
    user_id: UserId,
    command: ServiceCommand | UserCommand | UnknownPayload,
    *,
    now: int,
    msg_id: MessageId,
) -> Outcome:
    """What a frame of a logged-in user does (docs/protocol/generation-0.md section 3.4).

    ``now`` is in milliseconds since 1970; ``msg_id`` is the id of the message if this is one.
    """
    match command:
        case Ping():
            return Outcome()
        case UserAction() | UserMessage() | FeatureCall() | MenuItemClick():
            pass
        case _:
            return Outcome(refusal="a user cannot send this")
    band = world.bands.get(command.channel_id)
    if band is None:
        return Outcome(refusal=f"there is no band {command.channel_id}")
    if isinstance(command, UserAction) and command.subtype == JOIN:
        return _join(world, band, user_id)
    if not world.is_member(band.channel_id, user_id):
        return Outcome(refusal=f"not a member of band {band.channel_id}; join it first")
    match command:
        case UserAction(subtype=subtype):
            left = UserLeft(channel_id=band.channel_id, user_id=user_id)
            event = Action(subtype=subtype, channel_id=band.channel_id, sender=user_id)
            return _tell(band, event, *((left,) if subtype == LEAVE else ()))
        case UserMessage():
            return _message_up(band, user_id, command, now, msg_id)
        case FeatureCall() | MenuItemClick():
            # Generation 1 says who it is beside the body, or not at all.
            if command.sender not in ("", user_id):
                return Outcome(refusal="the sender of a key press is another user")
            call = attrs.evolve(command, sender=user_id)
            return _tell(band, _repeated(world, call) if isinstance(call, MenuItemClick) else call)


def _repeated(world: World, click: MenuItemClick) -> MenuItemClick:
    """The click with what was clicked: a client may name the message by its id alone
    (docs/protocol/generation-1.md section 3.3)."""
    if click.message_subtype != UNKNOWN_SUBTYPE:
        return click
    for message in reversed(world.history.get(click.channel_id, ())):
        if (
            message.msg_id
            and message.msg_id == click.message_id
            and click.sender in message.readers
        ):
            return attrs.evolve(
                click, message_subtype=message.subtype, message_content=message.content
            )
    return click


def _join(world: World, band: Band, user_id: UserId) -> Outcome:
    if world.is_member(band.channel_id, user_id):
        return Outcome(note="a member already")
    joined = UserJoined(channel_id=band.channel_id, user_id=user_id)
    return _tell(band, Action(subtype=JOIN, channel_id=band.channel_id, sender=user_id), joined)


def _message_up(
    band: Band, user_id: UserId, command: UserMessage, now: int, msg_id: MessageId
) -> Outcome:
    event = MessageUp(
        channel_id=band.channel_id,
        sender=user_id,
        content=command.content,
        recipients=command.recipients,
        subtype=command.subtype,
        timestamp=now,
        msg_id=msg_id,
    )
    message = Message(
        channel_id=band.channel_id,
        direction="up",
        content=command.content,
        sender=user_id,
        recipients=command.recipients,
        readers=(user_id,),
        subtype=command.subtype,
        timestamp=now,
        msg_id=msg_id,
    )
    return attrs.evolve(_tell(band, event, message), msg_id=msg_id)


def leaving(world: World, channel_id: ChannelId, *user_ids: UserId) -> tuple[Outcome, ...]:
    """What it is that these members, or else all, leave the band, in joining order, each by
    themselves."""
    band = world.bands[channel_id]
    outcomes = []
    for user_id in user_ids or world.members(channel_id):
        left = UserLeft(channel_id=channel_id, user_id=user_id)
        event = Action(subtype=LEAVE, channel_id=channel_id, sender=user_id)
        outcomes.append(_tell(band, event, left))
    return tuple(outcomes)


def _tell(band: Band, event: ServiceEvent, *changes: Change) -> Outcome:
    """The changes, and the event for the service that holds the band, if one does."""
    if band.service_id is None:
        return Outcome(changes=changes, note="received; no service holds this band")
    return Outcome(changes=changes, frames=(ToService(service_id=band.service_id, event=event),))
