"""What SQLite's errors mean for a store, in words.

Nothing here knows what is in the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from moobius_trio.database.engine import StoreBroken
from moobius_trio.errors import StorageError

__all__ = ("damaged", "failing_as_sqlite")

_BROKEN = frozenset({"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC", "SQLITE_CORRUPT"})
_REMEDIES = {
    "SQLITE_FULL": "Free some space; later changes are stored again",
    "SQLITE_READONLY": "Make the file and its folder writable",
    "SQLITE_CANTOPEN": "Make the folder readable and writable for this user",
    "SQLITE_NOTADB": "Move that file away if it is not a store",
}


@contextlib.contextmanager
def failing_as_sqlite(where: str, *, opening: bool = False) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what and where.

    Args:
        opening: nothing was stored yet, so a damaged file is no store that breaks.

    Raises:
        StoreBroken: it is not known what is stored now.
        StorageError: nothing was stored.
    """
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorname", "")
        if opening and code == "SQLITE_CORRUPT":
            raise damaged(where, str(exc)) from exc
        if code in _BROKEN:
            raise StoreBroken(where, str(exc)) from exc
        problem = "no space left on device" if code == "SQLITE_FULL" else str(exc)
        raise StorageError(where, problem, _REMEDIES.get(code, "")) from exc


def damaged(where: str, problem: str) -> StorageError:
    """The error for a file whose structure is not whole."""
    words = " ".join(problem.split())
    return StorageError(where, f"is damaged ({words})", "Put a copy in its place, or move it away")
