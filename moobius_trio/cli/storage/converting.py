"""``storage convert``: containers copied to another engine, compared, then named in db.json.

The old store is never changed. Until db.json is replaced, nothing has happened to the service.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from moobius_trio.cli.output import counted, say
from moobius_trio.cli.storage.looking import open_store, refuse_memory
from moobius_trio.cli.storage.progress import open_progress
from moobius_trio.cli.storage.site import Site, StoreName, Where, find_site, other_sites
from moobius_trio.config import check_engines_writable, write_engines
from moobius_trio.core.band import Band
from moobius_trio.core.reading import check_band_name
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import ENGINES, Change, Engine, Place, find_engine
from moobius_trio.database.checking import check_key, check_value
from moobius_trio.database.encoding import Unreadable
from moobius_trio.errors import ConfigError, StorageError, StoreMissing, UsageError
from moobius_trio.logs import configure_logs, escape
from moobius_trio.types import JsonValue

__all__ = ("Wish", "parse_settings", "run_convert")

SLICE = 500


@attrs.frozen(kw_only=True)
class Wish:
    """What is to be moved, and where to."""

    to: str
    settings: Mapping[str, JsonValue]
    origin: str | None
    """The engine that has the records, where db.json names another one already."""
    containers: tuple[str, ...]
    """Empty: all."""
    replace: bool


@attrs.frozen
class _Source:
    """One store that records are taken from, locked."""

    engine: Engine
    places: Sequence[Place]
    whole: bool
    """Nothing in it will be used any more."""


async def run_convert(where: Where, wish: Wish) -> None:
    """Move containers to another engine.

    Raises:
        UsageError: there is nothing to move.
        ConfigError: a setting is wrong, or db.json cannot be written.
        StoreLocked: a service runs on one of the stores.
        StorageError: the new store holds other records, or a store failed.
    """
    configure_logs(form="console")
    site = find_site(where)
    if site.database is None:
        raise UsageError(
            f"{where.path}: there is no service.json, so no db.json can name the new engine. "
            "Name the project's folder."
        )
    target = StoreName(wish.to, wish.settings)
    refuse_memory(target)
    find_engine(target.engine, ENGINES, "--to")
    async with _open_sources(site, wish, target) as (sources, names):
        await run_in_thread(_check_names, site, names)
        async with open_store(site, target) as engine:
            new = engine.where
            counts = await _copy_all(sources, engine, wish)
        await run_in_thread(write_engines, site.database, names, wish.to, wish.settings)
    for name in names:
        say(escape(f"{name}: {counted(counts.get(name, 0), 'record')} copied and compared."))
    say("", f"  Now in    {escape(new)}", f"  Named in  {site.database}")
    for source in sources:
        say(f"  Still in  {escape(source.engine.where)}")
        if source.whole:
            say("            (no container uses it any more)")
        else:
            say("            (other containers use it; keep it)")
    for other in other_sites(where, site):
        say(
            f"  Not moved: service {escape(str(other))}, which db.json is for as well. Its records",
            f"            are moved by --service {other.name or other.service_id} --from ENGINE.",
        )


def _check_names(site: Site, names: Sequence[str]) -> None:
    """Make sure that db.json can name the containers, and that a service can start with it.

    Raises:
        ConfigError: it cannot.
    """
    if site.database is not None:
        check_engines_writable(site.database, names)
    for name in names:
        check_band_name(Band, name)


# From where ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _open_sources(
    site: Site, wish: Wish, target: StoreName
) -> AsyncIterator[tuple[list[_Source], list[str]]]:
    """The stores to take from, locked; and the names of the containers."""
    names: dict[str, None] = {}
    sources: list[_Source] = []
    async with AsyncExitStack() as stack:
        for store in _stores(site, wish, target):
            try:
                reading = await stack.enter_async_context(open_store(site, store, read_only=True))
            except StoreMissing:
                continue
            # Opened a second time: that keeps every service out, and reading changes nothing.
            await stack.enter_async_context(open_store(site, store))
            held = await reading.places()
            places = [one for one in held if _is_meant(site, wish, store, one.container)]
            if places:
                used = [one for one in held if site.belongs(store, one.container)]
                sources.append(_Source(reading, places, whole=set(used) <= set(places)))
                names.update((place.container, None) for place in places)
        for spec in site.containers:
            meant = spec.implementation != "memory" and spec.name in (
                wish.containers or (spec.name,)
            )
            if meant and StoreName(spec.implementation, spec.settings).identity != target.identity:
                names[spec.name] = None
        _check_wish(site, wish, names)
        yield sources, list(names)


def _stores(site: Site, wish: Wish, target: StoreName) -> list[StoreName]:
    stores = [one for one in site.stores() if one.engine != "memory"]
    if wish.containers:
        meant = {site.store_of(name).identity for name in wish.containers}
        stores = [one for one in stores if one.identity in meant or not one.settings]
    if wish.origin is not None:
        stores = [one for one in stores if one.engine == wish.origin] or [StoreName(wish.origin)]
    return [one for one in stores if one.identity != target.identity]


def _is_meant(site: Site, wish: Wish, store: StoreName, container: str) -> bool:
    if wish.containers and container not in wish.containers:
        return False
    return wish.origin is not None or site.belongs(store, container)


def _check_wish(site: Site, wish: Wish, names: Mapping[str, None]) -> None:
    for name in wish.containers:
        if name not in names:
            refuse_memory(site.store_of(name))
            raise UsageError(
                escape(f"service {site}: no container {name!r} lies outside {wish.to}.")
            )
    if not names:
        raise UsageError(
            escape(f"service {site}: nothing is stored outside {wish.to}.")
            + " If db.json names the new engine already, add --from ENGINE, which has the records."
        )


# Copying ------------------------------------------------------------------------------------------


async def _copy_all(sources: Sequence[_Source], target: Engine, wish: Wish) -> dict[str, int]:
    """Copy every container, once it is sure that all may be; gives the records of each name."""
    counts: dict[str, int] = {}
    with open_progress("Converting") as advance:
        total = sum([await _check_room(source, target, wish) for source in sources])
        done = 0

        def more(number: int) -> None:
            nonlocal done
            done += number
            advance(done, total)

        for source in sources:
            for place in source.places:
                copied = await _copy(source.engine, target, place, more)
                counts[place.container] = counts.get(place.container, 0) + copied
    return counts


async def _check_room(source: _Source, target: Engine, wish: Wish) -> int:
    """Refuse to overwrite; what an interrupted run of this command has left is no hindrance.

    Returns:
        How many records the old store has.

    Raises:
        StorageError: the new store holds other records than the old one.
    """
    total = 0
    for place in source.places:
        known = await _load(source.engine, place)
        total += len(known)
        if wish.replace or not (await target.load(place)).records:
            continue
        there = await _load(target, place)
        strange = len(there.items() - known.items())
        if strange:
            raise StorageError(
                escape(f"{target.where}, {place}"),
                f"holds {counted(strange, 'record')} that the old store has not",
                "Add --replace to remove them",
            )
    return total


async def _copy(source: Engine, target: Engine, place: Place, more: Callable[[int], None]) -> int:
    """Copy a container and compare what has arrived; gives how many records it has."""
    records = await _load(source, place)
    await target.clear(place)
    items = list(records.items())
    for start in range(0, len(items), SLICE):
        some = items[start : start + SLICE]
        await target.commit([Change(place, key, value, fresh=True) for key, value in some])
        more(len(some))
    arrived = await _load(target, place)
    if arrived != records or (target.keeps_order and list(arrived) != list(records)):
        raise StorageError(
            escape(f"{target.where}, {place}"),
            "does not hold what was copied there; db.json was not changed",
            "The old store is as it was",
        )
    return len(records)


async def _load(source: Engine, place: Place) -> dict[bytes, bytes]:
    """The records of a container in one form, whoever wrote them.

    Raises:
        StorageError: one cannot be read.
    """
    loaded = await source.load(place)
    if loaded.problems:
        raise loaded.problems[0]
    try:
        return await run_in_thread(_checked, loaded.records)
    except Unreadable as exc:
        raise StorageError(
            escape(f"{source.where}, {place}"),
            f"holds a record that cannot be read ({exc}); db.json was not changed",
            "Start the service once: it sets such records aside",
        ) from exc


def _checked(records: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    for key, _ in records:
        check_key(key)
    return {key: check_value(value) for key, value in records}


def parse_settings(text: str) -> Mapping[str, JsonValue]:
    """The settings of an engine, as they stand in db.json.

    Raises:
        ConfigError: they are no JSON object. The text is not repeated: a password may be in it.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            "--settings", "must be a JSON object", """Write it as '{"key": "value"}'"""
        )
    return found
