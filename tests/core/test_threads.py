"""Threads: whose work waits for whose."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest
import trio

from moobius_trio.core.threads import for_stores, run_for_a_store, run_in_thread
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import RunSync


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
    run_sync: RunSync, autojump_clock: trio.testing.MockClock
) -> None:
    """It would jump hours ahead while the thread works."""
    with pytest.raises(RuntimeError, match="jumps by itself"):
        await run_sync(sum, [1])


@pytest.mark.parametrize("run_sync", [run_in_thread, run_for_a_store])
async def test_a_cancellation_waits_for_the_thread(run_sync: RunSync) -> None:
    """No work goes on behind the back of whoever was cancelled, and its result is there."""
    begun, free = threading.Event(), threading.Event()
    found: list[str] = []

    def work() -> str:
        begun.set()
        free.wait()
        return "done"

    async def ask() -> None:
        with scope:
            found.append(await run_sync(work))

    scope = trio.CancelScope()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.to_thread.run_sync(begun.wait)
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert not found
            free.set()
    assert not scope.cancelled_caught
    assert found == ["done"]


@pytest.mark.parametrize("run_sync", [run_in_thread, run_for_a_store])
async def test_nothing_is_begun_for_who_is_cancelled_already(run_sync: RunSync) -> None:
    """A thread that starts nevertheless would be waited for."""
    begun: list[str] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await run_sync(begun.append, "work")
    assert scope.cancelled_caught
    assert not begun


@pytest.mark.parametrize("run_sync", [run_in_thread, run_for_a_store])
async def test_what_a_thread_raises_and_whose_work_it_is_comes_through(run_sync: RunSync) -> None:
    """An error as it is; and log lines from the thread bear the names of the handler."""
    handler = ContextVar("handler", default="")
    handler.set("on_msg_up")

    def work() -> None:
        raise StorageError("the store", f"failed for {handler.get()}")

    with pytest.raises(StorageError, match="failed for on_msg_up"):
        await run_sync(work)
