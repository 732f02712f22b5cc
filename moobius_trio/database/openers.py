"""The ways to the engines of this package: what one needs is imported when one is opened.

No engine's work is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from moobius_trio.database.engine import Engine, EngineSite
from moobius_trio.errors import ConfigError
from moobius_trio.types import JsonValue

__all__ = ("open_json", "open_memory", "open_redis", "open_sqlite")


def open_json(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """As `json_engine.open_json`."""
    from moobius_trio.database import json_engine

    return json_engine.open_json(settings, site)


def open_memory(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """As `memory_engine.open_memory`."""
    from moobius_trio.database import memory_engine

    return memory_engine.open_memory(settings, site)


def open_sqlite(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """As `sqlite_engine.open_sqlite`."""
    from moobius_trio.database import sqlite_engine

    return sqlite_engine.open_sqlite(settings, site)


def open_redis(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AbstractAsyncContextManager[Engine]:
    """As `redis_engine.open_redis`.

    Raises:
        ConfigError: the client library is not installed; the text names the extra.
    """
    try:
        from moobius_trio.database import redis_engine
    except ModuleNotFoundError as exc:
        missing = exc.name or ""
        if missing.partition(".")[0] == "moobius_trio":
            raise
    else:
        return redis_engine.open_redis(settings, site)
    raise ConfigError(
        "engine redis",
        f"the package {missing} is not installed",
        'Install it: pip install "moobius_trio[redis]"',
    )
