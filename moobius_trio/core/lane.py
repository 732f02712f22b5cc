"""One mailbox, and what is known of it; who works in it is decided elsewhere."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import attrs
import trio

from moobius_trio.core.mailbox_room import LaneKey
from moobius_trio.types import ChannelId

__all__ = ("Lane", "LaneStatistics", "LanesEnded", "Turn")

E = TypeVar("E")


@attrs.frozen(kw_only=True)
class LaneStatistics:
    """How busy the lanes are now, and what was shed since the start."""

    lanes: int
    waiting: int
    """Events that wait; those that run are not among them."""
    bytes: int
    """Memory of the events that wait or run, roughly."""
    coalesced: int
    """Requests that were answered together with an equal one."""
    late: int
    """Events that came when the stop had begun; they are not handled."""
    shed: int = 0
    """Events for which there was no room."""
    shed_reported: int = 0
    """Those of them that `on_overflow` has been told of; it is told of all within a second."""
    shed_by_band: tuple[tuple[ChannelId | None, int], ...] = ()
    """``shed`` for each band that has any; None: what belongs to no band."""
    not_held: int = 0
    """Events of bands that this service does not hold; they are left out."""


class LanesEnded(Exception):
    """The lanes have ended, so a turn will not come."""


@attrs.define(eq=False)
class Turn:
    """A place in a lane for code that runs in a task of its own."""

    granted: trio.Event = attrs.field(factory=trio.Event)
    finished: trio.Event = attrs.field(factory=trio.Event)
    refused: bool = False
    """Granted so that the caller hears that the turn will never come."""


@attrs.define(eq=False)
class Lane(Generic[E]):
    key: LaneKey
    waiting: deque[tuple[E | Turn, int]] = attrs.field(factory=deque)
    """What waits, and the room that it takes."""
    running: bool = False
    """It has a worker, which may rest."""
    rest: trio.Event = attrs.field(factory=trio.Event)
    """Set when its worker is to rest no longer."""
    dismissed: bool = False
    """Its worker rests no longer, and ends."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    held: int = 0
    since: float = 0.0
    """When what runs began, by trio's clock."""
    now_running: E | Turn | None = None

    @property
    def is_needed(self) -> bool:
        """Whether anything waits or runs, or is to be let wait."""
        return bool(self.waiting) or self.now_running is not None or self.held > 0
