"""Finding and reading configuration files. What their keys mean is not known here.

Every fault is a `ConfigError` of one line; none of them repeats what the file says, since a
password may stand in it.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from moobius_trio.errors import ConfigError

__all__ = (
    "decode_config",
    "find_database_config",
    "find_service_config",
    "find_user_config",
    "kind_of",
    "parse_config",
    "read_config",
    "suggest",
)

MAX_BYTES = 1024 * 1024
"""Larger files are refused before they are parsed."""


def find_service_config(folder: Path) -> Path:
    """The service.json of a project: ``config/service.json``, else ``service.json``.

    Raises:
        ConfigError: neither is there; both places are named.
    """
    return _find(
        folder, "service.json", "`moobius-trio new NAME` makes a project with one; or name the file"
    )


def find_user_config(folder: Path) -> Path:
    """The file of a `MoobiusUser`: ``config/user.json``, else ``user.json``.

    Raises:
        ConfigError: neither is there; both places are named.
    """
    return _find(folder, "user.json", "Make one, name the file, or give the settings as arguments")


def _find(folder: Path, name: str, remedy: str) -> Path:
    places = (folder / "config" / name, folder / name)
    for place in places:
        if place.exists():
            return place
    raise ConfigError(
        str(folder),
        f"has neither {places[0].relative_to(folder)} nor {places[1].relative_to(folder)}",
        remedy,
    )


def find_database_config(service_config: Path) -> Path | None:
    """The db.json beside a service.json; None when there is none."""
    place = service_config.with_name("db.json")
    return place if place.exists() else None


def read_config(path: Path) -> tuple[bytes, bool]:
    """A file's bytes, and whether people other than its owner may read it.

    Raises:
        ConfigError: the file is not there, cannot be read, or is larger than `MAX_BYTES`.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(str(path), "does not exist", "Check the path") from None
    except OSError as exc:
        raise ConfigError(str(path), f"cannot be read ({exc.strerror})") from exc
    if len(content) > MAX_BYTES:
        raise ConfigError(str(path), f"is larger than {MAX_BYTES:,} bytes", "Is it the right file?")
    shared = os.name == "posix" and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    return content, shared


def decode_config(content: bytes, path: Path) -> str:
    """The text of a file's bytes, without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        # The error carries the file's content, so it must not stay chained.
        problem = f"is not UTF-8 text (byte {exc.start + 1})"
    raise ConfigError(str(path), problem, "Save it as UTF-8")


def parse_config(text: str, path: Path) -> object:
    """The JSON value that a text holds, with every number finite and no key given twice.

    Raises:
        ConfigError: the text is not such a value; line and column are named for wrong syntax.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ConfigError(str(path), f"has the key {twice!r} twice", "Keep one of them")
        return found

    def refuse(word: str) -> NoReturn:
        raise ConfigError(str(path), f"has the number {word}, which is none that JSON can hold")

    def finite(word: str) -> float:
        value = float(word)
        return value if math.isfinite(value) else refuse(word)  # 1e999 is JSON, and too much

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)
    except json.JSONDecodeError as exc:
        # The error carries the whole text, so it must not stay chained.
        problem = f"is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}"
    except RecursionError:
        problem = "is nested too deep"
    except ValueError as exc:  # a number of more digits than Python converts
        problem = f"is not JSON: {exc}"
    raise ConfigError(str(path), problem, "Correct the file")


def suggest(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is none of the known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Possible are: {', '.join(names)}"


def kind_of(value: object) -> str:
    """What a JSON value is, in words that do not show it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
