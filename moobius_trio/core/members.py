"""Who is in a band, kept by the SDK so that it is true before a handler asks.

Lanes decide when a change happens; HTTP calls are given as functions. No sending here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import structlog
import trio

from moobius_trio.errors import MoobiusError
from moobius_trio.types import Character, UserId

__all__ = ("Members",)

log = structlog.get_logger()

PROFILE_SECONDS = 2.0
KNOWN_LIMIT = 10_000
FETCHES_AT_ONCE = 8
"""Of one band. The others wait, so that a flood of joins is none of requests."""


class Members:
    """The people of one band and their last known profiles.

    Args:
        fetch_profile: asks the platform for one profile.
        start_soon: runs a task for as long as the service runs.
    """

    def __init__(
        self,
        *,
        fetch_profile: Callable[[UserId], Awaitable[Character]],
        start_soon: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._fetch_profile = fetch_profile
        self._start_soon = start_soon
        self._members: dict[UserId, Character] = {}
        self._known: OrderedDict[UserId, Character] = OrderedDict()
        self._wanted: dict[UserId, trio.Event] = {}
        """Profiles that are to be fetched or are on their way. No more than there are members
        and joins that wait in the lane: who leaves is struck off."""
        self._not_begun: dict[UserId, None] = {}
        """Those of them that nobody fetches yet, in the order of the joins."""
        self._fetchers = 0
        self._journals: list[set[UserId]] = []
        self.view: Mapping[UserId, Character] = MappingProxyType(self._members)
        """Members in joining order; changes as people come and go."""

    def profile(self, user_id: UserId) -> Character:
        """The last known profile, also of one who left; else one with the id as nickname."""
        return self.known(user_id) or Character(user_id=user_id, nickname=user_id)

    def known(self, user_id: UserId) -> Character | None:
        """The last known profile; None of one who never was here, or so long ago."""
        return self._members.get(user_id) or self._known.get(user_id)

    @contextmanager
    def journal(self) -> Iterator[set[UserId]]:
        """Who joins and leaves while the block runs, for a list that is fetched meanwhile."""
        changed: set[UserId] = set()
        self._journals.append(changed)
        try:
            yield changed
        finally:
            self._journals = [one for one in self._journals if one is not changed]

    def replace(
        self, members: Iterable[Character], *, but: Iterable[UserId] = ()
    ) -> tuple[list[UserId], list[UserId]]:
        """Take over a freshly fetched list.

        Args:
            but: who came or went since it was asked for. Of them it may not know yet, or know
                what is over.

        Returns:
            Who is new, and who is gone.
        """
        fresh = {member.user_id: member for member in members}
        for user_id in but:
            if user_id in self._members:
                fresh.setdefault(user_id, self._members[user_id])
            else:
                fresh.pop(user_id, None)
        joined = [user_id for user_id in fresh if user_id not in self._members]
        left = [user_id for user_id in self._members if user_id not in fresh]
        for user_id in left:
            self._remember(self._members[user_id])
            self._strike_off(user_id)
        self._members.clear()
        self._members.update(fresh)
        return joined, left

    def expect(self, user_id: UserId) -> None:
        """A join was read: ask for the profile soon, so that the lane need not wait long."""
        if user_id in self._wanted:
            return
        self._wanted[user_id] = trio.Event()
        self._not_begun[user_id] = None
        if self._fetchers < FETCHES_AT_ONCE:
            self._fetchers += 1
            self._start_soon(self._fetch_what_is_wanted)

    async def join(self, user_id: UserId) -> None:
        """Add a member, after waiting up to 2 s for the profile; it is added later if it comes."""
        if user_id not in self._known and user_id not in self._members:
            self.expect(user_id)  # once more, if that has failed or was struck off
        fetched = self._wanted.get(user_id)
        if fetched is not None:
            with trio.move_on_after(PROFILE_SECONDS):
                await fetched.wait()
        self._members[user_id] = self.profile(user_id)
        self._known.pop(user_id, None)
        self._note(user_id)

    def leave(self, user_id: UserId) -> None:
        """Remove a member; the profile stays known."""
        gone = self._members.pop(user_id, None)
        if gone is not None:
            self._remember(gone)
        self._strike_off(user_id)
        self._note(user_id)

    def _note(self, user_id: UserId) -> None:
        for journal in self._journals:
            journal.add(user_id)

    def _strike_off(self, user_id: UserId) -> None:
        """The profile of one who has left need not be fetched, unless that has begun."""
        if user_id in self._not_begun:
            del self._not_begun[user_id]
            self._wanted.pop(user_id).set()

    async def _fetch_what_is_wanted(self) -> None:
        """One after the other, and end when nothing is left."""
        try:
            while self._not_begun:
                user_id = next(iter(self._not_begun))
                del self._not_begun[user_id]
                await self._fetch(user_id)
        finally:
            self._fetchers -= 1

    async def _fetch(self, user_id: UserId) -> None:
        try:
            profile = await self._fetch_profile(user_id)
        except MoobiusError as exc:
            log.warning("a profile could not be fetched", user=user_id, reason=str(exc))
        else:
            if user_id in self._members:
                self._members[user_id] = profile
            else:
                self._remember(profile)
        finally:
            self._wanted.pop(user_id).set()

    def _remember(self, profile: Character) -> None:
        self._known[profile.user_id] = profile
        self._known.move_to_end(profile.user_id)
        if len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)
