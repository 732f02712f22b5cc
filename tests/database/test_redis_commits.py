"""Commands that arrive twice or much too late, and commits too large for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from moobius_trio.database import Change, EngineSite, Place, StoreBroken
from moobius_trio.database.redis_client import Connection, Limits, Outage, open_connection
from moobius_trio.database.redis_commits import ApplyJob, Band, Entry, Job, do_jobs
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.database.redis_scripts import APPLY, STAGE
from moobius_trio.database.redis_settings import read_redis_settings
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import RedisServer, open_redis_server
from moobius_trio.types import ChannelId, ServiceId

BOX = Place(ChannelId("band"), "box")
KEY = b"moobius:{s1:band}:box"
SITE = EngineSite(service_id=ServiceId("s1"), folder=Path(), run_sync=run_inline)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with open_redis_server() as server:
        yield server


@asynccontextmanager
async def connected(server: RedisServer) -> AsyncIterator[Connection]:
    async with open_connection(read_redis_settings(server.settings, Path()), Limits()) as one:
        yield one


Sent = tuple[str, Sequence[bytes], Sequence[bytes]]


class Late(Connection):
    """A connection whose commands get stuck as a test says, to be delivered later."""

    def __init__(self, real: Connection, stuck: Callable[[str], bool]) -> None:
        self._real = real
        self._stuck = stuck
        self.sent: list[Sent] = []
        """Every command."""
        self.held: list[Sent] = []
        """Those that are stuck."""

    async def script(self, text: str, keys: Sequence[bytes], args: Sequence[bytes]) -> object:
        self.sent.append((text, list(keys), list(args)))
        if self._stuck(text):
            self.held.append(self.sent[-1])
            raise Outage("did not answer")
        return await self._real.script(text, keys, args)

    async def deliver(self) -> list[object]:
        """Let what is stuck arrive; gives the replies nobody waits for."""
        return [await self._real.script(*one) for one in self.held]


def band() -> Band:
    return Band(where="here", token="t", meta=b"m{b}", staged=b"s{b}")


def sets(**items: bytes) -> list[Entry]:
    return [(b"s", b"3", key.encode(), value) for key, value in items.items()]


async def fields(connection: Connection) -> Mapping[bytes, bytes]:
    return dict(await connection.fields(b"c{b}"))


def once() -> Callable[[str], bool]:
    """Stuck is the first `APPLY` only."""
    seen: list[str] = []

    def stuck(text: str) -> bool:
        if text == APPLY:
            seen.append(text)
        return text == APPLY and len(seen) == 1

    return stuck


async def outage_then_done(jobs: Sequence[Job], connection: Connection) -> None:
    with pytest.raises(Outage):
        await do_jobs(jobs, connection)
    await do_jobs(jobs, connection)


async def test_a_commit_that_arrives_again_later_changes_nothing(server: RedisServer) -> None:
    """Neither its second copy after it, nor after a newer commit."""
    async with connected(server) as real:
        late, ours = Late(real, once()), band()
        first = ApplyJob(ours, [b"c{b}"], sets(a=b"1", b=b"1"))
        await outage_then_done([first], late)
        await do_jobs([ApplyJob(ours, [b"c{b}"], [*sets(a=b"2"), (b"d", b"3", b"b", b"")])], late)
        assert await late.deliver() == [b"done"]
        assert await fields(real) == {b"a": b"2"}


async def test_a_commit_that_was_done_before_the_connection_broke_is_not_done_again(
    server: RedisServer,
) -> None:
    """Its second copy finds the number and says so."""
    async with connected(server) as real:
        late, ours = Late(real, once()), band()
        job = ApplyJob(ours, [b"c{b}"], sets(a=b"1"))
        with pytest.raises(Outage):
            await do_jobs([job], late)
        assert await late.deliver() == [b"ok"]
        await do_jobs([job], late)
        assert (job.error, ours.done) == (None, 1)
        assert await fields(real) == {b"a": b"1"}


async def test_a_refused_commit_cannot_be_done_later(server: RedisServer) -> None:
    """Out of memory on the second try: the first, which is still on its way, comes to nothing."""
    async with connected(server) as real:
        late, ours = Late(real, once()), band()
        await ours.claim(real)
        job = ApplyJob(ours, [b"c{b}"], sets(a=b"1"))
        with pytest.raises(Outage):
            await do_jobs([job], late)
        server.command("CONFIG", "SET", "maxmemory", "1")
        await do_jobs([job], late)
        assert isinstance(job.error, StorageError)
        assert "OOM" in str(job.error)
        server.command("CONFIG", "SET", "maxmemory", "0")
        assert await late.deliver() == [b"lost"]
        assert await fields(real) == {}
        later = ApplyJob(ours, [b"c{b}"], sets(a=b"2"))
        await do_jobs([later], late)
        assert await late.deliver() == [b"taken"]
        assert later.error is None
        assert await fields(real) == {b"a": b"2"}


async def test_another_owner_ends_what_the_former_one_sent(server: RedisServer) -> None:
    """A process that was taken for dead can write nothing more."""
    async with connected(server) as real:
        ours = band()
        await do_jobs([ApplyJob(ours, [b"c{b}"], sets(a=b"1"))], real)
        theirs = Band(where="there", token="u", meta=b"m{b}", staged=b"s{b}")
        await do_jobs([ApplyJob(theirs, [b"c{b}"], sets(a=b"2"))], real)
        job = ApplyJob(ours, [b"c{b}"], sets(a=b"3"))
        await do_jobs([job], real)
        assert isinstance(job.error, StoreBroken)
        assert "another process has taken it over" in str(job.error)
        assert await fields(real) == {b"a": b"2"}


async def test_a_large_commit_is_all_or_nothing(server: RedisServer) -> None:
    """It goes in parts; while one of them is missing, nothing of it is seen."""
    async with connected(server) as real:
        ours = band()
        entries = sets(**{f"k{n}": b"x" * 1_000 for n in range(1_000)})
        late = Late(real, once())
        job = ApplyJob(ours, [b"c{b}"], entries)
        with pytest.raises(Outage):
            await do_jobs([job], late)
        assert await fields(real) == {}
        await do_jobs([job], late)
        assert len(await fields(real)) == 1_000
        assert [text for text, *_ in late.sent].count(STAGE) >= 2 * 4
        assert max(len(args) for _, _, args in late.sent) < 1_000
        assert server.command("EXISTS", "s{b}") == b":0\r\n"
        assert await late.deliver() == [b"done"]


@pytest.mark.parametrize("after", [b"2", b"6"])
async def test_a_part_that_arrives_twice_begins_the_commit_anew(
    server: RedisServer, after: bytes
) -> None:
    """The first part's second copy takes away what was gathered, so all is sent again."""
    async with connected(server) as real:

        class Doubling(Late):
            async def script(
                self, text: str, keys: Sequence[bytes], args: Sequence[bytes]
            ) -> object:
                reply = await super().script(text, keys, args)
                if text == STAGE and args[4] == after and len(self.sent) < 9:
                    first = next(one for one in self.sent if one[0] == STAGE)
                    await super().script(*first)
                return reply

        doubling = Doubling(real, lambda text: False)
        entries = sets(**{f"k{n}": b"x" * 1_000 for n in range(1_000)})
        job = ApplyJob(band(), [b"c{b}"], entries)
        await do_jobs([job], doubling)
        assert job.error is None
        assert len(await fields(real)) == 1_000
        firsts = [args[4] for text, _, args in doubling.sent if text == STAGE].count(b"0")
        assert firsts == 3  # its own, the second copy, and the new beginning


async def test_what_a_refused_large_commit_gathered_is_removed(server: RedisServer) -> None:
    """Or it would fill the memory whose lack it was refused for."""
    async with connected(server) as real:
        ours = band()
        await ours.claim(real)

        class Filling(Late):
            async def script(
                self, text: str, keys: Sequence[bytes], args: Sequence[bytes]
            ) -> object:
                if text == STAGE and args[4] == b"3":
                    server.command("CONFIG", "SET", "maxmemory", "1")
                return await super().script(text, keys, args)

        entries = sets(**{f"k{n}": b"x" * 1_000 for n in range(1_000)})
        job = ApplyJob(ours, [b"c{b}"], entries)
        await do_jobs([job], Filling(real, lambda text: False))
        assert isinstance(job.error, StorageError)
        assert server.command("EXISTS", "s{b}", "c{b}") == b":0\r\n"


async def test_every_band_of_a_commit_is_on_its_way_at_once(server: RedisServer) -> None:
    """No band waits for another band's answer."""
    async with connected(server) as real:
        waiting = 0
        all_there = trio.Event()

        class Meeting(Late):
            async def script(
                self, text: str, keys: Sequence[bytes], args: Sequence[bytes]
            ) -> object:
                nonlocal waiting
                if text == APPLY:
                    waiting += 1
                    if waiting == 50:
                        all_there.set()
                    await all_there.wait()
                return await super().script(text, keys, args)

        bands = [
            Band(where="h", token="t", meta=b"m{%d}" % n, staged=b"s{%d}" % n) for n in range(50)
        ]
        jobs = [ApplyJob(one, [b"c" + one.meta[1:]], sets(a=b"1")) for one in bands]
        await do_jobs(jobs, Meeting(real, lambda text: False))
        assert all(job.done and job.error is None for job in jobs)


async def test_a_record_set_aside_is_kept_beside(server: RedisServer) -> None:
    """Key, value and problem lie in a list of the container; the rest stays."""
    async with open_redis(server.settings, SITE) as engine:
        await engine.commit([Change(BOX, b"a", b"1"), Change(BOX, b"b", b"2")])
        where = await engine.set_aside(BOX, b"a", "no JSON")
        assert where == "the list moobius:{s1:band}::aside:box"
        assert dict((await engine.load(BOX)).records) == {b"b": b"2"}
        assert await engine.places() == [BOX]
    found = server.command("LRANGE", "moobius:{s1:band}::aside:box", "0", "-1")
    assert found == b"*3\r\n$1\r\na\r\n$1\r\n1\r\n$7\r\nno JSON\r\n"


async def test_what_others_keep_on_the_server_is_not_ours(server: RedisServer) -> None:
    """Other programs' keys, other services' and keys of another kind are no containers."""
    for name in (
        "x",
        "moobius:{s1:band}",
        "moobius:{s10:b}:box",
        "moobius:{s}:box",
        "moobius:{s1*}:b",
    ):
        server.command("HSET", name, "k", "v")
    server.command("SET", "moobius:{s1:band}:text", "v")
    async with open_redis(server.settings, SITE) as engine:
        assert await engine.places() == []
        await engine.commit([Change(BOX, b"a", b"1")])
        assert await engine.places() == [BOX]
    assert server.command("HGET", "moobius:{s1:band}:box", "a") == b"$1\r\n1\r\n"


async def test_a_large_container_is_read_in_parts(server: RedisServer) -> None:
    """Each record once, and no reply much above 256 KiB."""
    async with open_redis(server.settings, SITE) as engine:
        records = {b"k%d" % n: b"x" * (10 * n) for n in range(1_000)}
        await engine.commit([Change(BOX, key, value) for key, value in records.items()])
        assert dict((await engine.load(BOX)).records) == records
        assert len((await engine.load(BOX)).records) == 1_000
    statistics = server.command("INFO", "commandstats")
    calls = int(statistics.partition(b"cmdstat_hscan:calls=")[2].partition(b",")[0])
    assert calls >= 2 * 15  # 5 MB twice
