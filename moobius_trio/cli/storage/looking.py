"""The stores of a service, opened: to look, or to change with everybody else kept out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs

from moobius_trio.cli.storage.site import Site, StoreName
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import (
    ENGINES,
    Engine,
    EngineSite,
    Owned,
    Owner,
    Place,
    find_engine,
)
from moobius_trio.errors import StorageError, StoreMissing, UsageError

__all__ = ("Held", "open_store", "refuse_memory", "survey")


@attrs.frozen(kw_only=True)
class Held:
    """One store that is there, and what it holds."""

    store: StoreName
    where: str
    level: str
    owner: Owner | None
    """Who has it open."""
    places: tuple[Place, ...]
    keeps_order: bool


@asynccontextmanager
async def open_store(
    site: Site, store: StoreName, *, read_only: bool = False
) -> AsyncIterator[Engine]:
    """The engine of a store.

    Raises:
        StoreMissing: it is to be looked at and is not there.
        StoreLocked: it is to be changed and a process has it open.
        StorageError: it cannot be opened.
    """
    opener = find_engine(store.engine, ENGINES, "the store")
    given = EngineSite(
        service_id=site.service_id,
        folder=site.folder,
        run_sync=run_in_thread,
        read_only=read_only,
    )
    async with opener(store.settings, given) as engine:
        yield engine


def refuse_memory(store: StoreName) -> None:
    """Say that there is nothing to work on.

    Raises:
        UsageError: the engine is the one that keeps nothing.
    """
    if store.engine == "memory":
        raise UsageError(
            "engine memory: nothing is kept there. Its containers are empty at each start."
        )


async def survey(
    site: Site, on_problem: Callable[[StorageError], None] | None = None
) -> Sequence[Held]:
    """The stores of a service that are there.

    Args:
        on_problem: told of a store that cannot be read, which is then left out.

    Raises:
        StorageError: there is none, or one cannot be read.
    """
    found: list[Held] = []
    missing = False
    for store in site.stores():
        if store.engine == "memory":
            continue
        try:
            async with open_store(site, store, read_only=True) as engine:
                found.append(
                    Held(
                        store=store,
                        where=engine.where,
                        level=engine.level,
                        owner=await engine.owner() if isinstance(engine, Owned) else None,
                        places=tuple(sorted(await engine.places(), key=_in_order)),
                        keeps_order=engine.keeps_order,
                    )
                )
        except StoreMissing:
            missing = True
        except StorageError as exc:
            if on_problem is None:
                raise
            on_problem(exc)
            missing = True
    if not found:
        if not missing:
            refuse_memory(StoreName("memory"))
        raise StorageError(
            f"service {site} in {site.folder}",
            "has stored nothing that can be read",
            "Start it once, or name another service or folder",
        )
    return found


def _in_order(place: Place) -> tuple[bool, str, str]:
    return place.band is not None, place.band or "", place.container
