"""The link over streams in memory and simulated time: log in, read, beat, connect again, stop."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
import trio
import trio.testing
from trio.testing import MockClock

from moobius_trio.errors import (
    ApiError,
    ConnectionLost,
    LoginRejected,
    MalformedPayload,
    MoobiusError,
    SignInRefused,
    Unreachable,
)
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.network.websocket import Connector, CouldNotConnect, FrameStream
from moobius_trio.testing.link_rig import SERVICE_ID, TOKEN, LinkRig, make_link, message, open_link
from moobius_trio.testing.scripted_platform import ReceivedFrame, ScriptedPlatform
from moobius_trio.types import (
    Action,
    ChannelId,
    Copy,
    MessageDown,
    PlatformError,
    ServiceLogin,
    UnknownPayload,
    UserId,
)


def is_login(frame: ReceivedFrame) -> bool:
    return isinstance(frame.command, ServiceLogin)


def failing_connector(
    errors: Callable[[int], CouldNotConnect | None], then: Connector | None = None
) -> tuple[Connector, list[float]]:
    """A connector that fails as told by the number of the attempt; and when it was asked."""
    attempts: list[float] = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[FrameStream]:
        await trio.lowlevel.checkpoint()
        attempts.append(trio.current_time())
        error = errors(len(attempts))
        if error is not None:
            raise error
        assert then is not None
        async with then() as stream:
            yield stream

    return connect, attempts


async def serve_to_its_end(rig: LinkRig) -> BaseException:
    """Serve the link until it raises, and give what it raised."""
    try:
        await rig.link.serve()
    except Exception as error:
        return error
    raise AssertionError("the link returned")


async def test_nothing_leaves_before_the_login(autojump_clock: MockClock) -> None:
    """What was put before is written behind the login's copy (F14)."""
    platform = ScriptedPlatform()
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))
        receipt = await rig.outbox.put(message("early"))
        await nursery.start(rig.link.serve)
        assert (await receipt.outcome()).state == "confirmed"
        await rig.link.stop()
    kinds = [type(frame.command) for frame in platform.received]
    assert kinds[0] is ServiceLogin
    assert MessageDown in kinds
    assert platform.received[0].command == ServiceLogin(service_id=SERVICE_ID, access_token=TOKEN)


async def test_ready_is_said_when_the_login_is_confirmed(autojump_clock: MockClock) -> None:
    """Not before its copy; here that takes 1.5 s."""

    class Slow(ScriptedPlatform):
        async def _acknowledge(self, *args: Any) -> None:
            await trio.sleep(1.5)
            await super()._acknowledge(*args)

    async with open_link(Slow().serve) as rig:
        assert trio.current_time() == 1.5
        assert rig.link.statistics().state == "connected"
        assert rig.link.statistics().acknowledgement == "proven"


@pytest.mark.parametrize("copies", ["absent", "own"])
async def test_where_logins_are_never_answered_a_grace_of_two_seconds_is_enough(
    autojump_clock: MockClock, copies: Any
) -> None:
    """On the first connection and on each later one, and nothing leaves earlier (F14)."""
    platform = ScriptedPlatform(copies=copies, answers_logins=False)
    async with open_link(platform.serve) as rig:
        assert trio.current_time() == 2.0
        await rig.outbox.put(message("1"))
        await trio.sleep(1)
        await platform.cut()
        await rig.outbox.put(message("2"))
        await trio.sleep(5)
    for connection in (1, 2):
        login, first = [one.at for one in platform.received if one.connection == connection][:2]
        assert first - login >= 2.0


async def test_a_login_unanswered_by_a_platform_that_answers_them_ends_the_connection(
    autojump_clock: MockClock,
) -> None:
    """After 20 s; the next connection is tried as after any other fault."""
    platform = ScriptedPlatform()
    async with open_link(platform.serve) as rig:
        platform.answers_logins = False
        await platform.cut()
        await trio.sleep(15)
        platform.answers_logins = True
        await rig.outbox.put(message("x"))
        await trio.sleep(30)
    assert platform.connections == 3
    assert platform.logins[2].at - platform.logins[1].at >= 20
    assert platform.before_login == 0


async def test_a_late_refusal_of_the_login_counts(autojump_clock: MockClock) -> None:
    """A copy that comes after the grace still says no."""

    class Slow(ScriptedPlatform):
        async def _acknowledge(self, *args: Any) -> None:
            await trio.sleep(3)
            await super()._acknowledge(*args)

    platform = Slow(refuses=is_login)
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))
        assert isinstance(await serve_to_its_end(rig), LoginRejected)
    assert len(platform.logins) == 10


async def test_events_are_handed_on_in_order(autojump_clock: MockClock) -> None:
    """All kinds, copies and errors of the platform included; frames unread are counted."""
    platform = ScriptedPlatform()
    join = Action(subtype="join_channel", channel_id=ChannelId("b"), sender=UserId("alice"))
    async with open_link(platform.serve) as rig:
        await platform.tell(join)
        await platform.send_raw('{"message": "Internal server error", "connectionId": "c"}')
        for broken in ("", "{", "[]", '{"type": "action", "body": {}}', "null", '"Forbidden"'):
            await platform.send_raw(broken)
        await platform.send_raw('{"type": "new_thing", "body": {"a": 1}}')
        await trio.testing.wait_all_tasks_blocked()
        statistics = rig.link.statistics()
    told = [event for event in rig.events if not isinstance(event, Copy)]
    assert [type(event) for event in told] == [Action, PlatformError, UnknownPayload]
    assert told[0] == join
    assert len(rig.events) - len(told) == 2  # of the login and the first heartbeat
    assert (statistics.malformed, statistics.platform_errors, statistics.received) == (6, 1, 11)
    assert platform.connections == 1


async def test_a_heartbeat_leaves_every_thirty_seconds(autojump_clock: MockClock) -> None:
    """However full the outbox is, and it never passes it (F8)."""
    platform = ScriptedPlatform()
    async with open_link(platform.serve) as rig:
        await trio.sleep(3610)
        assert rig.link.statistics().liveness == "proven"
        assert rig.outbox.statistics().written == 0
    beats = [frame.at for frame in platform.heartbeats]
    assert len(beats) == 121  # the first one right behind the login
    assert beats[0] < 1
    assert max(b - a for a, b in itertools.pairwise(beats)) < 31
    assert platform.connections == 1


@pytest.mark.parametrize("black", ["to the platform", "from the platform", "both ways"])
async def test_a_black_hole_is_noticed_within_45_seconds(
    autojump_clock: MockClock, black: str
) -> None:
    """Whichever way is black, if the platform has answered a heartbeat before."""
    platform = ScriptedPlatform()
    ends: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        ends.append(end)
        await platform.serve(end)

    async with open_link(serve) as rig:
        await trio.sleep(70)
        began = trio.current_time()
        ends[0].silent = black != "to the platform"
        ends[0].deaf = black != "from the platform"
        await rig.gap_reported()
        assert trio.current_time() - began <= 45 + 1.1
        assert rig.gaps[0].since <= began
        assert platform.most_open <= 2  # the dead one cannot know that it is closed
        assert "no sign of life" in rig.gaps[0].reason


async def test_silence_is_no_fault_of_a_platform_that_never_answers(
    autojump_clock: MockClock,
) -> None:
    """A day without a byte from it, and the connection stands."""
    platform = ScriptedPlatform(copies="absent")

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        end.answers_pings = False
        await platform.serve(end)

    async with open_link(serve) as rig:
        await trio.sleep(86_400)
        statistics = rig.link.statistics()
    assert statistics.liveness == "unproven"
    assert platform.connections == statistics.rotations + 1
    assert {gap.reason for gap in rig.gaps} == {"a planned new connection"}


async def test_pongs_alone_prove_liveness(autojump_clock: MockClock) -> None:
    """A platform that answers only pings is dead when it stops doing that."""
    platform = ScriptedPlatform(copies="absent")
    ends: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        ends.append(end)
        await platform.serve(end)

    async with open_link(serve) as rig:
        await trio.sleep(50)
        assert rig.link.statistics().liveness == "proven"
        ends[0].silent = True
        await trio.sleep(60)
        assert platform.connections == 2


async def test_a_peer_that_stops_reading_is_left_after_twenty_seconds(
    autojump_clock: MockClock,
) -> None:
    """The write that hangs is never followed by another one on that connection (F6)."""
    platform = ScriptedPlatform()
    stuck: list[FrameStream] = []

    async def serve(end: FrameStream) -> None:
        if platform.connections == 0:
            platform.connections = 1
            login = json.loads(await end.receive_text())
            body = {"request_id": login["request_id"], "origin_type": "service_login"}
            body |= {"status": True, "context": {}}
            await end.send_text(json.dumps({"type": "copy_client", "body": body}))
            stuck.append(end)
            await trio.sleep_forever()
        await platform.serve(end)

    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, serve, room=3))
        await nursery.start(rig.link.serve)
        began = trio.current_time()
        receipts = [await rig.outbox.put(message(str(number))) for number in range(20)]
        await rig.gap_reported()
        assert 20 <= trio.current_time() - began < 22
        assert "20 s" in rig.gaps[0].reason
        outcomes = [(await receipt.outcome()).state for receipt in receipts]
        await rig.link.stop()
        nursery.cancel_scope.cancel()
    assert outcomes == ["confirmed"] * 20
    assert [taken.text for taken in platform.taken] == [str(number) for number in range(20)]
    assert isinstance(stuck[0], MemoryFrameStream)
    assert stuck[0].closed
    assert stuck[0].pending == 0  # a cut loses them: none was written behind


async def test_a_loop_that_was_held_up_does_not_call_the_platform_dead(
    mock_clock: MockClock,
) -> None:
    """What came meanwhile is read before anybody is judged by it."""

    class Slow(ScriptedPlatform):
        async def _acknowledge(self, *args: Any) -> None:
            await trio.sleep(0.3)
            await super()._acknowledge(*args)

    mock_clock.autojump_threshold = 0
    platform = Slow()
    async with trio.open_nursery() as nursery:

        async def silent_pings(end: FrameStream) -> None:
            assert isinstance(end, MemoryFrameStream)
            end.answers_pings = False
            await platform.serve(end)

        rig = make_link(memory_connector(nursery, silent_pings))
        await nursery.start(rig.link.serve)
        await trio.sleep_until(32)
        assert rig.link.statistics().liveness == "proven"
        await trio.sleep_until(60.4)  # the heartbeat of 60.3 s is on its way
        receipt = await rig.outbox.put(message("x"))
        await trio.sleep(0.1)
        mock_clock.jump(50)  # as by a handler that computes
        assert (await receipt.outcome()).state == "confirmed"
        await trio.sleep(5)
        assert platform.connections == 1
        await rig.link.stop()


async def test_before_the_first_login_three_tries_are_made(autojump_clock: MockClock) -> None:
    """Then it is unreachable, as one plain error that tells address and reason (F11)."""
    connect, attempts = failing_connector(lambda attempt: CouldNotConnect("refused"))
    rig = make_link(connect)
    receipt = await rig.outbox.put(message("x"))
    error = await serve_to_its_end(rig)
    assert isinstance(error, Unreachable)
    assert (error.attempts, error.reason, error.address) == (3, "refused", "ws://platform.test")
    assert len(attempts) == 3
    assert attempts[-1] <= 1.5
    assert (await receipt.outcome()).state == "dropped"
    assert rig.link.statistics().state == "stopped"


async def test_a_platform_that_closes_at_once_is_unreachable_too(
    autojump_clock: MockClock,
) -> None:
    """Three connections, no storm."""

    async def close(end: FrameStream) -> None:
        await end.aclose(1011, "try later")

    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, close))
        error = await serve_to_its_end(rig)
    assert isinstance(error, Unreachable)
    assert "try later" in error.reason
    assert rig.link.statistics().connections == 3


@pytest.mark.parametrize("outage", [0.1, 30.0, 3600.0, 86_400.0])
async def test_after_the_first_login_an_outage_never_ends_it(
    autojump_clock: MockClock, outage: float
) -> None:
    """Attempts stay within a bound, the next is never more than a minute away, nothing is lost.

    (F3)
    """
    platform = ScriptedPlatform()
    down_until = [0.0]

    def fails(attempt: int) -> CouldNotConnect | None:
        down = trio.current_time() < down_until[0]
        return CouldNotConnect("refused") if down else None

    async with trio.open_nursery() as nursery:
        connect, attempts = failing_connector(fails, memory_connector(nursery, platform.serve))
        rig = make_link(connect)
        await nursery.start(rig.link.serve)
        await trio.sleep(20)
        down_until[0] = trio.current_time() + outage
        await platform.cut()
        receipt = await rig.outbox.put(message("during"))
        await trio.sleep(outage * 0.9)
        assert rig.link.statistics().state == "waiting"
        waits = rig.link.statistics().next_attempt_in
        assert waits is not None
        assert waits <= 60
        assert (await receipt.outcome()).state == "confirmed"
        assert trio.current_time() <= down_until[0] + 61
        await rig.link.stop()
    expected = 10 + outage / 30
    assert len(attempts) <= expected * 1.15
    assert len(platform.taken) == 1
    assert len(rig.gaps) == 1
    assert rig.gaps[0].until - rig.gaps[0].since >= outage


async def test_no_answer_of_the_platform_ends_a_service_that_was_logged_in(
    autojump_clock: MockClock,
) -> None:
    """While a platform restarts it may answer 404; only before the first login that is the end."""
    platform = ScriptedPlatform()
    gone = range(2, 12)

    def fails(attempt: int) -> CouldNotConnect | None:
        return CouldNotConnect("HTTP 404", fatal=True) if attempt in gone else None

    async with trio.open_nursery() as nursery:
        connect, attempts = failing_connector(fails, memory_connector(nursery, platform.serve))
        rig = make_link(connect)
        await nursery.start(rig.link.serve)
        await trio.sleep(20)
        await platform.cut()
        await trio.sleep(20 * 60)
        assert rig.link.statistics().state == "connected"
        assert len(attempts) == len(gone) + 2
        await rig.link.stop()


async def test_a_first_login_that_is_refused_is_tried_with_new_tokens(
    autojump_clock: MockClock,
) -> None:
    """Three logins, two renewals, then one plain error that names the service."""
    platform = ScriptedPlatform(refuses=is_login)
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))
        error = await serve_to_its_end(rig)
    assert isinstance(error, LoginRejected)
    assert error.service_id == "service-1"
    assert "refused by script" in error.reason
    assert TOKEN not in str(error)
    assert len(platform.logins) == 3
    assert len(rig.renewals) == 2
    assert trio.current_time() == 0


async def test_new_tokens_can_make_a_refused_login_good(autojump_clock: MockClock) -> None:
    """The second login passes, and the service starts."""
    platform = ScriptedPlatform(refuses=lambda frame: is_login(frame) and frame.connection == 1)
    async with open_link(platform.serve) as rig:
        assert len(rig.renewals) == 1
        assert rig.link.statistics().refused_logins == 1
        assert rig.link.statistics().state == "connected"


async def test_later_refused_logins_wait_longer_and_longer(autojump_clock: MockClock) -> None:
    """Exactly ten logins within the hour, never more than three of them in a minute."""
    platform = ScriptedPlatform(refuses=lambda frame: is_login(frame) and frame.connection > 1)
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))

        async def cut_once() -> None:
            await trio.sleep(20)
            await platform.cut()

        nursery.start_soon(cut_once)
        assert isinstance(await serve_to_its_end(rig), LoginRejected)
    refused = [login.at for login in platform.logins[1:]]
    assert len(refused) == 10
    assert all(refused[n + 3] - refused[n] >= 60 for n in range(7))
    minutes = [round((b - a) / 60) for a, b in itertools.pairwise(refused)]
    assert minutes == [0, 0, 1, 2, 4, 8, 15, 15, 15]


async def test_never_more_than_three_refused_logins_in_a_minute(
    autojump_clock: MockClock,
) -> None:
    """Also where every third is accepted, which begins the count anew, and then cut."""
    platform = ScriptedPlatform(
        refuses=lambda frame: is_login(frame) and frame.connection % 3 != 0,
        cut_after=lambda connection: 1,
    )
    async with open_link(platform.serve) as rig:
        for _ in range(100):
            await rig.outbox.put(message("x"))
            await trio.sleep(2)
        assert rig.link.statistics().refused_logins > 6
    refused = [login.at for login in platform.logins if login.connection % 3]
    assert all(refused[n + 3] - refused[n] >= 60 for n in range(len(refused) - 3))


async def test_a_wrong_password_at_renewal_is_told_as_that(autojump_clock: MockClock) -> None:
    """At the start at once: no new tokens will come."""

    async def renew() -> None:
        raise SignInRefused("a@b.test", "Incorrect username or password")

    platform = ScriptedPlatform(refuses=is_login)
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve), renew=renew)
        error = await serve_to_its_end(rig)
    assert isinstance(error, SignInRefused)
    assert len(platform.logins) == 1


@pytest.mark.parametrize(
    "problem",
    [
        ApiError("/auth/refresh", "no reply"),
        Unreachable("http://platform.test", 3, "refused"),
        MalformedPayload("tokens", ["expected an object"]),
    ],
)
async def test_a_renewal_that_fails_on_the_way_does_not_end_it(
    autojump_clock: MockClock, problem: MoobiusError
) -> None:
    """The login is tried with the tokens at hand."""

    async def renew() -> None:
        raise problem

    platform = ScriptedPlatform(refuses=lambda frame: is_login(frame) and frame.connection == 1)
    async with open_link(platform.serve, renew=renew) as rig:
        assert rig.link.statistics().state == "connected"


async def test_no_storm_of_logins_within_an_hour(autojump_clock: MockClock) -> None:
    """However it is cut: at login, right after it, or with every message refused."""
    for script in (
        ScriptedPlatform(cut_after=lambda connection: 1),
        ScriptedPlatform(refuses=lambda frame: not is_login(frame)),
    ):
        async with open_link(script.serve) as rig:
            began = trio.current_time()
            while trio.current_time() < began + 3600:
                await rig.outbox.put(message("x"))
                await trio.sleep(5)
        assert len(script.logins) <= 200
        by_minute = [int(login.at // 60) for login in script.logins if login.at > began + 60]
        assert all(by_minute.count(minute) <= 12 for minute in set(by_minute))


async def test_a_connection_that_breaks_below_the_session_is_told_like_any_other(
    autojump_clock: MockClock,
) -> None:
    """Where the library's reader fails, the session is only cancelled; all the same the gap is
    reported, and what had no answer is written again."""
    breaks = trio.Event()

    class Mute(ScriptedPlatform):
        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if self.connections > 1 or not isinstance(frame.command, MessageDown):
                await super()._acknowledge(stream, frame, accepted)

    platform = Mute()
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)

        @asynccontextmanager
        async def break_first() -> AsyncIterator[FrameStream]:
            async with connect() as stream, trio.open_nursery() as library:

                async def fail() -> None:
                    await breaks.wait()
                    library.cancel_scope.cancel()

                if not breaks.is_set():
                    library.start_soon(fail)
                yield stream
            if library.cancel_scope.cancelled_caught:
                raise ConnectionLost(None, "the library's reader failed")

        rig = make_link(break_first)
        await nursery.start(rig.link.serve)
        receipt = await rig.outbox.put(message("x"))
        await trio.testing.wait_all_tasks_blocked()
        breaks.set()
        outcome = await receipt.outcome()
        assert outcome.state == "confirmed"
        assert trio.current_time() < 2
        assert [gap.reason for gap in rig.gaps] == [
            "the connection ended (close code None): the library's reader failed"
        ]
        await rig.link.stop()
        nursery.cancel_scope.cancel()


async def test_every_reconnection_reports_its_gap(autojump_clock: MockClock) -> None:
    """One for each, none for the first login; the bounds contain the time without connection."""
    platform = ScriptedPlatform()
    async with open_link(platform.serve) as rig:
        assert rig.gaps == []
        cuts = []
        for _ in range(5):
            await trio.sleep(15)
            cuts.append(trio.current_time())
            await platform.cut(1001)
            await trio.sleep(15)
            assert rig.link.statistics().state == "connected"
    assert len(rig.gaps) == 5
    for gap, cut, login in zip(rig.gaps, cuts, platform.logins[1:], strict=True):
        assert gap.since <= cut <= gap.until == login.at
        assert "1001" in gap.reason
    assert platform.most_open == 1


async def test_stop_says_goodbye_and_returns(autojump_clock: MockClock) -> None:
    """The platform sees 1000; serve returns without an error; frames have their outcome."""
    platform = ScriptedPlatform(copies="absent")
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))
        await nursery.start(rig.link.serve)
        receipt = await rig.outbox.put(message("x"))
        await trio.testing.wait_all_tasks_blocked()
        await rig.link.stop()
        assert rig.link.statistics().state == "stopped"
        await rig.link.stop()
    assert [end.code for end in platform.ends] == [1000]
    assert (await receipt.outcome()).state == "unconfirmed"


@pytest.mark.parametrize("state", ["waiting", "connecting", "logging in"])
async def test_stop_works_in_every_state(autojump_clock: MockClock, state: str) -> None:
    """Also while it waits for the next attempt, connects, or logs in."""
    platform = ScriptedPlatform()

    @asynccontextmanager
    async def hanging() -> AsyncIterator[FrameStream]:
        await trio.sleep_forever()
        yield

    async def mute(end: FrameStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        good = memory_connector(nursery, platform.serve)
        later: dict[str, Connector] = {
            "waiting": failing_connector(lambda attempt: CouldNotConnect("down"))[0],
            "connecting": hanging,
            "logging in": memory_connector(nursery, mute),
        }
        turns = iter([good])
        rig = make_link(lambda: next(turns, later[state])())
        await nursery.start(rig.link.serve)
        await platform.cut()
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.5 if state != "waiting" else 0)
        assert rig.link.statistics().state == state
        began = trio.current_time()
        await rig.link.stop()
        assert trio.current_time() - began <= 1
        nursery.cancel_scope.cancel()


async def test_cancelling_serve_ends_it_cleanly(autojump_clock: MockClock) -> None:
    """Every frame has its outcome, and the platform sees a goodbye."""
    platform = ScriptedPlatform()
    async with trio.open_nursery() as outer:
        rig = make_link(memory_connector(outer, platform.serve))
        async with trio.open_nursery() as nursery:
            await nursery.start(rig.link.serve)
            nursery.cancel_scope.cancel()
    assert [end.code for end in platform.ends] == [1000]
    late = await rig.outbox.put(message("late"))
    assert (await late.outcome()).state == "dropped"


async def test_a_bug_in_what_it_calls_comes_out_as_itself(autojump_clock: MockClock) -> None:
    """Not as a group, and not taken for a fault of the network."""
    platform = ScriptedPlatform()

    def explode(event: object) -> None:
        raise ZeroDivisionError("bug")

    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, platform.serve))
        rig.link._on_event = explode
        assert isinstance(await serve_to_its_end(rig), ZeroDivisionError)


@pytest.fixture
def logs_of_all_levels() -> Iterator[None]:
    """What a service that ran before has set for the process would hide the lines of debugging."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    yield
    if before is not None:
        structlog.configure(**before)


@pytest.mark.usefixtures("logs_of_all_levels")
async def test_each_attempt_is_one_line_with_the_next_delay_and_no_token(
    autojump_clock: MockClock,
) -> None:
    """And the token is in no line at all, though frames with it went wrong."""
    platform = ScriptedPlatform(refuses=lambda frame: is_login(frame) and frame.connection == 1)
    with structlog.testing.capture_logs() as lines:
        async with open_link(platform.serve) as rig:
            login = {"type": "service_login", "access_token": TOKEN}
            await platform.send_raw(json.dumps({"body": login}))
            await platform.cut()
            await trio.sleep(30)
            assert len(rig.gaps) == 1
    again = [line for line in lines if line["event"] == "not connected, trying again"]
    assert len(again) == 1
    assert {"reason", "attempt", "delay"} <= set(again[0])
    assert TOKEN not in repr(lines)
    assert any("***" in str(line.get("frame")) for line in lines)
