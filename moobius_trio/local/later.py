"""Calls that are due at a later time, for as long as one connection lives.

One task makes them all, so that none outlives the connection. What is called never waits.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import attrs
import trio

__all__ = ("Later",)


@attrs.frozen(order=True)
class _Call:
    due: float
    number: int
    do: Callable[[], None] = attrs.field(order=False)
    effect: bool = attrs.field(order=False)


class Later:
    """Calls by the time at which they are due."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._numbers = itertools.count()
        self._more = trio.Event()

    @property
    def effects(self) -> int:
        """How many calls wait that are no mere timers."""
        return sum(call.effect for call in self._calls)

    def call(self, seconds: float, do: Callable[[], None], *, effect: bool = True) -> None:
        """Call ``do`` in so many seconds; one after the other if they are due at the same time.

        Args:
            effect: False for a timer: it is dropped when the connection ends before its time.
        """
        self.call_at(trio.current_time() + seconds, do, effect=effect)

    def call_at(self, due: float, do: Callable[[], None], *, effect: bool = True) -> None:
        """The same at this time of trio's clock."""
        heapq.heappush(self._calls, _Call(due, next(self._numbers), do, effect))
        self._more.set()

    async def run(self) -> None:
        """Make the calls when they are due, until cancelled."""
        while True:
            if not self._calls:
                await self._more.wait()
            self._more = trio.Event()
            with trio.move_on_at(self._calls[0].due):
                await self._more.wait()
            self._make_due()

    def finish(self) -> None:
        """The connection has ended: make the calls that are no timers, in their order."""
        calls, self._calls = sorted(self._calls), []
        for call in calls:
            if call.effect:
                call.do()

    def _make_due(self) -> None:
        now = trio.current_time()
        while self._calls and self._calls[0].due <= now:
            heapq.heappop(self._calls).do()
