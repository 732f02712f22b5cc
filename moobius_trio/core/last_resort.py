"""The end of a process whose handlers do not end: a thread that needs no event loop for it.

Who uses the signals says what keeps it; when that can end is decided here, and how the process is
ended. Nothing here knows a service (docs/architecture.md section 7).
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol

import structlog
import trio

from moobius_trio.core.places import place_of_frame

__all__ = ("STUCK_CODE", "Held", "LastResort")

log = structlog.get_logger()

STUCK_CODE = 70
"""What a process ends with that was told once to stop, and whose handlers did not end."""

INTERRUPTED_CODE = 130

STANDING_SECONDS = 27.0
"""10 s for handlers, 5 s for frames, 10 s for stores and 2 s more: so long after the first signal
an event loop that stands still is waited for."""

INTERRUPTED_SECONDS = 3.0
"""The same after the second signal: what holds the loop has had an exception raised in it."""

STILL_SECONDS = 2.0
"""An event loop that does not come round for so long stands still."""

MOST_SECONDS = 50.0
"""More than all time limits of a service's end together; after it, it is not waited for."""

LOOK_SECONDS = 0.1

SAY_SECONDS = 1.0
"""For the last line: whoever holds the loop may hold the lock of a log, too."""


class Held(Protocol):
    """Somebody who has heard a signal and has not ended yet."""

    @property
    def name(self) -> str:
        """What it is called in the log."""
        ...

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        """Of the event loop it runs in."""
        ...

    @property
    def heard_at(self) -> float | None:
        """When it was told to stop, in seconds of ``time.monotonic``; None: not yet."""
        ...

    @property
    def unending(self) -> Callable[[], Sequence[str] | None]:
        """Names of what alone keeps it; empty: nothing; None: it has something to do itself."""
        ...

    @property
    def abandon(self) -> Callable[[], object]:
        """Remove what must not outlive the process; must not wait."""
        ...


class LastResort:
    """A thread that waits for a first signal, and from then on for what does not end.

    Started before any signal: starting a thread in a signal handler takes locks that the
    interrupted code may hold.

    Args:
        held: who has not ended yet; asked from the thread.
        interrupted: whether a second signal came.
    """

    def __init__(self, held: Callable[[], Sequence[Held]], interrupted: Callable[[], bool]) -> None:
        self._held = held
        self._interrupted = interrupted
        self._signalled_at: float | None = None
        self._interrupted_at: float | None = None
        self._asked_at: float | None = None
        self._came_round = True
        self._reader, self._writer = os.pipe()
        self._thread = threading.Thread(
            target=self._wait, name="moobius_trio last resort", daemon=True
        )
        self._thread.start()

    def arm(self) -> None:
        """A signal came. Safe in a signal handler."""
        os.write(self._writer, b"s")

    def stop(self) -> None:
        """All have ended: the thread does too."""
        os.write(self._writer, b"q")
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _wait(self) -> None:
        while True:
            patience = None if self._signalled_at is None else LOOK_SECONDS
            if select.select([self._reader], [], [], patience)[0]:
                if b"q" in os.read(self._reader, 64):
                    return
                self._signalled_at = self._signalled_at or time.monotonic()
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        held = self._held()
        names = self._kept_by(held, now)
        if names:
            self._end("the process ends: what does not end alone keeps it", names, held)
        if self._stands_still(held, now):
            main = threading.main_thread().ident
            guilty = place_of_frame(sys._current_frames().get(main or 0))
            self._end("the process ends: the event loop stands still", [guilty], held)

    def _kept_by(self, held: Sequence[Held], now: float) -> list[str]:
        """The names of what alone keeps everybody; empty while anybody has something to do."""
        names: list[str] = []
        for one in held:
            unending = one.unending()
            if unending is None:
                if one.heard_at is None or now < one.heard_at + MOST_SECONDS:
                    return []
                unending = [f"{one.name} (past all its time limits)"]
            names.extend(unending)
        return names

    def _stands_still(self, held: Sequence[Held], now: float) -> bool:
        """Whether the loop has not come round for too long; asks it to."""
        if self._signalled_at is None or not held:
            return False
        if self._interrupted() and self._interrupted_at is None:
            self._interrupted_at = now
        if self._came_round:
            self._came_round, self._asked_at = False, now
            with suppress(trio.RunFinishedError):
                held[0].token.run_sync_soon(self._hear)
        still = self._asked_at is not None and now >= self._asked_at + STILL_SECONDS
        late = now >= self._signalled_at + STANDING_SECONDS
        if self._interrupted_at is not None:
            late = late or now >= self._interrupted_at + INTERRUPTED_SECONDS
        return still and late

    def _hear(self) -> None:
        self._came_round = True

    def _end(self, event: str, names: Sequence[str], held: Sequence[Held]) -> NoReturn:
        code = INTERRUPTED_CODE if self._interrupted() else STUCK_CODE

        def say() -> None:
            log.error(
                event,
                handlers=list(names),
                exit_code=code,
                remedy="let trio.Cancelled pass, give a shield a time limit, "
                "and let long calculations run in self.run_sync(fn)",
            )
            sys.stdout.flush()

        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        saying.join(SAY_SECONDS)
        for one in held:
            with suppress(OSError):
                one.abandon()
        os._exit(code)
