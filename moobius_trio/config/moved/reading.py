"""The configuration folder of SDK 1.x, found and read: which file is which part.

What the keys in them mean is said in `keys` and `containers`; nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from moobius_trio.config.files import decode_config, kind_of, parse_config, read_config
from moobius_trio.config.moved.values import PARTS, Part, PartName
from moobius_trio.errors import ConfigError

__all__ = ("read_parts",)

GENERAL: Final = "config.json"


def read_parts(place: Path, *, user: bool = False) -> tuple[Mapping[PartName, Part], Path]:
    """The parts that a 1.x configuration has, and the folder that paths in it count from.

    Args:
        place: the folder with the files, the project's folder above its ``config``, or a
            config.json itself.
        user: read the files whose names begin with ``usermode_``, which the generator of 1.x
            writes for a user. There need be none: then there are no parts.

    Raises:
        ConfigError: there is no such configuration, or a file of it cannot be read.
    """
    folder, general = _find(place)
    base = folder.parent if folder.name == "config" else folder
    if user:
        return _read_users(folder), base.absolute()
    named = _read_general(general)
    parts: dict[PartName, Part] = {}
    for name in PARTS:
        value = named.get(f"{name}_config")
        beside = folder / f"{name}.json"
        if isinstance(value, str):
            parts[name] = _read_part(_resolve(value, folder, f"{general}, key {name}_config"))
        elif value is not None:
            parts[name] = Part(f"{general}, key {name}_config", value)
        elif beside.is_file():
            parts[name] = _read_part(beside)
    for name, part in parts.items():
        _check_kind(name, part)
    if "service" not in parts:
        raise ConfigError(
            str(folder),
            f"has neither {GENERAL} nor service.json, so it is no configuration of SDK 1.x",
            "Name the folder in which these files lie",
        )
    return parts, base.absolute()


def _read_users(folder: Path) -> Mapping[PartName, Part]:
    names: tuple[PartName, ...] = ("account", "service", "log")
    found = {name: folder / f"usermode_{name}.json" for name in names}
    parts = {name: _read_part(path) for name, path in found.items() if path.is_file()}
    for name, part in parts.items():
        _check_kind(name, part)
    return parts


def _find(place: Path) -> tuple[Path, Path]:
    """The folder of the files, and its config.json, which need not be there."""
    if place.is_file():
        return place.parent, place
    if not place.is_dir():
        raise ConfigError(str(place), "is no folder", "Name the one with the files of SDK 1.x")
    inner = place / "config"
    here = any((place / name).is_file() for name in (GENERAL, "service.json"))
    folder = inner if inner.is_dir() and not here else place
    return folder, folder / GENERAL


def _read_general(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        return {}
    part = _read_part(path)
    if not isinstance(part.value, dict):
        raise ConfigError(str(path), f"must be an object {{…}}, not {kind_of(part.value)}")
    return part.value


def _resolve(text: str, folder: Path, where: str) -> Path:
    """The file that a path means: 1.x counts from where the program is started."""
    path = Path(text)
    places = (folder.parent / path, folder / path, folder / path.name)
    for place in places:
        with suppress(OSError):  # a name that no file system has
            if place.is_file():
                return place
    raise ConfigError(where, f"names {text}, and there is no such file", "Correct the path")


def _read_part(path: Path) -> Part:
    return Part(str(path), parse_config(decode_config(read_config(path)[0], path), path))


def _check_kind(name: PartName, part: Part) -> None:
    wanted, words = (list, "a list [{…}, …]") if name == "db" else (dict, "an object {…}")
    if not isinstance(part.value, wanted):
        raise ConfigError(part.where, f"must be {words}, not {kind_of(part.value)}")
