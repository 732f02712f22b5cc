"""Blocking work in a thread, and the guard that keeps threads away from simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

__all__ = ("run_in_thread",)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def run_in_thread(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Run ``fn(*args)`` in a worker thread and give its result.

    Not abandoned when cancelled: the call waits for the thread, so that no work goes on behind
    the caller's back (docs/architecture.md section 9).

    Raises:
        RuntimeError: the clock is a simulated one that jumps by itself. It would jump hours
            ahead while the thread works; use the kit's inline runner instead.
    """
    clock = trio.lowlevel.current_clock()
    if getattr(clock, "autojump_threshold", math.inf) < math.inf:
        raise RuntimeError(
            "a thread was asked for under a clock that jumps by itself; "
            "in tests blocking work runs inline (docs/architecture.md section 9)"
        )
    return await trio.to_thread.run_sync(fn, *args)
