"""The containers of one band, or of the service itself, as the author sees them.

Engines and stores are opened elsewhere (`stores`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import trio

from moobius_trio.database.cached_dict import CachedDict
from moobius_trio.database.engine import suggestion
from moobius_trio.database.store import Store
from moobius_trio.database.unit import current_unit

__all__ = ("MoobiusStorage",)

AddContainer = Callable[
    [str, str | None, bool, bool], Awaitable[tuple[CachedDict[Any, Any], Store]]
]


class MoobiusStorage:
    """Containers by name; those that only db.json names are attributes too."""

    def __init__(self, add: AddContainer) -> None:
        self._add = add
        self._adding = trio.Lock()
        self._containers: dict[str, tuple[CachedDict[Any, Any], Store]] = {}

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
        return all(container.loaded for container in self.containers())

    async def load(self) -> None:
        """Load the containers that were named with ``load: false``, if they are not loaded yet.

        Raises:
            StorageError: one of them could not be read.
        """
        for container, _ in list(self._containers.values()):
            if not container.loaded:
                await container.load()

    async def flush(self) -> None:
        """Wait until every change made so far is stored, also changes inside values.

        In a unit of work these are the values it touched; outside, all of this storage.

        Raises:
            StorageTypeError: a value cannot be stored.
            StorageError: a change could not be stored.
        """
        unit = current_unit.get()
        if unit is not None:
            await unit.save_all()
        else:
            for container, _ in list(self._containers.values()):
                await container.save_changed()
        stores = dict.fromkeys(store for _, store in self._containers.values())
        for store in stores:
            await store.barrier()

    def containers(self) -> list[CachedDict[Any, Any]]:
        """All of them."""
        return [container for container, _ in self._containers.values()]
