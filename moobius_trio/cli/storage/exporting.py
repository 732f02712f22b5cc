"""``storage export``: every record of a service as a line of JSON. No store is changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import trio

from moobius_trio.cli.output import counted, output_may_close, say
from moobius_trio.cli.storage.lines import WrongLine, write_head, write_record
from moobius_trio.cli.storage.looking import Held, open_store, survey
from moobius_trio.cli.storage.progress import open_progress
from moobius_trio.cli.storage.site import Site, Where, find_site
from moobius_trio.config.replacing import put_in_free_place, put_in_place, replacement
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import Place
from moobius_trio.errors import StorageError, UsageError
from moobius_trio.logs import configure_logs, escape

__all__ = ("run_export",)

SLICE = 500


async def run_export(target: str, where: Where, *, replace: bool) -> None:
    """Write what a service has stored into a file; ``-`` is standard output.

    Each container is written as it is when its turn comes.

    Raises:
        UsageError: the file is there already, or cannot be written.
        StorageError: a store cannot be read; or records could not, and all others are written.
    """
    configure_logs(form="console")
    if target.startswith("-") and target != "-":
        raise UsageError(f"there is no option {target}. A file of that name is ./{target}.")
    site = find_site(where)
    stores = await survey(site)
    chosen = _choose(site, stores)
    if target == "-":
        with output_may_close():
            counts = await _write(sys.stdout.buffer, site, chosen)
            await run_in_thread(sys.stdout.buffer.flush)
    else:
        path = Path(target)
        with _new_file(path, replace=replace) as file:
            counts = await _write(file, site, chosen)
        records, containers = counts[0], sum(len(places) for _, places in chosen)
        say(f"{path}: {counted(records, 'record')} of {counted(containers, 'container')}.")
    if counts[1]:
        raise StorageError(
            f"service {site}",
            f"{counts[1]:,} records cannot be read and are not in the export",
            "All others are; `storage show` names them",
        )


def _choose(site: Site, stores: Sequence[Held]) -> list[tuple[Held, list[Place]]]:
    """From which store each container is taken."""
    chosen = [
        (held, [place for place in held.places if site.belongs(held.store, place.container)])
        for held in stores
    ]
    seen: dict[Place, str] = {}
    for held, places in chosen:
        for place in places:
            other = seen.setdefault(place, held.store.engine)
            if other != held.store.engine:
                raise UsageError(
                    escape(
                        f"{place} lies in a store of {other} and in one of {held.store.engine}, "
                    )
                    + "and db.json does not say which is meant. Add --engine NAME."
                )
    return chosen


async def _write(
    file: IO[bytes], site: Site, chosen: Sequence[tuple[Held, list[Place]]]
) -> tuple[int, int]:
    """Write all lines; gives how many records were written and how many could not be read."""
    written = unreadable = 0
    await run_in_thread(file.write, write_head(site.service_id))
    with open_progress("Exporting") as advance:
        for held, places in chosen:
            async with open_store(site, held.store, read_only=True) as engine:
                for place in places:
                    loaded = await engine.load(place)
                    unreadable += len(loaded.problems)
                    for problem in loaded.problems:
                        say(escape(str(problem)))
                    for start in range(0, len(loaded.records), SLICE):
                        records = loaded.records[start : start + SLICE]
                        faults = await run_in_thread(_write_slice, file, place, records)
                        for fault in faults:
                            say(escape(f"{engine.where}, {fault}"))
                        written += len(records) - len(faults)
                        unreadable += len(faults)
                        advance(written, None)
                        await trio.lowlevel.checkpoint()
    return written, unreadable


def _write_slice(
    file: IO[bytes], place: Place, records: Sequence[tuple[bytes, bytes]]
) -> list[str]:
    faults = []
    for key, value in records:
        try:
            file.write(write_record(place, key, value))
        except WrongLine as exc:
            faults.append(f"{place}[{key!r}] cannot be read: {exc}.")
    return faults


@contextmanager
def _new_file(path: Path, *, replace: bool) -> Iterator[IO[bytes]]:
    """A file of this user only, there under its name when the block has ended well, and whole."""
    there = UsageError(f"{path}: the file is there already. Add --replace, or name another one.")
    if path.exists() and not (replace and path.is_file()):
        raise there
    try:
        with replacement(path) as file:
            yield file
            if replace:
                put_in_place(file, path)
            else:
                put_in_free_place(file, path)
    except FileExistsError:
        raise there from None
    except OSError as exc:
        raise UsageError(f"{path}: cannot be written ({exc.strerror}).") from None
