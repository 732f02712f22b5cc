"""What file stores share: private folders, names that cannot leave them, one process at a time.

Nothing here knows records or formats. Everything blocks and is called through ``run_sync``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import string
import time
from collections.abc import Iterator
from pathlib import Path

from moobius_trio.database.engine import Owner, StoreBroken
from moobius_trio.errors import StorageError, StoreLocked

__all__ = (
    "check_still_there",
    "create_private",
    "failing_as",
    "fsync",
    "identity",
    "left_open",
    "lock",
    "lock_owner",
    "make_private_folder",
    "safe_name",
    "sync_folder",
    "unlock",
)

_KEPT = frozenset((string.ascii_lowercase + string.digits + "_-").encode())
_LONGEST = 200


def safe_name(raw: bytes) -> str:
    """A file name for any bytes: another one for each, on every file system, never a path.

    ``a-z0-9_-`` stay, the rest is percent-encoded; over 200 bytes a hash takes the place of the
    end, after ``%%``, which no encoded name has.
    """
    name = "".join(chr(byte) if byte in _KEPT else f"%{byte:02X}" for byte in raw)
    if len(name) > _LONGEST:
        return f"{name[:100]}%%{hashlib.sha256(raw).hexdigest()}"
    return name or "%%"


@contextlib.contextmanager
def failing_as(where: str) -> Iterator[None]:
    """Turn the operating system's errors into one line that says what and where."""
    try:
        yield
    except OSError as exc:
        raise StorageError(
            where, (exc.strerror or str(exc)).lower(), _REMEDIES.get(exc.errno or 0, "")
        ) from exc


_REMEDIES = {
    errno.ENOSPC: "Free some space; later changes are stored again",
    errno.EDQUOT: "Free some space; later changes are stored again",
    errno.EROFS: "Make the folder writable, or name another one in db.json (settings, root_dir)",
    errno.EACCES: "Make the folder readable and writable for this user",
    errno.EPERM: "Make the folder readable and writable for this user",
    errno.ENOTDIR: "A file stands where a folder is needed; name another one in db.json",
}


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it, for this user only; an existing one stays as it is.

    All their names are durable afterwards, also that of a folder whose maker was killed before it
    could sync it.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
        if folder == folder.parent:
            break
    with contextlib.suppress(PermissionError):  # then this user has not made it either
        sync_folder(folder.parent)
    for one in reversed(missing):
        if one.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(one))
        one.mkdir(mode=0o700)
        sync_folder(one.parent)


def identity(path: Path) -> tuple[int, int]:
    """Which file a path leads to; another file of the same name is another one."""
    found = path.stat()
    return found.st_dev, found.st_ino


def check_still_there(path: Path, opened: tuple[int, int]) -> None:
    """Make sure that what is written to an open store can be found again.

    Args:
        opened: the `identity` of what was opened.

    Raises:
        StoreBroken: the file was removed meanwhile, or another one is in its place.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if identity(path) == opened:
            return
    raise StoreBroken(str(path), "was removed or replaced while it was open")


def create_private(path: Path) -> int:
    """Open a new file of this user only for writing; an existing one or a link is an error."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def sync_folder(folder: Path) -> None:
    """Make names that were added to or removed from a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(descriptor, folder)
    except StoreBroken as exc:
        cause = exc.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EINVAL:
            raise  # that one means: a file system that has no such thing, as network shares are
    finally:
        os.close(descriptor)


def fsync(descriptor: int, path: Path) -> None:
    """Make a file's content survive a loss of power.

    Raises:
        StoreBroken: the disk failed; what was written before may be gone although a second call
            would succeed, so it is never tried again.
    """
    try:
        os.fsync(descriptor)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreBroken(str(path), f"the disk failed ({exc.strerror})") from exc


def lock(path: Path) -> int:
    """Hold a store for this process; gives the descriptor for `unlock`.

    The operating system frees it when the process dies, however that happens.

    Raises:
        StoreLocked: another process, or this one, holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for pause in _PAUSES:
            if _lock_free(descriptor, fcntl.LOCK_EX):
                break
            time.sleep(pause)
        else:
            raise StoreLocked(str(path.parent), _read_pid(descriptor))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
    except BaseException:  # a full disk, for one
        os.close(descriptor)
        raise
    return descriptor


def lock_owner(path: Path) -> Owner | None:
    """Who holds the lock of a store; asking neither holds it nor changes the file.

    None also when there is no lock file, since then nobody ever had it open.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _lock_free(descriptor, fcntl.LOCK_SH) else Owner(_read_pid(descriptor))
    finally:
        os.close(descriptor)


def _lock_free(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None


_PAUSES = (0.002, 0.01, 0.0)
"""Between the tries to get a lock: whoever asks for its owner holds it for microseconds."""


def unlock(descriptor: int) -> None:
    """Let the store go. The file stays: removing it could take another process's lock away."""
    with contextlib.suppress(OSError):  # the disk may be what the store is closed for
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def left_open(path: Path) -> bool:
    """Whether the last process that held a store did not `unlock` it, but was killed.

    What that process was doing can be read and yet be lost with the power.
    """
    return path.exists() and path.stat().st_size > 0
