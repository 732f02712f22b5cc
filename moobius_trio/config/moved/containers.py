"""The db.json of SDK 1.x: each of its entries as one of ours.

Where the records lie, and how they are read, is not known here beyond the name of the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from moobius_trio.config.files import kind_of, suggest
from moobius_trio.config.load import check_container_name
from moobius_trio.config.moved.values import Fate, KeyReport, Part
from moobius_trio.config.settings import WrongValue, read_text
from moobius_trio.database.redis_settings import read_redis_settings
from moobius_trio.errors import ConfigError

__all__ = ("MovedContainers", "convert_containers")

_ENGINES: Final = {"json": "json", "redis": "redis", "null": "memory", "none": "memory"}
_SETTINGS: Final = {"json": ("root_dir",), "redis": ("host", "port", "db", "password")}


@attrs.define
class MovedContainers:
    """What the list has become."""

    entries: list[Mapping[str, object]] = attrs.field(factory=list, repr=False)
    keys: list[KeyReport] = attrs.field(factory=list)
    roots: list[str] = attrs.field(factory=list)
    """The folders of the json engine, as they are written."""


def convert_containers(part: Part, base: Path) -> MovedContainers:
    """Turn the list of containers into ours.

    Raises:
        ConfigError: an entry is wrong; its number and the key are named.
    """
    moved = MovedContainers()
    names: set[str] = set()
    for number, entry in enumerate(part.value if isinstance(part.value, list) else (), 1):
        where = f"{part.where}, entry {number}"
        if not isinstance(entry, dict):
            raise ConfigError(where, f"must be an object {{…}}, not {kind_of(entry)}")
        made = _Entry(part.where, where, entry, base).convert()
        if made.name in names:
            raise ConfigError(where, f"names {made.name!r} a second time", "Give it another name")
        names.add(made.name)
        moved.entries.append(made.values)
        moved.keys += made.keys
        root = made.settings.get("root_dir")
        if isinstance(root, str):
            moved.roots.append(root)
    return moved


@attrs.define
class _Entry:
    """One container on its way."""

    file: str
    where: str
    given: Mapping[str, object] = attrs.field(repr=False)
    base: Path
    name: str = ""
    engine: str = ""
    values: dict[str, object] = attrs.field(factory=dict, repr=False)
    settings: dict[str, object] = attrs.field(factory=dict, repr=False)
    keys: list[KeyReport] = attrs.field(factory=list)

    def convert(self) -> _Entry:
        self.name = self._name()
        self.engine = self._engine()
        self.values = {"implementation": self.engine, "name": self.name}
        same = self.engine == self.given["implementation"]
        self._tell("implementation", "carried" if same else "changed", self.engine)
        for key, value in self.given.items():
            if key in ("load", "clear"):
                self._flag(key, value)
            elif key == "settings":
                self._settings(value)
            elif key not in ("implementation", "name"):
                self._tell(key, "dropped", "1.x does not read it")
        if self.settings:
            self.values["settings"] = self.settings
        self._check_settings()
        return self

    def _tell(self, key: str, fate: Fate, said: str) -> None:
        self.keys.append(KeyReport(self.file, f"{self.name}.{key}", fate, said))

    def _name(self) -> str:
        name = self.given.get("name")
        if not isinstance(name, str):
            raise ConfigError(f"{self.where}, key name", "is missing or no text", "Add it")
        check_container_name(name, f"{self.where}, key name")
        return name

    def _engine(self) -> str:
        value, where = self.given.get("implementation"), f"{self.where}, key implementation"
        if not isinstance(value, str):
            raise ConfigError(where, "is missing or no text", "Add it")
        word = "".join(filter(str.isalpha, value.lower()))
        word = word.removesuffix("database").removesuffix("db")
        if word not in _ENGINES:
            raise ConfigError(where, f"cannot be {value!r}", suggest(word, _ENGINES))
        return _ENGINES[word]

    def _flag(self, key: str, value: object) -> None:
        if not isinstance(value, bool):
            raise ConfigError(
                f"{self.where}, key {key}", f"must be true or false, not {kind_of(value)}"
            )
        if key == "clear" and value:
            self._tell(key, "dropped", "in 1.x it clears nothing, here it would at each start")
            return
        self.values[key] = value
        self._tell(key, "carried", str(value).lower())

    def _settings(self, value: object) -> None:
        where = f"{self.where}, key settings"
        if not isinstance(value, dict):
            raise ConfigError(where, f"must be an object {{…}}, not {kind_of(value)}")
        known = _SETTINGS.get(self.engine, ())
        for key, one in value.items():
            if key not in known:
                self._tell(f"settings.{key}", "dropped", f"engine {self.engine} has none such")
            elif one is None or one == "":
                self._tell(f"settings.{key}", "dropped", "it is empty")
            else:
                self.settings[key] = one
                said = "not shown" if key == "password" else str(one)
                self._tell(f"settings.{key}", "carried", said)

    def _check_settings(self) -> None:
        if self.engine == "redis":
            try:
                read_redis_settings(self._plain(), self.base)
            except ConfigError as exc:
                raise ConfigError(f"{self.where}, {exc.where}", exc.problem, exc.remedy) from None
        if self.engine == "json":
            where = f"{self.where}, key settings.root_dir"
            if "root_dir" not in self.settings:
                raise ConfigError(where, "is missing", "Add it")
            try:
                read_text(self.settings["root_dir"])
            except WrongValue as exc:
                raise ConfigError(where, exc.problem, exc.remedy) from None

    def _plain(self) -> dict[str, str | int]:
        """The settings, of which a server's are texts and numbers."""
        return {key: one for key, one in self.settings.items() if isinstance(one, str | int)}
