"""The engines of containers, written into db.json when their records have been moved.

Entries keep their order and all other keys; the file is replaced in one step. What an engine's
settings mean, and where records lie, is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moobius_trio.config.files import decode_config, parse_config, read_config
from moobius_trio.config.load import check_container_name, load_database_settings
from moobius_trio.config.replacing import put_in_place, replacement
from moobius_trio.errors import ConfigError
from moobius_trio.types import JsonValue

__all__ = ("check_engines_writable", "write_engines")


def check_engines_writable(path: Path, containers: Sequence[str]) -> None:
    """Make sure, before records are moved, that db.json could be written; nothing is left behind.

    Raises:
        ConfigError: the file is wrong, its folder or owner stands in the way, or a container has
            a name that db.json cannot hold.
    """
    for name in containers:
        check_container_name(name, f"{path}, container {name!r}")
    _replace(path, None)


def write_engines(
    path: Path, containers: Sequence[str], engine: str, settings: Mapping[str, JsonValue]
) -> None:
    """Put containers under another engine.

    Entries are added for containers that had none, and the file is made if there is none: then
    only its owner may read it. Otherwise mode, owner and a symbolic link to it stay.

    Raises:
        ConfigError: it could not be written; nothing was changed.
    """
    entries = _read(path)
    named = {entry["name"]: entry for entry in entries}
    for name in containers:
        entry = named.get(name)
        if entry is None:
            entries.append(entry := {"implementation": engine, "name": name})
        entry["implementation"] = engine
        entry.pop("settings", None)
        if settings:
            entry["settings"] = dict(settings)
    _replace(path, json.dumps(entries, indent=4, ensure_ascii=False).encode() + b"\n")


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    load_database_settings(path)  # raises for what is wrong in it
    entries: Any = parse_config(decode_config(read_config(path)[0], path), path)
    return list(entries)


def _replace(path: Path, content: bytes | None) -> None:
    """Replace the file; without content only go as far as the moment before."""
    if path.exists():
        _read(path)
    try:
        there = path.exists()
        target = path.resolve()
        with replacement(target, like=target if there else None) as file:
            if content is not None:
                file.write(content)
                put_in_place(file, target)
    except OSError as exc:
        raise ConfigError(
            str(path),
            f"could not be written ({exc.strerror})",
            f"Give this user the right to write {path.parent}",
        ) from exc
