"""Services start first and are cancelled last: what handlers use still works while they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import trio

__all__ = ("Startable", "in_task_of", "open_background", "open_handlers")


class Startable(Protocol):
    """An async function for ``nursery.start``."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Awaitable[object]: ...


@asynccontextmanager
async def open_background(
    *services: Startable, goodbye: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Run services for as long as the block runs, started in this order.

    A cancellation from outside reaches the block first. When the block has ended, however it
    did, `goodbye` is awaited (it bounds itself), and only then are the services cancelled. A
    service that fails cancels the block.
    """

    async def supervise(*, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                for service in services:
                    await nursery.start(service)
                # Cancelled meanwhile, it will not be handed over; behind a shield it would stay.
                await trio.lowlevel.checkpoint_if_cancelled()
                scope.shield = True  # not earlier: starting must stay cancellable
                task_status.started(scope)

    async with trio.open_nursery() as outer:
        scope = await outer.start(supervise)
        try:
            yield
        finally:
            try:
                with trio.CancelScope(shield=True):
                    await goodbye()
            finally:
                scope.shield = False
                scope.cancel()


@asynccontextmanager
async def open_handlers(
    *, seconds: Callable[[], float], on_late: Callable[[], Awaitable[None]]
) -> AsyncIterator[trio.Nursery]:
    """A nursery for the author's code, which may refuse to end.

    When the block has ended, however it did, all tasks are cancelled. While some are there
    ``seconds()`` later, because they shield themselves or swallow the cancellation, `on_late` is
    awaited beside them (it bounds itself). This ends when the last task does: no task is left
    behind.
    """
    block_ended, all_ended = trio.Event(), trio.Event()

    async def watch() -> None:
        with trio.CancelScope(shield=True):
            await block_ended.wait()
            with trio.move_on_after(seconds()) as patience:
                await all_ended.wait()
            if patience.cancelled_caught:
                await on_late()

    async with trio.open_nursery() as watching:
        watching.start_soon(watch)
        try:
            async with trio.open_nursery() as nursery:
                try:
                    yield nursery
                finally:
                    block_ended.set()
                    nursery.cancel_scope.cancel()
        finally:
            all_ended.set()


async def in_task_of(nursery: trio.Nursery, fn: Callable[[], Awaitable[None]]) -> None:
    """Run ``fn()`` to its end, in a task of the nursery.

    Cancelled, this returns at once and the nursery cares for the task. What ``fn`` raises comes out
    of the nursery.
    """
    ended = trio.Event()

    async def task() -> None:
        await fn()
        ended.set()

    nursery.start_soon(task)
    await ended.wait()
