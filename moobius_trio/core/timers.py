"""Waiting for a schedule's next due time, on trio's clock or on the wall clock.

Nothing is run here, and no policy for late runs is chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol

import attrs
import trio

from moobius_trio.core.schedule import CronTimes, Interval, Schedule

__all__ = ("REREAD_SECONDS", "Taken", "Timer", "make_timer")

REREAD_SECONDS = 30.0
"""The wall clock is read again at least this often: it can be set, and machines sleep."""

COUNT_AT_MOST = 1_000
"""Passed due times of a cron job are counted one by one, so a wrong year must not stall."""


@attrs.frozen
class Taken:
    """A due time that a run may now start for."""

    lateness: float
    """Seconds since it was due."""
    passed: int
    """Due times before it that get no run of their own."""


class Timer(Protocol):
    """The due times of one job, one after the other."""

    grace: ClassVar[float]
    """How many seconds late a due time still counts as kept."""

    def next_due(self) -> datetime:
        """The next due time, as the wall clock will show it."""
        ...

    async def wait(self) -> None:
        """Return when the next due time has come; cancelled, nothing is changed."""
        ...

    def take(self, *, each: bool) -> Taken:
        """Take the due time that `wait` waited for, or, unless ``each``, the newest that came."""
        ...

    def drop(self) -> int:
        """Leave out the due times that have passed (one that comes right now has not)."""
        ...


def make_timer(
    schedule: Schedule,
    now: Callable[[], datetime],
    reread: float = REREAD_SECONDS,
    ahead: Callable[[], float] = float,
) -> Timer:
    """A timer that begins now: the first due time of a cron job is the next one, that of an
    interval comes after one whole step. ``reread`` is how long at most it waits before it looks
    at the wall clock again, and ``ahead`` by how many seconds the clock of jobs was put forward,
    which ``now`` tells already: who changes it ends the waiting and lets it begin anew."""
    if isinstance(schedule, Interval):
        return _IntervalTimer(schedule, now, ahead)
    return _CronTimer(schedule, now, reread)


class _IntervalTimer:
    """Steps from the start on trio's clock, which neither counts a machine's sleep nor jumps unless
    somebody puts the clock of jobs forward."""

    grace: ClassVar[float] = math.inf

    def __init__(
        self, steps: Interval, now: Callable[[], datetime], ahead: Callable[[], float]
    ) -> None:
        self._steps = steps
        self._now = now
        self._ahead = ahead
        self._start = self._read()
        self._step = 1

    def next_due(self) -> datetime:
        left = self._steps.due(self._start, self._step) - self._read()
        return self._now() + timedelta(seconds=left)

    async def wait(self) -> None:
        await trio.sleep_until(self._steps.due(self._start, self._step) - self._ahead())

    def take(self, *, each: bool) -> Taken:
        now = self._read()
        newest = self._step if each else max(self._step, self._steps.newest(self._start, now))
        passed = newest - self._step
        self._step = newest + 1
        return Taken(now - self._steps.due(self._start, newest), passed)

    def drop(self) -> int:
        now = self._read()
        newest = self._steps.newest(self._start, now)
        to_come = newest if self._steps.due(self._start, newest) == now else newest + 1
        passed = max(0, to_come - self._step)
        self._step += passed
        return passed

    def _read(self) -> float:
        return trio.current_time() + self._ahead()


class _CronTimer:
    """Times of the wall clock, which can jump both ways; all arithmetic is done in UTC."""

    grace: ClassVar[float] = 60.0

    def __init__(self, times: CronTimes, now: Callable[[], datetime], reread: float) -> None:
        self._reread = reread
        self._times = times
        self._now = now
        self._after = self._read()  # due times up to here are done with
        self._taken: datetime | None = None
        self._due = times.next_after(self._after)

    def next_due(self) -> datetime:
        return self._due.astimezone(self._times.tz)

    async def wait(self) -> None:
        while True:
            now = self._read()
            if now < self._after:
                self._set_back(now)
            left = (self._due - now).total_seconds()
            if left <= 0:
                return
            await trio.sleep(min(left, self._reread))

    def take(self, *, each: bool) -> Taken:
        now = self._read()
        passed = 0
        taken = self._due
        if not each:
            while (later := self._times.next_after(taken)) <= now and passed < COUNT_AT_MOST:
                taken, passed = later, passed + 1
        self._finish(taken, now, passed)
        return Taken((now - taken).total_seconds(), passed)

    def drop(self) -> int:
        now = self._read()
        passed = 0
        last = self._after
        while (later := self._times.next_after(last)) < now and passed < COUNT_AT_MOST:
            last, passed = later, passed + 1
        if passed:
            self._finish(last, now, passed)
        return passed

    def _finish(self, last: datetime, now: datetime, passed: int) -> None:
        self._taken = last
        self._after = now if passed == COUNT_AT_MOST else last
        self._due = self._times.next_after(self._after)

    def _set_back(self, now: datetime) -> None:
        """The clock was set back to before the last due time.

        The first due time to come round again is left out if it has had its turn: a correction
        shorter than the job's own period repeats nothing. After that the new time rules, so that
        a clock that was wrong by years does not silence the job for years.
        """
        again = self._times.next_after(now)
        done = self._taken is not None and again <= self._taken
        self._after = again if done else now
        self._due = self._times.next_after(self._after)

    def _read(self) -> datetime:
        return self._now().astimezone(UTC)
