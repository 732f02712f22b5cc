"""What the file engines share: one call at a time, off the event loop, and an orderly end.

What lies in the files, and how it gets there, is each engine's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import attrs
import trio

from moobius_trio.database.engine import (
    Atomicity,
    Change,
    EngineSite,
    Level,
    Loaded,
    Owner,
    Place,
)
from moobius_trio.errors import StorageError

__all__ = ("FileEngine", "FileStore", "open_file_engine")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class FileStore(ABC):
    """The open files. Everything blocks, and nothing is called twice at once.

    The half that writes is refused unless a subclass has it: one that only looks has not.
    """

    where: str
    """As `Engine.where`."""

    @abstractmethod
    def places(self) -> Sequence[Place]:
        """As `Engine.places`."""

    @abstractmethod
    def load(self, place: Place) -> Loaded:
        """As `Engine.load`."""

    @abstractmethod
    def owner(self) -> Owner | None:
        """As `Owned.owner`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files, and of the lock if there is one."""

    def commit(self, changes: Sequence[Change]) -> None:
        """As `Engine.commit`."""
        raise self._refusal()

    def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        """As `Engine.set_aside`."""
        raise self._refusal()

    def clear(self, place: Place) -> None:
        """As `Engine.clear`."""
        raise self._refusal()

    def _refusal(self) -> StorageError:
        return StorageError(self.where, "is open to be looked at only")


@attrs.frozen(eq=False)
class FileEngine:
    """An engine over a `FileStore`; implements `Engine` and `Owned`."""

    level: Level
    atomic: Atomicity
    keeps_order: bool
    _store: FileStore
    _site: EngineSite
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @property
    def where(self) -> str:
        return self._store.where

    async def places(self) -> Sequence[Place]:
        return await self._alone(self._store.places)

    async def load(self, place: Place) -> Loaded:
        return await self._alone(self._store.load, place)

    async def commit(self, changes: Sequence[Change]) -> None:
        await self._alone(self._store.commit, changes)

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        return await self._alone(self._store.set_aside, place, key, problem)

    async def clear(self, place: Place) -> None:
        await self._alone(self._store.clear, place)

    async def owner(self) -> Owner | None:
        return await self._alone(self._store.owner)

    async def _alone(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            self._turn.acquire_nowait()  # nearly always free, and this costs no turn of the loop
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            return await self._site.run_sync(fn, *args)
        finally:
            self._turn.release()


@asynccontextmanager
async def open_file_engine(
    open_store: Callable[[], FileStore],
    site: EngineSite,
    *,
    level: Level,
    atomic: Atomicity,
    keeps_order: bool,
) -> AsyncIterator[FileEngine]:
    """The engine over what ``open_store`` opens, for the block.

    Raises:
        StorageError: it cannot be opened.
    """
    store = await site.run_sync(open_store)
    try:
        yield FileEngine(level, atomic, keeps_order, store, site)
    finally:
        # Shielded, or a cancelled service would leave the file to the next start's recovery.
        with trio.CancelScope(shield=True):
            await site.run_sync(store.close)
