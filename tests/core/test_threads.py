"""Threads: whose work waits for whose."""

from __future__ import annotations

import threading

import pytest
import trio

from moobius_trio.core.threads import for_stores, run_for_a_store, run_in_thread
from moobius_trio.testing.inline import run_inline


async def test_handlers_that_wait_in_threads_keep_no_store_waiting() -> None:
    """All the threads that handlers may use are taken, and a store's call still runs."""
    limiter = trio.to_thread.current_default_thread_limiter()
    free = threading.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(int(limiter.total_tokens)):
                nursery.start_soon(run_in_thread, free.wait)
            await trio.testing.wait_all_tasks_blocked()
            assert not limiter.available_tokens
            store_sync = for_stores(run_in_thread)
            assert await store_sync(sum, [1, 2]) == 3
            free.set()


async def test_what_runs_inline_stays_so_for_stores() -> None:
    """The kit's runner uses no threads, whoever asks."""
    assert for_stores(run_inline) is run_inline


@pytest.mark.parametrize("run_sync", [run_in_thread, run_for_a_store])
async def test_no_thread_under_a_clock_that_jumps(
    run_sync: object, autojump_clock: trio.testing.MockClock
) -> None:
    """It would jump hours ahead while the thread works."""
    with pytest.raises(RuntimeError, match="jumps by itself"):
        await run_sync(sum, [1])  # type: ignore[operator]
