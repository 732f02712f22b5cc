"""The engine that keeps nothing: containers live as long as the stores are open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from moobius_trio.database.engine import (
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    Place,
    check_settings,
)
from moobius_trio.types import JsonValue

__all__ = ("open_memory",)


class _MemoryEngine:
    where: Final = "memory"
    level: Final[Level] = "memory"
    atomic: Final[Atomicity] = "store"
    keeps_order: Final = True

    async def places(self) -> Sequence[Place]:
        await trio.lowlevel.checkpoint()
        return ()

    async def load(self, place: Place) -> Loaded:
        await trio.lowlevel.checkpoint()
        return Loaded(())

    async def commit(self, changes: Sequence[Change]) -> None:
        await trio.lowlevel.checkpoint()

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        await trio.lowlevel.checkpoint()
        return "nowhere"

    async def clear(self, place: Place) -> None:
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_memory(settings: Mapping[str, JsonValue], site: EngineSite) -> AsyncIterator[Engine]:
    """Open the engine; it takes no settings."""
    check_settings(settings, (), "memory")
    yield _MemoryEngine()
