"""What makes a link suspicious: it is closed again and again, or the clock has jumped."""

from __future__ import annotations

import itertools

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock

from moobius_trio.errors import ApiError, SignInRefused
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.network.streams import FrameStream
from moobius_trio.testing.link_rig import make_link, message
from moobius_trio.testing.scripted_platform import ScriptedPlatform

HOUR = 3600.0


@attrs.define(eq=False)
class OneAtATime(ScriptedPlatform):
    """A second connection ends the first, as where two instances of a service run."""

    code: int = 1008

    async def serve(self, stream: FrameStream) -> None:
        await self.cut(self.code)
        await super().serve(stream)


@pytest.mark.parametrize("code", [1000, 1008, 4000])
async def test_two_instances_come_to_rest(autojump_clock: MockClock, code: int) -> None:
    """At most twelve logins of each in the first hour, and the log asks for the other (F27)."""
    platform = OneAtATime(code=code)
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            connect = memory_connector(nursery, platform.serve)
            rigs = [make_link(connect, seed=seed) for seed in (1, 2)]
            for rig in rigs:
                await nursery.start(rig.link.serve)
            await trio.sleep(HOUR)
            logins = [rig.link.statistics().logins for rig in rigs]
            nursery.cancel_scope.cancel()
    assert all(3 <= count <= 12 for count in logins)
    assert platform.most_open <= 2  # the second one, before it has pushed out the first
    errors = [line for line in logs if line["log_level"] == "error"]
    assert {"another instance?" in line["event"] for line in errors} == {True}


async def test_it_comes_back_by_itself_when_the_other_one_has_gone(
    autojump_clock: MockClock,
) -> None:
    """What was to be sent meanwhile is sent then."""
    platform = OneAtATime()
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        one, other = make_link(connect, seed=1), make_link(connect, seed=2)
        await nursery.start(one.link.serve)
        await nursery.start(other.link.serve)
        await trio.sleep(60)
        receipt = await one.outbox.put(message("one"))
        await other.link.stop()
        assert (await receipt.outcome()).state == "confirmed"
        assert trio.current_time() < 601
        await trio.sleep(HOUR)
        assert one.link.statistics().connections < 10
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("answers", ["copies", "pongs"])
async def test_liveness_is_known_within_a_second_of_the_login(
    autojump_clock: MockClock, answers: str
) -> None:
    """So a black hole is found from the first minute on (F5)."""
    platform = ScriptedPlatform(copies="own" if answers == "copies" else "absent")
    ends: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        end.answers_pings = answers == "pongs"
        ends.append(end)
        await platform.serve(end)

    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, serve))
        await nursery.start(rig.link.serve)
        await trio.sleep(1)
        assert rig.link.statistics().liveness == "proven"
        ends[0].silent = ends[0].deaf = True
        await rig.gap_reported()
        assert trio.current_time() < 51
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("jump_hours", [8, -8])
@pytest.mark.parametrize("dead", [True, False])
async def test_after_a_suspend_a_dead_connection_is_replaced_within_ten_seconds(
    autojump_clock: MockClock, jump_hours: int, dead: bool
) -> None:
    """One that lives is kept, and new tokens are fetched in either case (F58)."""
    platform = ScriptedPlatform()
    ends: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        ends.append(end)
        await platform.serve(end)

    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, serve), clock_seconds=4)
        await nursery.start(rig.link.serve)
        await trio.sleep(103)
        ends[0].silent = ends[0].deaf = dead
        rig.wall_clock_ahead_ms = int(jump_hours * HOUR * 1000)
        await trio.sleep(10)
        statistics = rig.link.statistics()
        assert statistics.state == "connected"
        assert statistics.connections == (2 if dead else 1)
        assert len(rig.renewals) == 1
        await trio.sleep(HOUR)
        assert len(rig.renewals) == 1
        beats = [frame.at for frame in platform.heartbeats]
        assert max(b - a for a, b in itertools.pairwise(beats)) <= 31
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "error", [SignInRefused("a@b.c", "wrong password"), ApiError("/auth/refresh", "resting")]
)
async def test_tokens_that_cannot_be_had_after_a_jump_end_nothing(
    autojump_clock: MockClock, error: Exception
) -> None:
    """The connection that there is keeps its login."""

    async def renew() -> None:
        raise error

    platform = ScriptedPlatform()
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        rig = make_link(connect, renew=renew, clock_seconds=4)
        await nursery.start(rig.link.serve)
        rig.wall_clock_ahead_ms = 120_000
        await trio.sleep(100)
        assert len(rig.renewals) == 1
        assert rig.link.statistics().connections == 1
        nursery.cancel_scope.cancel()
