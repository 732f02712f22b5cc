"""What a start writes into service.json: the id of a service it has created.

Only the characters of that id change; no other setting is read or written here. A file is
replaced in one step, so a crash leaves the old one or the new one
(docs/architecture.md section 10).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from moobius_trio.config.files import decode_config, parse_config, read_config
from moobius_trio.config.replacing import (
    put_in_free_place,
    put_in_place,
    replacement,
    sync_folder,
)
from moobius_trio.errors import ConfigError
from moobius_trio.types import ServiceId

__all__ = (
    "check_service_id_writable",
    "clear_pending",
    "make_id_file",
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
        with replacement(target, like=target):
            pass
        with replacement(pending_path(path)):
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
        with replacement(target, like=target) as file:
            file.write(content)
            put_in_place(file, target)
    except OSError as exc:
        raise ConfigError(
            str(path),
            f"the id of the service just created could not be written into it ({exc.strerror})",
            f'Write it in yourself: "{KEY}": {json.dumps(service_id)}',
        ) from exc


def make_id_file(path: Path) -> None:
    """Make a file for a service's id outside service.json, without one; keep one that is there.

    It is an object with the key ``service_id``, so that all else here works with it too.

    Raises:
        ConfigError: it cannot be made.
    """
    if path.exists():
        return
    try:
        with replacement(path) as file:
            file.write(b"{}\n")
            put_in_free_place(file, path)
    except FileExistsError:
        pass  # made at the same moment
    except OSError as exc:
        raise ConfigError(
            str(path),
            f"the service's id cannot be kept there ({exc.strerror})",
            "Name a folder that this user can write, with --state or STATE_DIRECTORY",
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
        with replacement(pending) as file:
            file.write(content)
            put_in_place(file, pending)
    except OSError as exc:
        raise ConfigError(str(pending), f"could not be written ({exc.strerror})") from exc


def clear_pending(path: Path) -> None:
    """Remove the note, once the new id is written. Harmless when there is none."""
    pending = pending_path(path)
    try:
        pending.unlink(missing_ok=True)
        sync_folder(pending.parent)
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
