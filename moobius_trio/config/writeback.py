"""The one thing the package writes into a user's file: the id of a service it has created.

Only the characters of that id change; no other setting is read or written here. A file is
replaced in one step, so a crash leaves the old one or the new one
(docs/architecture.md section 10).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from moobius_trio.config.files import decode_config, parse_config, read_config
from moobius_trio.errors import ConfigError
from moobius_trio.types import ServiceId

__all__ = (
    "check_service_id_writable",
    "clear_pending",
    "pending_path",
    "read_pending",
    "write_pending",
    "write_service_id",
)

KEY = "service_id"
_BOM = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"


def check_service_id_writable(path: Path) -> None:
    """Make sure, before a service is created, that its id could be written.

    Goes the whole way of `write_service_id` and `write_pending` up to the moment where a file
    would be replaced; nothing is left behind.

    Raises:
        ConfigError: the file's folder, owner or content stands in the way.
    """
    try:
        target = path.resolve(strict=True)
        _with_service_id(target, ServiceId("x"))
        with _replacement(target, like=target):
            pass
        with _replacement(pending_path(path)):
            pass
    except OSError as exc:
        raise ConfigError(
            str(path),
            f"the id of a new service could not be written into it ({exc.strerror})",
            f"Give this user the right to write {path.parent}, or fill in {KEY} yourself",
        ) from exc


def write_service_id(path: Path, service_id: ServiceId) -> None:
    """Put a newly created id into service.json.

    The characters between the quotes of ``service_id`` change (a ``null`` is replaced whole); a
    missing key becomes one line after the opening brace. Every other byte, the mode, the owner
    and a symbolic link to the file stay as they are.

    Raises:
        ConfigError: it could not be written; the text tells the id, so that it is not lost.
    """
    try:
        target = path.resolve(strict=True)
        content = _with_service_id(target, service_id)
        with _replacement(target, like=target) as file:
            file.write(content)
            _put_in_place(file, target)
    except OSError as exc:
        raise ConfigError(
            str(path),
            f"the id of the service just created could not be written into it ({exc.strerror})",
            f'Write it in yourself: "{KEY}": {json.dumps(service_id)}',
        ) from exc


def pending_path(path: Path) -> Path:
    """Where the ids known before a service was created are kept: ``service.json.pending``."""
    return path.with_name(path.name + ".pending")


def read_pending(path: Path) -> tuple[ServiceId, ...] | None:
    """The ids that the account had before an unfinished creation; None when there was none.

    Args:
        path: the service.json, not the pending file.

    Raises:
        ConfigError: there is such a file and it cannot be read.
    """
    pending = pending_path(path)
    if not pending.exists():
        return None
    found = parse_config(decode_config(read_config(pending)[0], pending), pending)
    known = found.get("known") if isinstance(found, dict) else None
    if not isinstance(known, list) or not all(isinstance(entry, str) for entry in known):
        raise ConfigError(
            str(pending), "is not what was written there", "Remove it if no service was created"
        )
    return tuple(ServiceId(entry) for entry in known)


def write_pending(path: Path, known: Iterable[ServiceId]) -> None:
    """Note the ids that the account has, before another one is created.

    Raises:
        ConfigError: the note could not be written.
    """
    pending = pending_path(path)
    content = json.dumps({"known": list(known)}, indent=4).encode() + b"\n"
    try:
        with _replacement(pending) as file:
            file.write(content)
            _put_in_place(file, pending)
    except OSError as exc:
        raise ConfigError(str(pending), f"could not be written ({exc.strerror})") from exc


def clear_pending(path: Path) -> None:
    """Remove the note, once the new id is written. Harmless when there is none."""
    pending = pending_path(path)
    try:
        pending.unlink(missing_ok=True)
        _sync_folder(pending.parent)
    except OSError as exc:
        raise ConfigError(str(pending), f"could not be removed ({exc.strerror})") from exc


def _with_service_id(path: Path, service_id: ServiceId) -> bytes:
    """A file's bytes with the id in its place."""
    content = read_config(path)[0]
    text = decode_config(content, path)
    if not isinstance(parse_config(text, path), dict):
        raise ConfigError(str(path), "must be an object {…}")
    head = _BOM if content.startswith(_BOM) else b""
    return head + _place(text, json.dumps(service_id)).encode()


def _place(text: str, quoted: str) -> str:
    """A JSON object's text with ``quoted`` as the value of the key."""
    brace = text.index("{") + 1
    first = None
    for key, at, begin, end in _members(text, brace):
        if first is None:
            first = at
        if key == KEY:
            return text[:begin] + quoted + text[end:]
    rest = text[brace : text.index("}", brace) if first is None else first]
    line_end = "\r\n" if "\r\n" in text else "\n"
    indent = rest.rpartition("\n")[2] if first is not None and "\n" in rest else "    "
    line = f'{line_end}{indent}"{KEY}": {quoted}' + ("," if first is not None else "")
    return text[:brace] + line + ("" if "\n" in rest else line_end) + text[brace:]


def _members(text: str, at: int) -> Iterator[tuple[str, int, int, int]]:
    """The members of the object whose first character is at ``at``; its JSON is known to be right.

    Each is the key, where the key begins, and where the value begins and ends.
    """
    decoder = json.JSONDecoder()

    def skip(position: int, marks: str = _SPACE) -> int:
        while text[position] in marks:
            position += 1
        return position

    at = skip(at)
    while text[at] != "}":
        key, end = decoder.raw_decode(text, at)
        begin = skip(end, _SPACE + ":")
        _, end = decoder.raw_decode(text, begin)
        yield key, at, begin, end
        at = skip(end, _SPACE + ",")


@contextmanager
def _replacement(target: Path, *, like: Path | None = None) -> Iterator[IO[bytes]]:
    """A new file beside ``target``, with the mode and owner of ``like``; gone when left.

    Without ``like`` only the owner may read it.
    """
    prefix = f".{target.name}."
    for stale in target.parent.glob(f"{prefix}*.tmp"):
        stale.unlink(missing_ok=True)  # of a process that was killed; it has the password in it
    with NamedTemporaryFile(prefix=prefix, suffix=".tmp", dir=target.parent, delete=False) as file:
        try:
            if like is not None:
                _take_over(file, like.stat())
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)  # it may have been put in its place


def _take_over(file: IO[bytes], old: os.stat_result) -> None:
    if os.name != "posix":
        return
    mine = os.fstat(file.fileno())
    if (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(file.fileno(), old.st_uid, old.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))


def _put_in_place(file: IO[bytes], target: Path) -> None:
    """Make a finished file durable under the name of ``target``."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    Path(file.name).replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename or removal durable; where folders cannot be opened there is nothing to do."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
