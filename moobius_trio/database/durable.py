"""Files and folders that survive a loss of power once a function has returned.

Nothing here knows records or formats. Everything blocks and is called through ``run_sync``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from moobius_trio.database.files import create_private, fsync, sync_folder

__all__ = ("copy_folder", "replace_whole", "write_new")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet. Its name is durable once its folder is synced."""
    with os.fdopen(create_private(path), "wb") as file:
        file.write(content)
        file.flush()
        fsync(file.fileno(), path)


def replace_whole(path: Path, content: bytes, temporary: Path) -> None:
    """Write a file so that it is never there in part, in place of an older one if there is one.

    Args:
        temporary: a free name in the same folder; whoever opens the folder removes what a crash
            left there.
    """
    try:
        write_new(temporary, content)
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def copy_folder(folder: Path, target: Path, *, without: str) -> None:
    """Copy a folder with all that is in it. Links are copied as links.

    Args:
        target: must not be there yet. Its own name is durable once its folder is synced.
        without: a name that is left out, at every level.
    """
    target.mkdir(mode=0o700)
    for path in sorted(folder.iterdir()):
        copy = target / path.name
        if path.name == without:
            continue
        if path.is_symlink():
            copy.symlink_to(path.readlink())
        elif path.is_dir():
            copy_folder(path, copy, without=without)
        else:
            with path.open("rb") as source, os.fdopen(create_private(copy), "wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                fsync(file.fileno(), copy)
    sync_folder(target)
