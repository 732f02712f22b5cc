"""A Redis server killed again and again while a service writes to it."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import trio

from moobius_trio.database import Change, EngineSite, Place
from moobius_trio.database.redis_client import Limits, open_connection
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.database.redis_settings import read_redis_settings
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import RedisServer, open_redis_server
from moobius_trio.testing.waiting import until
from moobius_trio.types import ChannelId, ServiceId

KILLS = int(os.environ.get("MOOBIUS_TRIO_SERVER_KILLS", "20"))
"""Of each kind."""
KEYS = 20
BOX, TWIN = Place(ChannelId("band"), "box"), Place(ChannelId("band"), "twin")
LIMITS = Limits(reply=2.0, longest_pause=0.05)


SITE = EngineSite(service_id=ServiceId("s1"), folder=Path(), run_sync=run_inline)
BOTH = "return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}"


def round_of(number: int) -> list[Change]:
    """One commit: the same number in every record of two containers; each third one is large."""
    value = b"%d " % number * (3_000 if number % 3 == 0 else 10)
    return [Change(place, b"key %d" % n, value) for n in range(KEYS) for place in (BOX, TWIN)]


async def number_stored(server: RedisServer) -> int:
    """What the server has at one moment: one whole commit, nothing torn."""
    settings = read_redis_settings(server.settings, Path())
    async with open_connection(settings, LIMITS) as connection:
        keys = [b"moobius:{s1:band}:box", b"moobius:{s1:band}:twin"]
        found: Any = await connection.script(BOTH, keys, [])
    number = int(found[0][1].split()[0])
    expected = {change.key: change.value for change in round_of(number)}
    for fields in found:
        assert dict(zip(fields[::2], fields[1::2], strict=True)) == expected
    return number


# Not `everysec`: while its disk is slow, such a server holds back what it has acknowledged for up
# to two seconds (docs/how-to/redis.md). That such a loss is noticed is tested with the outages.
@pytest.mark.soak
@pytest.mark.parametrize("synced", ["always", "no"])
async def test_a_killed_server_loses_and_tears_nothing(synced: str) -> None:
    """With a log of changes, all that was acknowledged is there after each kill, and whole.

    (F48)
    """
    source = random.Random(1)
    acknowledged = 0
    finished = False

    async def write() -> None:
        nonlocal acknowledged
        async with open_redis(server.settings, SITE, LIMITS) as engine:
            while not finished:
                await engine.commit(round_of(acknowledged + 1))
                acknowledged += 1

    with open_redis_server("--appendfsync", synced, appendonly=True) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(KILLS):
                goal = acknowledged + source.randrange(1, 10)
                await until(lambda goal=goal: acknowledged >= goal)  # type: ignore[misc]
                for _ in range(source.randrange(100)):
                    await trio.lowlevel.checkpoint()  # somewhere inside a commit
                said = acknowledged
                server.restart()
                assert said <= await number_stored(server) <= acknowledged + 1
            finished = True
        async with open_redis(server.settings, SITE, LIMITS) as engine:
            for place in (BOX, TWIN):
                values = {value for _, value in (await engine.load(place)).records}
                assert values == {round_of(acknowledged)[0].value}
