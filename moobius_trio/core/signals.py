"""SIGINT and SIGTERM, counted: the first drains, the second cancels, the third ends the process.

One handler per process, shared by everything that is served in it. What draining and cancelling
are is the users' business; nothing here knows a service (docs/architecture.md section 7). How a
process ends whose users do not stands in `core.last_resort`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeAlias, TypeVarTuple

import attrs
import trio

from moobius_trio.core.last_resort import LastResort

__all__ = ("EXIT_CODE", "SignalState", "ToldToStop", "counted_signals")

EXIT_CODE = 130
"""What a process ends with that was told twice to stop (docs/architecture.md section 10)."""

PATIENCE = 0.5
"""How many seconds, after the second signal, code may hold the event loop."""

NEXT_TRY = 0.01
"""Seconds until the next look when the first one found trio's own code at work."""

Ts = TypeVarTuple("Ts")
Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


class SignalState:
    """What has been received so far; still readable after the block has ended."""

    def __init__(self) -> None:
        self._received = 0

    @property
    def received(self) -> int:
        """How many signals came."""
        return self._received

    @property
    def draining(self) -> bool:
        """At least one came: end in good order."""
        return self._received >= 1

    @property
    def interrupted(self) -> bool:
        """At least two came: the process is to end with `exit_code`."""
        return self._received >= 2

    def exit_code(self) -> int:
        """130 when interrupted, 0 otherwise."""
        return EXIT_CODE if self.interrupted else 0


class ToldToStop(SystemExit):
    """The process is to end because of the signals that came.

    Its code is what holds when the process ends, not when this was raised: while others of the
    process still stop, a second signal may come.
    """

    def __init__(self, state: SignalState) -> None:
        super().__init__(state.exit_code())
        self._state = state

    @property
    def code(self) -> int:  # type: ignore[override]  # nobody sets it
        """0, or 130 as soon as two have come."""
        return self._state.exit_code()


def _nothing() -> Sequence[str]:
    return ()


@contextmanager
def counted_signals(
    *,
    drain: Callable[[], None],
    cancel: Callable[[], None],
    unending: Callable[[], Sequence[str] | None] = _nothing,
    abandon: Callable[[], object] = _nothing,
    name: str = "",
) -> Iterator[SignalState]:
    """Have ``drain`` called at the first SIGINT or SIGTERM and ``cancel`` at the second.

    To be entered inside trio. The first user in the main thread takes the two signals over, later
    ones join, and the last one puts back what was there. SIGINT is taken only from Python's or
    trio's own handler, SIGTERM only from the system's default; where a program handles SIGINT
    itself, and in any other thread, this does nothing. One that joins after a signal is called
    at once.

    Both callbacks run between two steps of the event loop, each at most once; they must neither
    wait nor raise. Code that holds the loop for half a second after the second signal, as a
    handler without checkpoints does, gets ``SystemExit(130)`` raised in it, but never code of
    trio's own. The third signal ends the process at once, without cleanup.

    From the first signal on a thread looks ten times a second whether the process has to be ended
    without those who do not end by themselves: with 70, or 130 after two signals, and one line that
    names them. That is when ``unending`` of some user names something and no user has anything else
    left to do, when a user does not end for 50 s, or when the event loop stands still for two
    seconds, 27 s after the first signal or 3 s after the second.

    Args:
        unending: names of the code that alone keeps this user; empty: nothing keeps it; None: it
            still has something to do itself. Called in the thread; must neither wait nor raise.
        abandon: called there just before the process is ended so; must not wait.
        name: of the user, for that line.

    Yields:
        The state; ask it afterwards whether to end with ``SystemExit(130)``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield SignalState()
        return
    counter = _Counter.current or _Counter.install()
    if counter is None:
        yield SignalState()
        return
    token = trio.lowlevel.current_trio_token()
    user = _User(token, drain, cancel, unending, abandon, name)
    counter.join(user)
    try:
        yield counter.state
    finally:
        counter.leave(user)


@attrs.define(eq=False)
class _User:
    token: trio.lowlevel.TrioToken
    drain: Callable[[], None]
    cancel: Callable[[], None]
    unending: Callable[[], Sequence[str] | None]
    abandon: Callable[[], object]
    name: str
    told: int = 0
    """How many signals this user has been told of."""
    heard_at: float | None = None
    """When it was told of the first, in seconds of ``time.monotonic``."""

    def hear(self, received: int) -> None:
        before, self.told = self.told, max(self.told, received)
        if self.heard_at is None:
            self.heard_at = time.monotonic()
        if before < 1 <= received:
            self.drain()
        if before < 2 <= received:
            self.cancel()


class _Counter:
    """The handler that is installed, and who uses it. Lives in the main thread."""

    current: _Counter | None = None

    def __init__(self) -> None:
        self.state = SignalState()
        self._users: list[_User] = []
        self._before: dict[int, Handler] = {}
        self._alarm_set = False
        self._came_round = True
        self._handler = self._on_signal  # one object, to be recognised by
        self._last_resort = LastResort(
            held=lambda: tuple(self._users), interrupted=lambda: self.state.interrupted
        )

    @classmethod
    def install(cls) -> _Counter | None:
        """Take the signals over; None where a program handles them itself."""
        interrupt = signal.getsignal(signal.SIGINT)
        # A shell starts background jobs with SIGINT ignored; that is nobody's own handling.
        if not (_is_default_interrupt(interrupt) or interrupt == signal.SIG_IGN):
            return None
        counter = cls()
        if interrupt != signal.SIG_IGN:
            counter._take(signal.SIGINT)
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            counter._take(signal.SIGTERM)
        cls.current = counter
        return counter

    def join(self, user: _User) -> None:
        self._users.append(user)
        if self.state.draining:
            _call_soon(user.token, user.hear, self.state.received)

    def leave(self, user: _User) -> None:
        self._users.remove(user)
        if self._users:
            return
        type(self).current = None
        if self._alarm_set:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, before in self._before.items():
            if signal.getsignal(number) in (self._handler, self._on_alarm):
                signal.signal(number, before)
        self._last_resort.stop()

    def _take(self, number: int) -> None:
        self._before[number] = signal.signal(number, self._handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.state._received += 1
        if self.state.received >= 3:
            os._exit(EXIT_CODE)
        self._last_resort.arm()
        for user in tuple(self._users):
            _call_soon(user.token, user.hear, self.state.received)
        if self.state.interrupted:
            self._watch_loop()

    def _watch_loop(self) -> None:
        """From now on interrupt whatever holds the event loop for longer than `PATIENCE`.

        By a timer of the system, because starting a thread takes locks that the interrupted code
        may hold. Where a program uses the timer's signal itself, there is one look and no timer.
        """
        if not hasattr(signal, "SIGALRM") or signal.getsignal(signal.SIGALRM) != signal.SIG_DFL:
            if not trio.lowlevel.currently_ki_protected():
                raise SystemExit(EXIT_CODE)
            return
        self._alarm_set = True
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_alarm)
        self._ask_loop()

    def _ask_loop(self) -> None:
        self._came_round = False
        for user in self._users[:1]:
            _call_soon(user.token, self._hear_loop)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, NEXT_TRY)

    def _hear_loop(self) -> None:
        self._came_round = True

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        if self._came_round:
            self._ask_loop()
        # trio marks the frames in which an exception would break its own bookkeeping, and this
        # asks for the mark as trio's own handler for SIGINT does; the timer soon tries again.
        elif not trio.lowlevel.currently_ki_protected():
            self._ask_loop()
            raise SystemExit(EXIT_CODE)


def _call_soon(token: trio.lowlevel.TrioToken, fn: Callable[[*Ts], object], *args: *Ts) -> None:
    """Have ``fn`` called in the event loop, if it still runs. Safe in a signal handler."""
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(fn, *args)


def _is_default_interrupt(handler: Handler) -> bool:
    if handler is signal.default_int_handler:
        return True
    module = getattr(handler, "__module__", None) or ""
    return module.partition(".")[0] == "trio"
