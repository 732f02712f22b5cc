"""The settings of the `redis` engine, read and checked; nothing is opened and no client known here.

The password is a `Secret` from here on, and no message of this module holds a setting's value.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from moobius_trio.database.engine import Level, check_settings, suggestion
from moobius_trio.errors import ConfigError
from moobius_trio.types import JsonValue, Secret

__all__ = ("LEVELS", "RedisSettings", "read_redis_settings")

KNOWN: Final = (
    "host",
    "port",
    "db",
    "username",
    "password",
    "url",
    "tls",
    "cluster",
    "durability",
)
LEVELS: Final[tuple[Level, ...]] = ("memory", "process", "power")
"""What a change can survive, the least first."""

_SCHEMES: Final = ("redis", "rediss")


@attrs.frozen(kw_only=True)
class RedisSettings:
    """Where the server is and what is asked of it."""

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: Secret | None = None
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False, eq=False)
    """None: the connection is not encrypted. Otherwise certificate and host name are checked."""
    cluster: bool = False
    durability: Level | None = None
    """What a stored change shall survive; None takes what the server gives."""

    @property
    def address(self) -> str:
        """The server in words, for messages; without user and password."""
        scheme = "redis" if self.tls is None else "rediss"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}" + ("" if self.cluster else f"/{self.db}")


def read_redis_settings(settings: Mapping[str, JsonValue], folder: Path) -> RedisSettings:
    """The settings as values.

    Args:
        settings: as in db.json (docs/how-to/redis.md).
        folder: where a relative path of ``tls`` starts.

    Raises:
        ConfigError: one is unknown or wrong, or two contradict each other; in one line that
            names the key.
    """
    check_settings(settings, KNOWN, "redis")
    given = dict(settings)
    encrypted = False
    if "url" in given:
        for key in ("host", "port", "db", "username", "password"):
            if key in given:
                raise _wrong(key, "is said by url too", "Keep one of them")
        from_url, encrypted = _read_url(_text(given, "url"))
        if not encrypted and given.get("tls"):
            raise _wrong("tls", "does not go with a redis:// url", "Write rediss:// there")
        if encrypted and given.get("tls") is False:
            raise _wrong("tls", "does not go with a rediss:// url", "Write redis:// there")
        given |= from_url
    cluster = _flag(given, "cluster")
    db = _number(given, "db", 0, 65_535)
    if cluster and db:
        raise _wrong("db", "must be 0 with cluster: a cluster has one database", "Remove it")
    username = _text(given, "username") if "username" in given else None
    password = Secret(_text(given, "password")) if given.get("password") else None
    if username is not None and password is None:
        raise _wrong("username", "is nothing without a password", "Add the key password")
    return RedisSettings(
        host=_text(given, "host") if "host" in given else "127.0.0.1",
        port=_number(given, "port", 6379, 65_535, least=1),
        db=db,
        username=username,
        password=password,
        tls=_read_tls(given.get("tls", encrypted), folder),
        cluster=cluster,
        durability=_read_level(given),
    )


def _wrong(key: str, problem: str, remedy: str = "") -> ConfigError:
    return ConfigError(f"settings of engine redis, key {key}", problem, remedy)


def _text(given: Mapping[str, JsonValue], key: str) -> str:
    value = given[key]
    if not isinstance(value, str) or not value:
        raise _wrong(key, "must be a text that is not empty")
    return value


def _number(
    given: Mapping[str, JsonValue], key: str, default: int, most: int, *, least: int = 0
) -> int:
    value = given.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise _wrong(key, f"must be a whole number from {least} to {most}")
    return value


def _flag(given: Mapping[str, JsonValue], key: str) -> bool:
    value = given.get(key, False)
    if type(value) is not bool:
        raise _wrong(key, "must be true or false")
    return value


def _read_level(given: Mapping[str, JsonValue]) -> Level | None:
    if "durability" not in given:
        return None
    value = _text(given, "durability")
    if value not in LEVELS:
        raise _wrong("durability", f"must be one of {', '.join(LEVELS)}", suggestion(value, LEVELS))
    return value


def _read_url(url: str) -> tuple[dict[str, JsonValue], bool]:
    """What a URL says, and whether the connection is to be encrypted. It is never shown."""
    remedy = "Write redis://HOST:PORT/DB, or rediss:// for TLS"
    parts, port = _split(url)
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        raise _wrong("url", "is no address of a Redis server", remedy)
    if parts.query or parts.fragment:
        raise _wrong("url", "has something after a question mark", "Use the other settings for it")
    found: dict[str, JsonValue] = {"host": parts.hostname}
    if port is not None:
        found["port"] = port
    name = parts.path.removeprefix("/")
    if name:
        if not (name.isascii() and name.isdigit()):
            raise _wrong("url", "ends with a path that is no database number", remedy)
        found["db"] = int(name)
    if parts.username:
        found["username"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    return found, parts.scheme == "rediss"


def _split(url: str) -> tuple[SplitResult | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        return None, None  # the error's own text would show parts of the URL


def _read_tls(value: JsonValue, folder: Path) -> ssl.SSLContext | None:
    ca: Path | None = None
    match value:
        case bool():
            if not value:
                return None
        case Mapping():
            for key in value:
                if key != "ca":
                    raise _wrong(f"tls, key {key!r}", "is not known", "Known is ca")
            if "ca" in value:
                ca = folder / _text(value, "ca")
        case _:
            raise _wrong("tls", 'must be true, false or {"ca": FILE}')
    problem = ""
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        problem = "holds no certificate"
    except OSError as exc:
        problem = (exc.strerror or str(exc)).lower()
    raise _wrong(f"tls, file {ca}", problem, "Name the file with the authority's certificate (PEM)")
