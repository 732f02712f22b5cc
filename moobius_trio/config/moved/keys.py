"""What each key of a 1.x configuration becomes in service.json or user.json, or why nothing.

Everything is checked as `load_settings` would check it. No file is read or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Final, Literal, cast

import attrs

from moobius_trio.config.files import kind_of
from moobius_trio.config.moved.containers import convert_containers
from moobius_trio.config.moved.values import ConvertedConfig, Fate, KeyReport, Part, PartName
from moobius_trio.config.settings import SETTINGS_TABLE, WrongValue
from moobius_trio.errors import ConfigError

__all__ = ("convert_parts",)

HTTP_DEFAULT: Final = "https://api.moobius.ai/"
WS_DEFAULT: Final = "wss://ws.moobius.ai/"
_DEFAULTS: Final[Sequence[tuple[str, object, str]]] = (
    ("http_server_uri", HTTP_DEFAULT, f"{HTTP_DEFAULT}, the default of 1.x"),
    ("ws_server_uri", WS_DEFAULT, f"{WS_DEFAULT}, the default of 1.x"),
    ("channels", ["<the id of your band>"], "fill in the ids of your bands; there were none"),
    ("others", "include", '"include", the default of 1.x; here it would be "ignore"'),
)
"""What 1.x takes where its files do not say it."""
_SERVICES_ALONE: Final = ("service_id", "others", "checkin_interval")
_LEVELS: Final = {"trace": "debug", "success": "info"}
"""Levels of the logging library of 1.x that have another name here."""
_ORDER: Final = ("debug", "info", "warning", "error", "critical")
_READERS: Final = {setting.key: setting.read for setting in SETTINGS_TABLE}


def convert_parts(
    parts: Mapping[PartName, Part], base: Path, *, user: bool = False
) -> ConvertedConfig:
    """Turn the parts of a 1.x configuration into our files.

    Args:
        user: they are a user's, whatever ``service_mode`` says: the generator of 1.x leaves it
            out (docs/protocol/generation-1.md section 9, defect 24). A ``service_mode`` of false
            says so by itself.
        base: the folder that paths in the files count from.

    Raises:
        ConfigError: a value is wrong, in 1.x's terms or in ours; file and key are named.
    """
    making = _Making(base=base, user=user or _is_users(parts))
    for name, convert in _CONVERTERS.items():
        if name in parts:
            convert(making, parts[name])
    making.add(making.file, "protocol", "1.8", "added", '"1.8", the words that 1.x speaks')
    if making.user and making.settings.get("service_mode") is not False:
        making.add(making.file, "service_mode", False, "added", "false: it is a user's")
    for key, value, said in _DEFAULTS:
        if key not in making.settings and not (making.user and key in _SERVICES_ALONE):
            making.add(making.file, key, value, "added", said)
    order = [setting.key for setting in SETTINGS_TABLE]
    return ConvertedConfig(
        file=making.file,
        settings={key: making.settings[key] for key in order if key in making.settings},
        containers=tuple(making.containers),
        keys=tuple(making.keys),
        stores=tuple(dict.fromkeys(making.stores)),
    )


def _is_users(parts: Mapping[PartName, Part]) -> bool:
    value = parts["service"].value if "service" in parts else None
    return isinstance(value, dict) and value.get("service_mode") is False


@attrs.define(kw_only=True)
class _Making:
    """What has been made so far."""

    base: Path
    user: bool
    settings: dict[str, object] = attrs.field(factory=dict, repr=False)
    containers: list[Mapping[str, object]] = attrs.field(factory=list, repr=False)
    keys: list[KeyReport] = attrs.field(factory=list)
    stores: list[Path] = attrs.field(factory=list)

    @property
    def file(self) -> Literal["service.json", "user.json"]:
        return "user.json" if self.user else "service.json"

    def add(self, file: str, key: str, value: object, fate: Fate, said: str) -> None:
        """Note a key of ours; the report names the old file."""
        self.settings[key] = value
        self.keys.append(KeyReport(file, key, fate, said))

    def carry(self, part: Part, key: str, value: object, *, shown: bool = True) -> None:
        """Take a key over under its own name, once it is sure that it can be."""
        _check(part.where, key, value)
        said = _shown(value) if shown else "not shown"
        self.add(part.where, key, value, "carried", said)

    def drop(self, part: Part, key: str, why: str) -> None:
        self.keys.append(KeyReport(part.where, key, "dropped", why))


def _check(where: str, key: str, value: object) -> None:
    try:
        _READERS[key](value)
    except WrongValue as exc:
        raise ConfigError(f"{where}, key {key}", exc.problem, exc.remedy) from None


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)} of them"
    return "null" if value is None else str(value)


# account.json -------------------------------------------------------------------------------------


def _convert_account(making: _Making, part: Part) -> None:
    for key, value in cast("dict[str, object]", part.value).items():
        if key not in ("email", "password"):
            making.drop(part, key, "1.x does not read it")
        elif value is None or value == "":
            making.drop(part, key, f"empty: fill it in, or set MOOBIUS_{key.upper()}")
        else:
            making.carry(part, key, value, shown=key != "password")


# service.json -------------------------------------------------------------------------------------


def _convert_service(making: _Making, part: Part) -> None:
    given = cast("dict[str, object]", part.value)
    if "email" in given or "protocol" in given:
        raise ConfigError(
            part.where,
            "is a service.json of this SDK or of 0.0.1 already: there is nothing to convert",
        )
    for key, value in given.items():
        if making.user and key in _SERVICES_ALONE:
            making.drop(part, key, "a user has none")
        else:
            _SERVICE_KEYS.get(key, _unknown)(making, part, key, value)


def _unknown(making: _Making, part: Part, key: str, value: object) -> None:
    making.drop(part, key, "1.x does not read it")


def _carry(making: _Making, part: Part, key: str, value: object) -> None:
    making.carry(part, key, value)


def _convert_service_id(making: _Making, part: Part, key: str, value: object) -> None:
    if value:
        making.carry(part, key, value)
    else:
        making.add(part.where, key, "", "carried", "empty: the first start makes a service")


def _convert_channels(making: _Making, part: Part, key: str, value: object) -> None:
    if not isinstance(value, list):
        raise ConfigError(f"{part.where}, key {key}", f"must be a list, not {kind_of(value)}")
    wanted = list(dict.fromkeys(one for one in value if one != ""))
    if not wanted:
        return
    _check(part.where, key, wanted)
    if wanted == value:
        making.carry(part, key, value)
    else:
        said = f"{len(wanted)} of them, without empty texts and repetitions"
        making.add(part.where, key, wanted, "changed", said)


def _convert_others(making: _Making, part: Part, key: str, value: object) -> None:
    if value is None:
        making.add(part.where, key, "include", "changed", '"include", the default of 1.x')
    else:
        making.carry(part, key, value)


def _convert_checkin(making: _Making, part: Part, key: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ConfigError(f"{part.where}, key {key}", f"must be a number, not {kind_of(value)}")
    if value <= 0:
        making.drop(part, key, "it was off; here nothing checks in unless a job does")
        return
    why = f"write a job in the service: @every(seconds={value:g}) async def check_in(self, band)"
    making.drop(part, key, why)


def _convert_mode(making: _Making, part: Part, key: str, value: object) -> None:
    _check(part.where, key, value)
    if making.user and value:
        making.drop(part, key, "the file is a user's, as its name says")
    else:
        making.carry(part, key, value)


def _drop(why: str) -> Callable[[_Making, Part, str, object], None]:
    return lambda making, part, key, value: making.drop(part, key, why)


_SERVICE_KEYS: Final[Mapping[str, Callable[[_Making, Part, str, object], None]]] = {
    "http_server_uri": _carry,
    "ws_server_uri": _carry,
    "service_id": _convert_service_id,
    "channels": _convert_channels,
    "others": _convert_others,
    "checkin_interval": _convert_checkin,
    "service_mode": _convert_mode,
    "no_warn_cannot_save_service_id": _drop(
        "that the id of a new service can be kept is checked before one is made"
    ),
}


# log.json -----------------------------------------------------------------------------------------


def _convert_log(making: _Making, part: Part) -> None:
    given = cast("dict[str, object]", part.value)
    levels = {
        key: _level(part, key, given[key])
        for key in ("log_level", "terminal_log_level")
        if given.get(key) is not None
    }
    least = min(levels.values(), key=_ORDER.index, default=None)
    for key, value in given.items():
        if key == "log_level" and least is not None:
            same = least == value
            said = least if same else f"{least}: one level is for terminal and file"
            making.add(part.where, key, least, "carried" if same else "changed", said)
        elif key == "terminal_log_level":
            if least is not None and "log_level" not in levels:
                said = f"{least}, as log_level: one level is for terminal and file"
                making.settings["log_level"] = least
                making.keys.append(KeyReport(part.where, key, "changed", said))
            else:
                making.drop(part, key, "log_level is for terminal and file")
        elif key == "log_file":
            _convert_log_file(making, part, key, value)
        elif key in _LOG_DROPPED:
            making.drop(part, key, _LOG_DROPPED[key])
        else:
            _unknown(making, part, key, value)


_LOG_DROPPED: Final = {
    "log_level": "null: the default is info",
    "error_log_level": "error.log has warnings and worse",
    "error_log_file": "error.log lies beside service.log, in the folder `logs`",
    "log_retention": "files begin anew at midnight and are kept for seven days",
}


def _level(part: Part, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{part.where}, key {key}", f"must be a text, not {kind_of(value)}")
    word = _LEVELS.get(value.lower(), value.lower())
    _check(part.where, "log_level", word)
    return word


def _convert_log_file(making: _Making, part: Part, key: str, value: object) -> None:
    if not value:
        making.settings["logs"] = None
        making.keys.append(KeyReport(part.where, key, "changed", "`logs` is null: no files"))
        return
    if not isinstance(value, str):
        raise ConfigError(f"{part.where}, key {key}", f"must be a text, not {kind_of(value)}")
    if making.user:  # in 1.x it shares the files of the service beside it
        making.drop(part, key, "a user's lie in logs/user, unless `logs` says otherwise")
        return
    folder = str(PurePath(value).parent)
    _check(part.where, "logs", folder)
    making.settings["logs"] = folder
    said = f"`logs` is {folder}: service.log and error.log lie there"
    making.keys.append(KeyReport(part.where, key, "changed", said))


def _convert_db(making: _Making, part: Part) -> None:
    if making.user:
        making.drop(part, "db.json", "a user has no containers")
        return
    moved = convert_containers(part, making.base)
    making.containers += moved.entries
    making.keys += moved.keys
    making.stores += [making.base / root for root in moved.roots]


_CONVERTERS: Final[Mapping[PartName, Callable[[_Making, Part], None]]] = {
    "service": _convert_service,
    "account": _convert_account,
    "log": _convert_log,
    "db": _convert_db,
}
