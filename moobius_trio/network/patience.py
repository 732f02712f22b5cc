"""Waiting for silence, fairly: a loop that was held up must not take its own delay for it.

Nothing here knows what is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

__all__ = ("sleep_until_read", "sleep_until_settled")

HELD_UP: Final = 1.0
"""Seconds of lateness from which on the loop itself must have been busy."""


async def sleep_until_settled(deadline: float) -> None:
    """Sleep until ``deadline``, on trio's clock.

    If the loop was held up meanwhile, the other tasks get a second to read what has come in
    that time, so that it counts before anybody is called silent.
    """
    await trio.sleep_until(deadline)
    if trio.current_time() > deadline + HELD_UP:
        await trio.sleep(HELD_UP)


async def sleep_until_read(deadline: float, enough: Callable[[], bool] = lambda: False) -> None:
    """Sleep until ``deadline``, on trio's clock, with a last second in which the others can run.

    A loop that was held up until just before the deadline is not late for it, and has read
    nothing all the same. If it was held up, the end of that second may come after the deadline;
    if ``enough`` has been read before that second, there is none.
    """
    await trio.sleep_until(deadline - HELD_UP)
    if not enough():
        await trio.sleep_until(max(deadline, trio.current_time() + HELD_UP))
