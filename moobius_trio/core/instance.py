"""One live service of a name on this machine: a lock in the user's runtime folder.

The lock is the operating system's, so it is free again however the process ends.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from moobius_trio.database.files import lock, unlock
from moobius_trio.errors import ConfigError, NameTaken, StoreLocked

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
    foreign = status.st_uid != os.getuid() or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not stat.S_ISDIR(status.st_mode) or foreign:
        raise ConfigError(
            str(folder),
            "the runtime folder is not this user's alone",
            "Make it so (chmod 700), remove it, or set XDG_RUNTIME_DIR to a folder of your own",
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
        descriptor = lock(path)
    except StoreLocked as exc:
        raise NameTaken(name, exc.pid) from None
    except OSError as exc:
        raise ConfigError(str(path), f"the lock cannot be opened ({exc.strerror})") from None
    try:
        yield
    finally:
        unlock(descriptor)  # the file stays: another process may be waiting for it
