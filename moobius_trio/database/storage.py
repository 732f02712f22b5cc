"""The containers of one band, or of the service itself, as the author sees them.

Engines and stores are opened elsewhere (`stores`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from moobius_trio.database.cached_dict import CachedDict
from moobius_trio.database.engine import suggestion
from moobius_trio.database.kept import KeptRecords
from moobius_trio.database.tickets import Ticket, wait_all
from moobius_trio.database.transactions import open_transaction
from moobius_trio.database.unit import current_unit

__all__ = ("MoobiusStorage",)

AddContainer = Callable[
    [str, str | None, bool, bool], Awaitable[tuple[CachedDict[Any, Any], KeptRecords]]
]


class MoobiusStorage:
    """Containers by name; those that only db.json names are attributes too."""

    def __init__(self, add: AddContainer) -> None:
        self._add = add
        self._adding = trio.Lock()
        self._containers: dict[str, tuple[CachedDict[Any, Any], KeptRecords]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._containers

    def __iter__(self) -> Iterator[str]:
        """The names of the containers."""
        return iter(self._containers)

    def __getattr__(self, name: str) -> CachedDict[str, Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.container(name)

    def __setattr__(self, name: str, value: Mapping[str, Any]) -> None:
        """Assigning a mapping replaces a container's content in one commit.

        Raises:
            AttributeError: there is no container of that name.
        """
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        current = self.container(name)
        if value is not current:  # `storage.states |= …` assigns the container to itself
            current.replace(value)

    def container(self, name: str) -> CachedDict[Any, Any]:
        """A container.

        Raises:
            AttributeError: there is none of that name.
        """
        try:
            return self._containers[name][0]
        except KeyError:
            hint = suggestion(name, list(self._containers)) or "Name it in db.json or use put()."
            raise AttributeError(f"there is no container {name!r}. {hint}") from None

    async def put(
        self, name: str, engine: str | None = None, load: bool = True, clear: bool = False
    ) -> CachedDict[str, Any]:
        """Add a container at run time, or give the one that is there.

        Args:
            engine: the one db.json names for it, or the default one, if not given. One that is
                there stays where it is.
            load: read its records now; otherwise `CachedDict.load` does.
            clear: begin with nothing; what is stored, or there already, is removed.

        Raises:
            ConfigError: there is no such engine.
            StorageError: it cannot be opened or read.
        """
        async with self._adding:  # two of one name would each have their own records
            if name not in self._containers:
                self._containers[name] = await self._add(name, engine, load, clear)
                return self._containers[name][0]
        container = self._containers[name][0]
        if load or clear:
            await container.load()
        if clear:
            container.clear()
        return container

    @property
    def loaded(self) -> bool:
        """False while containers wait for `load`."""
        return all(kept.loaded for kept in self.kept())

    async def load(self) -> None:
        """Load the containers that were named with ``load: false``, if they are not loaded yet.

        Raises:
            StorageError: one of them could not be read.
        """
        for kept in self.kept():
            await kept.load()

    async def flush(self) -> None:
        """Wait until every change made so far is stored, also changes inside values.

        In a unit of work these are the values it touched; outside, all of this storage.

        Raises:
            RuntimeError: a transaction is open, which ends by storing its changes.
            StorageTypeError: a value cannot be stored.
            StorageError: a change could not be stored.
        """
        await wait_all(await self._queue_changes())

    async def _queue_changes(self) -> list[Ticket]:
        """The first half of `flush`: find what has changed inside values, and queue it.

        Returns:
            What is to be waited for then.

        Raises:
            RuntimeError, StorageTypeError: as `flush`.
        """
        unit = current_unit.get()
        if unit is not None and unit.transaction is not None:
            raise RuntimeError(
                "flush() inside a transaction would never end: the end of the block stores what "
                "was changed in it, and waits for it"
            )
        kept = self.kept()
        if unit is not None:
            await unit.save_all()
        else:
            for one in kept:
                await one.save_changed()
        return self._undecided()

    def _undecided(self) -> list[Ticket]:
        """The tickets of the changes that are queued and not durable yet."""
        kept = self.kept()
        bands = {one.place.band for one in kept}
        stores = dict.fromkeys(one.store for one in kept)
        return [ticket for store in stores for ticket in store.undecided(bands)]

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """``async with storage.transaction():`` stores all changes of the block or none.

        Raises and behaves as `transactions.open_transaction` says.
        """
        return open_transaction()

    def kept(self) -> list[KeptRecords]:
        """The records of all containers."""
        return [kept for _, kept in self._containers.values()]
