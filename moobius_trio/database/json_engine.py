"""Readable files in the original's layout: ``service_<id>/band_<id>/<container>/<key>.json``.

Each file is replaced whole: written beside, synced, renamed. Nothing is known here of what the
content means beyond `json_records`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from moobius_trio.database.durable import copy_folder, replace_whole, write_new
from moobius_trio.database.encoding import MAX_RECORD_BYTES
from moobius_trio.database.engine import (
    Change,
    Engine,
    EngineSite,
    Loaded,
    Owner,
    Place,
    StoreBroken,
    check_settings,
    root_folder,
)
from moobius_trio.database.file_engine import FileStore, open_file_engine
from moobius_trio.database.files import (
    check_still_there,
    failing_as,
    identity,
    left_open,
    lock,
    lock_owner,
    make_private_folder,
    safe_name,
    sync_folder,
    unlock,
)
from moobius_trio.database.json_records import NotARecord, read_record, write_record
from moobius_trio.errors import StorageError, StoreMissing
from moobius_trio.types import ChannelId, JsonValue, ServiceId

__all__ = ("FORMAT", "open_json")

FORMAT: Final = 1
_FORMAT_FILE = ".format"
_NAME_FILE = ".name"
_OWN = "own"
_LOCK = ".lock"
_TEMPORARY = ".new-"
_PLAIN = re.compile(r"[^/\0%]{1,200}")


class _JsonLook(FileStore):
    """The folder of one service, to be read only; its owner may be at work in it."""

    def __init__(self, root: Path, service_id: ServiceId) -> None:
        self._files: dict[tuple[Place, bytes], str] = {}
        self._folder = root / _folder_name(root, "service_", service_id)
        self.where = str(self._folder)
        with failing_as(self.where):
            if not self._folder.is_dir():
                raise StoreMissing(self.where)
            self._has_format()

    def close(self) -> None:
        pass

    def owner(self) -> Owner | None:
        with failing_as(self.where):
            return lock_owner(self._folder / _LOCK)

    def _has_format(self) -> bool:
        """False if there is no number: then the files are the original's.

        Raises:
            StorageError: it is that of a newer format.
        """
        mark = self._folder / _FORMAT_FILE
        if not mark.exists():
            return False
        text = mark.read_text(errors="replace").strip()
        if text.isdigit() and int(text) <= FORMAT:
            return True
        raise StorageError(
            self.where,
            f"has format {text}, this version reads up to {FORMAT}",
            "Update moobius_trio",
        )

    def places(self) -> list[Place]:
        with failing_as(self.where):
            folders = dict.fromkeys(path.parent for path in sorted(self._records()))
            return [Place(_band_of(one.parent), _text_of(one)) for one in folders]

    def _records(self) -> Iterator[Path]:
        """The files of records; what SDK 1.8 has put beside them (``channel_…``) is not ours."""
        for above in (_OWN, "band_*"):
            yield from self._folder.glob(f"{above}/*/*.json")

    def load(self, place: Place) -> Loaded:
        self._files = {known: name for known, name in self._files.items() if known[0] != place}
        records: list[tuple[bytes, bytes]] = []
        problems: list[StorageError] = []
        with failing_as(f"{self.where}, {place}"):
            folder = self._folder_of(place)
            found = folder.iterdir() if folder.is_dir() else ()
            names = sorted(path.name for path in found if path.name.endswith(".json"))
            for name in names:
                try:
                    key, value = read_record(_read_file(folder / name))
                    if (place, key) in self._files:
                        raise NotARecord(f"another file has its key: {self._files[place, key]}")
                except FileNotFoundError:
                    continue  # its owner has removed it just now
                except NotARecord as exc:
                    remedy = self._put_away(folder / name)
                    problems.append(
                        StorageError(str(folder / name), f"cannot be read: {exc}", remedy)
                    )
                else:
                    self._files[place, key] = name
                    records.append((key, value))
        return Loaded(sorted(records), problems)

    def _put_away(self, path: Path) -> str:
        """What becomes of a file that cannot be read, in words."""
        return "It was left as it is; the rest is read"

    def _folder_of(self, place: Place) -> Path:
        band = _OWN if place.band is None else _folder_name(self._folder, "band_", place.band)
        above = self._folder / band
        folder = above / _folder_name(above, "", place.container)
        for one in (above, folder):
            if one.is_symlink():
                raise StorageError(str(one), "is a link that leads elsewhere", "Remove it")
        return folder


class _JsonFolder(_JsonLook):
    """The open folder of one service, locked for this process."""

    def __init__(self, root: Path, service_id: ServiceId) -> None:
        self.where = str(root)
        self._counter = itertools.count(1)
        self._files = {}
        self._seen: set[Path] = set()
        self._made: set[Path] = set()
        with failing_as(self.where):
            make_private_folder(root)
            self._folder = root / _folder_name(root, "service_", service_id)
            make_private_folder(self._folder)
            self.where = str(self._folder)
            self._in_doubt = left_open(self._folder / _LOCK)
            self._lock = lock(self._folder / _LOCK)
            self._opened = identity(self._folder / _LOCK)
        try:
            with failing_as(self.where):
                marked = self._has_format()
                for above in ("", "*/", "*/*/"):
                    for left in self._folder.glob(f"{above}{_TEMPORARY}*"):
                        left.unlink()
                if not marked:
                    self._mark_format()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        unlock(self._lock)

    def _mark_format(self) -> None:
        """Files without a number are the original's; they are copied once, before any change."""
        if any(self._records()):
            copy = self._folder.with_name(self._folder.name + ".format-0")
            if not copy.exists():
                partial = copy.with_name(copy.name + ".part")
                shutil.rmtree(partial, ignore_errors=True)
                copy_folder(self._folder, partial, without=_LOCK)
                partial.rename(copy)
            sync_folder(copy.parent)
        self._replace_whole(self._folder / _FORMAT_FILE, str(FORMAT).encode())

    def load(self, place: Place) -> Loaded:
        with failing_as(f"{self.where}, {place}"):
            folder = self._folder_of(place)
            if folder.is_dir():
                self._seen.add(folder)
                if self._in_doubt:
                    sync_folder(folder)  # else a loss of power could take back what is read now
        return super().load(place)

    def _put_away(self, path: Path) -> str:
        return f"It was set aside as {_set_aside(path).name}; the rest is loaded"

    def commit(self, changes: Sequence[Change]) -> None:
        """All new contents are on the disk before the first name changes, so that a full disk
        changes nothing."""
        written: list[tuple[Path, Path]] = []
        folders: dict[Path, None] = {}
        begun = False
        try:
            with failing_as(self.where):
                check_still_there(self._folder / _LOCK, self._opened)
                for change in changes:
                    path = self._path(change.place, change.key)
                    folders[path.parent] = None
                    if change.value is None:
                        continue
                    self._make_folder(change.place, path.parent)
                    temporary = path.with_name(f"{_TEMPORARY}{next(self._counter)}")
                    written.append((temporary, path))
                    named = os.fsencode(path.stem) == change.key and not path.stem.startswith("_")
                    write_new(temporary, write_record(change.key, change.value, named=named))
                begun = True
                self._switch(changes, written)
                for folder in folders:
                    if folder.is_dir():
                        sync_folder(folder)
        except StorageError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                problem = "a folder of it was removed while it was open"
                raise StoreBroken(self.where, problem) from exc
            if begun and not isinstance(exc, StoreBroken):
                raise StoreBroken(exc.where, exc.problem) from exc
            raise
        finally:
            for temporary, _ in written:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def _switch(self, changes: Sequence[Change], written: list[tuple[Path, Path]]) -> None:
        for temporary, path in written:
            temporary.rename(path)
        written.clear()
        for change in changes:
            path = self._path(change.place, change.key)
            if change.value is None:
                path.unlink(missing_ok=True)
                self._files.pop((change.place, change.key), None)
            else:
                self._files[change.place, change.key] = path.name

    def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        with failing_as(f"{self.where}, {place}"):
            moved = _set_aside(self._path(place, key))
            self._files.pop((place, key), None)
            return str(moved)

    def clear(self, place: Place) -> None:
        with failing_as(f"{self.where}, {place}"):
            check_still_there(self._folder / _LOCK, self._opened)
            folder = self._folder_of(place)
            if folder.is_dir():
                for path in folder.glob("*.json"):
                    path.unlink()
                sync_folder(folder)
            for known in [known for known in self._files if known[0] == place]:
                del self._files[known]

    def _make_folder(self, place: Place, folder: Path) -> None:
        """A folder whose name cannot be read back says in a file of its own what it is of.

        Whether all of it is durable is found out once: a killed process may have been on the way.
        """
        if folder in self._made:
            return
        if folder in self._seen and not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        for one, text in ((folder.parent, place.band), (folder, place.container)):
            make_private_folder(one)
            if text is not None and "%%" in one.name and not (one / _NAME_FILE).exists():
                content = text.encode("utf-8", "surrogatepass")
                self._replace_whole(one / _NAME_FILE, content)
        self._made.add(folder)

    def _path(self, place: Place, key: bytes) -> Path:
        name = self._files.get((place, key)) or f"{safe_name(key)}.json"
        return self._folder_of(place) / name

    def _replace_whole(self, path: Path, content: bytes) -> None:
        replace_whole(path, content, path.with_name(f"{_TEMPORARY}{next(self._counter)}"))


def _folder_name(above: Path, prefix: str, text: str) -> str:
    """An existing folder of the plain name is kept, since the original made it."""
    plain = prefix + text
    if _PLAIN.fullmatch(plain) and plain not in (".", ".."):
        with contextlib.suppress(OSError):  # no file system has a name as long as this
            if (above / plain).is_dir():
                return plain
    return prefix + safe_name(text.encode("utf-8", "surrogatepass"))


def _text_of(folder: Path, prefix: str = "") -> str:
    """What a folder is of: the opposite of `_folder_name`."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / _NAME_FILE).read_bytes().decode("utf-8", "surrogatepass")
    return unquote_to_bytes(folder.name.removeprefix(prefix)).decode("utf-8", "surrogatepass")


def _band_of(folder: Path) -> ChannelId | None:
    return None if folder.name == _OWN else ChannelId(_text_of(folder, "band_"))


def _read_file(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise NotARecord(exc.strerror or str(exc)) from exc
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(2 * MAX_RECORD_BYTES + 1)
    if len(content) > 2 * MAX_RECORD_BYTES:
        raise NotARecord("it is larger than any record")
    return content


def _set_aside(path: Path) -> Path:
    for number in itertools.count(1):
        moved = path.with_name(f"{path.name}.corrupt-{number}")
        if not moved.exists():
            path.rename(moved)
            sync_folder(path.parent)
            return moved
    raise AssertionError("count never ends")


def open_json(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """Open the folder ``root_dir`` of the settings.

    Raises:
        StoreLocked: another process has it open.
        StorageError: it cannot be opened, or is of a newer format.
    """
    check_settings(settings, ("root_dir",), "json")
    return open_file_engine(
        partial(
            _JsonLook if site.read_only else _JsonFolder,
            root_folder(settings, site, "json"),
            site.service_id,
        ),
        site,
        level="process",
        atomic="record",
        keeps_order=False,
    )
