"""The boundary around the author's code: what it raises is reported, and touches nothing else.

There is one for an event, a job run, a spell and a task; no other place of the package catches
what the author's code raises (docs/architecture.md section 4).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, TypeVar, TypeVarTuple

import structlog
import trio

from moobius_trio.core.places import place_of_task
from moobius_trio.core.units import Naming, Unit, save
from moobius_trio.errors import HandlerTimedOut
from moobius_trio.network.groups import leaves, text_of

__all__ = ("Boundary", "Call", "Work")

log = structlog.get_logger()

E = TypeVar("E")
Ts = TypeVarTuple("Ts")

NO_LOOP_REMEDY = (
    "This library needs asyncio, and services run on trio: use trio.sleep instead of "
    "asyncio.sleep, httpx instead of aiohttp, and self.run_sync(fn) for blocking code."
)

SLACK: Final = 0.01
"""A handler's time limit may be longer by this part of it than it is set to."""


class Call(NamedTuple):
    """A handler to be called with an event, as a unit of work that has just been made, within
    its time limit. (A tuple: of all frozen values it is the quickest to make.)"""

    unit: Unit
    handler: Callable[[Any], Awaitable[object]]
    event: object


Work: TypeAlias = Call | Callable[[], Awaitable[object]]
"""A call, or something else that a lane has to do, which fails by itself."""


class Boundary:
    """Runs the author's code as units of work.

    Args:
        on_error: the service's callback; its own failure is logged and goes no further.
        limit: seconds a handler may run; None: no limit.
        on_failure: told of each failure besides.
        on_end: told of each unit when it has ended, with what it raised.
    """

    def __init__(
        self,
        *,
        on_error: Callable[[object, BaseException], Awaitable[None]],
        limit: float | None,
        on_failure: Callable[[object, BaseException], None] | None,
        on_end: Callable[[Unit, BaseException | None], None] | None = None,
    ) -> None:
        self._on_error = on_error
        self._limit = limit
        self._on_failure = on_failure
        self._on_end = on_end
        self._running: dict[Unit, trio.lowlevel.Task] = {}
        self.failures = 0

    @property
    def busy(self) -> bool:
        """True while a unit runs. Safe in another thread."""
        return bool(self._running)

    def running(self) -> list[str]:
        """The names of the units that run now, oldest first."""
        return [unit.handler for unit in self._running]

    def places(self) -> list[str]:
        """The names of the units that run now, each with the file and line where it waits."""
        return [f"{unit.handler} {place_of_task(task)}" for unit, task in self._running.items()]

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
        limit = math.inf if self._limit is None or not limited else self._limit
        result: object = None
        error: BaseException | None = None
        try:
            with trio.move_on_after(limit) as scope, Naming() as naming:
                result = await self.do_as(naming, unit, fn)
            if scope.cancelled_caught:
                raise HandlerTimedOut(unit.handler, limit)
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._tell_end(unit, error)
        return result

    async def run_each(self, events: AsyncIterator[E], work_of: Callable[[E], Work]) -> None:
        """Do what each event asks for, to its end before the next one is taken.

        Of a call what it raises is reported. Calls that go well share one cancel scope, whose
        deadline is moved when it has to be, and which lasts while there is nothing to do: one of
        its own would cost each as much as all else around it.
        """
        while (apart := await self._run_calls(events, work_of)) is not None:
            await apart()
            del apart  # what was raised is in it, and everything that the handler had

    async def _run_calls(
        self, events: AsyncIterator[E], work_of: Callable[[E], Work]
    ) -> Callable[[], Awaitable[object]] | None:
        """Run calls until something is to be done outside of the time limit: that is given."""
        limit = math.inf if self._limit is None else self._limit
        running: Unit | None = None
        ends: float | None = None
        try:
            with trio.CancelScope() as scope, Naming() as naming:
                async for each in events:
                    work = work_of(each)
                    if not isinstance(work, Call):
                        return work
                    unit, handler, event = work
                    if ends is None:
                        scope.deadline = ends = unit.started + limit
                    elif unit.started >= ends:  # it may be cancelled: this has a scope of its own
                        return partial(self.run, event, unit, partial(handler, event))
                    elif unit.started + limit > ends:
                        # To move it is not cheap, so each but the first may take a bit longer.
                        scope.deadline = ends = unit.started + limit * (1 + SLACK)
                    running, failure = unit, None
                    try:
                        await self.do_as(naming, unit, handler, event)
                    except Exception as exc:  # boundary: one event
                        failure = exc
                    running = None
                    self._tell_end(unit, failure)
                    if failure is not None:
                        return partial(self.report, event, unit, failure)
                else:
                    return None
        except BaseException as exc:  # it is cancelled from outside
            if running is not None:
                self._tell_end(running, exc)
            raise
        if running is None:  # the deadline passed while nothing was to be done
            return trio.lowlevel.checkpoint_if_cancelled
        late = HandlerTimedOut(running.handler, limit)
        self._tell_end(running, late)
        return partial(self.report, event, running, late)

    async def do_as(
        self, naming: Naming, unit: Unit, fn: Callable[[*Ts], Awaitable[object]], *args: *Ts
    ) -> object:
        """Run ``fn(*args)`` as the unit, without a limit. All of the author's code runs in here."""
        naming.name(unit)
        self._running[unit] = trio.lowlevel.current_task()
        error: BaseException | None = None
        try:
            return await fn(*args)
        except BaseException as exc:
            error = exc
            if isinstance(exc, BaseExceptionGroup):
                self._raise_cancellation_alone(unit, exc)
            raise
        finally:
            try:
                await save(unit, error)  # noqa: ASYNC102  # it has a shield and a limit
            finally:
                del self._running[unit], error  # what was raised holds this frame

    def _tell_end(self, unit: Unit, error: BaseException | None) -> None:
        if self._on_end is not None:
            self._on_end(unit, error)

    def _raise_cancellation_alone(self, unit: Unit, group: BaseExceptionGroup) -> NoReturn:
        """Let a cancellation go on without what the handler's own tasks raised because of it.

        Both come in one group, whose failures would otherwise end the service.
        """
        failure, rest = group.split(Exception)
        if rest is None:
            raise group  # nothing but failures
        if failure is not None:
            self._note(None, unit, failure)
        raise rest from None

    async def report(self, event: object, unit: Unit, exc: Exception) -> None:
        """Log the failure of a unit and tell the service's `on_error`."""
        for failure in (exc, *unit.unsaved):
            await self._report(event, unit, failure)

    async def _report(self, event: object, unit: Unit, exc: Exception) -> None:
        self._note(event, unit, exc)
        own = Unit(
            handler="on_error",
            channel_id=unit.channel_id,
            user_id=unit.user_id,
            in_lane=unit.in_lane,
        )
        try:
            await self.attempt(own, lambda: self._on_error(event, exc))
        except Exception as second:  # boundary: on_error is the author's code too
            self._note(event, own, second)

    def _note(self, event: object, unit: Unit, exc: Exception) -> None:
        self.failures += 1
        for leaf in leaves(exc):
            if isinstance(leaf, RuntimeError) and "no running event loop" in text_of(leaf):
                leaf.add_note(NO_LOOP_REMEDY)
        log.error(
            "handler failed",
            **unit.log_fields,
            exc_info=exc,
        )
        if self._on_failure is not None:
            self._on_failure(event, exc)
