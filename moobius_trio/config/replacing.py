"""A file replaced in one step: written beside, synced, renamed. Its content is not known here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

__all__ = ("put_in_free_place", "put_in_place", "replacement", "sync_folder")


@contextmanager
def replacement(target: Path, *, like: Path | None = None) -> Iterator[IO[bytes]]:
    """A new file beside ``target``, with the mode and owner of ``like``; gone when left.

    Without ``like`` only the owner may read it.
    """
    prefix = f".{target.name}."
    for stale in target.parent.glob(f"{prefix}*.tmp"):
        stale.unlink(missing_ok=True)  # of a process that was killed; it has the password in it
    with NamedTemporaryFile(prefix=prefix, suffix=".tmp", dir=target.parent, delete=False) as file:
        try:
            if like is not None:
                _take_over(file, like.stat())
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)  # it may have been put in its place


def _take_over(file: IO[bytes], old: os.stat_result) -> None:
    if os.name != "posix":
        return
    mine = os.fstat(file.fileno())
    if (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(file.fileno(), old.st_uid, old.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))


def put_in_place(file: IO[bytes], target: Path) -> None:
    """Make a finished file durable under the name of ``target``."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    Path(file.name).replace(target)
    sync_folder(target.parent)


def put_in_free_place(file: IO[bytes], target: Path) -> None:
    """As `put_in_place`, but never in place of another file.

    Raises:
        FileExistsError: there is one.
    """
    file.flush()
    os.fsync(file.fileno())
    file.close()
    target.hardlink_to(file.name)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or removal durable; where folders cannot be opened there is nothing to do."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
