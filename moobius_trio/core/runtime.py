"""The live parts of one run of a service, and the few calls that need several of them.

Made by `core.serving`; parts are built there, tasks are started there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import attrs
import trio

from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.core.jobs import takes_band
from moobius_trio.core.lanes import LanesEnded
from moobius_trio.core.running import Running
from moobius_trio.core.signatures import name_of
from moobius_trio.core.units import Unit, current, unit_of_work
from moobius_trio.errors import ServiceStopped
from moobius_trio.logs import escape, redact
from moobius_trio.network.groups import leaves, text_of
from moobius_trio.types import (
    ChannelId,
    MessageDown,
    RawPayload,
    RequestId,
    ServiceId,
    Update,
)

if TYPE_CHECKING:
    from moobius_trio.core.cast import Cast
    from moobius_trio.core.catching_up import CatchUp
    from moobius_trio.core.dispatch import Dispatcher
    from moobius_trio.core.jobs import Job
    from moobius_trio.core.taking_on import TakingOn
    from moobius_trio.core.unheard import UnheardWatch
    from moobius_trio.database import MoobiusStorage, Stores, StoreStatistics
    from moobius_trio.network.outbox import Hold, WrittenFrame
    from moobius_trio.network.receipts import Receipt

__all__ = ("Runtime", "Tracing")

ERROR_LENGTH = 500
"""Characters of an error in the trace."""

TRACED = 20_000
"""How many frames and units are known to the trace, in case they are written again."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@attrs.define(eq=False, kw_only=True)
class Runtime(Running):
    """Everything one run of a service consists of."""

    service_id: ServiceId
    stores: Stores
    storage: MoobiusStorage
    cast: Cast
    dispatcher: Dispatcher
    catch_up: CatchUp
    bands: Mapping[ChannelId, Any]
    taking_on: TakingOn
    unheard: UnheardWatch

    @property
    def client_id(self) -> ServiceId:
        """The service's id."""
        return self.service_id

    @property
    def store_statistics(self) -> tuple[StoreStatistics, ...]:
        """Snapshots of its stores."""
        return self.stores.statistics()

    async def flush_stores(self) -> None:
        """Wait until what was changed is stored; raises ``StorageError`` if it cannot be."""
        await self.stores.flush()

    async def close_stores(self) -> None:
        """Store what was changed and close, for the process is about to end."""
        await self.stores.close()

    async def send(self, payload: MessageDown | Update | RawPayload) -> Receipt:
        """Queue one payload behind what the running unit of work has changed."""
        unit = current.get()
        if unit is None:
            return await self.outbox.put(payload)
        self.unheard.look(payload, unit)
        holds: tuple[Hold, ...] = ()
        transaction = unit.storage.transaction
        if not unit.storage.clean:
            await unit.storage.save_ahead()
            holds = unit.storage.settle()
        receipt = await self.outbox.put(
            payload,
            holds=holds,
            unit=unit.number,
            transaction=None if transaction is None else transaction.ticket,
        )
        if self.tracing is not None:
            self.tracing.note(unit, receipt.request_id, len(holds))
        return receipt

    async def in_lane(
        self, channel_id: ChannelId, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts
    ) -> T:
        """Run ``fn(*args)`` in a band's lane, in the caller's own task."""
        label, unit = name_of(fn), current.get()
        if unit is not None and unit.in_lane:
            raise RuntimeError(
                f"in_lane was called inside {unit.handler}, which would wait for ever: it holds "
                "a lane itself, or lanes open only when it has returned. Call the function "
                "directly, or give the call to self.start_soon"
            )
        if channel_id not in self.bands:
            raise KeyError(channel_id)
        if self.closed:
            raise ServiceStopped(self.name)
        async with (
            self._turn(channel_id),
            unit_of_work(
                Unit(handler=label, channel_id=channel_id, in_lane=True),
                self.tracing.ended if self.tracing is not None else None,
            ),
        ):
            await self.dispatcher.prepare(channel_id)
            return await fn(*args)

    @asynccontextmanager
    async def _turn(self, channel_id: ChannelId) -> AsyncIterator[None]:
        lanes = self.dispatcher.lanes
        try:
            async with lanes.turn(self.dispatcher.lane_of(channel_id)):
                yield
        except LanesEnded:
            raise ServiceStopped(self.name) from None

    async def execute(self, job: Job) -> None:
        """One run of a job to its end; once for each band, in its lane, if the job takes one."""
        if not takes_band(job.fn):
            await Running.execute(self, job)
            return
        async with trio.open_nursery() as nursery:
            for band in self.bands.values():
                nursery.start_soon(self._run_job_in_lane, job, band)

    async def _run_job_in_lane(self, job: Job, band: Any) -> None:
        channel_id: ChannelId = band.channel_id

        async def run() -> None:
            await self.dispatcher.prepare(channel_id)
            await job.fn(band)

        with suppress(ServiceStopped):  # a run whose turn did not come before the end
            async with self._turn(channel_id):
                unit = Unit(handler=job.name, channel_id=channel_id, in_lane=True)
                await self._run_job(job, unit, run, limited=True)


class Tracing:
    """Joins frames with the unit of work that caused them, for the trace sink."""

    def __init__(
        self, sink: Callable[[TraceRecord | UnitRecord], None], clock: Callable[[], float]
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._frames: OrderedDict[RequestId | int, tuple[Unit, int]] = OrderedDict()

    def note(self, unit: Unit, request_id: RequestId, holds: int) -> None:
        """A frame of this unit was queued; it is not written yet."""
        # Also under the unit: what is too large for one frame has further ids.
        for key in (request_id, unit.number):
            self._frames[key] = (unit, holds)
            self._frames.move_to_end(key)
        while len(self._frames) > TRACED:
            self._frames.popitem(last=False)

    def written(self, frame: WrittenFrame) -> None:
        """A frame left; hand its record to the sink."""
        unit, holds = self._frames.get(
            frame.request_id, self._frames.get(frame.unit or 0, (None, 0))
        )
        self._sink(
            TraceRecord(
                frame=frame.text,
                unit=frame.unit,
                handler=unit.handler if unit is not None else "",
                milliseconds=(self._clock() - unit.started) * 1000 if unit is not None else 0.0,
                records=holds,
                cause=unit.cause if unit is not None else None,
                channel_id=unit.channel_id if unit is not None else None,
                user_id=unit.user_id if unit is not None else None,
            )
        )

    def ended(self, unit: Unit, error: BaseException | None) -> None:
        """A unit has ended; hand its record to the sink."""
        self._sink(
            UnitRecord(
                unit=unit.number,
                handler=unit.handler,
                milliseconds=(self._clock() - unit.started) * 1000,
                records=unit.storage.held,
                error="" if error is None else _in_one_line(error),
                cause=unit.cause,
                channel_id=unit.channel_id,
                user_id=unit.user_id,
            )
        )


def _in_one_line(error: BaseException) -> str:
    """What was raised, of a group the first: without secrets, line breaks and great length."""
    first = next(iter(leaves(error)), error)
    return escape(redact(f"{type(first).__name__}: {text_of(first)}"))[:ERROR_LENGTH]
