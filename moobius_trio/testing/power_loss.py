"""What may be on a disk after a loss of power, drawn from what a program really did to its files.

`PowerLoss` is given the steps that a `disk_recorder.DiskRecorder` wrote down and gives folders that
a crash may leave behind. Only the rules of disks are here; no engine is known.

The rules are harsher than those of any one file system. Of what was not synced, each write, or each
sector of it, is there or not; a file's size is an old or the new one, and what lies between is
zeros or garbage; each name that was added, changed or removed since its folder was synced is so or
not, independently of the others and of the content it leads to. A rename in itself is whole.
Syncing a file says nothing about its name, and syncing a folder nothing about its files' content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

import attrs

__all__ = (
    "ROOT",
    "SECTOR",
    "Acknowledge",
    "Link",
    "PowerLoss",
    "Rename",
    "Resize",
    "Snapshot",
    "Step",
    "SyncFile",
    "SyncFolder",
    "Tree",
    "Unlink",
    "Write",
    "read_tree",
    "write_tree",
)

SECTOR: Final = 512
"""Bytes that a disk writes together."""
ROOT: Final = 0
"""The node of the folder that is looked at. Each other file or folder has a number of its own."""

_CHANCES: Final = (0.0, 0.1, 0.5, 0.9, 1.0)

Tree = Mapping[str, bytes | None]
"""Content by relative path; None for a folder. Those above come first."""


@attrs.frozen
class Write:
    """Bytes into a file."""

    file: int
    offset: int
    data: bytes


@attrs.frozen
class Resize:
    """A file is cut, or made longer with zeros."""

    file: int
    size: int


@attrs.frozen
class SyncFile:
    """A file's content was synced."""

    file: int


@attrs.frozen
class Link:
    """A new name, of a file or a folder."""

    folder: int
    name: str
    node: int
    is_folder: bool = False


@attrs.frozen
class Unlink:
    """A name goes."""

    folder: int
    name: str


@attrs.frozen
class Rename:
    """A name becomes another one in the same folder, in whose place it comes."""

    folder: int
    name: str
    to: str
    node: int


@attrs.frozen
class SyncFolder:
    """A folder's names were synced."""

    folder: int


@attrs.frozen
class Acknowledge:
    """The program said that something is stored."""

    number: int


Step = Write | Resize | SyncFile | Link | Unlink | Rename | SyncFolder | Acknowledge


@attrs.frozen
class Snapshot:
    """What was on the disk before the first step."""

    folders: Mapping[int, Mapping[str, int]]
    files: Mapping[int, bytes]


@attrs.define
class _File:
    durable: bytes = b""
    pending: list[Write | Resize] = attrs.field(factory=list)


@attrs.define
class _Folder:
    durable: dict[str, int] = attrs.field(factory=dict)
    pending: list[Link | Unlink | Rename] = attrs.field(factory=list)


_Fill = Callable[[int], bytes]
_Names = Callable[[_Folder], dict[str, int]]
_Content = Callable[[_File], bytes]


class PowerLoss:
    """A disk with a cache: what is durable, and what is only on its way."""

    def __init__(self, start: Snapshot) -> None:
        self._folders = {node: _Folder(dict(names)) for node, names in start.folders.items()}
        self._files = {node: _File(content) for node, content in start.files.items()}
        self.acknowledged = 0
        """The last number that the program acknowledged."""

    def apply(self, step: Step) -> None:
        """Let the program do one step more."""
        match step:
            case Write(file=node) | Resize(file=node):
                self._file(node).pending.append(step)
            case SyncFile(file=node):
                one = self._file(node)
                one.durable = _applied(one)
                one.pending.clear()
            case Link(folder=node) | Unlink(folder=node) | Rename(folder=node):
                if isinstance(step, Link) and step.is_folder:
                    self._folders.setdefault(step.node, _Folder())
                self._folders[node].pending.append(step)
            case SyncFolder(folder=node):
                folder = self._folders[node]
                for change in folder.pending:
                    _change_names(folder.durable, change)
                folder.pending.clear()
            case Acknowledge(number=number):
                self.acknowledged = number

    def without_loss(self) -> Tree:
        """What the program itself sees: everything it did."""
        return self._tree(_names, _applied)

    def lost(self, random: Random) -> Tree:
        """What a loss of power may leave of it."""
        return self._tree(
            lambda folder: _some_names(folder, random), lambda file: _some_content(file, random)
        )

    def states(self, steps: Iterable[Step], count: int, random: Random) -> Iterator[Tree]:
        """States after crashes at ``count`` points of the sequence, in its order.

        The disk goes on with each, so that `acknowledged` is what was said before that crash.
        """
        steps = list(steps)
        points = sorted(random.randrange(len(steps) + 1) for _ in range(count))
        done = 0
        for point in points:
            for step in steps[done:point]:
                self.apply(step)
            done = point
            yield self.lost(random)

    def _file(self, node: int) -> _File:
        return self._files.setdefault(node, _File())

    def _tree(self, names: _Names, content: _Content) -> Tree:
        tree: dict[str, bytes | None] = {}
        known: dict[int, bytes] = {}
        waiting = [("", ROOT)]
        while waiting:
            above, node = waiting.pop()
            for name, below in sorted(names(self._folders[node]).items()):
                path = f"{above}{name}"
                if below in self._folders:
                    tree[path] = None
                    waiting.append((f"{path}/", below))
                else:
                    if below not in known:  # two names of one file have one content
                        known[below] = content(self._file(below))
                    tree[path] = known[below]
        return tree


def _change_names(names: dict[str, int], change: Link | Unlink | Rename) -> None:
    match change:
        case Link(name=name, node=node):
            names[name] = node
        case Unlink(name=name):
            names.pop(name, None)
        case Rename(name=name, to=to, node=node):
            if names.get(name) == node:
                del names[name]
            names[to] = node


def _names(folder: _Folder) -> dict[str, int]:
    names = dict(folder.durable)
    for change in folder.pending:
        _change_names(names, change)
    return names


def _some_names(folder: _Folder, random: Random) -> dict[str, int]:
    names = dict(folder.durable)
    chance = random.choice(_CHANCES)
    for change in folder.pending:
        if random.random() < chance:
            _change_names(names, change)
    return names


def _applied(file: _File) -> bytes:
    if not file.pending:
        return file.durable
    content = bytearray(file.durable)
    for step in file.pending:
        if isinstance(step, Resize):
            _resize(content, step.size, bytes)
        else:
            _put(content, step.offset, step.data, bytes)
    return bytes(content)


def _some_content(file: _File, random: Random) -> bytes:
    if not file.pending:
        return file.durable
    chance = random.choice(_CHANCES)
    fill = random.choice((bytes, random.randbytes))
    content = bytearray(file.durable)
    size = len(content)
    sizes = [size]
    for step in file.pending:
        if isinstance(step, Resize):
            size = step.size
            if random.random() < chance:
                _resize(content, size, fill)
                sizes.clear()  # blocks that were given away do not come back
        else:
            size = max(size, step.offset + len(step.data))
            for start, end in _pieces(step, random, chance):
                _put(content, step.offset + start, step.data[start:end], fill)
        sizes.append(size)
    _resize(content, random.choice(sizes), fill)
    return bytes(content)


def _pieces(step: Write, random: Random, chance: float) -> Iterator[tuple[int, int]]:
    """Which parts of a write have reached the disk."""
    length = len(step.data)
    how = random.choice(("whole", "sectors", "beginning"))
    if how == "whole" and random.random() < chance:
        yield 0, length
    elif how == "beginning" and random.random() < chance:
        yield 0, random.randrange(length + 1)
    elif how == "sectors":
        start = 0
        while start < length:
            end = min(length, start + SECTOR - (step.offset + start) % SECTOR)
            if random.random() < chance:
                yield start, end
            start = end


def _put(content: bytearray, offset: int, data: bytes, fill: _Fill) -> None:
    if len(content) < offset:
        content += fill(offset - len(content))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int, fill: _Fill) -> None:
    if size < len(content):
        del content[size:]
    else:
        content += fill(size - len(content))


def write_tree(tree: Tree, folder: Path) -> None:
    """Put a state into an empty folder, so that it can be opened."""
    for name, content in tree.items():
        if content is None:
            (folder / name).mkdir(mode=0o700)
        else:
            (folder / name).write_bytes(content)


def read_tree(folder: Path) -> Tree:
    """What is in a folder; links are not followed and not named."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }
