"""Waiting for what no event tells: another process, a line in the log."""

from __future__ import annotations

from collections.abc import Callable

import trio

__all__ = ("until",)


async def until(condition: Callable[[], bool]) -> None:
    """Come back when it is true; looks every 5 ms of trio's clock, without end.

    It is for tests on real time, where something outside the process is waited for.
    """
    while not condition():  # noqa: ASYNC110  # nothing sets an event for it
        await trio.sleep(0.005)
