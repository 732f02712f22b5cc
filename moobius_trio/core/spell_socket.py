"""Where the spell sockets lie, how one is made, and who is at the other end.

Files and sockets of the operating system only; nothing here waits, and nothing knows a message
(docs/architecture.md section 7).
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from moobius_trio.errors import ConfigError

__all__ = ("BACKLOG", "Peer", "bound_socket", "peer_of", "socket_path", "sockets_in", "try_connect")

BACKLOG = 32
"""Callers whom the system lets wait while all conversations are taken."""

LONGEST_PATH = 100
"""Bytes of a path that a Unix socket may have: 107 on Linux, 103 on macOS."""

SUFFIX = ".sock"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]*")


def socket_path(folder: Path, name: str) -> Path:
    """Where the service of a name has its socket.

    Any text is a name: one that is not plain, or too long for a socket, gets a hash in its place,
    so it cannot lead out of the folder.

    Raises:
        ConfigError: the folder's own path is too long for sockets.
    """
    path = folder / f"{name}{SUFFIX}"
    if not _PLAIN.fullmatch(name) or _too_long(path):
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        path = folder / f"={digest[:16]}{SUFFIX}"  # no plain name has the sign in front
    if _too_long(path):
        raise ConfigError(
            str(folder),
            "the path of the runtime folder is too long for a socket in it",
            "Set XDG_RUNTIME_DIR to a folder with a shorter path",
        )
    return path


def _too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > LONGEST_PATH


def sockets_in(folder: Path) -> list[Path]:
    """The sockets there are, also those that nobody answers at any more."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)


@contextmanager
def bound_socket(path: Path) -> Iterator[socket.socket]:
    """A listening socket for the block, which only this user can connect to.

    One that a killed process left behind is removed first. At the end the file is removed.

    Raises:
        ConfigError: something else lies at the path: a link, a file, a socket of another user's
            or one that somebody answers at. It is left alone.
    """
    _make_room(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listening:
        try:
            _bind_private(listening, path)
            made = path.lstat()
            listening.listen(BACKLOG)
        except OSError as exc:
            raise ConfigError(
                str(path), f"the spell socket cannot be made ({exc.strerror or exc})"
            ) from None
        listening.setblocking(False)
        try:
            yield listening
        finally:
            with suppress(OSError):  # gone already, or the folder is
                if os.path.samestat(path.lstat(), made):
                    path.unlink()


def _bind_private(listening: socket.socket, path: Path) -> None:
    """Bind with mode 0600; nobody can connect before ``listen``.

    The mask is the whole process's, so it takes nothing from this user: a folder that a thread
    makes at this moment could not be entered otherwise.
    """
    before = os.umask(0o077)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    path.chmod(0o600)


def _make_room(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError(
            str(path),
            "this is no socket of this user's, and the spell socket is to lie there",
            "Look what it is, and remove it",
        )
    try:
        connected = try_connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)
        return
    if connected is None:
        pid = None
    else:
        with connected:
            pid = peer_of(connected).pid
    raise ConfigError(
        str(path),
        "somebody answers at this spell socket" + ("" if pid is None else f" (pid {pid})"),
        "Stop that process first",
    )


def try_connect(path: Path) -> socket.socket | None:
    """A connection that does not block; None while too many others wait there.

    Raises:
        OSError: it cannot be; ConnectionRefusedError and FileNotFoundError if nobody is there.
    """
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        connected.connect(str(path))
    except BlockingIOError:
        connected.close()
        return None
    except BaseException:
        connected.close()
        raise
    return connected


@attrs.frozen
class Peer:
    """Who is at the other end of a socket, as the operating system has it."""

    uid: int | None
    """None where the system cannot tell: there the modes of folder and file stand alone."""
    pid: int | None
    """None where the system cannot tell."""

    @property
    def foreign(self) -> bool:
        """True when it is another user's process, be it root's."""
        return self.uid is not None and self.uid != os.getuid()


def peer_of(connected: socket.socket) -> Peer:
    """Who connected, or who listens."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", credentials)
        return Peer(uid, pid)
    if sys.platform == "darwin":
        level, option, size = 0, 1, 76  # SOL_LOCAL, LOCAL_PEERCRED, struct xucred
        _, uid = struct.unpack_from("II", connected.getsockopt(level, option, size))
        return Peer(uid, None)
    return Peer(None, None)
