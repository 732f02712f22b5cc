"""What one run of a service and one run of a user have in common, and the calls that need it.

No event and no band is known here: `core.runtime` is a service's run, `user.runtime` a user's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol, TypeVarTuple

import attrs
import trio

from moobius_trio.core.boundary import Boundary
from moobius_trio.core.environment import Environment
from moobius_trio.core.signatures import name_of
from moobius_trio.core.units import Unit, current
from moobius_trio.errors import ServiceStopped
from moobius_trio.types import ChannelId

if TYPE_CHECKING:
    from moobius_trio.config import Settings
    from moobius_trio.core.jobs import Job, Jobs
    from moobius_trio.core.lanes import Lanes, LaneStatistics
    from moobius_trio.core.runtime import Tracing
    from moobius_trio.core.spells import SpellLoop
    from moobius_trio.core.statistics import ServiceStatistics
    from moobius_trio.database import StoreStatistics
    from moobius_trio.network.http import HttpApi
    from moobius_trio.network.link import ClientId, Link
    from moobius_trio.network.outbox import Outbox

__all__ = ("Filing", "Running")

Ts = TypeVarTuple("Ts")


class Filing(Protocol):
    """What files events into lanes."""

    @property
    def lanes(self) -> Lanes[Any]: ...

    def end(self) -> int:
        """Cancel what runs and begin nothing more; gives how many events are left."""
        ...

    def statistics(self) -> LaneStatistics: ...


@attrs.define(eq=False, kw_only=True)
class Running(ABC):
    """The parts of a run, and where it is in its life."""

    environment: Environment
    settings: Settings
    name: str
    http_api: HttpApi
    outbox: Outbox[Any]
    link: Link[Any, Any]
    boundary: Boundary
    jobs: Jobs
    spells: SpellLoop
    nursery: trio.Nursery
    tracing: Tracing | None
    tasks: int = 0
    """Tasks of `start_soon` that have not ended."""
    closed: bool = False
    """True when no task of the author's may begin any more."""
    stopping: trio.Event = attrs.field(factory=trio.Event)
    """Set when the stop has begun."""
    stopped: trio.Event = attrs.field(factory=trio.Event)
    """Set when nothing of the run is left."""

    @property
    @abstractmethod
    def dispatcher(self) -> Filing:
        """What files events into lanes."""

    @property
    @abstractmethod
    def client_id(self) -> ClientId:
        """Who is logged in."""

    @property
    @abstractmethod
    def bands(self) -> Collection[ChannelId]:
        """Where it is."""

    @property
    def store_statistics(self) -> tuple[StoreStatistics, ...]:
        """Snapshots of the stores, if it has any."""
        return ()

    async def flush_stores(self) -> None:
        """Wait until what was changed is stored; raises ``StorageError`` if it cannot be."""
        await trio.lowlevel.checkpoint()

    async def close_stores(self) -> None:
        """Store what was changed, for the process is about to end."""
        await trio.lowlevel.checkpoint()

    def start_soon(
        self, fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, name: str | None = None
    ) -> trio.CancelScope:
        """Run ``fn(*args)`` as a task of this run and give its cancel scope."""
        label = name_of(fn)  # also with a name given: it finds a coroutine in place of fn
        if name is not None:
            label = name
        if self.closed:
            raise ServiceStopped(self.name)
        scope = trio.CancelScope()
        begun_by = current.get()
        picked = None if begun_by is None else begun_by.picked

        async def task() -> None:
            try:
                with scope:
                    unit = Unit(handler=label, picked=picked)
                    await self.boundary.run(None, unit, lambda: fn(*args), limited=False)
            finally:
                self.tasks -= 1

        self.tasks += 1
        self.nursery.start_soon(task, name=label)
        return scope

    async def execute(self, job: Job) -> None:
        """One run of a job to its end."""
        await self._run_job(job, Unit(handler=job.name), job.fn, limited=False)

    async def _run_job(
        self, job: Job, unit: Unit, fn: Callable[[], Awaitable[object]], *, limited: bool
    ) -> None:
        if not await self.boundary.run(job, unit, fn, limited=limited):
            job.note_failure()

    @property
    def idle(self) -> bool:
        """True when no event, spell or frame is on its way; `start_soon` tasks do not count."""
        return self.dispatcher.lanes.idle and self.spells.idle and self.outbox.idle

    async def wait_idle(self) -> None:
        """Wait until `idle`. Safe to cancel."""
        while not self.idle:
            await self.dispatcher.lanes.wait_idle()
            await self.spells.wait_idle()
            await self.outbox.wait_idle()

    def statistics(self) -> ServiceStatistics:
        """A snapshot."""
        from moobius_trio.core.statistics import ServiceStatistics

        return ServiceStatistics(
            name=self.name,
            service_id=self.client_id,
            link=self.link.statistics(),
            outbox=self.outbox.statistics(),
            lanes=self.dispatcher.statistics(),
            spells=self.spells.statistics(),
            jobs=tuple((job.name, job.statistics) for job in self.jobs.jobs),
            stores=self.store_statistics,
            failures=self.boundary.failures,
            handlers=len(self.boundary.running()),
            tasks=self.tasks,
        )
