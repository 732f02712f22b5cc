"""Mailboxes: what belongs together is handled one by one in arrival order, the rest side by side.

Filing never waits, so the reader of the socket never waits for a handler. What an event means
and which lane it belongs to is not decided here (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Generic, Self, TypeVar, TypeVarTuple

import trio

from moobius_trio.core.lane import Lane, LanesEnded, LaneStatistics, Turn
from moobius_trio.core.mailbox_room import SERVICE_LANE, LaneKey, Limits, MailboxRoom
from moobius_trio.core.slow_handlers import HeldUp, SlowHandlers

__all__ = ("SERVICE_LANE", "LaneKey", "LaneStatistics", "Lanes", "LanesEnded")

TURN_EVENTS = 64
TURN_SECONDS = 0.004
"""So many events, or as long, a lane handles before it lets the reader run, and where other lanes
are at work one: a band in which much waits, whose handlers wait for nothing, must not keep the
others waiting until its last event."""

NO_ROOM_TAKEN = -1
"""In place of a size, for what is let in whether there is room or not."""

E = TypeVar("E")
Ts = TypeVarTuple("Ts")


class Lanes(Generic[E]):
    """All lanes of one service.

    Args:
        nursery: where workers run; they start on demand and end when their lane is empty, but
            for one that rests.
        handle_each: handles events one after the other, each to its end before it takes the next
            one, for which it may have to wait, until there are no more; it must not raise.
        describe: the handler's name for an event, for the log.
        weigh: how many bytes an event takes; called when it is filed.
        on_shed: told of each event that was not taken because there was no room for it.
        limits: how much room there is.
    """

    def __init__(
        self,
        *,
        nursery: trio.Nursery,
        handle_each: Callable[[AsyncIterator[E]], Awaitable[None]],
        describe: Callable[[E], str],
        weigh: Callable[[E], int],
        on_shed: Callable[[LaneKey, E], None],
        limits: Limits | None = None,
    ) -> None:
        self._nursery = nursery
        # Workers start in whatever task files an event; none of its context is theirs.
        self._context = copy_context()
        self._handle_each = handle_each
        self._describe = describe
        self._weigh = weigh
        self._on_shed = on_shed
        self.room = MailboxRoom(limits or Limits())
        self._lanes: dict[LaneKey, Lane[E]] = {}
        self._open = False
        self._closed = False
        self._ended = False
        self._resting: dict[LaneKey, Lane[E]] = {}
        self._workers = 0
        """Those that do not rest."""
        self._waiting = 0
        self._unfinished = 0
        self._late = 0
        self.now = 0.0
        """When the event that was handed out last was taken, by trio's clock."""
        self.handled = 0
        """Events and turns that have ended, since the start."""
        self._coalesced = 0
        self._idle = trio.lowlevel.ParkingLot()
        self._slow = SlowHandlers(self._held_up, self.start_soon)

    @property
    def are_open(self) -> bool:
        """True when workers begin, so that a turn comes."""
        return self._open

    def open(self) -> None:
        """Let the workers begin; until then events wait in their lanes."""
        self._open = True
        for lane in list(self._lanes.values()):
            self._wake(lane)

    def close(self) -> None:
        """Take no further events; what waits is still handled."""
        self._closed = True

    def end(self) -> int:
        """Cancel what runs and begin nothing more.

        Returns:
            How many events had been taken and are not handled.
        """
        self._closed = self._ended = True
        left_over = 0
        for lane in self._lanes.values():
            lane.scope.cancel()
            self._waiting -= len(lane.waiting)
            for item, size in lane.waiting:
                if isinstance(item, Turn):
                    item.refused = True
                    item.granted.set()
                else:
                    left_over += 1
                self._leave(lane, size)
            lane.waiting.clear()
        return left_over

    @property
    def idle(self) -> bool:
        """True when nothing waits and nothing runs."""
        return self._unfinished == 0

    async def wait_idle(self) -> None:
        """Wait until nothing waits and nothing runs. Safe to cancel."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self.idle:
            await self._idle.park()

    def note_begun(self) -> None:
        """Something is to be done, in a lane or not, before the lanes are idle."""
        self._unfinished += 1

    def note_ended(self) -> None:
        """Take one `note_begun` back."""
        self._unfinished -= 1
        if self._unfinished == 0:
            self._idle.unpark_all()

    def start_soon(self, fn: Callable[[*Ts], Awaitable[None]], *args: *Ts) -> None:
        """Run a task for as long as handlers run, whoever the caller is."""
        self._context.run(partial(self._nursery.start_soon, fn, *args))

    def statistics(self) -> LaneStatistics:
        """A snapshot; what was shed is not known here."""
        return LaneStatistics(
            lanes=sum(1 for lane in self._lanes.values() if lane.is_needed),
            waiting=self._waiting,
            bytes=self.room.size,
            coalesced=self._coalesced,
            late=self._late,
        )

    def running(self) -> list[str]:
        """The handlers that hold a lane now."""
        return [self._name(lane) for lane in self._lanes.values() if lane.now_running is not None]

    def waiting(self, key: LaneKey) -> int:
        """How many events wait in this lane."""
        lane = self._lanes.get(key)
        return len(lane.waiting) if lane is not None else 0

    def file(self, key: LaneKey, event: E, *, coalesce: bool = False, keep: bool = False) -> bool:
        """Put an event at the end of its lane; never waits.

        Args:
            coalesce: an equal event that already waits stands for this one too.
            keep: take it also when the lane is full or closed. For what the SDK itself files,
                of which there is little and nothing may be missing.

        Returns:
            False when the event was not taken: shed, because there is no room, or too late.
        """
        if self._ended or (self._closed and not keep):
            self._late += 1
            return False
        lane = self._lane(key)
        if coalesce and any(event == item for item, _ in lane.waiting):
            self._coalesced += 1
            return True
        size = NO_ROOM_TAKEN
        if not keep:
            size = self._weigh(event)
            crowded = key[2] is not None and len(lane.waiting) >= self.room.limits.user_events
            if crowded or not self.room.take(key, size):
                self._forget_if_empty(lane)
                self._on_shed(key, event)
                return False
        self._append(lane, event, size)
        return True

    def hold(self, key: LaneKey) -> None:
        """Let this lane's events wait until `release` was called as often as this."""
        self._lane(key).held += 1

    def release(self, key: LaneKey) -> None:
        """Take one `hold` back."""
        lane = self._lane(key)
        lane.held -= 1
        self._wake(lane)
        self._forget_if_empty(lane)

    @asynccontextmanager
    async def turn(self, key: LaneKey) -> AsyncIterator[None]:
        """Wait for this lane's turn and hold the lane for the block.

        The block runs in the caller's own task, so that cancelling the caller cancels it and its
        errors are the caller's. Cancelled while waiting, the place in the lane is given up.

        Raises:
            LanesEnded: `end` was called before the turn came.
        """
        if self._ended:
            raise LanesEnded
        turn = Turn()
        self._append(self._lane(key), turn, NO_ROOM_TAKEN)
        try:
            await turn.granted.wait()
            if turn.refused:
                raise LanesEnded
            yield
        finally:
            turn.finished.set()

    def _lane(self, key: LaneKey) -> Lane[E]:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        return lane

    def _append(self, lane: Lane[E], item: E | Turn, size: int) -> None:
        lane.waiting.append((item, size))
        self._waiting += 1
        self.note_begun()
        if not lane.running or lane.key in self._resting:
            self._wake(lane)
        elif lane.now_running is not None:
            self._slow.watch()

    def _wake(self, lane: Lane[E]) -> None:
        if not (self._open and lane.waiting) or lane.held or self._ended:
            return
        if lane.key in self._resting:
            self._rouse(lane)
        elif not lane.running:
            self._dismiss()
            lane.running = True
            self._workers += 1
            lane.since = trio.current_time()
            self.start_soon(self._work, lane)

    async def _work(self, lane: Lane[E]) -> None:
        """Handle what comes in one lane, one after the other, until the worker is to end."""
        with lane.scope:
            # with no turn of the loop between the look at what waits and the end
            while not (lane.held or self._ended or (lane.dismissed and not lane.waiting)):
                events = _Events(self, lane)
                try:
                    await self._handle_each(events)
                finally:
                    events.finish()
                await self._grant_turn(lane)
        lane.scope = trio.CancelScope()
        lane.running = lane.dismissed = False
        self._workers -= 1
        self._forget_if_empty(lane)

    async def _rest(self, lane: Lane[E]) -> None:
        """Wait for the next event, or until another lane works.

        Where one band is busy at a time, a new worker for each event would cost more than all
        else that is done here around a handler.
        """
        self._dismiss()
        lane.rest = trio.Event()
        self._resting[lane.key] = lane
        self._workers -= 1
        try:
            await lane.rest.wait()
        finally:
            self._workers += 1
            self._resting.pop(lane.key, None)

    def _rouse(self, lane: Lane[E]) -> None:
        del self._resting[lane.key]
        lane.rest.set()

    def _dismiss(self) -> None:
        """Let those who rest end: thousands of users pass through, and none leaves a task."""
        for lane in list(self._resting.values()):
            lane.dismissed = True
            self._rouse(lane)

    async def _grant_turn(self, lane: Lane[E]) -> None:
        """If a turn is what comes next."""
        turn, size = lane.waiting[0] if lane.waiting else (None, NO_ROOM_TAKEN)
        if not isinstance(turn, Turn) or lane.held or self._ended:
            return
        lane.waiting.popleft()
        self._begin(lane, turn, trio.current_time())
        try:
            turn.granted.set()
            await turn.finished.wait()
        finally:
            self._finish(lane, size)
        if lane.waiting:
            await trio.lowlevel.checkpoint()

    def _begin(self, lane: Lane[E], item: E | Turn, now: float) -> None:
        self._waiting -= 1
        self.now = lane.since = now
        lane.now_running = item
        if lane.waiting:
            self._slow.watch()

    def _finish(self, lane: Lane[E], size: int) -> None:
        lane.now_running = None
        self.handled += 1
        self._leave(lane, size)

    def _held_up(self) -> Iterator[HeldUp]:
        for lane in self._lanes.values():
            if lane.now_running is not None and lane.waiting:
                handler = self._name(lane)
                yield HeldUp(lane, handler, lane.key[1], len(lane.waiting), lane.since)

    def _name(self, lane: Lane[E]) -> str:
        item = lane.now_running
        if item is None:
            return ""
        return "in_lane" if isinstance(item, Turn) else self._describe(item)

    def _leave(self, lane: Lane[E], size: int) -> None:
        """What had a place in a lane has ended, or never will begin."""
        if size != NO_ROOM_TAKEN:
            self.room.give_back(lane.key, size)
        self.note_ended()

    def _forget_if_empty(self, lane: Lane[E]) -> None:
        """Thousands of users pass through; a lane that is empty leaves nothing behind."""
        if not (lane.running or lane.is_needed):
            self._lanes.pop(lane.key, None)


class _Events(Generic[E]):
    """What comes in one lane, up to a turn, for its worker, which rests where nothing waits.

    An event has ended when the next one is asked for. So many as may be handled in one go follow
    each other; then everybody else runs.
    """

    __slots__ = ("_clock", "_ends", "_lane", "_lanes", "_left", "_size")

    def __init__(self, lanes: Lanes[E], lane: Lane[E]) -> None:
        self._lanes, self._lane = lanes, lane
        self._size: int | None = None
        """Of the event that is being handled."""
        self._left, self._ends = TURN_EVENTS, 0.0
        # current_time() would ask for the clock each time
        self._clock = trio.lowlevel.current_clock().current_time

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        lanes, lane, waiting = self._lanes, self._lane, self._lane.waiting
        self.finish()
        now = self._clock()
        while not (lane.held or lanes._ended):
            if waiting:
                item, size = waiting[0]
                if isinstance(item, Turn):
                    break
                if self._left == TURN_EVENTS:
                    self._ends = now + TURN_SECONDS
                elif lanes._workers > 1 or now >= self._ends:
                    self._left = 0
                if self._left:
                    self._left -= 1
                    waiting.popleft()
                    self._size = size
                    lanes._begin(lane, item, now)
                    return item
                await trio.lowlevel.checkpoint()
            elif lane.dismissed:
                break
            else:
                await lanes._rest(lane)
            self._left = TURN_EVENTS
            now = self._clock()
        raise StopAsyncIteration

    def finish(self) -> None:
        """The event that was taken last has ended, if it had not."""
        if self._size is not None:
            size, self._size = self._size, None
            self._lanes._finish(self._lane, size)
