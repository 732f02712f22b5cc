"""The formats of the platform's file: making a new one, and bringing an older one up to date.

Format 1 has no descriptions of bands, no groups of users, no accounts that wait for a code, and
messages to users without an id. Format 2 has. Nothing here runs but while a store is opened.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Final

import structlog

from moobius_trio.errors import StorageError

__all__ = ("FORMAT", "prepare")

FORMAT: Final = 2
"""The format of the file, in SQLite's ``user_version``; it grows when the format changes."""

_SCHEMA: Final = """
CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                     PRIMARY KEY (kind, key));
CREATE TABLE message (id INTEGER PRIMARY KEY, band TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX message_of_band ON message (band, id);
"""

_log = structlog.get_logger()


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Lock the file, and make it one of this format.

    An older one is copied first, to ``NAME.format-N`` beside it; a copy that is there is kept.

    Raises:
        StorageError: a newer version wrote it.
        sqlite3.Error, OSError: it cannot be locked, copied or written.
    """
    # The exclusive lock is what keeps a second platform out. It ends with the process.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise StorageError(
            str(path),
            f"was written by a newer version (format {version}; this one knows {FORMAT})",
            "Update moobius_trio, or use another folder with --state",
        )
    if version == 0:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    elif version == 1:
        connection.execute("COMMIT")  # SQLite copies nothing that is being written; the lock stays
        _copy(connection, path.with_name(f"{path.name}.format-1"))
        connection.execute("BEGIN EXCLUSIVE")
        _name_messages(connection)
        _log.info("state brought up to date", path=str(path), format=FORMAT)
    connection.execute(f"PRAGMA user_version = {FORMAT:d}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    if target.exists():
        return
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(part)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    part.replace(target)


def _name_messages(connection: sqlite3.Connection) -> None:
    """Give the messages to users an id, by which menus and pages of the history name them."""
    rows = connection.execute("SELECT id, value FROM message").fetchall()
    for number, value in rows:
        try:
            message = json.loads(value)
        except ValueError:
            continue  # it is named as damaged when it is loaded
        if isinstance(message, dict) and message.get("direction") == "down":
            message["msg_id"] = f"local-kept-{number}"
            text = json.dumps(message, separators=(",", ":"))
            connection.execute("UPDATE message SET value = ? WHERE id = ?", (text, number))
