"""Blocking work in a thread, and the guard that keeps threads away from simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar, TypeVarTuple

import trio

from moobius_trio.types import RunSync

__all__ = ("for_stores", "run_for_a_store", "run_in_thread")

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
    _refuse_simulated_time()
    return await trio.to_thread.run_sync(fn, *args)


async def run_for_a_store(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """The same for a store, which makes one call at a time, beside the forty threads of all others.

    Handlers that wait in forty threads must not keep changes from being stored, and with them
    every frame that tells of one (docs/architecture.md section 4). What is stored is waited for
    by somebody's answer, so this is no more than a store needs: a thread of trio's, whose name
    stays, without a way back into the loop (``trio.from_thread``).

    Raises:
        RuntimeError: as `run_in_thread`.
    """
    _refuse_simulated_time()
    await trio.lowlevel.checkpoint_if_cancelled()
    run = partial(copy_context().run, fn, *args)
    token = trio.lowlevel.current_trio_token()
    go_on = partial(token.run_sync_soon, trio.lowlevel.reschedule, trio.lowlevel.current_task())
    trio.lowlevel.start_thread_soon(run, go_on)
    result: T = await trio.lowlevel.wait_task_rescheduled(_after_the_thread)
    return result


def for_stores(run_sync: RunSync) -> RunSync:
    """What stores use where this is used otherwise: their own threads, if it is threads at all."""
    return run_for_a_store if run_sync is run_in_thread else run_sync


def _refuse_simulated_time() -> None:
    clock = trio.lowlevel.current_clock()
    if getattr(clock, "autojump_threshold", math.inf) < math.inf:
        raise RuntimeError(
            "a thread was asked for under a clock that jumps by itself; "
            "in tests blocking work runs inline (docs/architecture.md section 9)"
        )


def _after_the_thread(_: object) -> trio.lowlevel.Abort:
    """A cancellation waits: what a thread does cannot be broken off."""
    return trio.lowlevel.Abort.FAILED
