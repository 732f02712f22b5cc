"""service.json, db.json and the environment become values; a fault is one line that names its key.

Nothing is written here, and a password is never shown: neither in an error nor in the log.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import structlog

from moobius_trio.config.files import decode_config, kind_of, parse_config, read_config, suggest
from moobius_trio.config.settings import (
    SETTINGS_TABLE,
    Setting,
    Settings,
    WrongValue,
    is_loopback,
    read_flag,
    read_text,
)
from moobius_trio.database import ENGINES, ContainerSpec
from moobius_trio.database.engine import find_engine
from moobius_trio.errors import ConfigError
from moobius_trio.types import JsonValue, ServiceId

__all__ = (
    "check_container_name",
    "load_database_settings",
    "load_run_options",
    "load_service_id",
    "load_settings",
    "load_user_settings",
)

log = structlog.get_logger()

LOCAL = "local-"
"""How every id begins that the local platform gives."""

RUN_OPTIONS = (
    "protocol",
    "name",
    "max_message_bytes",
    "lanes",
    "ordering",
    "handler_seconds",
    "log_level",
)

USER_LOGS = "logs/user"
"""A service may lie in the same folder, and two programs must not write one file."""

OLD_KEYS = ("checkin_interval", "no_warn_cannot_save_service_id")
"""Of a service.json of SDK 1.x (docs/protocol/generation-1.md section 6.2)."""

MOVED = "It is one of SDK 1.x: `moobius-trio convert-config` makes a service.json of its files"

_VARIABLES = {"email": "MOOBIUS_EMAIL", "password": "MOOBIUS_PASSWORD"}
_PASSWORD_FILE = "MOOBIUS_PASSWORD_FILE"  # noqa: S105 - the name of a variable


def load_settings(path: Path, *, environ: Mapping[str, str]) -> Settings:
    """The settings that a service.json and the environment give.

    ``MOOBIUS_EMAIL``, ``MOOBIUS_PASSWORD`` and ``MOOBIUS_PASSWORD_FILE`` (a path, relative to
    the working directory) win over the file; an empty variable counts as absent. A password in
    a file that its group or others may read is warned of once.

    Args:
        path: the file, as docs/protocol/generation-0.md section 7.1 has it, with the further
            keys of docs/architecture.md section 10.
        environ: the environment, such as ``os.environ``.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or a key is unknown, missing or wrong;
            or a ``local-`` id stands beside an address that is not this machine.
    """
    found, shared = _read_object(path)
    if shared and found.get("password"):
        _warn_of_shared_password(path)
    if found.get("service_mode") is False:
        raise ConfigError(
            f"{path}, key service_mode",
            "is false, so the file is for a MoobiusUser",
            "Give the service a file of its own",
        )
    found, origin = _with_environment(found, environ)
    return _settings(found, origin, path)


def load_user_settings(
    path: Path | None, given: Mapping[str, object], *, environ: Mapping[str, str]
) -> Settings:
    """The settings of user mode, which a file, the environment and the program give.

    Args:
        path: a file with the keys of a service.json, among them ``"service_mode": false``, so
            that no service's account is taken by mistake; None: there is no file.
        given: settings by key as the program gives them; they win over file and environment.
        environ: as for `load_settings`.

    Raises:
        ConfigError: as `load_settings`; or the file is that of a service.
    """
    found: dict[str, object] = {}
    shared = False
    if path is not None:
        found, shared = _read_object(path)
        if found.get("service_mode") is not False:
            raise ConfigError(
                f"{path}, key service_mode",
                "is not false, so the file is for a service",
                'Give the user a file of its own with "service_mode": false',
            )
    if path is not None and shared and found.get("password"):
        _warn_of_shared_password(path)
    found, origin = _with_environment(found, environ)
    found |= given
    origin |= {key: f"MoobiusUser({key}=…)" for key in given}
    found["service_mode"] = False
    found.setdefault("logs", USER_LOGS)
    return _settings(found, origin, path)


def _settings(found: dict[str, object], origin: dict[str, str], path: Path | None) -> Settings:
    """The value of all keys; ``origin`` says where those come from that the file does not give."""
    values: dict[str, Any] = {"path": path}
    if found.get("service_mode") is False and not found.get("channels"):
        values["channels"] = ()  # a user may join later
    for setting in SETTINGS_TABLE:
        if setting.key in values:
            continue
        place = f"MoobiusUser({setting.key}=…)" if path is None else f"{path}, key {setting.key}"
        where = origin.get(setting.key, place)
        if setting.key in found:
            values[setting.key] = _read(setting, found[setting.key], where)
        elif setting.required:
            variable = _VARIABLES.get(setting.key)
            raise ConfigError(
                where, "is missing", "Add it" + (f" or set {variable}" if variable else "")
            )
    settings = Settings(**values)
    _refuse_local_ids_elsewhere(settings, path)
    return settings


def load_run_options(path: Path) -> dict[str, Any]:
    """The settings of a service.json that are neither an address, an account nor an id.

    For ``moobius-trio dev``, which gives the rest itself: a template that is not filled in yet
    does, and no secret is taken (docs/architecture.md section 10).

    Raises:
        ConfigError: the file cannot be read or is not JSON, a key is unknown, or one of these
            keys is wrong.
    """
    found, _ = _read_object(path)
    return {
        setting.key: _read(setting, found[setting.key], f"{path}, key {setting.key}")
        for setting in SETTINGS_TABLE
        if setting.key in RUN_OPTIONS and setting.key in found
    }


def load_service_id(path: Path) -> ServiceId | None:
    """The service that a service.json names, whatever else is not filled in yet; None for none.

    Raises:
        ConfigError: the file cannot be read or is not JSON, a key is unknown, or it is no id.
    """
    found, _ = _read_object(path)
    [setting] = [setting for setting in SETTINGS_TABLE if setting.key == "service_id"]
    value = _read(setting, found.get(setting.key), f"{path}, key {setting.key}")
    return ServiceId(str(value)) if value is not None else None


def _read_object(path: Path) -> tuple[dict[str, object], bool]:
    """What a service.json holds, every key a known one, and whether others may read the file."""
    content, shared = read_config(path)
    found = parse_config(decode_config(content, path), path)
    if not isinstance(found, dict):
        raise ConfigError(str(path), f"must be an object {{…}}, not {kind_of(found)}")
    known = [setting.key for setting in SETTINGS_TABLE]
    for key in found:
        if key not in known:
            remedy = MOVED if key in OLD_KEYS else suggest(key, known)
            raise ConfigError(f"{path}, key {key!r}", "is not a setting", remedy)
    return found, shared


def _read(setting: Setting, value: object, where: str) -> object:
    try:
        return setting.read(value)
    except WrongValue as exc:
        raise ConfigError(where, exc.problem, exc.remedy) from None


def load_database_settings(path: Path) -> tuple[ContainerSpec, ...]:
    """The containers that a db.json names, in its order.

    What ``settings`` mean to an engine is the storage's to say.

    Raises:
        ConfigError: the file cannot be read or is not a list of objects with the keys of
            docs/protocol/generation-0.md section 7.2, or a name is no attribute name or stands
            twice, or there is no such engine. The entry is named by number.
    """
    content, shared = read_config(path)
    found = parse_config(decode_config(content, path), path)
    if not isinstance(found, list):
        raise ConfigError(str(path), f"must be a list [{{…}}, …], not {kind_of(found)}")
    specs: dict[str, ContainerSpec] = {}
    for number, entry in enumerate(found, 1):
        where = f"{path}, entry {number}"
        spec = _container_spec(entry, where)
        if spec.name in specs:
            raise ConfigError(where, f"names {spec.name!r} a second time", "Give it another name")
        specs[spec.name] = spec
    if shared and any(_holds_password(spec.settings) for spec in specs.values()):
        _warn_of_shared_password(path, "")
    return tuple(specs.values())


def _with_environment(
    found: dict[str, object], environ: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """The file's values with the environment's in their place, and where the latter come from."""
    values, origin = dict(found), {}
    for key, variable in _VARIABLES.items():
        if environ.get(variable):
            values[key], origin[key] = environ[variable], variable
    if file_name := environ.get(_PASSWORD_FILE):
        if "password" in origin:
            raise ConfigError(
                _PASSWORD_FILE, f"is set beside {_VARIABLES['password']}", "Unset one of them"
            )
        file = Path(file_name)
        text = decode_config(read_config(file)[0], file)
        values["password"] = text.removesuffix("\n").removesuffix("\r")
        origin["password"] = f"{_PASSWORD_FILE} ({file})"
    return values, origin


def _holds_password(settings: Mapping[str, JsonValue]) -> bool:
    return bool(settings.get("password")) or "@" in str(settings.get("url", ""))


def _warn_of_shared_password(
    path: Path, other: str = f", or set {_VARIABLES['password']} and remove it from the file"
) -> None:
    log.warning(
        "other users of this machine can read a password",
        file=str(path),
        remedy=f"chmod 600 {path}{other}",
    )


def _refuse_local_ids_elsewhere(settings: Settings, path: Path | None) -> None:
    """A ``local-`` id means nothing to any other platform than the one on this machine."""
    addresses = (settings.http_server_uri, settings.ws_server_uri)
    away = next((address for address in addresses if not is_loopback(address)), None)
    if away is None:
        return
    ids = (("service_id", settings.service_id or ""), *(("channels", x) for x in settings.channels))
    for key, text in ids:
        if text.startswith(LOCAL):
            raise ConfigError(
                f"{path}, key {key}" if path is not None else key,
                f"{text!r} is an id of the local platform, but {away} is not on this machine",
                "Put in the id that this platform gave, or the local platform's address",
            )


def _container_spec(entry: object, where: str) -> ContainerSpec:
    if not isinstance(entry, dict):
        raise ConfigError(where, f"must be an object {{…}}, not {kind_of(entry)}")
    known = [field.name for field in attrs.fields(ContainerSpec)]
    for key in entry:
        if key not in known:
            raise ConfigError(f"{where}, key {key!r}", "is not known", suggest(key, known))
    for key in ("name", "implementation"):
        if key not in entry:
            raise ConfigError(f"{where}, key {key}", "is missing", "Add it")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        try:
            values[key] = _read_container_key(key, value)
        except WrongValue as exc:
            raise ConfigError(f"{where}, key {key}", exc.problem, exc.remedy) from None
    return ContainerSpec(**values)


def _read_engine(value: object) -> str:
    """An engine's name; whether there is one is looked up now, before anything is begun."""
    name = read_text(value)
    try:
        find_engine(name, ENGINES, "")
    except ConfigError as exc:
        raise WrongValue(exc.problem, exc.remedy) from None
    return name


def check_container_name(name: str, where: str) -> None:
    """Refuse a name that db.json cannot hold.

    Raises:
        ConfigError: it is such a name.
    """
    try:
        _read_container_name(name)
    except WrongValue as exc:
        raise ConfigError(where, exc.problem, exc.remedy) from None


def _read_container_name(value: object) -> str:
    name = read_text(value)
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
        raise WrongValue(f"{name!r} cannot be written as an attribute of a band")
    return name


def _read_container_key(key: str, value: object) -> object:
    match key:
        case "name":
            return _read_container_name(value)
        case "implementation":
            return _read_engine(value)
        case "load" | "clear":
            return read_flag(value)
        case _:
            if not isinstance(value, dict):
                raise WrongValue(f"must be an object {{…}}, not {kind_of(value)}")
            return cast("Mapping[str, JsonValue]", value)
