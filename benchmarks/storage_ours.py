"""Our side of the storage benchmark: one engine, as a service has it.

The stores are opened by `open_stores` with real threads, the handlers run as units of work. A
handler has ended when everything it touched was looked at, and is through when a flush says that
it is stored, at the engine's level.

Run: ``python storage_ours.py ENGINE FOLDER``, then a line on the input for each round.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from storage_workload import (
    BANDS,
    LOAD,
    RECORDS,
    TICK,
    Figures,
    Ticker,
    Workload,
    answer,
    key,
    question,
    record,
)

from moobius_trio.core.run import spare_what_stays
from moobius_trio.core.threads import run_for_a_store
from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.database import ContainerSpec, MoobiusStorage, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.types import ChannelId, JsonValue, RunSync, ServiceId


async def tick(ticker: Ticker) -> None:
    """Look at the loop until cancelled."""
    while True:
        await trio.sleep(TICK)
        ticker.tick()


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    """A ticker for the block, which sees its first and its last moment too."""
    ticker = Ticker()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick, ticker)
        await trio.sleep(5 * TICK)
        yield ticker
        await trio.sleep(5 * TICK)
        nursery.cancel_scope.cancel()


async def until_stored(storage: MoobiusStorage) -> None:
    """Wait as a handler does that has touched nothing itself."""
    async with unit_of_work(Unit(handler="Bench.flush")):
        await storage.flush()


async def handle(storage: MoobiusStorage, values: list[tuple[str, Any]], in_a_row: int) -> None:
    """One handler, until all it did is stored."""
    states = storage.container("states")
    async with unit_of_work(Unit(handler="Bench.on_msg_up")):
        for count, (name, value) in enumerate(values, 1):
            states[name] = value
            if count % in_a_row == 0:
                await trio.lowlevel.checkpoint()
    await until_stored(storage)


async def measure(storages: list[MoobiusStorage], workload: Workload) -> Figures:
    """One workload."""
    seconds = 0.0
    changes = workload.changes()

    async def go_on(storage: MoobiusStorage, share: list[list[tuple[str, Any]]]) -> None:
        for values in share:
            await handle(storage, values, workload.in_a_row)

    async with ticking() as ticker:
        for turn in [changes] if workload.bands > 1 else [[values] for values in changes]:
            await trio.sleep(5 * TICK)
            began = time.perf_counter()
            if workload.bands == 1:  # the other side has no task to start either
                await go_on(storages[0], turn)
            else:
                async with trio.open_nursery() as nursery:
                    for number in range(workload.bands):
                        nursery.start_soon(go_on, storages[number], turn[number :: workload.bands])
            seconds += time.perf_counter() - began
    return Figures(
        workload.name, workload.keys * workload.handlers, seconds, ticker.stall, ticker.busy
    )


async def fill(states: Any) -> None:
    """Have as many records as both sides start with."""
    for number in range(len(states), RECORDS):
        states[key(number)] = record(number)
        if number % 100 == 0:
            await trio.lowlevel.checkpoint()


def give_up(problem: StorageError) -> None:
    """A figure of a run in which something was not stored would be none."""
    sys.exit(str(problem))


async def measure_round(
    spec: ContainerSpec,
    folder: Path,
    workloads: list[Workload],
    run_sync: RunSync = run_for_a_store,
) -> list[Figures]:
    """Open what the last round left, then every workload."""
    async with open_stores(
        [spec],
        service_id=ServiceId("bench"),
        folder=folder,
        run_sync=run_sync,
        on_problem=give_up,
    ) as stores:
        async with ticking() as ticker:
            began = time.perf_counter()
            storage = await stores.storage(ChannelId("band"), {})
            seconds = time.perf_counter() - began
        states = storage.container("states")
        figures = [Figures(LOAD, len(states), seconds, ticker.stall, ticker.busy)]
        others = [await stores.storage(ChannelId(f"band-{n}"), {}) for n in range(1, BANDS)]
        for one in (storage, *others):
            await fill(one.container("states"))
            await until_stored(one)
        spare_what_stays()  # as `moobius-trio run` does when a service is ready
        figures.extend([await measure([storage, *others], workload) for workload in workloads])
        return figures


def main(engine: str, folder: Path) -> None:
    """Answer until there are no more questions."""
    with contextlib.ExitStack() as stack:
        settings: Mapping[str, JsonValue] = {}
        if engine == "redis":
            settings = stack.enter_context(
                open_redis_server(appendonly=True, folder=folder)
            ).settings
        spare_what_stays()
        spec = ContainerSpec(name="states", implementation=engine, settings=settings)
        for line in sys.stdin:
            answer(trio.run(partial(measure_round, spec, folder, question(line))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
