"""When a test may go on: every service idle, and everybody has seen what was sent.

In memory that is when nothing can happen any more without time passing; over sockets each party
is asked until nothing has moved. No test calls this itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio
import trio.testing

from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.runtime import Runtime
from moobius_trio.core.service import MoobiusService
from moobius_trio.testing.actors import Actor
from moobius_trio.types import GenericUpdate

__all__ = ("PROBE", "Run", "Settling")

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours

PROBE: Final = "probe-of-the-kit"
"""What an update that asks whether the platform has caught up is called. It has no band; the
platform answers it and shows it to nobody."""

SIMULATED_SECONDS: Final = 24 * 3600.0
REAL_SECONDS: Final = 60.0


@attrs.frozen(eq=False)
class Run:
    """One start of a service."""

    service: MoobiusService[Any]
    handle: ServiceHandle
    email: str

    @property
    def runtime(self) -> Runtime | None:
        """The parts of the run; None when it is stopping or has ended."""
        return self.handle._runtime if self.handle.running else None


@attrs.frozen(eq=False, kw_only=True)
class Settling:
    """Looks at the parties of a test; the two lists grow with it."""

    runs: Sequence[Run]
    actors: Sequence[Actor]
    simulated: bool

    async def wait(self) -> None:
        """Return when nothing is on its way.

        Raises:
            AssertionError: that did not come about in a day of simulated, or a minute of real time.
        """
        limit = SIMULATED_SECONDS if self.simulated else REAL_SECONDS
        with trio.move_on_after(limit) as scope:
            while not await (self._settled_in_memory() if self.simulated else self._settled()):
                for runtime in self._runtimes():
                    await _idle_or_stopped(runtime)
        if scope.cancelled_caught:
            raise AssertionError(f"not idle after {limit:,.0f} s: {self._describe()}")

    async def _settled_in_memory(self) -> bool:
        await trio.testing.wait_all_tasks_blocked()
        return self._idle()

    async def _settled(self) -> bool:
        """One round: ask every service, then everybody, and see whether anything has moved."""
        before = self._progress()
        for runtime in self._runtimes():
            # Until its receipt has come, which is behind every event on its way to the service,
            # the outbox is not idle.
            await runtime.outbox.put(GenericUpdate(data={"subtype": PROBE}))
            await _idle_or_stopped(runtime)
        for actor in self.actors:
            await actor.catch_up()
        return self._idle() and before == self._progress()

    def _runtimes(self) -> list[Runtime]:
        return [run.runtime for run in self.runs if run.runtime is not None]

    def _idle(self) -> bool:
        return all(runtime.idle for runtime in self._runtimes())

    def _progress(self) -> tuple[object, ...]:
        """Changes whenever a frame went anywhere."""
        return (
            *(runtime.dispatcher.lanes.handled for runtime in self._runtimes()),
            *(actor.seen for actor in self.actors),
        )

    def _describe(self) -> str:
        """What each busy party is at."""
        busy = [
            f"{runtime.name} runs {runtime.dispatcher.lanes.running() or 'no handler'} with "
            f"{runtime.dispatcher.lanes.statistics().waiting} events waiting; its connection is "
            f"{runtime.link.statistics().state}, {runtime.outbox.statistics()}"
            for runtime in self._runtimes()
            if not runtime.idle
        ]
        return "; ".join(busy) or "the services are, but frames come all the time"


async def _idle_or_stopped(runtime: Runtime) -> None:
    """Wait until a service is idle; one that stops meanwhile may leave things undone."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_after, runtime.stopped, nursery.cancel_scope)
        await runtime.wait_idle()
        nursery.cancel_scope.cancel()


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
