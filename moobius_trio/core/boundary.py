"""The boundary around the author's code: what it raises is reported, and touches nothing else.

There is one for an event, a job run, a spell and a task; no other place of the package catches
what the author's code raises (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import trio

from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.errors import HandlerTimedOut

__all__ = ("Boundary",)

log = structlog.get_logger()

NO_LOOP_REMEDY = (
    "This library needs asyncio, and services run on trio: use trio.sleep instead of "
    "asyncio.sleep, httpx instead of aiohttp, and self.run_sync(fn) for blocking code."
)


class Boundary:
    """Runs the author's code as units of work.

    Args:
        on_error: the service's callback; its own failure is logged and goes no further.
        limit: seconds a handler may run; None: no limit.
        on_failure: told of each failure besides.
    """

    def __init__(
        self,
        *,
        on_error: Callable[[object, BaseException], Awaitable[None]],
        limit: float | None,
        on_failure: Callable[[object, BaseException], None] | None,
    ) -> None:
        self._on_error = on_error
        self._limit = limit
        self._on_failure = on_failure
        self.failures = 0

    async def run(
        self,
        event: object,
        unit: Unit,
        fn: Callable[[], Awaitable[object]],
        *,
        limited: bool = True,
    ) -> bool:
        """Run ``fn()`` as the unit; report what it raises.

        Returns:
            True when it ended well.
        """
        try:
            await self.attempt(unit, fn, limited=limited)
        except Exception as exc:  # boundary: one event, job run, spell or task
            await self.report(event, unit, exc)
            return False
        return True

    async def attempt(
        self, unit: Unit, fn: Callable[[], Awaitable[object]], *, limited: bool = True
    ) -> object:
        """Run ``fn()`` as the unit and give its result; what it raises is the caller's.

        Raises:
            HandlerTimedOut: it ran longer than the limit and was cancelled.
        """
        result: object = None
        async with unit_of_work(unit):
            limit = self._limit if limited else None
            if limit is None:
                return await fn()
            with trio.move_on_after(limit) as scope:
                result = await fn()
            if scope.cancelled_caught:
                raise HandlerTimedOut(unit.handler, limit)
        return result

    async def report(self, event: object, unit: Unit, exc: Exception) -> None:
        """Log a failure and tell the service's `on_error`."""
        self.failures += 1
        if isinstance(exc, RuntimeError) and "no running event loop" in str(exc):
            exc.add_note(NO_LOOP_REMEDY)
        log.error(
            "handler failed",
            handler=unit.handler,
            band=unit.channel_id,
            user=unit.user_id,
            exc_info=exc,
        )
        if self._on_failure is not None:
            self._on_failure(event, exc)
        own = Unit(handler="on_error", channel_id=unit.channel_id, user_id=unit.user_id)
        try:
            await self.attempt(own, lambda: self._on_error(event, exc))
        except Exception as second:  # boundary: on_error is the author's code too
            log.error("on_error failed", handler="on_error", exc_info=second)
            if self._on_failure is not None:
                self._on_failure(event, second)
