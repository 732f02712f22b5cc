"""The way to the `redis` engine, which imports its client library only when one is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from moobius_trio.database.engine import Engine, EngineSite
from moobius_trio.errors import ConfigError
from moobius_trio.types import JsonValue

__all__ = ("open_redis",)


@asynccontextmanager
async def open_redis(settings: Mapping[str, JsonValue], site: EngineSite) -> AsyncIterator[Engine]:
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
        async with redis_engine.open_redis(settings, site) as engine:
            yield engine
        return
    raise ConfigError(
        "engine redis",
        f"the package {missing} is not installed",
        'Install it: pip install "moobius_trio[redis]"',
    )
