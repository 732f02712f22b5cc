"""A storage engine whose disk does what a test says: fills up, breaks, hangs.

It keeps bytes in memory and knows nothing of files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from moobius_trio.database import (
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    OpenEngine,
    Place,
    StoreBroken,
    Stores,
    open_stores,
)
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import JsonValue, ServiceId

__all__ = ("FaultyDisk",)


class FaultyDisk:
    """What is on the disk, and what happens at the next commits. It outlives the stores on it."""

    where: Final = "faulty disk"
    level: Final[Level] = "process"
    atomic: Atomicity = "store"
    keeps_order: Final = True

    def __init__(self) -> None:
        self.records: dict[tuple[Place, bytes], bytes] = {}
        """What is stored."""
        self.commits: list[tuple[Change, ...]] = []
        """The commits that succeeded."""
        self.full = False
        """Every commit fails, and nothing of it is stored."""
        self.fails_to_sync = False
        """Every commit fails, and nobody knows what is stored."""
        self.error: Exception | None = None
        """Every commit raises this: an engine with a fault of its own."""
        self.problems: list[StorageError] = []
        """What the stores reported."""
        self._running = trio.Event()
        self._running.set()

    @property
    def engines(self) -> Mapping[str, OpenEngine]:
        """This disk under the engine name ``faulty``."""
        return {"faulty": self._open}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stores]:
        """Stores in which every container is on this disk."""
        async with open_stores(
            [],
            service_id=ServiceId("service"),
            folder=Path(),
            run_sync=run_inline,
            default_engine="faulty",
            on_problem=self.problems.append,
            engines=self.engines,
        ) as stores:
            yield stores

    def hang(self) -> None:
        """Let every commit wait until `go_on`."""
        self._running = trio.Event()

    def go_on(self) -> None:
        """Let the commits go on."""
        self._running.set()

    async def places(self) -> Sequence[Place]:
        """The containers that hold a record."""
        await trio.lowlevel.checkpoint()
        return list(dict.fromkeys(place for place, _ in self.records))

    async def load(self, place: Place) -> Loaded:
        """Everything in one container."""
        await trio.lowlevel.checkpoint()
        return Loaded([(key, value) for (at, key), value in self.records.items() if at == place])

    async def commit(self, changes: Sequence[Change]) -> None:
        """Store the changes, or fail as told."""
        await trio.lowlevel.checkpoint()
        await self._running.wait()
        if self.error is not None:
            raise self.error
        if self.fails_to_sync:
            raise StoreBroken(self.where, "the disk failed (Input/output error)")
        if self.full:
            raise StorageError(self.where, "no space left on device")
        for change in changes:
            if change.fresh or change.value is None:
                self.records.pop((change.place, change.key), None)
            if change.value is not None:
                self.records[change.place, change.key] = change.value
        self.commits.append(tuple(changes))

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        """Drop a record."""
        await trio.lowlevel.checkpoint()
        del self.records[place, key]
        return "nowhere"

    async def clear(self, place: Place) -> None:
        """Drop a container."""
        await trio.lowlevel.checkpoint()
        for at in [at for at in self.records if at[0] == place]:
            del self.records[at]

    @asynccontextmanager
    async def _open(
        self, settings: Mapping[str, JsonValue], site: EngineSite
    ) -> AsyncIterator[Engine]:
        yield self
