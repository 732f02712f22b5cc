"""What `storage import` reads: the lines of an export, or the folder of records of SDK 1.8.

A source is gone through twice, first to be checked; what is wrong in it is one line that names the
place. Nothing is written here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, TypeAlias

import attrs

from moobius_trio.cli.storage.lines import (
    MAX_LINE_BYTES,
    Entry,
    WrongLine,
    read_head,
    read_record,
)
from moobius_trio.database import Place
from moobius_trio.database.checking import check_key
from moobius_trio.database.encoding import MAX_RECORD_BYTES, Unreadable
from moobius_trio.database.moved_records import convert_value
from moobius_trio.errors import UsageError
from moobius_trio.logs import escape
from moobius_trio.types import ChannelId, ServiceId

__all__ = ("Slice", "Source", "open_source")

Slice: TypeAlias = Sequence[tuple[str, Entry]]
"""Some records, each with the place it was read from."""

SLICE = 500
SLICE_BYTES = 4 * 1024 * 1024
_SERVICE = "service_"
_CHANNEL = "channel_"
_RECORD = ".json"


class Source(Protocol):
    """Records to be imported. Everything blocks."""

    def slices(self) -> Iterator[Slice]:
        """All records, some at a time, from the beginning.

        Raises:
            UsageError: one cannot be read; its place is named.
        """

    def progress(self) -> tuple[int, int]:
        """How much of how much has been read this time."""

    def notes(self) -> Sequence[str]:
        """What is good to know when all is read."""


@contextmanager
def open_source(path: Path, service_id: ServiceId) -> Iterator[Source]:
    """The records at a path, for the block.

    Args:
        service_id: whose records are meant where a folder has those of several services.

    Raises:
        UsageError: there are none, or they cannot be read.
    """
    if path.is_dir():
        yield _Folder(_service_folder(path, service_id))
        return
    try:
        file = path.open("rb")
    except OSError as exc:
        raise UsageError(f"{path}: cannot be read ({exc.strerror}).") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageError(f"{path}: must be a file, since it is read twice.")
        yield _Lines(path, file)


def _wrong(where: str, problem: str) -> UsageError:
    return UsageError(escape(f"{where}: {problem}. Nothing was imported."))


# An export ----------------------------------------------------------------------------------------


@attrs.frozen
class _Lines:
    """The lines of an export; implements `Source`."""

    path: Path
    file: IO[bytes]

    def slices(self) -> Iterator[Slice]:
        self.file.seek(0)
        number = size = 0
        entries: list[tuple[str, Entry]] = []
        while line := self.file.readline(MAX_LINE_BYTES + 1):
            number += 1
            where = f"{self.path}, line {number}"
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise WrongLine("is longer than any record")
                if number == 1:
                    read_head(line)
                elif line.strip():
                    entries.append((where, read_record(line)))
            except WrongLine as exc:
                raise _wrong(where, str(exc)) from None
            size += len(line)
            if len(entries) >= SLICE or size >= SLICE_BYTES:
                yield entries
                entries, size = [], 0
        if number == 0:
            raise _wrong(f"{self.path}, line 1", "this is no export: the file is empty")
        yield entries

    def progress(self) -> tuple[int, int]:
        return self.file.tell(), os.fstat(self.file.fileno()).st_size

    def notes(self) -> Sequence[str]:
        return ()


# SDK 1.8 ------------------------------------------------------------------------------------------


def _service_folder(path: Path, service_id: ServiceId) -> Path:
    """The folder of one service, given itself or by the one above it."""
    if any(path.glob(f"{_CHANNEL}*/")):
        return path
    found = {
        one.name: one
        for one in sorted(path.glob(f"{_SERVICE}*/"))
        if any(one.glob(f"{_CHANNEL}*/"))
    }
    wanted = found.get(f"{_SERVICE}{service_id}")
    if wanted is not None:
        return wanted
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError(
            escape(f"{path}: is a folder, and there are no records of SDK 1.8 in it.")
            + " Name its root_dir, or the file of an export."
        )
    raise UsageError(
        escape(f"{path}: has records of several services: {', '.join(found)}.")
        + " Name the folder of one of them."
    )


@attrs.define
class _Folder:
    """The folder of a service of 1.8: ``channel_ID/CONTAINER/KEY.json``; implements `Source`.

    1.8 takes a key for a path, so one with slashes lies in folders of its own.
    """

    folder: Path
    _files: list[tuple[Path, Place, str]] = attrs.field(factory=list)
    _read: int = 0
    _classes: set[str] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        for channel in sorted(self.folder.glob(f"{_CHANNEL}*/")):
            for container in sorted(channel.glob("*/")):
                place = Place(ChannelId(channel.name.removeprefix(_CHANNEL)), container.name)
                self._files += [
                    (path, place, path.relative_to(container).as_posix().removesuffix(_RECORD))
                    for path in _records_in(container)
                ]

    def slices(self) -> Iterator[Slice]:
        self._read = size = 0
        entries: list[tuple[str, Entry]] = []
        for path, place, key in self._files:
            content = _read_file(path)
            raw_key = os.fsencode(key)
            try:
                moved = convert_value(content)
                entries.append((str(path), Entry(place, raw_key, moved.text, check_key(raw_key))))
            except Unreadable as exc:
                raise _wrong(str(path), str(exc)) from None
            self._classes |= moved.classes
            self._read += 1
            size += len(content)
            if len(entries) >= SLICE or size >= SLICE_BYTES:
                yield entries
                entries, size = [], 0
        yield entries

    def progress(self) -> tuple[int, int]:
        return self._read, len(self._files)

    def notes(self) -> Sequence[str]:
        if not self._classes:
            return ()
        return (f"Put @stored above the class{_es(self._classes)} of the values.",)


def _es(names: set[str]) -> str:
    return f"{'es' if len(names) > 1 else ''} {', '.join(sorted(names))}"


def _records_in(container: Path) -> list[Path]:
    found = []
    for above, folders, names in os.walk(container):
        folders.sort()
        found += [Path(above, name) for name in sorted(names) if name.endswith(_RECORD)]
    return found


def _read_file(path: Path) -> bytes:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would wait
        with os.fdopen(os.open(path, flags), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(MAX_RECORD_BYTES + 1) if regular else b""
    except OSError as exc:
        raise _wrong(str(path), f"cannot be read ({exc.strerror})") from None
    if not regular:
        raise _wrong(str(path), "is no file")
    if len(content) > MAX_RECORD_BYTES:
        raise _wrong(str(path), "is larger than any record")
    return content
