"""A thread that notices when the event loop stands still, and says which handler holds it.

It looks and speaks, and never interferes: ending what does not end is no business of this module
(docs/architecture.md section 4).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ClassVar, Final

import attrs
import structlog
import trio

from moobius_trio.core.boundary import Boundary
from moobius_trio.core.units import Unit

__all__ = ("LoopWatch", "watched_loop")

log = structlog.get_logger()

STILL_SECONDS: Final = 1.0
"""A loop that takes so long to come round stands still."""
LOOK_SECONDS: Final = 0.25
"""Between two questions to a loop: four wake-ups a second."""
JOIN_SECONDS: Final = 1.0
"""For the thread to end; a log that hangs may keep it longer, and it is a daemon's then."""
STACK_LINES: Final = 20
THREAD_NAME: Final = "moobius_trio watchdog"


@contextmanager
def watched_loop(*, still: float = STILL_SECONDS, look: float = LOOK_SECONDS) -> Iterator[None]:
    """Have the running event loop watched for the block; to be entered inside trio.

    All loops of a process share one thread: the first block starts it, with its figures, and the
    last one ends it. A loop that has not come round for ``still`` seconds is one warning with the
    handler, its line and the stack of the loop's thread, and one more with the whole time when it
    moves again.

    Args:
        still: seconds.
        look: seconds between two looks; a warning comes at most two of them late.
    """
    token = trio.lowlevel.current_trio_token()
    _Watchdog.join(token, still=still, look=look)
    try:
        yield
    finally:
        _Watchdog.leave(token)


class LoopWatch:
    """What is known of one event loop; made in its thread.

    Args:
        still: seconds after which it stands still.
        look: how far apart the looks are meant to be, in seconds.
        clock: seconds, monotonic.
        cpu: seconds that this process has computed.
    """

    def __init__(
        self,
        *,
        still: float,
        look: float,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.users = 0
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()
        self._still = still
        self._look = look
        self._clock = clock
        self._cpu = cpu
        self._lock = threading.Lock()
        self._looked_at, self._computed = clock(), cpu()
        self._asked_at = self._looked_at
        self._answered_at: float | None = self._looked_at
        self._reported = False

    def look(self) -> None:
        """Ask the loop, or see whether it has answered; for the watching thread."""
        with self._lock:
            moves, stands = self._judge()
        if moves is not None:
            _say_it_moves(moves)
        if stands is not None:
            _say_it_stands(stands, sys._current_frames().get(self._thread))

    def close(self) -> None:
        """The loop is not watched any more; for its own thread, so it moves."""
        with self._lock:
            self._answered_at = self._answered_at or self._clock()
            moves = self._stood_still()
        if moves is not None:
            _say_it_moves(moves)

    def _judge(self) -> tuple[float | None, float | None]:
        """How long the loop had stood still, and how long it has now, where it is to be said."""
        now, computed = self._clock(), self._cpu()
        late, worked = now - self._looked_at - self._look, computed - self._computed
        self._looked_at, self._computed = now, computed
        # This look is late although nothing here computed: the whole process was held up, as on a
        # machine that slept or has too much to do, and the loop is not to blame.
        self._asked_at += max(0.0, late - worked)
        if self._answered_at is not None:
            moves = self._stood_still()
            self._asked_at, self._answered_at = now, None
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._answer)
            return moves, None
        if not self._reported and now - self._asked_at >= self._still:
            self._reported = True
            return None, now - self._asked_at
        return None, None

    def _answer(self) -> None:
        """The loop came round. Runs in it."""
        self._answered_at = self._clock()

    def _stood_still(self) -> float | None:
        """How long it did, where that was reported; to be said once."""
        if not self._reported or self._answered_at is None:
            return None
        self._reported = False
        return self._answered_at - self._asked_at


@attrs.frozen
class _Standing:
    """Where a loop's thread stands."""

    unit: Unit | None
    stack: list[str]
    """File, line and function, from the author's outermost call to the innermost of all."""

    @classmethod
    def of(cls, frame: FrameType | None) -> _Standing:
        """The part of a thread's stack that belongs to the task that runs."""
        unit: Unit | None = None
        stack: list[str] = []
        own = 0
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.partition(".")[0] == "trio" and stack:
                break  # the loop itself, and whoever started it
            if frame.f_code is Boundary.do_as.__code__:
                unit = frame.f_locals.get("unit")
            stack.append(
                f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
            )
            if module.partition(".")[0] != "moobius_trio":
                own = len(stack)
            frame = frame.f_back
        stack = stack[: own or len(stack)]
        return cls(unit, stack[::-1])


def _say_it_moves(seconds: float) -> None:
    _say("the event loop moves again", seconds=round(seconds, 1))


def _say_it_stands(seconds: float, frame: FrameType | None) -> None:
    standing = _Standing.of(frame)
    unit, stack = standing.unit, standing.stack
    _say(
        "the event loop stands still",
        seconds=round(seconds, 1),
        handler=unit.handler if unit is not None else None,
        band=unit.channel_id if unit is not None else None,
        user=unit.user_id if unit is not None else None,
        at=stack[0] if stack else None,
        stack=stack[-STACK_LINES:],
        remedy="nothing else can run meanwhile: blocking code belongs in self.run_sync(fn), and "
        "time.sleep is trio.sleep here",
    )


def _say(event: str, **fields: object) -> None:
    with suppress(Exception):  # boundary: a log that fails does not end the watch
        log.warning(event, **fields)


class _Watchdog:
    """The thread, and the loops that it watches."""

    current: ClassVar[_Watchdog | None] = None
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, look: float) -> None:
        self._look = look
        self._loops: dict[trio.lowlevel.TrioToken, LoopWatch] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=THREAD_NAME, daemon=True)

    @classmethod
    def join(cls, token: trio.lowlevel.TrioToken, *, still: float, look: float) -> None:
        """Watch a loop, once more if it is watched already."""
        with cls.lock:
            watchdog = cls.current
            if watchdog is None:
                watchdog = cls.current = cls(look)
                watchdog._thread.start()
            loop = watchdog._loops.get(token)
            if loop is None:
                loop = LoopWatch(still=still, look=watchdog._look)
                watchdog._loops[token] = loop
            loop.users += 1

    @classmethod
    def leave(cls, token: trio.lowlevel.TrioToken) -> None:
        """Take one `join` back; the last one ends the thread."""
        with cls.lock:
            watchdog = cls.current
            if watchdog is None:
                return
            loop = watchdog._loops[token]
            loop.users -= 1
            if loop.users:
                return
            del watchdog._loops[token]
            if not watchdog._loops:
                cls.current = None
                watchdog._ended.set()
        loop.close()
        if watchdog._ended.is_set():
            watchdog._thread.join(JOIN_SECONDS)

    def _watch(self) -> None:
        while not self._ended.wait(self._look):
            for loop in tuple(self._loops.values()):
                loop.look()
