"""Names handlers that hold their lanes while others wait; the author may not know that they do.

Nothing is ended here: the limit of a handler's time is the boundary's.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import structlog
import trio

from moobius_trio.types import ChannelId

__all__ = ("HeldUp", "SlowHandlers")

log = structlog.get_logger()

SLOW_SECONDS: Final = 2.0
NAMED_AT_ONCE: Final = 20
"""Slow handlers; of more, the others are named at the next look."""


class HeldUp(NamedTuple):
    """A lane in which something waits behind what runs."""

    lane: object
    handler: str
    channel_id: ChannelId | None
    waiting: int
    since: float
    """When what runs began, by trio's clock."""


class SlowHandlers:
    """Looks as long as anybody waits behind a handler.

    One task for all lanes: with one for each, people who pass through would leave thousands.

    Args:
        held_up: the lanes in which something waits behind what runs.
        start_soon: runs a task for as long as handlers run.
    """

    def __init__(
        self,
        held_up: Callable[[], Iterable[HeldUp]],
        start_soon: Callable[[Callable[[], Awaitable[None]]], Any],
    ) -> None:
        self._held_up = held_up
        self._start_soon = start_soon
        self._watching = False
        self._named: WeakKeyDictionary[object, float] = WeakKeyDictionary()
        """The ``since`` of the slow handler that was named last, by lane."""

    def watch(self) -> None:
        """Somebody waits."""
        if not self._watching:
            self._watching = True
            self._start_soon(self._watch)

    async def _watch(self) -> None:
        """Ends when nobody waits."""
        next_look = self._name_slow_handlers()
        while next_look is not None:
            await trio.sleep_until(next_look)
            next_look = self._name_slow_handlers()
        self._watching = False

    def _name_slow_handlers(self) -> float | None:
        """When to look again; None when nobody waits for a handler."""
        now = trio.current_time()
        next_look = math.inf
        named = 0
        for one in self._held_up():
            due = one.since + SLOW_SECONDS
            if due > now:
                next_look = min(next_look, due)
                continue
            next_look = min(next_look, now + SLOW_SECONDS)
            if self._named.get(one.lane) != one.since and named < NAMED_AT_ONCE:
                named += 1
                self._named[one.lane] = one.since
                log.warning(
                    "a handler holds its lane while events wait",
                    handler=one.handler,
                    band=one.channel_id,
                    waiting=one.waiting,
                    remedy="long work belongs in self.start_soon(fn, …)",
                )
        return next_look if next_look < math.inf else None
