"""The default engine: one SQLite file for each service, in WAL mode, synced at every commit.

One connection, used by one worker at a time: two that write and checkpoint the same file are what
SQLite's WAL-reset fault needs. What a value's bytes mean is not known here.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import trio

from moobius_trio.database.engine import (
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    Place,
    StoreBroken,
    check_settings,
    root_folder,
)
from moobius_trio.database.files import failing_as, lock, make_private_folder, safe_name, unlock
from moobius_trio.errors import StorageError
from moobius_trio.types import ChannelId, JsonValue

__all__ = ("FORMAT", "open_sqlite")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FORMAT: Final = 1
APPLICATION: Final = 0x4D4F4F42  # "MOOB", so that another program's file is never taken for ours

_SCHEMA = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY,
    band TEXT NOT NULL,
    container TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (band, container, key)
) STRICT;
CREATE TABLE set_aside (
    band TEXT NOT NULL,
    container TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    problem TEXT NOT NULL
) STRICT;
"""
_DELETE = "DELETE FROM record WHERE band = ? AND container = ? AND key = ?"
_APPEND = "INSERT OR REPLACE INTO record (band, container, key, value) VALUES (?, ?, ?, ?)"
_UPDATE = (
    "INSERT INTO record (band, container, key, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (band, container, key) DO UPDATE SET value = excluded.value"
)
_BROKEN = frozenset({"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC", "SQLITE_CORRUPT"})
_REMEDIES = {
    "SQLITE_FULL": "Free some space; later changes are stored again",
    "SQLITE_READONLY": "Make the file and its folder writable",
    "SQLITE_CANTOPEN": "Make the folder readable and writable for this user",
    "SQLITE_NOTADB": "Move that file away if it is not a store",
}


@contextlib.contextmanager
def _failing_as(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorname", "")
        if code in _BROKEN:
            raise StoreBroken(where, str(exc)) from exc
        raise StorageError(where, str(exc), _REMEDIES.get(code, "")) from exc


class _SqliteFile:
    """The open file. Everything blocks."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        with failing_as(self.where):
            make_private_folder(path.parent)
            self._lock = lock(path.with_name(path.name + ".lock"))
        try:
            with failing_as(self.where), _failing_as(self.where):
                # Created by hand first, since SQLite would give it the mode of the umask.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
                self._connection = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False
                )
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        (application,) = run("PRAGMA application_id").fetchone()
        (found,) = run("PRAGMA user_version").fetchone()
        (tables,) = run("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION:
            raise StorageError(self.where, "is another program's SQLite file", "Move it away")
        if found > FORMAT:
            raise StorageError(
                self.where,
                f"has format {found}, this version reads up to {FORMAT}",
                "Update moobius_trio",
            )
        (mode,) = run("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageError(
                self.where, "this file system cannot hold it", "Name a folder on a local disk"
            )
        run("PRAGMA synchronous = FULL")
        if not tables:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION}; "
                f"PRAGMA user_version = {FORMAT}; COMMIT;"
            )

    def close(self) -> None:
        connection: sqlite3.Connection | None = getattr(self, "_connection", None)
        try:
            if connection is not None:
                connection.close()
        finally:
            unlock(self._lock)

    def places(self) -> list[Place]:
        with _failing_as(self.where):
            rows = self._connection.execute(
                "SELECT band, container FROM record GROUP BY band, container ORDER BY min(position)"
            ).fetchall()
        return [Place(ChannelId(band) if band else None, container) for band, container in rows]

    def load(self, place: Place) -> list[tuple[bytes, bytes]]:
        with _failing_as(self.where):
            return self._connection.execute(
                "SELECT key, value FROM record WHERE band = ? AND container = ? ORDER BY position",
                _row(place),
            ).fetchall()

    def commit(self, changes: Sequence[Change]) -> None:
        with self._transaction():
            for statement, group in itertools.groupby(changes, _statement):
                self._connection.executemany(statement, _rows(group))

    def set_aside(self, place: Place, key: bytes, problem: str) -> None:
        with self._transaction():
            self._connection.execute(
                "INSERT INTO set_aside SELECT band, container, key, value, ? FROM record "
                "WHERE band = ? AND container = ? AND key = ?",
                (problem, *_row(place), key),
            )
            self._connection.execute(_DELETE, (*_row(place), key))

    def clear(self, place: Place) -> None:
        with self._transaction():
            self._connection.execute(
                "DELETE FROM record WHERE band = ? AND container = ?", _row(place)
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _failing_as(self.where):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _row(place: Place) -> tuple[str, str]:
    return (place.band or "", place.container)


def _statement(change: Change) -> str:
    if change.value is None:
        return _DELETE
    return _APPEND if change.fresh else _UPDATE


def _rows(changes: Iterable[Change]) -> Iterator[tuple[str | bytes, ...]]:
    for change in changes:
        tail = (change.key,) if change.value is None else (change.key, change.value)
        yield (*_row(change.place), *tail)


class _SqliteEngine:
    level: Final[Level] = "power"
    atomic: Final[Atomicity] = "store"
    keeps_order: Final = True

    def __init__(self, file: _SqliteFile, site: EngineSite) -> None:
        self._file = file
        self._run_sync = site.run_sync
        self._turn = trio.Lock()

    @property
    def where(self) -> str:
        return self._file.where

    async def places(self) -> Sequence[Place]:
        return await self._alone(self._file.places)

    async def load(self, place: Place) -> Loaded:
        return Loaded(await self._alone(self._file.load, place))

    async def commit(self, changes: Sequence[Change]) -> None:
        await self._alone(self._file.commit, changes)

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        await self._alone(self._file.set_aside, place, key, problem)
        return "table set_aside of the same file"

    async def clear(self, place: Place) -> None:
        await self._alone(self._file.clear, place)

    async def _alone(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        async with self._turn:
            return await self._run_sync(fn, *args)


@asynccontextmanager
async def open_sqlite(settings: Mapping[str, JsonValue], site: EngineSite) -> AsyncIterator[Engine]:
    """Open ``service_ID.sqlite3`` in the folder ``root_dir`` of the settings.

    Raises:
        StoreLocked: another process has it open.
        StorageError: it cannot be opened, or is not ours.
    """
    check_settings(settings, ("root_dir",), "sqlite")
    name = f"service_{safe_name(site.service_id.encode())}.sqlite3"
    path = root_folder(settings, site, "sqlite") / name
    file = await site.run_sync(_SqliteFile, path)
    try:
        yield _SqliteEngine(file, site)
    finally:
        # Shielded, or a cancelled service would leave the file to the next start's recovery.
        with trio.CancelScope(shield=True):
            await site.run_sync(file.close)
