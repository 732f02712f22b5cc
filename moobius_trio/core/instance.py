"""One live service of a name on this machine: a lock in the user's runtime folder.

The lock is the operating system's, so it is free again however the process ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from moobius_trio.errors import ConfigError, NameTaken

__all__ = ("held_name", "runtime_folder")


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """The folder for what lives as long as a process; this user's only, made if need be.

    ``RUNTIME_DIRECTORY`` (as systemd gives it), else ``XDG_RUNTIME_DIR``, else a folder in the
    system's temporary one.

    Raises:
        ConfigError: it cannot be made, or belongs to somebody else.
    """
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    base = given or environ.get("XDG_RUNTIME_DIR", "")
    folder = (
        Path(base) / "moobius-trio"
        if base
        else Path(tempfile.gettempdir()) / f"moobius-trio-{os.getuid()}"
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as exc:
        raise ConfigError(
            str(folder),
            f"the runtime folder cannot be made ({exc.strerror})",
            "Set XDG_RUNTIME_DIR to a folder of your own",
        ) from None
    foreign = status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or foreign:
        raise ConfigError(
            str(folder),
            "the runtime folder is not this user's alone",
            "Remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    return folder


@contextmanager
def held_name(name: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Hold a service's name for the block. Blocks for no longer than opening a file takes.

    Raises:
        NameTaken: a live service has it; the error has that process's id.
        ConfigError: as `runtime_folder`.
    """
    path = runtime_folder(environ) / f"{name}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise ConfigError(str(path), f"the lock cannot be opened ({exc.strerror})") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            holder = os.read(descriptor, 32)
            raise NameTaken(name, int(holder) if holder.isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)  # lets go of the lock; the file stays, another may wait for it
