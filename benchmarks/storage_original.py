"""The original's side of the storage benchmark, for ``python storage.py --original PYTHON``.

Runs in an environment with the published ``moobius==1.8.0``: its ``MoobiusStorage`` with its
``JSONDatabase``, unmodified, in asyncio. An assignment writes the file before it returns, so there
is nothing to wait for afterwards; nothing is synced.

Run: ``python storage_original.py FOLDER``, then a line of workloads on the input for each round.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from moobius.database.storage import (  # type: ignore[import-not-found]  # of its environment
    MoobiusStorage,
)
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


async def tick(ticker: Ticker) -> None:
    """Look at the loop until cancelled."""
    while True:
        await asyncio.sleep(TICK)
        ticker.tick()


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    """A ticker for the block, which sees its first and its last moment too."""
    ticker = Ticker()
    task = asyncio.create_task(tick(ticker))
    await asyncio.sleep(5 * TICK)
    try:
        yield ticker
        await asyncio.sleep(5 * TICK)
    finally:
        task.cancel()


async def measure(bands: list[Any], workload: Workload) -> Figures:
    """One workload."""
    seconds = 0.0
    changes = workload.changes()
    async with ticking() as ticker:
        for turn, values in enumerate(changes):
            states = bands[turn % workload.bands]  # none of them ever waits for another
            await asyncio.sleep(5 * TICK)
            began = time.perf_counter()
            for count, (name, value) in enumerate(values, 1):
                states[name] = value
                if count % workload.in_a_row == 0:
                    await asyncio.sleep(0)
            seconds += time.perf_counter() - began
    return Figures(
        workload.name, workload.keys * workload.handlers, seconds, ticker.stall, ticker.busy
    )


async def measure_round(folder: str, workloads: list[Workload]) -> list[Figures]:
    """Open what the last round left, then every workload."""
    settings = {"implementation": "json", "name": "states", "settings": {"root_dir": folder}}
    async with ticking() as ticker:
        began = time.perf_counter()
        states = MoobiusStorage("bench", "band", [settings]).states
        seconds = time.perf_counter() - began
    figures = [Figures(LOAD, len(states), seconds, ticker.stall, ticker.busy)]
    others = [MoobiusStorage("bench", f"band-{n}", [settings]).states for n in range(1, BANDS)]
    for one in (states, *others):
        for number in range(len(one), RECORDS):
            one[key(number)] = record(number)
    figures.extend([await measure([states, *others], workload) for workload in workloads])
    return figures


if __name__ == "__main__":
    for line in sys.stdin:
        answer(asyncio.run(measure_round(sys.argv[1], question(line))))
