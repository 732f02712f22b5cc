"""The local platform's memory on disk: one SQLite file and a folder of uploaded files.

The only module of ``local`` that opens files of the state folder. What a record means is not
known here; the formats of records are in ``stored``, those of the file in ``store_formats``.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from moobius_trio.errors import StorageError, StoreLocked
from moobius_trio.local import stored
from moobius_trio.local.records import Change
from moobius_trio.local.store_formats import prepare
from moobius_trio.local.world import HISTORY_PER_BAND
from moobius_trio.types import RunSync

__all__ = ("DATABASE", "Store", "open_store")

DATABASE: Final = "platform.sqlite3"
UPLOADS: Final = "uploads"
PID_FILE: Final = "platform.pid"

RETRY_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 5.0

_log = structlog.get_logger()


class Store:
    """An open state folder. Changes are queued and written in groups, each group as a whole."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, run_sync: RunSync) -> None:
        self._folder = folder
        self._connection = connection
        self._run_sync = run_sync
        self._pending: list[Change] = []
        self._queued = 0
        self._written = 0
        self._more = trio.Event()
        self._progress = trio.Event()
        self._failure: StorageError | None = None

    async def load(self) -> Sequence[Change]:
        """Everything stored, as the changes that make a ``World`` of it, oldest first.

        Raises:
            StorageError: the file cannot be read, or a record in it is not one of ours.
        """
        return await self._run_sync(_load, self._connection, self._folder / DATABASE)

    def put(self, changes: Iterable[Change]) -> None:
        """Queue changes for writing, in order. Never waits."""
        for change in changes:
            self._pending.append(change)
            self._queued += 1
        self._more.set()

    async def flush(self) -> None:
        """Wait until everything that was put before is on disk.

        Raises:
            StorageError: the last attempt to write failed. The changes stay queued and are tried
                again.
        """
        wanted = self._queued
        while self._written < wanted:
            await self._progress.wait()
            if self._failure is not None:
                raise self._failure
        await trio.lowlevel.checkpoint()

    async def write_for_ever(self) -> None:
        """The writer: takes what is queued, writes it as one transaction, and so on."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._pending:
                await self._write_pending()
                if self._failure is not None:
                    await trio.sleep(RETRY_SECONDS)

    async def write_rest(self) -> None:
        """Write what is still queued; once, and a failure is logged."""
        if self._pending:
            await self._write_pending()

    async def _write_pending(self) -> None:
        group = self._pending[:]
        try:
            await self._run_sync(_write, self._connection, group)
        except (sqlite3.Error, OSError) as exc:
            self._failure = StorageError(str(self._folder / DATABASE), f"cannot be written ({exc})")
            _log.error("state could not be saved; trying again", error=str(exc))
        else:
            self._failure = None
            self._written += len(group)
            del self._pending[: len(group)]
        self._progress.set()
        self._progress = trio.Event()

    async def save_upload(self, key: str, content: bytes) -> None:
        """Keep the bytes of a file. ``key`` is one of the platform's own, never a client's text.

        Raises:
            StorageError: they cannot be written.
        """
        path = self._folder / UPLOADS / key
        try:
            await self._run_sync(_save_file, path, content)
        except OSError as exc:
            problem = f"cannot be written ({exc.strerror})"
            raise StorageError(str(path), problem) from exc

    async def load_upload(self, key: str) -> bytes:
        """The bytes of a file that was kept.

        Raises:
            StorageError: they cannot be read.
        """
        path = self._folder / UPLOADS / key
        try:
            return await self._run_sync(path.read_bytes)
        except OSError as exc:
            raise StorageError(str(path), f"cannot be read ({exc.strerror})") from exc


@contextlib.asynccontextmanager
async def open_store(folder: Path, *, run_sync: RunSync) -> AsyncIterator[Store]:
    """Open the state folder, making it if it is not there; at the end what is queued is written.

    Raises:
        StoreLocked: another platform has it open.
        StorageError: it cannot be made, read or written, or a newer version wrote it.
    """
    connection = await run_sync(_open, folder)
    store = Store(folder, connection, run_sync)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.write_for_ever)
            yield store
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        (own,) = group.exceptions  # the writer raises nothing: it is the block's, as it was raised
        raise own from own.__cause__
    finally:
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await store.write_rest()
        with trio.CancelScope(shield=True):  # two statements that wait for nobody
            await run_sync(_close, connection, folder)


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / DATABASE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / UPLOADS).mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would make it 0644
    except OSError as exc:
        raise StorageError(
            str(exc.filename or folder),
            f"cannot be used as the state folder ({exc.strerror})",
            "Give a folder that can be written with --state",
        ) from None
    try:
        # One thread at a time uses it: the calls are made one after the other.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            prepare(connection, path)
            (folder / PID_FILE).write_text(f"{os.getpid()}\n")
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise StoreLocked(str(folder), _read_pid(folder)) from None
        raise StorageError(str(path), f"cannot be opened ({exc})") from None
    except sqlite3.DatabaseError as exc:
        raise StorageError(
            str(path), f"is no state of a local platform ({exc})", "Move it away, or use --state"
        ) from None
    except OSError as exc:
        raise StorageError(str(path), f"cannot be opened ({exc.strerror})") from None
    return connection


def _read_pid(folder: Path) -> int | None:
    try:
        return int((folder / PID_FILE).read_text())
    except (OSError, ValueError):
        return None


def _close(connection: sqlite3.Connection, folder: Path) -> None:
    (folder / PID_FILE).unlink(missing_ok=True)
    connection.close()


def _load(connection: sqlite3.Connection, path: Path) -> list[Change]:
    try:
        rows = connection.execute("SELECT kind, value FROM record ORDER BY rowid").fetchall()
        changes = [stored.load_record(kind, value) for kind, value in rows]
        bands = connection.execute("SELECT DISTINCT band FROM message").fetchall()
        for band in bands:
            rows = connection.execute(
                "SELECT value FROM message WHERE band = ? ORDER BY id DESC LIMIT ?",
                (*band, HISTORY_PER_BAND),
            ).fetchall()
            changes.extend(stored.load_message(value) for (value,) in reversed(rows))
    except sqlite3.Error as exc:
        raise StorageError(str(path), f"cannot be read ({exc})") from None
    except stored.NotOurs as exc:
        raise StorageError(str(path), f"has a record that cannot be read ({exc})") from None
    return changes


def _write(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for change in changes:
            statement, values = stored.statement(change)
            if statement:
                connection.execute(statement, values)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _save_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)  # half a file that nobody knows of, on a disk that is full
        raise
