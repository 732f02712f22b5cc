"""``storage import``: the records of an export, put into the stores that db.json names.

The whole file is checked before the first record is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Literal, TypeAlias

import attrs
import trio

from moobius_trio.cli.output import counted, say
from moobius_trio.cli.storage.lines import (
    MAX_LINE_BYTES,
    Entry,
    WrongLine,
    read_head,
    read_record,
)
from moobius_trio.cli.storage.looking import open_store, refuse_memory
from moobius_trio.cli.storage.progress import open_progress
from moobius_trio.cli.storage.site import Site, Where, find_site
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import Change, Engine, Place
from moobius_trio.errors import StorageError, UsageError
from moobius_trio.logs import configure_logs, escape

__all__ = ("Mode", "mode_of", "run_import")

Mode: TypeAlias = Literal["refuse", "merge", "replace"]
"""What to do with a container that holds records already."""

SLICE = 500
SLICE_BYTES = 4 * 1024 * 1024


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
    """Put the records of an export into a service's stores.

    Interrupted, it leaves some containers with some of the records; the same command with
    ``replace`` or ``merge`` then does the rest.

    Raises:
        UsageError: the file cannot be read, or a line of it is wrong; nothing was written.
        StoreLocked: a service runs on one of the stores; nothing was written.
        StorageError: a container holds records already; nothing was written. Or a store failed.
    """
    configure_logs(form="console")
    site = find_site(where)
    with _open_source(source) as file:
        places, total = await _check(file, source)
        async with _open_targets(site, places, mode) as targets:
            written = await _write(file, source, targets, mode, total)
            if mode == "replace":
                for place, target in targets.items():
                    await _remove(target, place)
    containers = counted(len(places), "container")
    say(f"{counted(written, 'record')} into {containers} of service {escape(str(site))}.")
    for where_ in dict.fromkeys(target.engine.where for target in targets.values()):
        say(f"  {escape(where_)}")


def _open_source(source: Path) -> IO[bytes]:
    try:
        file = source.open("rb")
    except OSError as exc:
        raise UsageError(f"{source}: cannot be read ({exc.strerror}).") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UsageError(f"{source}: must be a file, since it is read twice.")
    return file


# Reading ------------------------------------------------------------------------------------------


async def _check(file: IO[bytes], source: Path) -> tuple[list[Place], int]:
    """Read the whole file; gives its containers and how many records it has."""
    seen: dict[Place, set[Hashable]] = {}
    total = 0
    with open_progress("Checking") as advance:
        size = os.fstat(file.fileno()).st_size
        slices = _slices(file, source)
        while (entries := await run_in_thread(next, slices, None)) is not None:
            for number, entry in entries:
                keys = seen.setdefault(entry.place, set())
                if entry.key in keys:
                    raise _wrong(source, number, "has a key that stands in the file already")
                keys.add(entry.key)
            total += len(entries)
            advance(file.tell(), size)
    return list(seen), total


def _slices(file: IO[bytes], source: Path) -> Iterator[Sequence[tuple[int, Entry]]]:
    """The records with their line numbers, some at a time."""
    file.seek(0)
    number = size = 0
    entries: list[tuple[int, Entry]] = []
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        try:
            if len(line) > MAX_LINE_BYTES:
                raise WrongLine("is longer than any record")
            if number == 1:
                read_head(line)
            elif line.strip():
                entries.append((number, read_record(line)))
        except WrongLine as exc:
            raise _wrong(source, number, str(exc)) from None
        size += len(line)
        if len(entries) >= SLICE or size >= SLICE_BYTES:
            yield entries
            entries, size = [], 0
    if number == 0:
        raise _wrong(source, 1, "this is no export: the file is empty")
    yield entries


def _wrong(source: Path, number: int, problem: str) -> UsageError:
    return UsageError(escape(f"{source}, line {number}: {problem}. Nothing was imported."))


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


async def _write(
    file: IO[bytes], source: Path, targets: dict[Place, _Target], mode: Mode, total: int
) -> int:
    written = 0
    with open_progress("Importing") as advance:
        slices = _slices(file, source)
        while (entries := await run_in_thread(next, slices, None)) is not None:
            for target, changes in _by_engine(entries, targets, mode):
                await target.commit(changes)
            written += len(entries)
            advance(written, total)
    return written


def _by_engine(
    entries: Sequence[tuple[int, Entry]], targets: dict[Place, _Target], mode: Mode
) -> list[tuple[Engine, list[Change]]]:
    grouped: dict[int, tuple[Engine, list[Change]]] = {}
    for number, entry in entries:
        target = targets.get(entry.place)
        if target is None:
            raise UsageError(f"line {number}: the file was changed while it was imported.")
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
