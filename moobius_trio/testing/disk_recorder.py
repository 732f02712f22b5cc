"""What a program does to the files below one folder: written down, and made to fail where asked.

For code that calls `os`, directly or through `pathlib`; `sqlite_vfs` adds what SQLite does. What
the steps mean for a loss of power is `power_loss`'s matter. Whatever is changed in a way not known
here shows in `DiskRecorder.check_complete`.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import attrs

from moobius_trio.testing.power_loss import (
    ROOT,
    Acknowledge,
    Link,
    PowerLoss,
    Rename,
    Resize,
    Snapshot,
    Step,
    SyncFile,
    SyncFolder,
    Unlink,
    Write,
    read_tree,
)

__all__ = ("Call", "DiskRecorder", "Fault")

Call = Literal["write", "resize", "sync file", "sync folder", "rename", "unlink", "create", "mkdir"]
"""What can be made to fail."""


@attrs.define
class Fault:
    """One kind of call fails."""

    call: Call | None
    """None: any of them."""
    number: int
    """The errno."""
    after: int = 0
    """How many calls of that kind succeed first."""
    suffix: str = ""
    """Only for paths that end so."""
    hits: int = 0
    """How many calls have failed."""

    def concerns(self, call: Call, path: Path) -> bool:
        """Whether this call fails; asked once for each."""
        if self.call not in (None, call) or not str(path).endswith(self.suffix):
            return False
        if self.after:
            self.after -= 1
            return False
        return True


class DiskRecorder:
    """Records the steps below one folder, as it is when this is made: all of that is durable.

    Args:
        root: an existing folder; what lies outside is left alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.steps: list[Step] = []
        """What was done, in order."""
        self._faults: list[Fault] = []
        self._death: Fault | None = None
        self._count = ROOT
        self._names: dict[int, dict[str, int]] = {}
        self._open: dict[int, tuple[int, Path]] = {}
        files: dict[int, bytes] = {}
        self._scan(self.root, ROOT, files)
        folders = {node: dict(names) for node, names in self._names.items()}
        self.start = Snapshot(folders, files)
        """What was there before the first step."""

    def acknowledge(self, number: int) -> None:
        """Note that the program has said that something is stored."""
        self.steps.append(Acknowledge(number))

    @contextmanager
    def failing(
        self, call: Call, number: int, *, after: int = 0, suffix: str = ""
    ) -> Iterator[Fault]:
        """Let calls fail within the block.

        Args:
            number: the errno.
            after: how many calls of that kind succeed first.
            suffix: only for paths that end so.
        """
        fault = Fault(call, number, after, suffix)
        self._faults.append(fault)
        try:
            yield fault
        finally:
            self._faults.remove(fault)

    @contextmanager
    def killed(self, *, after: int, at: Call | None = None) -> Iterator[None]:
        """Let nothing that is done in the block reach the disk any more from a call on.

        The program gets errors instead, and whatever it does about them reaches the disk as little.

        Args:
            after: how many calls succeed first; of the kind ``at`` if that is given.
        """
        self._death = Fault(at, errno.EIO, after)
        try:
            yield
        finally:
            self._death = None

    def check_complete(self, *ignored: str) -> None:
        """Compare what was written down with what is in the folder.

        Args:
            ignored: ends of names that do not count.

        Raises:
            AssertionError: something was changed and not written down.
        """
        disk = PowerLoss(self.start)
        for step in self.steps:
            disk.apply(step)
        ours, real = (
            {name: content for name, content in tree.items() if not name.endswith(ignored)}
            for tree in (disk.without_loss(), read_tree(self.root))
        )
        different = {name for name in ours.keys() | real if ours.get(name, 0) != real.get(name, 0)}
        if different:
            raise AssertionError(f"changed unseen: {', '.join(sorted(different))}")

    # What was done; also called by `sqlite_vfs`.

    def before(self, call: Call, path: Path) -> None:
        """Raise the OSError that a call shall fail with, if any."""
        if not self.watches(path):
            return
        death = self._death
        if death is not None and (death.hits or death.concerns(call, path)):
            death.hits += 1
            raise OSError(death.number, "the process is dead", str(path))
        for fault in self._faults:
            if fault.concerns(call, path):
                fault.hits += 1
                raise OSError(fault.number, os.strerror(fault.number), str(path))

    def watches(self, path: Path) -> bool:
        """Whether a path is below the folder."""
        return path.is_relative_to(self.root) and path != self.root

    def node(self, path: Path) -> int:
        """The number of a file or folder; KeyError if it is not known."""
        node = ROOT
        for part in path.relative_to(self.root).parts:
            node = self._names[node][part]
        return node

    def created(self, path: Path, *, folder: bool = False) -> None:
        """A file or folder is new, unless it is known."""
        names = self._names[above := self.node(path.parent)]
        if path.name in names:
            return
        self._count += 1
        if folder:
            self._names[self._count] = {}
        names[path.name] = self._count
        self.steps.append(Link(above, path.name, self._count, folder))

    def removed(self, path: Path) -> None:
        """A name is gone."""
        names = self._names[above := self.node(path.parent)]
        del names[path.name]
        self.steps.append(Unlink(above, path.name))

    def renamed(self, path: Path, to: Path) -> None:
        """A name is another one."""
        if path.parent != to.parent:
            raise NotImplementedError("a rename from one folder to another")
        names = self._names[above := self.node(path.parent)]
        names[to.name] = node = names.pop(path.name)
        self.steps.append(Rename(above, path.name, to.name, node))

    def synced_folder(self, path: Path) -> None:
        """A folder was synced."""
        if path.is_relative_to(self.root):
            self.steps.append(SyncFolder(self.node(path)))

    def _scan(self, folder: Path, node: int, files: dict[int, bytes]) -> None:
        self._names[node] = {}
        for path in sorted(folder.iterdir()):
            self._count += 1
            self._names[node][path.name] = below = self._count
            if path.is_dir():
                self._scan(path, below, files)
            else:
                files[below] = path.read_bytes()

    # In place of the functions of `os`.

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is done through `os` in this process within the block."""
        replaced: dict[str, Callable[..., Any]] = {
            "open": self._os_open,
            "close": self._os_close,
            "fdopen": self._os_fdopen,
            "write": self._os_write,
            "ftruncate": self._os_ftruncate,
            "fsync": self._os_fsync,
            "fdatasync": self._os_fsync,
            "mkdir": self._os_mkdir,
            "rename": self._os_rename,
            "replace": self._os_rename,
            "unlink": self._os_unlink,
            "remove": self._os_unlink,
            "rmdir": self._os_rmdir,
        }
        self._real = {name: getattr(os, name) for name in replaced}
        with ExitStack() as stack:
            for name, function in replaced.items():
                stack.enter_context(mock.patch.object(os, name, function))
            yield

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        where = self._absolute(path, options)
        new = bool(flags & os.O_CREAT) and not os.path.lexists(where)
        if new:
            self.before("create", where)
        descriptor: int = self._real["open"](path, flags, mode, **options)
        if where.is_relative_to(self.root):
            if new:
                self.created(where)
            self._open[descriptor] = (self.node(where), where)
            if flags & os.O_TRUNC:
                self.steps.append(Resize(self.node(where), 0))
        return descriptor

    def _os_close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        self._real["close"](descriptor)

    def _os_fdopen(self, descriptor: int, mode: str = "r", *args: Any, **options: Any) -> Any:
        if descriptor in self._open and mode == "wb":
            return io.BufferedWriter(_RecordedFile(self, descriptor))
        return self._real["fdopen"](descriptor, mode, *args, **options)

    def _os_write(self, descriptor: int, data: bytes) -> int:
        return self._write(descriptor, data, self._real["write"])

    def _write(self, descriptor: int, data: Any, write: Callable[[int, Any], int]) -> int:
        known = self._open.get(descriptor)
        if known is None:
            return write(descriptor, data)
        node, path = known
        self.before("write", path)
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        written = write(descriptor, data)
        self.steps.append(Write(node, offset, bytes(data[:written])))
        return written

    def _os_ftruncate(self, descriptor: int, size: int) -> None:
        known = self._open.get(descriptor)
        if known is not None:
            self.before("resize", known[1])
        self._real["ftruncate"](descriptor, size)
        if known is not None:
            self.steps.append(Resize(known[0], size))

    def _os_fsync(self, descriptor: int) -> None:
        known = self._open.get(descriptor)
        if known is None:
            self._real["fsync"](descriptor)
            return
        node, path = known
        folder = node in self._names
        self.before("sync folder" if folder else "sync file", path)
        self._real["fsync"](descriptor)
        self.steps.append(SyncFolder(node) if folder else SyncFile(node))

    def _os_mkdir(self, path: Any, mode: int = 0o777, **options: Any) -> None:
        where = self._absolute(path, options)
        self.before("mkdir", where)
        self._real["mkdir"](path, mode, **options)
        if self.watches(where):
            self.created(where, folder=True)

    def _os_rename(self, path: Any, to: Any, **options: Any) -> None:
        where = self._absolute(path, options)
        self.before("rename", where)
        self._real["rename"](path, to, **options)
        if self.watches(where):
            self.renamed(where, self._absolute(to, options))

    def _os_unlink(self, path: Any, **options: Any) -> None:
        where = self._absolute(path, options)
        self.before("unlink", where)
        self._real["unlink"](path, **options)
        if self.watches(where):
            self.removed(where)

    def _os_rmdir(self, path: Any, **options: Any) -> None:
        where = self._absolute(path, options)
        self.before("unlink", where)
        self._real["rmdir"](path, **options)
        if self.watches(where):
            self.removed(where)

    def _absolute(self, path: Any, options: dict[str, Any]) -> Path:
        above = options.get("dir_fd")
        known = self._open.get(above) if above is not None else None
        if options.get("src_dir_fd") is not None or (above is not None and known is None):
            raise NotImplementedError("a path relative to a folder that was opened elsewhere")
        where = os.fsdecode(path) if known is None else known[1] / os.fsdecode(path)
        return Path(os.path.abspath(where))  # noqa: PTH100  # links are not followed


class _RecordedFile(io.FileIO):
    """What a buffered file writes to."""

    def __init__(self, recorder: DiskRecorder, descriptor: int) -> None:
        super().__init__(descriptor, "wb")
        self._recorder = recorder

    def write(self, data: Any, /) -> int:
        return self._recorder._write(
            self.fileno(), data, lambda _, rest: super(_RecordedFile, self).write(rest)
        )

    def close(self) -> None:
        if not self.closed:
            self._recorder._open.pop(self.fileno(), None)
        super().close()
