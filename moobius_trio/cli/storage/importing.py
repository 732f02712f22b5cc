"""``storage import``: the records of an export, put into the stores that db.json names.

They may also come from the folder in which SDK 1.8 has kept them. All of them are checked before
the first one is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import attrs
import trio

from moobius_trio.cli.output import counted, say
from moobius_trio.cli.storage.looking import open_store, refuse_memory
from moobius_trio.cli.storage.progress import open_progress
from moobius_trio.cli.storage.site import Site, Where, find_site
from moobius_trio.cli.storage.sources import SLICE, Slice, Source, open_source
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import Change, Engine, Place
from moobius_trio.errors import StorageError, UsageError
from moobius_trio.logs import configure_logs, escape

__all__ = ("Mode", "mode_of", "run_import")

Mode: TypeAlias = Literal["refuse", "merge", "replace"]
"""What to do with a container that holds records already."""


@attrs.define
class _Target:
    """One container that is imported into."""

    engine: Engine
    old: frozenset[bytes]
    """The keys that it held before."""
    given: set[bytes] = attrs.field(factory=set)
    """The keys that the file has written so far, where the others are to go."""


def mode_of(*, merge: bool, replace: bool) -> Mode:
    """The mode that the two options mean.

    Raises:
        UsageError: both are given.
    """
    if merge and replace:
        raise UsageError("--merge and --replace exclude one another. Give one of them.")
    return "merge" if merge else "replace" if replace else "refuse"


async def run_import(source: Path, where: Where, *, mode: Mode) -> None:
    """Put the records of an export, or of a folder of SDK 1.8, into a service's stores.

    Interrupted, it leaves some containers with some of the records; the same command with
    ``replace`` or ``merge`` then does the rest.

    Raises:
        UsageError: they cannot be read, or one is wrong; nothing was written.
        StoreLocked: a service runs on one of the stores; nothing was written.
        StorageError: a container holds records already; nothing was written. Or a store failed.
    """
    configure_logs(form="console")
    site = find_site(where)
    with open_source(source, site.service_id) as records:
        places, total = await _check(records)
        async with _open_targets(site, places, mode) as targets:
            written = await _write(records, targets, mode, total)
            if mode == "replace":
                for place, target in targets.items():
                    await _remove(target, place)
    containers = counted(len(places), "container")
    say(f"{counted(written, 'record')} into {containers} of service {escape(str(site))}.")
    for where_ in dict.fromkeys(target.engine.where for target in targets.values()):
        say(f"  {escape(where_)}")
    say(*(f"  {escape(each)}" for each in records.notes()))


# Reading ------------------------------------------------------------------------------------------


async def _check(source: Source) -> tuple[list[Place], int]:
    """Read everything; gives the containers and how many records there are."""
    seen: dict[Place, set[Hashable]] = {}
    total = 0
    with open_progress("Checking") as advance:
        slices = source.slices()
        while (entries := await run_in_thread(next, slices, None)) is not None:
            for where, entry in entries:
                keys = seen.setdefault(entry.place, set())
                if entry.key in keys:
                    raise UsageError(
                        escape(f"{where}: has a key that stands in the file already.")
                        + " Nothing was imported."
                    )
                keys.add(entry.key)
            total += len(entries)
            advance(*source.progress())
    return list(seen), total


# Writing ------------------------------------------------------------------------------------------


@asynccontextmanager
async def _open_targets(
    site: Site, places: Sequence[Place], mode: Mode
) -> AsyncIterator[dict[Place, _Target]]:
    """The stores, locked, once it is sure that nothing stands in the way."""
    targets: dict[Place, _Target] = {}
    engines: dict[tuple[str, str], Engine] = {}
    async with AsyncExitStack() as stack:
        for place in places:
            store = site.store_of(place.container)
            refuse_memory(store)
            if store.identity not in engines:
                engines[store.identity] = await stack.enter_async_context(open_store(site, store))
            engine = engines[store.identity]
            loaded = await engine.load(place)
            for problem in loaded.problems:
                say(escape(str(problem)))
            if loaded.records and mode == "refuse":
                raise StorageError(
                    escape(f"{engine.where}, {place}"),
                    f"holds {counted(len(loaded.records), 'record')} already; nothing was imported",
                    "Add --merge to keep those that the file does not name, or --replace",
                )
            targets[place] = _Target(engine, frozenset(key for key, _ in loaded.records))
        yield targets


async def _write(source: Source, targets: dict[Place, _Target], mode: Mode, total: int) -> int:
    written = 0
    with open_progress("Importing") as advance:
        slices = source.slices()
        while (entries := await run_in_thread(next, slices, None)) is not None:
            for target, changes in _by_engine(entries, targets, mode):
                await target.commit(changes)
            written += len(entries)
            advance(written, total)
    return written


def _by_engine(
    entries: Slice, targets: dict[Place, _Target], mode: Mode
) -> list[tuple[Engine, list[Change]]]:
    grouped: dict[int, tuple[Engine, list[Change]]] = {}
    for where, entry in entries:
        target = targets.get(entry.place)
        if target is None:
            raise UsageError(escape(f"{where}: was changed while it was imported."))
        if mode == "replace":
            target.given.add(entry.raw_key)
        # Replaced records come in the order of the file, merged ones stay where they are.
        fresh = mode == "replace" or entry.raw_key not in target.old
        _, changes = grouped.setdefault(id(target.engine), (target.engine, []))
        changes.append(Change(entry.place, entry.raw_key, entry.value, fresh=fresh))
    return list(grouped.values())


async def _remove(target: _Target, place: Place) -> None:
    """The records that the file does not have go last, so that a container is never empty."""
    rest = sorted(target.old - target.given)
    for start in range(0, len(rest), SLICE):
        await target.engine.commit(
            [Change(place, key, None) for key in rest[start : start + SLICE]]
        )
    await trio.lowlevel.checkpoint()
