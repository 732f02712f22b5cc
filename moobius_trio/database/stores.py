"""The stores of one service: opened with it, flushed and closed with it.

The only place that knows which engines there are. A store lives in a task of its own, so that its
engine is opened and closed by the same task and no user's cancellation reaches a commit.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import structlog
import trio

from moobius_trio.database.cached_dict import CachedDict
from moobius_trio.database.container import Container
from moobius_trio.database.encoding import Format
from moobius_trio.database.engine import EngineSite, OpenEngine, Place, find_engine
from moobius_trio.database.kept import KeptRecords
from moobius_trio.database.openers import open_json, open_memory, open_redis, open_sqlite
from moobius_trio.database.records import Owners
from moobius_trio.database.storage import MoobiusStorage
from moobius_trio.database.store import Store, StoreStatistics
from moobius_trio.database.tickets import wait_all
from moobius_trio.database.unit import current_unit
from moobius_trio.errors import ConfigError, StorageError
from moobius_trio.types import ChannelId, JsonValue, RunSync, ServiceId, as_mapping, empty_mapping

__all__ = ("ENGINES", "ContainerSpec", "Stores", "StrayChange", "open_stores")

log = structlog.get_logger()

SWEEP_SECONDS = 30.0
FLUSH_SECONDS = 10.0
CLOSE_SECONDS = 5.0

ENGINES: Final[Mapping[str, OpenEngine]] = MappingProxyType(
    {"json": open_json, "memory": open_memory, "redis": open_redis, "sqlite": open_sqlite}
)


@attrs.frozen(kw_only=True)
class ContainerSpec:
    """One entry of db.json (docs/protocol/generation-0.md section 7.2)."""

    name: str
    implementation: str
    """The engine's name."""
    load: bool = True
    """False: the records are read at the first `CachedDict.load`."""
    clear: bool = False
    """True: what is stored is removed at each start."""
    settings: Mapping[str, JsonValue] = attrs.field(
        factory=empty_mapping, converter=as_mapping, hash=False, repr=False
    )
    """The engine's own; not shown, since a password may be among them."""


@attrs.frozen
class StrayChange:
    """A record that was changed outside any unit of work, found by the sweep and stored."""

    place: Place
    key: object


class Stores:
    """The open stores of one service; given by `open_stores`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        specs: Sequence[ContainerSpec],
        site: EngineSite,
        engines: Mapping[str, OpenEngine],
        default_engine: str,
        on_problem: Callable[[StorageError], None],
        on_stray: Callable[[StrayChange], None] | None,
    ) -> None:
        self._nursery = nursery
        self._site = site
        self._engines = engines
        self._default_engine = default_engine
        self._on_problem = on_problem
        self._on_stray = on_stray
        self._specs = {spec.name: spec for spec in specs}
        self._owners = Owners()
        self._opening = trio.Lock()
        self._stores: dict[tuple[str, str], Store] = {}
        self._scopes: list[trio.CancelScope] = []
        self._ended: list[trio.Event] = []
        self._storages: dict[ChannelId | None, MoobiusStorage] = {}
        self._making: dict[ChannelId | None, trio.Lock] = {}

    async def storage(
        self, band: ChannelId | None, declared: Mapping[str, Container[Any, Any]]
    ) -> MoobiusStorage:
        """The containers of one band, loaded; None for the service's own.

        A band gets those of db.json and those declared; the service itself the declared ones.
        The second call for a band gives the first one's result.

        Args:
            declared: as `declared_containers` gives it.

        Raises:
            ConfigError: an engine is not known.
            StorageError: a store could not be opened or read.
        """
        async with self._making.setdefault(band, trio.Lock()):
            if band not in self._storages:
                self._storages[band] = await self._make_storage(band, declared)
            return self._storages[band]

    async def _make_storage(
        self, band: ChannelId | None, declared: Mapping[str, Container[Any, Any]]
    ) -> MoobiusStorage:
        async def add(
            name: str, engine: str | None, load: bool, clear: bool
        ) -> tuple[CachedDict[Any, Any], KeptRecords]:
            return await self._open_container(
                band, self._spec(name, engine, load, clear), declared.get(name)
            )

        storage = MoobiusStorage(add)
        for name in dict.fromkeys([*(self._specs if band is not None else ()), *declared]):
            spec = self._specs.get(name)
            if spec is None:
                await storage.put(name)
            else:
                await storage.put(name, load=spec.load, clear=spec.clear)
        return storage

    async def flush(self) -> None:
        """Wait until every change of every container made so far is stored.

        Raises:
            StorageError: one could not be; all others are waited for first.
        """
        first: StorageError | None = None
        # All that waits now, since one may be decided while another is looked at.
        tickets = [one for store in self._stores.values() for one in store.undecided()]
        for storage in list(self._storages.values()):
            try:
                tickets += await storage._queue_changes()
            except StorageError as exc:
                first = first or exc
        try:
            await wait_all(dict.fromkeys(tickets))
        except StorageError as exc:
            first = first or exc
        if first is not None:
            raise first

    async def sweep(self, *, held: bool = False) -> tuple[StrayChange, ...]:
        """Store and log the records that were changed outside any unit of work.

        Runs by itself every 30 s and at the end.

        Args:
            held: also look at records that a running unit has touched.

        Returns:
            What was found. Values that cannot be stored are reported as problems instead.
        """
        found: list[StrayChange] = []
        for storage in list(self._storages.values()):
            for kept in storage.kept():
                for key in await kept.save_changed(held=held):
                    found.append(StrayChange(kept.place, key))
                    if self._on_stray is not None:
                        self._on_stray(found[-1])
                    log.warning(
                        "a stored value was changed outside its unit of work",
                        container=str(kept.place),
                        key=key,
                        remedy="read it from the container again in each handler",
                    )
        return tuple(found)

    def statistics(self) -> tuple[StoreStatistics, ...]:
        """A snapshot of each store."""
        return tuple(store.statistics() for store in self._stores.values())

    async def open_named(self) -> None:
        """Open the engines that db.json names, so that a wrong one is found before the start."""
        for spec in self._specs.values():
            await self._store_of(spec)

    async def sweep_for_ever(self) -> None:
        """The sweep of every 30 s."""
        while True:
            await trio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def close(self) -> None:
        """Store what is left and end the stores; bounded, and to be shielded by the caller."""
        with trio.move_on_after(FLUSH_SECONDS) as flushing:
            await self.sweep(held=True)
            for store in self._stores.values():
                with contextlib.suppress(StorageError):  # reported where it happened
                    await wait_all(store.undecided())
        if flushing.cancelled_caught:
            log.error("the stores were not flushed in time", seconds=FLUSH_SECONDS)
        for store in self._stores.values():
            store.stop()
        with trio.move_on_after(CLOSE_SECONDS):
            for ended in self._ended:
                await ended.wait()
        for scope in self._scopes:
            scope.cancel()

    def _spec(self, name: str, engine: str | None, load: bool, clear: bool) -> ContainerSpec:
        spec = self._specs.get(name)
        if spec is None or (engine is not None and engine != spec.implementation):
            implementation = engine or self._default_engine
            return ContainerSpec(name=name, implementation=implementation, load=load, clear=clear)
        return attrs.evolve(spec, load=load, clear=clear)

    async def _open_container(
        self, band: ChannelId | None, spec: ContainerSpec, declared: Container[Any, Any] | None
    ) -> tuple[CachedDict[Any, Any], KeptRecords]:
        kept = KeptRecords(
            place=Place(band, spec.name),
            store=await self._store_of(spec),
            format=Format(declared.declared, declared.key) if declared is not None else Format(),
            owners=self._owners,
            on_problem=self._on_problem,
        )
        if spec.clear:
            await kept.wipe()
        if spec.load:
            await kept.load()
        return CachedDict(kept, declared.factory if declared is not None else None), kept

    async def _store_of(self, spec: ContainerSpec) -> Store:
        """The store of an engine with these settings; one for all containers that name both."""
        settings = json.dumps(spec.settings, sort_keys=True, default=dict)
        async with self._opening:
            known = self._stores.get((spec.implementation, settings))
            if known is not None:
                return known
            opener = find_engine(spec.implementation, self._engines, f"container {spec.name}")
            store: Store = await self._nursery.start(self._host, opener, spec.settings)
            self._stores[spec.implementation, settings] = store
            return store

    async def _host(
        self,
        opener: OpenEngine,
        settings: Mapping[str, JsonValue],
        *,
        task_status: trio.TaskStatus[Store],
    ) -> None:
        """The life of one store."""
        current_unit.set(None)  # it may be a handler that has this store opened
        with trio.CancelScope() as scope:
            async with opener(settings, self._site) as engine:
                store = Store(engine, self._on_problem)
                ended = trio.Event()
                # Cancelled meanwhile, it will not be handed over; behind a shield it would stay.
                await trio.lowlevel.checkpoint_if_cancelled()
                # From here on only `close` ends it: a cancelled service still stores what it did.
                scope.shield = True
                self._scopes.append(scope)
                self._ended.append(ended)
                task_status.started(store)
                try:
                    await store.run()
                finally:
                    store.abandon()
            ended.set()


@asynccontextmanager
async def open_stores(
    specs: Sequence[ContainerSpec],
    *,
    service_id: ServiceId,
    folder: Path,
    run_sync: RunSync,
    default_engine: str = "sqlite",
    on_problem: Callable[[StorageError], None],
    on_stray: Callable[[StrayChange], None] | None = None,
    engines: Mapping[str, OpenEngine] = ENGINES,
) -> AsyncIterator[Stores]:
    """Open the stores of a service for the block, with their writers and the sweep.

    At the end, also by error or cancellation, everything is stored within 10 s and the stores
    are closed. Errors of the block leave it as they are, in no group.

    Args:
        specs: the containers that db.json names.
        folder: where files lie, and where relative paths in settings start.
        default_engine: of containers that ``specs`` does not name.
        on_problem: told of each change that could not be stored and of each record that could
            not be read; must neither wait nor raise.
        on_stray: told of each change that a sweep finds; must neither wait nor raise.
        engines: those of this package unless given; others are found by their entry point.

    Raises:
        ConfigError: a container is named twice, or an engine or setting is not known.
        StoreLocked: another process has a store open.
        StorageError: a store cannot be opened.
    """
    names = [spec.name for spec in specs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"container {twice}", "is named twice", "Remove one of the entries")
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        site = EngineSite(service_id=service_id, folder=folder, run_sync=run_sync)
        stores = Stores(nursery, specs, site, engines, default_engine, on_problem, on_stray)
        try:
            await stores.open_named()
            nursery.start_soon(stores.sweep_for_ever)
            yield stores
        except Exception as exc:  # raised again below, outside the nursery, which would wrap it
            failure = exc
        finally:
            with trio.CancelScope(shield=True):
                await stores.close()
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
