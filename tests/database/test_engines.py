"""The conformance suite over the engines of this package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest

from moobius_trio.database import Engine, EngineSite
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.testing.storage_suite import StorageSuite
from moobius_trio.types import JsonValue


class TestMemory(StorageSuite):
    """`memory`."""

    engine = "memory"
    survives = False


class TestJson(StorageSuite):
    """`json`."""

    engine = "json"
    keeps_order = False
    transactions = False


class TestSqlite(StorageSuite):
    """`sqlite`."""

    engine = "sqlite"


class TestRedis(StorageSuite):
    """`redis`, on a real server."""

    engine = "redis"
    keeps_order = False
    simulated = False

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls) -> Iterator[None]:
        with open_redis_server() as server:

            @asynccontextmanager
            async def opened(
                settings: Mapping[str, JsonValue], site: EngineSite
            ) -> AsyncIterator[Engine]:
                async with open_redis({**server.settings, **settings}, site) as engine:
                    yield engine

            cls.engines = {"redis": opened}
            yield
