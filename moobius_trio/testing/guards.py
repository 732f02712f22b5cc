"""What keeps a test honest: no thread under simulated time, and Ctrl+C goes to the test run.

Both replace something for the length of a block, and put it back.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import trio

__all__ = ("jumps_by_itself", "keep_signals", "refuse_threads")


def jumps_by_itself() -> bool:
    """Whether the running clock is one that jumps ahead when there is nothing to do."""
    clock = trio.lowlevel.current_clock()
    threshold: float = getattr(clock, "autojump_threshold", math.inf)
    return threshold < math.inf


@contextmanager
def refuse_threads() -> Iterator[None]:
    """While the block runs, ``trio.to_thread.run_sync`` raises RuntimeError and says what to do.

    So does all that goes through it, such as `trio.Path` and name look-ups. A clock that jumps by
    itself would jump hours ahead while a thread works (docs/architecture.md section 9).
    """
    # Every thread asks it for room, and it is this run's own: no other run sees the change.
    limiter = trio.to_thread.current_default_thread_limiter()
    setattr(limiter, "acquire_on_behalf_of", _refuse)  # noqa: B010  # a method, to a type checker
    try:
        yield
    finally:
        delattr(limiter, "acquire_on_behalf_of")


async def _refuse(borrower: object) -> NoReturn:
    raise RuntimeError(
        "a thread was asked for, but the time of this test is simulated and would jump ahead "
        "while the thread works. In a service write `await self.run_sync(fn, *args)`, which runs "
        "inline here; or give this test real time with @pytest.mark.local(sockets=True)."
    )


@contextmanager
def keep_signals() -> Iterator[None]:
    """While the block runs, services leave SIGINT and SIGTERM alone (`core.signals`).

    They take SIGINT over from nobody but Python and trio. A Ctrl+C is for the test run, which
    would go on if a service took it as its own stop.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    handle = before

    def pass_on(number: int, frame: FrameType | None) -> None:
        handle(number, frame)

    signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is pass_on:
            signal.signal(signal.SIGINT, before)
