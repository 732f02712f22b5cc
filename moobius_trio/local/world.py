"""The state of the local platform in memory: what is, and how a change becomes part of it.

Pure: no trio, SQLite, clock, randomness or wire names; whoever asks brings times and ids.
What may happen is decided in ``rules``; here a change is simply taken in.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from moobius_trio.local.records import (
    Account,
    Band,
    BandEmptied,
    Change,
    Figure,
    Forgotten,
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
        """The one used last stands last."""
        self.history: dict[ChannelId, deque[Message]] = {}
        self.uploads: dict[str, Upload] = {}
        self.upload_bytes = 0
        self._members: dict[ChannelId, dict[UserId, None]] = {}
        self._group_of: dict[tuple[UserId, tuple[UserId, ...]], GroupId] = {}
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
                self._forget_group(change.group_id)
                self.groups[change.group_id] = change
                self._group_of[change.owner, change.members] = change.group_id
            case Forgotten():
                self._forget(change.record)
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

    def _forget_group(self, group_id: GroupId) -> None:
        group = self.groups.pop(group_id, None)
        if group is not None and self._group_of.get((group.owner, group.members)) == group_id:
            del self._group_of[group.owner, group.members]

    def _forget(self, record: Account | Service | Figure | Group) -> None:
        match record:
            case Account():
                self.accounts.pop(record.user_id, None)
                self.logins.pop(record.login, None)
            case Service():
                self.services.pop(record.service_id, None)
                self._seen.pop(record.service_id, None)
            case Figure():
                self.figures.pop(record.character.user_id, None)
            case Group():
                self._forget_group(record.group_id)

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

    def group_of(self, owner: UserId, members: tuple[UserId, ...]) -> GroupId | None:
        """The group that this account made of exactly these in this order, the last one of a band
        or none; None when there is none."""
        return self._group_of.get((owner, members))

    def use_group(self, group_id: GroupId) -> Group | None:
        """The group, which now counts as used last; None when there is none."""
        if (group := self.groups.pop(group_id, None)) is not None:
            self.groups[group_id] = group
        return group

    def bands_of(self, service_id: ServiceId) -> tuple[ChannelId, ...]:
        """The bands that the service holds."""
        held = (band for band in self.bands.values() if band.service_id == service_id)
        return tuple(band.channel_id for band in held)

    def history_of(
        self,
        channel_id: ChannelId,
        user_id: UserId | None,
        limit: int,
        before: str | None = None,
    ) -> tuple[Message, ...]:
        """The last messages that this user sent or was sent in the band, oldest first.

        Args:
            user_id: None: those of everybody.
            before: only those before the message of this id, or, if these are digits, before that
                time in milliseconds; none at all when there is no such message.
        """
        kept: Iterator[Message] = reversed(self.history.get(channel_id, ()))
        if before is not None:
            kept = _before(kept, before)
        found = (each for each in kept if user_id is None or user_id in each.readers)
        return tuple(reversed(tuple(itertools.islice(found, limit))))


def _before(messages: Iterator[Message], before: str) -> Iterator[Message]:
    if before.isdecimal():
        moment = int(before[:20])
        return (each for each in messages if each.timestamp < moment)
    found = itertools.dropwhile(lambda each: each.msg_id != before, messages)
    next(found, None)
    return found
