"""What the local platform knows, as frozen records.

Putting a record is a change, so rules give records back, ``World.apply`` takes them in and the
store writes them, one and the same value. No I/O, clock, randomness or wire names here.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from moobius_trio.types import (
    NO_SENDER,
    ChannelId,
    Character,
    Content,
    GroupId,
    MessageId,
    RequestId,
    ServiceId,
    UserId,
)

__all__ = (
    "Account",
    "Band",
    "BandEmptied",
    "Change",
    "Figure",
    "Forgotten",
    "Group",
    "Message",
    "RequestSeen",
    "Service",
    "Upload",
    "UserJoined",
    "UserLeft",
)


@attrs.frozen(kw_only=True)
class Account:
    """Someone who can sign in: by e-mail and password, or as a guest of the page by name."""

    person: Character
    login: str
    """The e-mail; for a guest a text that no e-mail can be."""
    password_hash: str = attrs.field(default="", repr=False)
    """Empty for a guest, whom no password lets in."""
    confirmed: bool = True
    """False from a sign-up until the code that came with it is given back."""

    @property
    def user_id(self) -> UserId:
        return self.person.user_id


@attrs.frozen(kw_only=True)
class Band:
    """A room, and the service that holds it."""

    channel_id: ChannelId
    name: str
    service_id: ServiceId | None = None
    description: str = ""
    owner: UserId | None = None
    """The account that made it by a call of the protocol, and may change it."""


@attrs.frozen(kw_only=True)
class Service:
    """A program that may hold bands; it belongs to the account that made it."""

    service_id: ServiceId
    owner: UserId
    description: str = ""


@attrs.frozen(kw_only=True)
class Figure:
    """A character that a service made."""

    service_id: ServiceId
    character: Character


@attrs.frozen(kw_only=True)
class Group:
    """Users known by an id, in order (docs/protocol/generation-1.md section 3.5)."""

    group_id: GroupId
    owner: UserId
    members: tuple[UserId, ...] = ()
    channel_id: ChannelId | None = None
    """The band for which a user made it; None for a service's."""
    name: str = ""


@attrs.frozen(kw_only=True)
class Message:
    """A message as it went through a band, in either direction."""

    channel_id: ChannelId
    direction: Literal["up", "down"]
    content: Content
    sender: UserId = NO_SENDER
    recipients: tuple[UserId, ...] = ()
    """As the sender wrote them, in order."""
    readers: tuple[UserId, ...] = ()
    """Whose history it belongs to: its sender when it went up, the members it went down to."""
    subtype: str = "text"
    timestamp: int = 0
    """Milliseconds since 1970."""
    msg_id: MessageId = MessageId("")
    """Empty for messages down that an older version kept."""
    service_id: ServiceId | None = None
    """The service that sent it down."""
    request_id: RequestId = RequestId("")
    """The id of the service's frame, by which a repetition is known after a restart too."""


@attrs.frozen(kw_only=True)
class Upload:
    """A file that was uploaded; its bytes lie in the store under the same key."""

    key: str
    media_type: str
    size: int


@attrs.frozen(kw_only=True)
class UserJoined:
    channel_id: ChannelId
    user_id: UserId


@attrs.frozen(kw_only=True)
class UserLeft:
    channel_id: ChannelId
    user_id: UserId


@attrs.frozen(kw_only=True)
class BandEmptied:
    """The messages of a band are forgotten; who is a member is said by ``UserLeft``."""

    channel_id: ChannelId


@attrs.frozen(kw_only=True)
class Forgotten:
    """The record is no more; what refers to it is changed or forgotten before."""

    record: Account | Service | Figure | Group


@attrs.frozen(kw_only=True)
class RequestSeen:
    """A service's frame was accepted; it is not stored by itself (``Message.request_id`` is)."""

    service_id: ServiceId
    request_id: RequestId


Change: TypeAlias = (
    Account
    | Band
    | Service
    | Figure
    | Group
    | Message
    | Upload
    | UserJoined
    | UserLeft
    | BandEmptied
    | Forgotten
    | RequestSeen
)
"""Everything that can become different in a ``World``."""
