"""SQLite's own file operations, written down and made to fail by a `disk_recorder.DiskRecorder`.

A layer over SQLite's default file system (its "VFS") in the very library that Python's `sqlite3`
uses, so that the code under test stays as it is. Only the calls that change files are looked at;
the ``-shm`` file, which SQLite makes again at each start, is not.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moobius_trio.testing.disk_recorder import DiskRecorder
from moobius_trio.testing.power_loss import Resize, SyncFile, Write

__all__ = ("recorded_sqlite", "why_sqlite_cannot_be_recorded")

_OK, _FULL, _CANTOPEN = 0, 13, 14
_IOERR_WRITE, _IOERR_FSYNC, _IOERR_DIR_FSYNC = 778, 1034, 1290
_IOERR_TRUNCATE, _IOERR_DELETE = 1546, 2570
_OPEN_CREATE = 0x4

_pointer, _int, _long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_XOpen = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _pointer, _int, ctypes.POINTER(_int))
_XDelete = ctypes.CFUNCTYPE(_int, _pointer, ctypes.c_char_p, _int)
_XSetSystemCall = ctypes.CFUNCTYPE(_int, _pointer, ctypes.c_char_p, _pointer)
_XGetSystemCall = ctypes.CFUNCTYPE(_pointer, _pointer, ctypes.c_char_p)
_XClose = ctypes.CFUNCTYPE(_int, _pointer)
_XWrite = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _int, _long)
_XTruncate = ctypes.CFUNCTYPE(_int, _pointer, _long)
_XSync = ctypes.CFUNCTYPE(_int, _pointer, _int)
_OpenDirectory = ctypes.CFUNCTYPE(_int, ctypes.c_char_p, ctypes.POINTER(_int))


class _Vfs(ctypes.Structure):
    """``struct sqlite3_vfs`` (sqlite3.h), version 3."""

    _fields_ = (
        ("version", _int),
        ("file_size", _int),
        ("longest_path", _int),
        ("next", _pointer),
        ("name", ctypes.c_char_p),
        ("data", _pointer),
        ("open", _XOpen),
        ("delete", _XDelete),
        *((f"other_{number}", _pointer) for number in range(11)),
        ("set_system_call", _XSetSystemCall),
        ("get_system_call", _XGetSystemCall),
        ("next_system_call", _pointer),
    )


class _Methods(ctypes.Structure):
    """``struct sqlite3_io_methods`` (sqlite3.h), version 3."""

    _fields_ = (
        ("version", _int),
        ("close", _XClose),
        ("read", _pointer),
        ("write", _XWrite),
        ("truncate", _XTruncate),
        ("sync", _XSync),
        *((f"other_{number}", _pointer) for number in range(13)),
    )


class _File(ctypes.Structure):
    """``struct sqlite3_file``."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


def _library() -> Any:
    """The library `sqlite3` is linked to, or is part of."""
    return ctypes.CDLL(getattr(_sqlite3, "__file__", None))


def why_sqlite_cannot_be_recorded() -> str | None:
    """The reason, in words for a skipped test; None where it can be.

    A Python with a copy of SQLite inside that hides its functions is one, another system is.
    """
    try:
        library = _library()
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        found = library.sqlite3_vfs_find(None)
    except (OSError, AttributeError) as exc:
        return f"the functions of Python's SQLite cannot be called ({exc})"
    if not found or found.contents.version < 3 or found.contents.name != b"unix":
        return "SQLite's default file system is not the one of Unix"
    return None


@contextmanager
def recorded_sqlite(recorder: DiskRecorder) -> Iterator[None]:
    """Record what SQLite does below the recorder's folder within the block.

    For all connections of this process that are opened in the block; they must be closed in it.
    Injected errors reach SQLite as its own: EIO as the I/O error of that call, ENOSPC as FULL.

    Raises:
        RuntimeError: it is not possible here; see `why_sqlite_cannot_be_recorded`.
    """
    reason = why_sqlite_cannot_be_recorded()
    if reason is not None:
        raise RuntimeError(reason)
    library = _library()
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    layer = _Layer(recorder, library.sqlite3_vfs_find(None))
    library.sqlite3_vfs_register(ctypes.byref(layer.vfs), 1)
    layer.watch_folders()
    try:
        yield
    finally:
        layer.leave_folders()
        library.sqlite3_vfs_unregister(ctypes.byref(layer.vfs))
        library.sqlite3_vfs_register(layer.below, 1)  # the default again


class _Layer:
    """The functions that stand before SQLite's, and what they must remember."""

    def __init__(self, recorder: DiskRecorder, below: Any) -> None:
        self.below = below
        self.vfs = _Vfs()
        ctypes.pointer(self.vfs)[0] = below.contents
        self.vfs.name = b"moobius-trio-recorded"
        self.vfs.next = None
        self.vfs.open = _XOpen(self._open)
        self.vfs.delete = _XDelete(self._delete)
        self._recorder = recorder
        self._real: dict[int, Any] = {}
        self._ours: dict[int, _Methods] = {}
        self._files: dict[int, tuple[Path, Any]] = {}
        self._folders: list[Path] = []

    # Files.

    def _open(self, _: int, name: int | None, file: int, flags: int, given: Any) -> int:
        path = Path(ctypes.string_at(name).decode()) if name else None
        watched = path is not None and self._recorder.watches(path)
        new = watched and path is not None and flags & _OPEN_CREATE and not path.exists()
        if new and path is not None and (code := self._refused("create", path, _CANTOPEN)):
            return code
        code = int(
            self.below.contents.open(
                ctypes.addressof(self.below.contents), name, file, flags, given
            )
        )
        if code == _OK and watched and path is not None:
            if new:
                self._recorder.created(path)
            opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
            self._files[file] = (path, opened.methods.contents)
            opened.methods = ctypes.pointer(self._methods(opened.methods.contents))
        return code

    def _methods(self, real: _Methods) -> _Methods:
        """A copy of a table of functions with ours in it; one for each table."""
        address = ctypes.addressof(real)
        if address not in self._ours:
            ours = self._ours[address] = _Methods()
            ctypes.pointer(ours)[0] = real
            ours.close = _XClose(self._close)
            ours.write = _XWrite(self._write)
            ours.truncate = _XTruncate(self._truncate)
            ours.sync = _XSync(self._sync)
        return self._ours[address]

    def _close(self, file: int) -> int:
        _, real = self._files.pop(file)
        return int(real.close(file))

    def _write(self, file: int, data: int, length: int, offset: int) -> int:
        path, real = self._files[file]
        code = self._refused("write", path, _IOERR_WRITE) or real.write(file, data, length, offset)
        if code == _OK:
            node = self._recorder.node(path)
            content = ctypes.string_at(data, length)
            self._recorder.steps.append(Write(node, offset, content))
        return int(code)

    def _truncate(self, file: int, size: int) -> int:
        path, real = self._files[file]
        code = self._refused("resize", path, _IOERR_TRUNCATE) or real.truncate(file, size)
        if code == _OK:
            self._recorder.steps.append(Resize(self._recorder.node(path), size))
        return int(code)

    def _sync(self, file: int, flags: int) -> int:
        path, real = self._files[file]
        code = self._refused("sync file", path, _IOERR_FSYNC)
        if code == _OK:
            code, folders = self._noting_folders(lambda: real.sync(file, flags))
            if code == _OK:
                self._recorder.steps.append(SyncFile(self._recorder.node(path)))
                self._synced(folders)  # SQLite does not look at what comes of it here
        return code

    def _delete(self, _: int, name: bytes, sync_folder: int) -> int:
        path = Path(name.decode())
        if not self._recorder.watches(path) or not path.exists():
            return int(self._delete_below(name, sync_folder))
        code = self._refused("unlink", path, _IOERR_DELETE)
        if code == _OK:
            code, folders = self._noting_folders(lambda: self._delete_below(name, sync_folder))
            if code == _OK:
                self._recorder.removed(path)
                code = self._synced(folders)
        return code

    def _delete_below(self, name: bytes, sync_folder: int) -> int:
        below = self.below.contents
        return int(below.delete(ctypes.addressof(below), name, sync_folder))

    def _refused(self, call: Any, path: Path, code: int) -> int:
        """The code SQLite is given for an injected error; 0 for none."""
        try:
            self._recorder.before(call, path)
        except OSError as exc:
            return _FULL if exc.errno == errno.ENOSPC else code
        return _OK

    # Folders: SQLite syncs one inside of `sync` and `delete`; it opens it right before.

    def watch_folders(self) -> None:
        """Have a word with each opening of a folder."""
        below = self.below.contents
        address = below.get_system_call(ctypes.addressof(below), b"openDirectory")
        self._open_folder_below = _OpenDirectory(address)
        self._open_folder = _OpenDirectory(self._note_folder)
        below.set_system_call(
            ctypes.addressof(below),
            b"openDirectory",
            ctypes.cast(self._open_folder, ctypes.c_void_p),
        )

    def leave_folders(self) -> None:
        """Undo `watch_folders`."""
        below = self.below.contents
        below.set_system_call(ctypes.addressof(below), b"openDirectory", None)

    def _note_folder(self, name: bytes, descriptor: Any) -> int:
        self._folders.append(Path(name.decode()).parent)
        return int(self._open_folder_below(name, descriptor))

    def _noting_folders(self, call: Callable[[], int]) -> tuple[int, list[Path]]:
        self._folders.clear()
        code = int(call())
        return code, list(self._folders)

    def _synced(self, folders: list[Path]) -> int:
        for folder in folders:
            if code := self._refused("sync folder", folder, _IOERR_DIR_FSYNC):
                return code
            self._recorder.synced_folder(folder)
        return _OK
