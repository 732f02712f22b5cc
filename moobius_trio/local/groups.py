"""Groups: lists of users known by an id, as generation 1 names recipients.

What clients made, the world keeps; what is only needed to tell a client of generation 1 whom a
list names is made here at once and lives in memory. Order is kept: another order is another group
(docs/protocol/generation-1.md section 3.5).
"""

from __future__ import annotations

from typing import Final

from moobius_trio.local.state import State
from moobius_trio.types import GroupId, UserId

__all__ = ("MADE", "MEMBERS_MADE", "Groups")

MADE: Final = 10_000
MEMBERS_MADE: Final = 1_000_000
"""Groups made at once, and the ids in all of them, that are remembered; those used last stay."""


class Groups:
    """All groups of a platform, by id and by members."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._made: dict[GroupId, tuple[UserId, ...]] = {}
        self._ids: dict[tuple[UserId, ...], GroupId] = {}
        self._size = 0

    def id_of(self, members: tuple[UserId, ...]) -> GroupId:
        """A group of exactly these in this order, made if there is none of the platform's own."""
        found = self._ids.get(members)
        if found is None:
            found = GroupId(self._state.new_id())
            self._ids[members] = found
            self._made[found] = members
            self._size += len(members)
            self._drop_oldest()
        else:
            self._made[found] = self._made.pop(found)
        return found

    def members(self, group_id: GroupId) -> tuple[UserId, ...] | None:
        """Who is in the group, in order; None when there is none of this id."""
        if (group := self._state.world.use_group(group_id)) is not None:
            return group.members
        members = self._made.pop(group_id, None)
        if members is not None:
            self._made[group_id] = members
        return members

    def _drop_oldest(self) -> None:
        while len(self._made) > MADE or (self._size > MEMBERS_MADE and len(self._made) > 1):
            members = self._made.pop(next(iter(self._made)))
            del self._ids[members]
            self._size -= len(members)
