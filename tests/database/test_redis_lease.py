"""Two processes on one store of a Redis server, and what the server is asked to promise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from moobius_trio.database import Change, Engine, EngineSite, Place, StoreBroken, redis_lease
from moobius_trio.database.redis_client import Limits
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.errors import StorageError, StoreLocked, StoreMissing
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import RedisServer, open_redis_server
from moobius_trio.testing.waiting import until
from moobius_trio.types import ChannelId, JsonValue, ServiceId

BOX = Place(ChannelId("band"), "box")
LEASE = "moobius:{s1}::lease"
SITE = EngineSite(service_id=ServiceId("s1"), folder=Path(), run_sync=run_inline)
LOOKING = EngineSite(service_id=ServiceId("s1"), folder=Path(), run_sync=run_inline, read_only=True)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with open_redis_server() as server:
        yield server


def opened(server: RedisServer, site: EngineSite = SITE, **settings: JsonValue) -> Any:
    return open_redis({**server.settings, **settings}, site)


def lease_of(server: RedisServer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.command("GET", LEASE).split(b"\r\n")[1])
    return found


HOLDER = """
import json, sys
from pathlib import Path
import trio
from moobius_trio.database import EngineSite
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.testing.inline import run_inline

async def main():
    site = EngineSite(service_id="s1", folder=Path(), run_sync=run_inline)
    async with open_redis(json.loads(sys.argv[1]), site):
        print("open", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_a_second_process_is_refused_and_a_killed_ones_store_is_free(
    server: RedisServer,
) -> None:
    """The first's pid is named; after SIGKILL nobody waits for its lease to run out."""
    words = [sys.executable, "-c", HOLDER, json.dumps(dict(server.settings))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            with pytest.raises(StoreLocked) as caught:
                async with opened(server):
                    pass
            assert (caught.value.pid, caught.value.host) == (process.pid, None)
        finally:
            process.send_signal(signal.SIGKILL)
    with trio.fail_after(20):  # a lease lasts 30
        async with opened(server):
            assert lease_of(server)["pid"] == os.getpid()


async def test_the_lease_is_given_back(server: RedisServer) -> None:
    """At the end of the block there is none, so another machine need not wait."""
    async with opened(server):
        assert lease_of(server)["pid"] == os.getpid()
        with pytest.raises(StoreLocked):
            async with opened(server):
                pass
        assert lease_of(server)["pid"] == os.getpid()
    assert server.command("EXISTS", LEASE) == b":0\r\n"


def foreign_lease(server: RedisServer, milliseconds: int, token: str = "t") -> None:
    text = json.dumps({"token": token, "pid": 7, "host": "elsewhere", "machine": "m"})
    server.command("SET", LEASE, text, "PX", str(milliseconds))


async def test_a_dead_lease_of_another_machine_runs_out(server: RedisServer) -> None:
    """It is waited for, which is logged, then the store opens."""
    foreign_lease(server, 100)
    with capture_logs() as logs:
        async with opened(server):
            assert lease_of(server)["pid"] == os.getpid()
    assert [(entry["pid"], entry["host"]) for entry in logs] == [(7, "elsewhere")]


async def test_a_live_lease_of_another_machine_refuses(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewed while it is waited for, it belongs to a process that lives."""
    monkeypatch.setattr(redis_lease, "POLL_SECONDS", 0.05)
    foreign_lease(server, 10_000)
    refused: list[StoreLocked] = []

    async def open_and_close() -> None:
        try:
            async with opened(server):
                pass
        except StoreLocked as exc:
            refused.append(exc)

    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_and_close)
            await until(lambda: bool(logs))  # it waits
            foreign_lease(server, 20_000)
    assert [(error.pid, error.host) for error in refused] == [(7, "elsewhere")]
    assert "(pid 7 on elsewhere)" in str(refused[0])


async def test_what_is_no_lease_is_not_overwritten(server: RedisServer) -> None:
    """Something else under the lease's key is named and stays."""
    server.command("SET", LEASE, "hello")
    with pytest.raises(StorageError, match="lies no lease of ours"):
        async with opened(server):
            pass
    assert server.command("GET", LEASE) == b"$5\r\nhello\r\n"


async def load_for_ever(engine: Engine) -> None:
    with trio.fail_after(60):
        while True:
            await engine.load(BOX)


async def test_a_lease_that_was_lost_breaks_the_store(server: RedisServer) -> None:
    """Found at the next renewal; whoever took it goes on undisturbed."""
    limits = Limits(lease=0.3)
    async with open_redis(server.settings, SITE, limits) as engine:
        await engine.commit([Change(BOX, b"a", b"1")])
        foreign_lease(server, 30_000)
        with pytest.raises(StoreBroken, match=r"taken it over \(pid 7 on elsewhere\)"):
            await load_for_ever(engine)
    assert lease_of(server)["pid"] == 7


async def test_a_lease_that_ran_out_unnoticed_is_taken_again(server: RedisServer) -> None:
    """Free, it is ours again at the next renewal."""
    limits = Limits(lease=0.3)
    async with open_redis(server.settings, SITE, limits):
        server.command("DEL", LEASE)
        await until(lambda: server.command("EXISTS", LEASE) == b":1\r\n")
        assert lease_of(server)["pid"] == os.getpid()


async def test_looking_takes_nothing_and_writes_nothing(server: RedisServer) -> None:
    """Beside the owner: every key is as it was, and the owner can go on."""
    async with opened(server) as owner:
        await owner.commit([Change(BOX, b"a", b"1")])

        def writes() -> list[bytes]:
            lines = server.command("INFO", "commandstats").split(b"\r\n")
            names = (b"cmdstat_set:", b"cmdstat_hset:", b"cmdstat_evalsha:", b"cmdstat_del:")
            return [line.partition(b",")[0] for line in lines if line.startswith(names)]

        before = writes()
        async with opened(server, LOOKING) as engine:
            assert await engine.places() == [BOX]
            assert dict((await engine.load(BOX)).records) == {b"a": b"1"}
        assert writes() == before
        await owner.commit([Change(BOX, b"a", b"2")])


async def test_a_store_that_is_not_there_cannot_be_looked_at(server: RedisServer) -> None:
    """And looking does not make it."""
    with pytest.raises(StoreMissing):
        async with opened(server, LOOKING):
            pass
    assert server.command("DBSIZE") == b":0\r\n"


async def test_a_newer_format_is_refused(server: RedisServer) -> None:
    """In one line, before anything is changed."""
    server.command("SET", "moobius:{s1}::format", "2")
    for site in (SITE, LOOKING):
        with pytest.raises(StorageError, match="has format 2, this version reads up to 1"):
            async with opened(server, site):
                pass
    assert server.command("DBSIZE") == b":1\r\n"


AOF = {"appendonly": "yes", "appendfsync": "everysec"}
ALWAYS = {"appendonly": "yes", "appendfsync": "always"}


@pytest.mark.parametrize(
    ("configured", "level"),
    [
        ({}, "memory"),
        (AOF, "process"),
        (ALWAYS, "power"),
        ({**AOF, "appendfsync": "no"}, "process"),
    ],
)
async def test_the_level_is_what_the_server_gives(
    server: RedisServer, configured: Mapping[str, str], level: str
) -> None:
    """Read from its settings, and what is asked up to it is granted (F48)."""
    configure(server, configured)
    async with opened(server) as engine:
        assert engine.level == level
    async with opened(server, durability=level) as engine:
        assert engine.level == level


@pytest.mark.parametrize(
    ("configured", "asked", "problem"),
    [
        ({}, "process", "the server has appendonly no. Set appendonly yes there, or ask for mem"),
        ({}, "power", "the server has appendonly no"),
        (AOF, "power", "Set appendfsync always there, or ask for process"),
        ({**AOF, "maxmemory-policy": "allkeys-lru"}, "process", "maxmemory-policy noeviction"),
    ],
)
async def test_more_than_the_server_gives_is_refused(
    server: RedisServer, configured: Mapping[str, str], asked: str, problem: str
) -> None:
    """In one line that names the server's setting; nothing is taken (F48)."""
    configure(server, configured)
    with pytest.raises(StorageError, match=f"durability {asked} is asked for.*{problem}"):
        async with opened(server, durability=asked):
            pass
    assert server.command("DBSIZE") == b":0\r\n"


async def test_a_server_that_drops_records_is_warned_of(server: RedisServer) -> None:
    """Where nothing is asked for, one warning with the setting."""
    configure(server, {"maxmemory-policy": "allkeys-lru"})
    with capture_logs() as logs:
        async with opened(server):
            pass
    assert [entry["policy"] for entry in logs] == ["allkeys-lru"]


async def test_a_server_that_does_not_tell_its_settings_counts_as_memory() -> None:
    """With one warning; asked for more, it is refused."""
    with open_redis_server(appendonly=True) as server:
        server.command("ACL", "SETUSER", "default", "-config")
        with capture_logs() as logs:
            async with opened(server) as engine:
                assert engine.level == "memory"
        assert [entry["remedy"] for entry in logs] == ["allow this user CONFIG GET"]
        with pytest.raises(StorageError, match=r"does not tell its settings\. Allow CONFIG GET"):
            async with opened(server, durability="process"):
                pass


def configure(server: RedisServer, configured: Mapping[str, str]) -> None:
    for name, value in configured.items():
        assert server.command("CONFIG", "SET", name, value) == b"+OK\r\n"
