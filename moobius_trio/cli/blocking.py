"""Code that blocks the whole program, noticed while a service is being written.

Only looks and tells; nothing is interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
import trio

from moobius_trio.core.units import current, latest

__all__ = ("BLOCKING_SECONDS", "Blocking")

BLOCKING_SECONDS = 0.5

log = structlog.get_logger()


class Blocking(trio.abc.Instrument):
    """Names in the log each handler that ran this long without letting anything else run.

    For ``trio.lowlevel.add_instrument``; it costs two looks at the clock for each step of a task.

    Args:
        clock: seconds of real time, not of trio's clock.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._begun = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._begun = self._clock()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        seconds = self._clock() - self._begun
        if seconds < BLOCKING_SECONDS:
            return
        # a short handler has ended within the step
        unit = task.context.get(current) or task.context.get(latest)
        if unit is not None:
            log.warning(
                "everything stood still",
                handler=unit.handler,
                seconds=round(seconds, 1),
                remedy="await trio.sleep(…) for pauses, await self.run_sync(fn, …) for what blocks",
            )
