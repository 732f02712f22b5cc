"""Groups of people: the ids by which the platform knows them, asked for once and remembered.

On the wire of generation 1 recipients are a group's id, never a list
(docs/protocol/generation-1.md section 3.5). No frames here, and no requests: those are given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from math import inf
from typing import Final, Generic, TypeVar

import attrs
import trio

from moobius_trio.errors import MoobiusError
from moobius_trio.types import ChannelId, GroupId, UserId

__all__ = ("GroupBook",)

SIZE: Final = 1024
SECONDS: Final = 300.0

K = TypeVar("K")
V = TypeVar("V")


class GroupBook:
    """Which group a list of people is, and which people a group is; both bounded.

    Args:
        create: has the platform make a group of these people, in this order, and gives its id.
        fetch: asks the platform who is in a group, in the name of the message's sender.
        size: so many lists and so many groups are known; of more, those not used for longest
            are forgotten and asked for anew. At least 2, since one update may name two lists.
        seconds: after so long a group that came in is looked up again.
    """

    def __init__(
        self,
        create: Callable[[tuple[UserId, ...]], Awaitable[GroupId]],
        fetch: Callable[[GroupId, ChannelId, UserId], Awaitable[tuple[UserId, ...]]],
        *,
        size: int = SIZE,
        seconds: float = SECONDS,
    ) -> None:
        if size < 2:
            raise ValueError(f"size is {size}; an update may name two lists, so at least 2")
        self._create = create
        self._fetch = fetch
        self._ids: _Answers[tuple[UserId, ...], GroupId] = _Answers(size, inf)
        self.knows = self._ids.knows
        """Whether `ready` would return without a request for this list; nothing is forgotten
        until the next ``await``."""
        self.id_of = self._ids.known
        """The id of a list for which `ready` has returned; raises ``LookupError`` where it was
        not asked for, or is forgotten."""
        self._members: _Answers[tuple[ChannelId, GroupId], tuple[UserId, ...]] = _Answers(
            size, seconds
        )

    async def ready(self, *lists: tuple[UserId, ...]) -> None:
        """Return when `id_of` knows the id of every list; one request for each new one.

        Lists with the same people in another order are other lists. Where all are known it
        returns at once, without letting others run; nothing is forgotten between its return and
        the next ``await``. Whoever needs a list that is being asked for shares the request and its
        failure; cancelled, the next of them asks instead.

        Raises:
            MoobiusError: whatever ``create`` raised.
        """
        while missing := self._missing(lists):
            await self._ids.get(missing[0], partial(self._create, missing[0]))

    def _missing(self, lists: Iterable[tuple[UserId, ...]]) -> list[tuple[UserId, ...]]:
        return [members for members in lists if not self._ids.knows(members)]

    def forget_lists(self) -> None:
        """Have every list asked for anew: the platform may not know their groups any more."""
        self._ids.forget()

    async def members(
        self, group_id: GroupId, channel_id: ChannelId, sender: UserId
    ) -> tuple[UserId, ...]:
        """Who is in a group of a band, in order; one request for each group in ``seconds``.

        Requests are shared as in `ready`.

        Args:
            sender: whoever named the group; the platform asks for that.

        Raises:
            MoobiusError: whatever ``fetch`` raised. That is never remembered.
        """
        return await self._members.get(
            (channel_id, group_id), partial(self._fetch, group_id, channel_id, sender)
        )


@attrs.define(eq=False)
class _Question(Generic[V]):
    """One that is being asked, by the task that came first."""

    over: trio.Event = attrs.field(factory=trio.Event)
    answer: V | None = None
    """None: it failed, or whoever asked was cancelled."""
    failure: MoobiusError | None = None


class _Answers(Generic[K, V]):
    """Answers by question, each asked once however many tasks need it."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._asked: dict[K, _Question[V]] = {}

    def knows(self, key: K) -> bool:
        """Whether the answer is there and not too old; it counts as used then."""
        answer = self._known.get(key)
        if answer is None:
            return False
        if answer[1] != inf and answer[1] <= trio.current_time():
            del self._known[key]
            return False
        self._known.move_to_end(key)
        return True

    def known(self, key: K) -> V:
        """The answer, or a LookupError."""
        return self._known[key][0]

    def forget(self) -> None:
        """Know nothing; what is being asked stays asked."""
        self._known.clear()

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        while not self.knows(key):
            question = self._asked.get(key)
            if question is None:
                return await self._ask(key, ask)
            await question.over.wait()
            if question.failure is not None:
                raise question.failure
            if question.answer is not None:  # it may be forgotten already
                return question.answer
        return self.known(key)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        question = self._asked[key] = _Question()
        try:
            answer = question.answer = await ask()
        except MoobiusError as failure:
            question.failure = failure
            raise
        finally:
            del self._asked[key]
            question.over.set()
        self._known[key] = (answer, trio.current_time() + self._seconds)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return answer
