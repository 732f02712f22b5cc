"""A Redis server that is down, killed, frozen, out of memory, or back without its data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio.database import (
    Change,
    ContainerSpec,
    Engine,
    EngineSite,
    NotAllStored,
    Place,
    StoreBroken,
    Stores,
    open_stores,
)
from moobius_trio.database.redis_client import Limits
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import RedisServer, open_redis_server
from moobius_trio.testing.waiting import until
from moobius_trio.types import ChannelId, JsonValue, ServiceId

BAND, OTHER = ChannelId("band"), ChannelId("other")
BOX, OTHER_BOX = Place(BAND, "box"), Place(OTHER, "box")
SITE = EngineSite(service_id=ServiceId("s1"), folder=Path(), run_sync=run_inline)
QUICK = Limits(connect=1.0, reply=0.2, longest_pause=0.05)
"""Impatient, so that a frozen server is given up soon."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with open_redis_server(appendonly=True) as server:
        yield server


def opened(server: RedisServer, limits: Limits = QUICK, **settings: JsonValue) -> Any:
    return open_redis({**server.settings, **settings}, SITE, limits)


def put(place: Place = BOX, **items: bytes) -> list[Change]:
    return [Change(place, key.encode(), value) for key, value in items.items()]


async def content(engine: Engine, place: Place = BOX) -> Mapping[bytes, bytes]:
    return dict((await engine.load(place)).records)


async def outage(logs: Sequence[Mapping[str, Any]]) -> None:
    """Wait until it was noticed."""
    await until(lambda: any("out of reach" in entry["event"] for entry in logs))


@asynccontextmanager
async def stores_on(server: RedisServer, problems: list[StorageError]) -> AsyncIterator[Stores]:
    """Stores whose container `box` is on this server."""
    spec = ContainerSpec(name="box", implementation="redis", settings=server.settings)
    async with open_stores(
        [spec],
        service_id=ServiceId("s1"),
        folder=Path(),
        run_sync=run_inline,
        on_problem=problems.append,
        engines={"redis": partial(open_redis, limits=QUICK)},
    ) as stores:
        yield stores


async def test_a_server_that_is_down_at_the_start_is_one_line(server: RedisServer) -> None:
    """Address and remedy, at once and without waiting for the server to come."""
    server.kill()
    with pytest.raises(StorageError) as caught:
        async with opened(server):
            pass
    assert str(caught.value) == (
        f"redis://127.0.0.1:{server.port}/0: cannot be reached (connection refused). "
        "Start the server, or mend the way to it."
    )


async def test_a_frozen_server_at_the_start_is_one_line(server: RedisServer) -> None:
    """A server that accepts and says nothing is given up too."""
    server.freeze()
    with pytest.raises(StorageError, match="did not answer within"):
        async with opened(server):
            pass


async def test_a_commit_waits_for_a_killed_server(server: RedisServer) -> None:
    """It is done when the server is back; the outage is logged once, and its end (F48)."""
    with capture_logs() as logs:
        async with opened(server) as engine:
            await engine.commit(put(a=b"1"))
            server.kill()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.commit, put(b=b"2"))
                await outage(logs)
                server.start()
            assert await content(engine) == {b"a": b"1", b"b": b"2"}
    events = [entry["event"] for entry in logs]
    assert events == [
        "a Redis server is out of reach; changes wait for it",
        "a Redis server answers again",
    ]
    assert {"store", "reason", "remedy"} <= logs[0].keys()


async def test_a_commit_waits_for_a_frozen_server(server: RedisServer) -> None:
    """What was sent before the freeze and what was sent again after it are stored once (F48)."""
    with capture_logs() as logs:
        async with opened(server) as engine:
            await engine.commit(put(a=b"1"))
            server.freeze()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.commit, put(a=b"2", b=b"2"))
                await outage(logs)
                server.thaw()
            await engine.commit(put(a=b"3"))
            assert await content(engine) == {b"a": b"3", b"b": b"2"}


async def test_a_commit_waits_for_a_replica_to_become_the_primary(server: RedisServer) -> None:
    """`READONLY` is an outage, no refusal."""
    with capture_logs() as logs:
        async with opened(server) as engine:
            await engine.commit(put(a=b"1"))
            server.command("REPLICAOF", "127.0.0.1", "1")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.commit, put(a=b"2"))
                await outage(logs)
                server.command("REPLICAOF", "NO", "ONE")
            assert await content(engine) == {b"a": b"2"}


async def test_a_cancelled_caller_leaves_and_its_commit_goes_on(server: RedisServer) -> None:
    """The command is not broken off, so the next one finds it done."""
    async with opened(server) as engine:
        await engine.commit(put(a=b"1"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await engine.commit(put(a=b"2"))
        assert scope.cancelled_caught
        assert await content(engine) == {b"a": b"2"}


async def test_closing_does_not_wait_for_a_frozen_server_for_ever(server: RedisServer) -> None:
    """The end is bounded, and what was acknowledged is there afterwards."""
    limits = Limits(reply=30.0, close=0.1, lease=1.0)
    async with opened(server, limits) as engine:
        await engine.commit(put(a=b"1"))
        server.freeze()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.load, BOX)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    server.thaw()
    server.command("DEL", "moobius:{s1}::lease")
    async with opened(server) as engine:
        assert await content(engine) == {b"a": b"1"}


async def test_a_server_that_lost_the_data_is_not_written_to(server: RedisServer) -> None:
    """Back without what was acknowledged, it breaks the store instead of getting the rest."""
    async with opened(server) as engine:
        await engine.commit(put(a=b"1"))
        server.restart(empty=True)
        with pytest.raises(StoreBroken, match="the server lost what was stored there"):
            await engine.commit(put(b=b"2"))
    assert server.command("EXISTS", "moobius:{s1:band}:box") == b":0\r\n"


async def test_a_server_that_came_back_with_older_data_is_not_written_to(
    server: RedisServer,
) -> None:
    """A band that lacks an acknowledged commit counts as lost, although most of it is there."""
    async with opened(server) as engine:
        await engine.commit(put(a=b"1"))
        await engine.commit(put(a=b"2"))
        server.command("HSET", "moobius:{s1:band}::meta", "seq", "1")
        with pytest.raises(StoreBroken, match="lost"):
            await engine.commit(put(b=b"2"))


async def test_out_of_memory_refuses_and_recovers(server: RedisServer) -> None:
    """Memory goes back to what is stored, the problem says what to do, later writes work."""
    problems: list[StorageError] = []
    async with stores_on(server, problems) as stores:
        storage = await stores.storage(BAND, {})
        storage.box["k"] = 1
        await storage.flush()
        server.command("CONFIG", "SET", "maxmemory", "1")
        storage.box["k"] = 2
        with pytest.raises(StorageError, match="OOM"):
            await storage.flush()
        assert dict(storage.box) == {"k": 1}
        server.command("CONFIG", "SET", "maxmemory", "0")
        storage.box["k"] = 3
        await storage.flush()
    assert ["maxmemory" in str(problem) for problem in problems] == [True]
    async with stores_on(server, problems) as stores:
        assert dict((await stores.storage(BAND, {})).box) == {"k": 3}


async def test_what_another_program_put_in_our_place_refuses_that_band_alone(
    server: RedisServer,
) -> None:
    """Of the refused band nothing is stored, of the other everything."""
    async with opened(server) as engine:
        server.command("SET", "moobius:{s1:band}:box", "foreign")
        with pytest.raises(NotAllStored) as caught:
            await engine.commit(
                [*put(a=b"1"), *put(Place(BAND, "b"), a=b"1"), *put(OTHER_BOX, a=b"1")]
            )
        assert list(caught.value.refused) == [BAND]
        assert "under moobius:{s1:band}:box lies something else" in str(caught.value)
        assert await content(engine, OTHER_BOX) == {b"a": b"1"}
        assert await content(engine, Place(BAND, "b")) == {}
        with pytest.raises(StorageError, match=r"WRONGTYPE.*move it away"):
            await engine.load(BOX)
        with pytest.raises(StorageError, match="lies something else"):
            await engine.commit(put(a=b"1"))
        assert server.command("GET", "moobius:{s1:band}:box") == b"$7\r\nforeign\r\n"


async def test_a_server_that_cannot_save_refuses(tmp_path: Path) -> None:
    """`MISCONF` is a refusal with a remedy, and writes work again afterwards."""
    with open_redis_server("--save", "3600 1", folder=tmp_path) as server:
        (tmp_path / "dump.rdb").mkdir()
        async with opened(server) as engine:
            await engine.commit(put(a=b"1"))
            server.command("BGSAVE")
            failed = b"rdb_last_bgsave_status:err"
            await until(lambda: failed in server.command("INFO", "persistence"))
            with pytest.raises(StorageError, match=r"MISCONF.*server's log"):
                await engine.commit(put(a=b"2"))
            server.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            await engine.commit(put(b=b"3"))
            assert await content(engine) == {b"a": b"1", b"b": b"3"}
