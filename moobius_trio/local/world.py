"""The state of the local platform in memory: what is, and how a change becomes part of it.

Pure: no trio, SQLite, clock, randomness or wire names; whoever asks brings times and ids.
What may happen is decided in ``rules``; here a change is simply taken in.
"""

from __future__ import annotations

from collections import deque

from moobius_trio.local.records import (
    Account,
    Band,
    BandEmptied,
    Change,
    Figure,
    Group,
    Message,
    RequestSeen,
    Service,
    Upload,
    UserJoined,
    UserLeft,
)
from moobius_trio.types import ChannelId, Character, GroupId, RequestId, ServiceId, UserId

__all__ = ("HISTORY_PER_BAND", "REQUESTS_PER_SERVICE", "World")

HISTORY_PER_BAND = 2_000
"""Messages of a band that are kept in memory; a store keeps all."""

REQUESTS_PER_SERVICE = 100_000
"""Request ids by which repetitions of a service's frames are known."""


class World:
    """Accounts, bands, members, services and their characters, groups, messages and uploads.

    The mappings are in the order in which their records came to be; a band's members are in
    joining order (docs/architecture.md section 8). They are read freely and changed through
    ``apply`` only.
    """

    def __init__(self) -> None:
        self.accounts: dict[UserId, Account] = {}
        self.logins: dict[str, UserId] = {}
        self.bands: dict[ChannelId, Band] = {}
        self.services: dict[ServiceId, Service] = {}
        self.figures: dict[UserId, Figure] = {}
        self.groups: dict[GroupId, Group] = {}
        self.history: dict[ChannelId, deque[Message]] = {}
        self.uploads: dict[str, Upload] = {}
        self.upload_bytes = 0
        self._members: dict[ChannelId, dict[UserId, None]] = {}
        self._seen: dict[ServiceId, dict[RequestId, None]] = {}

    def apply(self, change: Change) -> None:
        """Take the change in. Taking in a record that is there already replaces it."""
        match change:
            case Account():
                self.accounts[change.user_id] = change
                self.logins[change.login] = change.user_id
            case Band():
                self.bands[change.channel_id] = change
            case Service():
                self.services[change.service_id] = change
            case Figure():
                self.figures[change.character.user_id] = change
            case Group():
                self.groups[change.group_id] = change
            case Message():
                self._keep(change)
            case Upload():
                self.upload_bytes += change.size
                self.uploads[change.key] = change
            case UserJoined():
                self._members.setdefault(change.channel_id, {})[change.user_id] = None
            case UserLeft():
                self._members.get(change.channel_id, {}).pop(change.user_id, None)
            case BandEmptied():
                self.history.pop(change.channel_id, None)
            case RequestSeen():
                self._see(change.service_id, change.request_id)

    def _keep(self, message: Message) -> None:
        empty: deque[Message] = deque(maxlen=HISTORY_PER_BAND)
        self.history.setdefault(message.channel_id, empty).append(message)
        if message.service_id is not None and message.request_id:
            self._see(message.service_id, message.request_id)

    def _see(self, service_id: ServiceId, request_id: RequestId) -> None:
        seen = self._seen.setdefault(service_id, {})
        seen[request_id] = None
        if len(seen) > REQUESTS_PER_SERVICE:
            del seen[next(iter(seen))]

    def members(self, channel_id: ChannelId) -> tuple[UserId, ...]:
        """The band's members in joining order; empty also for a band that does not exist."""
        return tuple(self._members.get(channel_id, ()))

    def is_member(self, channel_id: ChannelId, user_id: UserId) -> bool:
        return user_id in self._members.get(channel_id, ())

    def was_seen(self, service_id: ServiceId, request_id: RequestId) -> bool:
        """True when a frame of this service with this id was accepted before."""
        return request_id in self._seen.get(service_id, ())

    def character(self, user_id: UserId) -> Character | None:
        """The person or the service's figure with this id; None when there is none."""
        if (account := self.accounts.get(user_id)) is not None:
            return account.person
        figure = self.figures.get(user_id)
        return None if figure is None else figure.character

    def nickname(self, user_id: str) -> str | None:
        """What this person or figure is called; None when there is none."""
        character = self.character(UserId(user_id))
        return None if character is None else character.nickname

    def account(self, login: str) -> Account | None:
        """The account that signs in under this e-mail or guest name."""
        user_id = self.logins.get(login)
        return None if user_id is None else self.accounts[user_id]

    def bands_of(self, service_id: ServiceId) -> tuple[ChannelId, ...]:
        """The bands that the service holds."""
        held = (band for band in self.bands.values() if band.service_id == service_id)
        return tuple(band.channel_id for band in held)

    def history_of(self, channel_id: ChannelId, user_id: UserId, limit: int) -> tuple[Message, ...]:
        """The last messages that this user sent or was sent in the band, oldest first."""
        found: list[Message] = []
        for message in reversed(self.history.get(channel_id, ())):
            if len(found) == limit:
                break
            if user_id in message.readers:
                found.append(message)
        return tuple(reversed(found))
