"""The default engine: one SQLite file for each service, in WAL mode, synced at every commit.

One connection, used by one worker at a time: two that write and checkpoint the same file are what
SQLite's WAL-reset fault needs. What a value's bytes mean is not known here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs

from moobius_trio.database.engine import (
    Change,
    Engine,
    EngineSite,
    Loaded,
    Owner,
    Place,
    StoreBroken,
    check_settings,
    root_folder,
)
from moobius_trio.database.file_engine import FileStore, open_file_engine
from moobius_trio.database.files import (
    check_still_there,
    failing_as,
    identity,
    lock,
    lock_owner,
    make_private_folder,
    safe_name,
    unlock,
)
from moobius_trio.database.sqlite_errors import damaged, failing_as_sqlite
from moobius_trio.database.sqlite_statements import DELETE, name_in, row, statements
from moobius_trio.errors import StorageError, StoreMissing
from moobius_trio.types import ChannelId, JsonValue

__all__ = ("FORMAT", "open_sqlite")

T = TypeVar("T")

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
_PAUSES = (0.01, 0.05, 0.1, 0.0)
"""Between the tries to read a file whose owner comes or goes."""


class _SqliteFile(FileStore):
    """The open file."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._swollen = False
        with failing_as(self.where):
            make_private_folder(path.parent)
            self._lock = lock(_beside(path, ".lock"))
        try:
            with failing_as(self.where), failing_as_sqlite(self.where, opening=True):
                # Created by hand first, since SQLite would give it the mode of the umask.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
                self._opened = identity(path)
                self._connection = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False
                )
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        ours = _check_ours(self._connection, self.where)
        if ours:
            # Reads the whole file: SQLite would leave out records of a damaged page silently.
            [(found,)] = run("PRAGMA quick_check(1)").fetchall()
            if found != "ok":
                raise damaged(self.where, found)
        (mode,) = run("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageError(
                self.where, "this file system cannot hold it", "Name a folder on a local disk"
            )
        run("PRAGMA synchronous = FULL")
        run("PRAGMA temp_store = MEMORY")  # what a failed statement takes back needs no file
        # What a killed process had written, but not synced, can be read and is made durable here.
        run("PRAGMA wal_checkpoint").fetchall()
        if not ours:
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

    def owner(self) -> Owner | None:
        return lock_owner(_beside(self._path, ".lock"))

    def places(self) -> list[Place]:
        with failing_as_sqlite(self.where):
            return _places(self._connection)

    def load(self, place: Place) -> Loaded:
        with failing_as_sqlite(self.where):
            return _load(self._connection, place)

    def commit(self, changes: Sequence[Change]) -> None:
        try:
            with self._transaction():
                for statement, parameters in statements(changes):
                    self._connection.execute(statement, parameters)
        except StorageError as exc:
            self._swollen = not isinstance(exc, StoreBroken)
            raise
        finally:
            if self._swollen:
                self._shrink_journal()

    def _shrink_journal(self) -> None:
        """Give back the space of refused changes, which lie in the journal and could fill a disk.

        A disk that is too full for that now is tried again with the next commit.
        """
        with contextlib.suppress(sqlite3.Error):
            [(busy, *_)] = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._swollen = bool(busy)

    def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        with self._transaction():
            self._connection.execute(
                "INSERT INTO set_aside SELECT band, container, key, value, ? FROM record "
                "WHERE band = ? AND container = ? AND key = ?",
                (problem, *row(place), key),
            )
            self._connection.execute(DELETE, (*row(place), key))
        return "table set_aside of the same file"

    def clear(self, place: Place) -> None:
        with self._transaction():
            self._connection.execute(
                "DELETE FROM record WHERE band = ? AND container = ?", row(place)
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with failing_as(self.where):
            check_still_there(self._path, self._opened)  # SQLite would go on with a removed file
        with failing_as_sqlite(self.where):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


class _SqliteLook(FileStore):
    """The file beside the process that owns it: each call opens it anew, to read only.

    A connection that stayed open would keep the owner's journal from being taken over.
    """

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._read(lambda connection: None)

    def close(self) -> None:
        pass

    def owner(self) -> Owner | None:
        return lock_owner(_beside(self._path, ".lock"))

    def places(self) -> list[Place]:
        return self._read(_places)

    def load(self, place: Place) -> Loaded:
        return self._read(lambda connection: _load(connection, place))

    def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """What ``fn`` gives, of one state of the file, also while its owner comes or goes."""
        for pause in _PAUSES:
            state = self._state()
            try:
                result = self._read_once(fn, state)
            except StorageError:
                time.sleep(pause)
                if not pause or self._state() == state:
                    raise
            else:
                # Beside a journal SQLite keeps what it reads as it was; without one, nobody does.
                if state.in_use or self._state() == state:
                    return result
        raise StorageError(self.where, "changed each time it was read", "Try again")

    def _read_once(self, fn: Callable[[sqlite3.Connection], T], state: _State) -> T:
        if state.in_use:
            option = "readonly_shm=1"  # or SQLite would write to the index that it shares
        elif state.journal:
            raise StorageError(
                self.where,
                "was copied or moved without the file -shm beside it",
                "Start its service once, or copy all its files",
            )
        else:
            option = "immutable=1"  # or SQLite would create the two files of a journal
        with failing_as_sqlite(self.where):
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro&{option}", uri=True, isolation_level=None
            )
            with contextlib.closing(connection):
                if not _check_ours(connection, self.where):
                    raise StoreMissing(self.where)
                return fn(connection)

    def _state(self) -> _State:
        with failing_as(self.where):
            try:
                file = self._path.stat()
            except FileNotFoundError:
                raise StoreMissing(self.where) from None
            journal = _beside(self._path, "-wal")
            present = journal.exists()
            if present and _beside(self._path, "-shm").exists():
                return _State(in_use=True)
            return _State(
                in_use=False,
                journal=journal.stat().st_size if present else 0,
                file=(file.st_ino, file.st_size, file.st_mtime_ns),
            )


@attrs.frozen(kw_only=True)
class _State:
    """What lies there. While the file has a journal, it changes without being another state."""

    in_use: bool
    """The journal and its index are there: the store is open, or its process was killed."""
    journal: int = 0
    file: tuple[int, int, int] = (0, 0, 0)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _check_ours(connection: sqlite3.Connection, where: str) -> bool:
    """False if the file is empty.

    Raises:
        StorageError: it is another program's, or of a newer format.
    """
    run = connection.execute
    (application,) = run("PRAGMA application_id").fetchone()
    (found,) = run("PRAGMA user_version").fetchone()
    (tables,) = run("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise StorageError(where, "is another program's SQLite file", "Move it away")
    if found > FORMAT:
        raise StorageError(
            where, f"has format {found}, this version reads up to {FORMAT}", "Update moobius_trio"
        )
    return bool(tables)


def _places(connection: sqlite3.Connection) -> list[Place]:
    rows = connection.execute(
        "SELECT band, container FROM record GROUP BY band, container ORDER BY min(position)"
    ).fetchall()
    return [
        Place(ChannelId(name_in(band)) if band else None, name_in(container))
        for band, container in rows
    ]


def _load(connection: sqlite3.Connection, place: Place) -> Loaded:
    return Loaded(
        connection.execute(
            "SELECT key, value FROM record WHERE band = ? AND container = ? ORDER BY position",
            row(place),
        ).fetchall()
    )


def open_sqlite(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """Open ``service_ID.sqlite3`` in the folder ``root_dir`` of the settings.

    Raises:
        StoreLocked: another process has it open.
        StorageError: it cannot be opened, or is not ours.
    """
    check_settings(settings, ("root_dir",), "sqlite")
    path = (
        root_folder(settings, site, "sqlite")
        / f"service_{safe_name(site.service_id.encode('utf-8', 'surrogatepass'))}.sqlite3"
    )
    return open_file_engine(
        partial(_SqliteLook if site.read_only else _SqliteFile, path),
        site,
        level="power",
        atomic="store",
        keeps_order=True,
    )
