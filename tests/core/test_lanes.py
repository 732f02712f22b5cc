"""Lanes: order inside, concurrency between, nothing silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import structlog.testing
import structlog.typing
import trio
import trio.testing

from moobius_trio.core.lanes import TURN_EVENTS, LaneKey, Lanes, LanesEnded
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.types import ChannelId, UserId

RED: LaneKey = ("band", ChannelId("red"), None)
BLUE: LaneKey = ("band", ChannelId("blue"), None)
VIEW: LaneKey = ("view", ChannelId("red"), UserId("alice"))


@asynccontextmanager
async def lanes_for(
    handle: Callable[[str], Awaitable[None]], *, limit: int = 100, shed: list[str] | None = None
) -> AsyncIterator[Lanes[str]]:
    """Lanes whose events are texts; cancelled when the block ends."""
    told: list[str] = shed if shed is not None else []

    async def handle_each(events: AsyncIterator[str]) -> None:
        async for event in events:
            await handle(event)

    async with trio.open_nursery() as nursery:
        lanes: Lanes[str] = Lanes(
            nursery=nursery,
            handle_each=handle_each,
            describe=lambda event: f"Test.{event}",
            weigh=len,
            on_shed=lambda _key, event: told.append(event),
            limits=Limits(band_events=limit),
        )
        yield lanes
        nursery.cancel_scope.cancel()


async def test_events_of_one_lane_run_one_at_a_time_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """However long each handler waits, the next one begins after it has ended."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(f"+{event}")
        await trio.sleep(5 - int(event))
        seen.append(f"-{event}")

    async with lanes_for(handle) as lanes:
        for number in range(5):
            lanes.file(RED, str(number))
        lanes.open()
        await lanes.wait_idle()
    assert seen == [sign + str(number) for number in range(5) for sign in "+-"]


async def test_a_stuck_lane_does_not_delay_another(autojump_clock: trio.testing.MockClock) -> None:
    """While one band's handler waits for an hour, another band's events are handled at once."""
    seen: list[tuple[str, float]] = []

    async def handle(event: str) -> None:
        if event == "stuck":
            await trio.sleep(3600)
        seen.append((event, trio.current_time()))

    async with lanes_for(handle) as lanes:
        lanes.open()
        start = trio.current_time()
        lanes.file(RED, "stuck")
        lanes.file(BLUE, "quick")
        await lanes.wait_idle()
    assert seen == [("quick", start), ("stuck", start + 3600)]


async def test_events_wait_until_the_lanes_open() -> None:
    """Nothing is handled before `open`, and everything filed before it afterwards."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle) as lanes:
        lanes.file(RED, "early")
        await trio.testing.wait_all_tasks_blocked()
        assert seen == []
        lanes.open()
        await lanes.wait_idle()
    assert seen == ["early"]


async def test_a_full_lane_sheds_the_newest_and_says_so() -> None:
    """Beyond its room a lane keeps the oldest, counts the rest, and tells of each."""
    seen: list[str] = []
    shed: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle, limit=2, shed=shed) as lanes:
        taken = [lanes.file(RED, event) for event in "abcd"]
        lanes.open()
        await lanes.wait_idle()
    assert taken == [True, True, False, False]
    assert (seen, shed) == (["a", "b"], ["c", "d"])


async def test_what_runs_takes_room_too(autojump_clock: trio.testing.MockClock) -> None:
    """A handler that does not end keeps its event's room, so a thousand of them are the most."""
    shed: list[str] = []

    async def handle(event: str) -> None:
        await trio.sleep(60)

    async with lanes_for(handle, limit=2, shed=shed) as lanes:
        lanes.open()
        for event in "abc":
            lanes.file(("view", ChannelId("red"), UserId(event)), event)
            await trio.testing.wait_all_tasks_blocked()
        assert (shed, lanes.statistics().waiting, lanes.statistics().bytes) == (["c"], 0, 2)
        await lanes.wait_idle()
        assert lanes.file(VIEW, "d")
        await lanes.wait_idle()
        assert lanes.statistics().bytes == 0


async def test_one_user_cannot_fill_the_room_of_a_band() -> None:
    """Where each user has a lane, one of them is full long before the band is."""

    async def handle(event: str) -> None:
        pass

    async with lanes_for(handle, limit=1_000) as lanes:
        taken = [lanes.file(VIEW, str(number)) for number in range(300)]
        other: LaneKey = ("view", ChannelId("red"), UserId("bob"))
        assert lanes.file(other, "list")
    assert taken == [True] * 100 + [False] * 200


async def test_what_the_end_leaves_over_gives_its_room_back() -> None:
    """After `end` nothing is counted as waiting, in events or in bytes."""
    running = trio.Event()

    async def handle(event: str) -> None:
        running.set()
        await trio.sleep_forever()

    async with lanes_for(handle) as lanes:
        lanes.open()
        for event in ("one", "two", "three"):
            lanes.file(RED, event)
        await running.wait()
        assert lanes.end() == 2
        await lanes.wait_idle()
        assert (lanes.statistics().waiting, lanes.statistics().bytes) == (0, 0)
        assert lanes.room.events(RED) == 0


async def test_a_full_lane_leaves_others_their_turn() -> None:
    """Between two events of a lane in which many wait, everybody else who can run does."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)  # and waits for nothing
        if len(seen) == 1:
            lanes.file(BLUE, "calm")

    async with lanes_for(handle, limit=1_000) as lanes:
        lanes.open()
        for _ in range(1_000):
            lanes.file(RED, "flood")
        await lanes.wait_idle()
    assert seen.index("calm") <= 2


@pytest.mark.parametrize(("seconds", "most"), [(0.0, TURN_EVENTS), (0.001, 4), (1.0, 1)])
async def test_a_full_lane_lets_the_reader_run(
    mock_clock: trio.testing.MockClock, seconds: float, most: int
) -> None:
    """After 64 events whose handlers wait for nothing, or as many as take four milliseconds."""
    seen: list[int] = []

    class Turns(trio.abc.Instrument):
        now = 0

        def before_io_wait(self, timeout: float) -> None:
            self.now += 1

    async def handle(event: str) -> None:
        seen.append(turns.now)
        mock_clock.jump(seconds)

    trio.lowlevel.add_instrument(turns := Turns())
    async with lanes_for(handle, limit=1_000) as lanes:
        lanes.open()
        for _ in range(200):
            lanes.file(RED, "flood")
        await lanes.wait_idle()
    assert max(Counter(seen).values()) == most
    assert len(seen) == 200


async def test_equal_requests_that_wait_coalesce() -> None:
    """A request filed twice while it waits is handled once; another one is not affected."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle) as lanes:
        for event in ("list", "keys", "list", "list"):
            assert lanes.file(VIEW, event, coalesce=True)
        lanes.open()
        await lanes.wait_idle()
        assert lanes.statistics().coalesced == 2
    assert seen == ["list", "keys"]


async def test_a_held_lane_waits_for_its_release() -> None:
    """A view lane held by a join is handled once the join has been."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle) as lanes:
        lanes.open()
        lanes.hold(VIEW)
        lanes.file(VIEW, "view")
        lanes.file(RED, "join")
        await trio.testing.wait_all_tasks_blocked()
        assert seen == ["join"]
        lanes.release(VIEW)
        await lanes.wait_idle()
    assert seen == ["join", "view"]


async def test_a_turn_holds_the_lane_in_the_callers_task(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Code that takes a turn runs between the events around it and keeps others out meanwhile."""
    seen: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle) as lanes:
        lanes.file(RED, "before")
        lanes.open()
        async with lanes.turn(RED):
            lanes.file(RED, "after")
            await trio.sleep(10)
            seen.append("turn")
        await lanes.wait_idle()
    assert seen == ["before", "turn", "after"]


async def test_a_cancelled_turn_gives_up_its_place() -> None:
    """Whoever stops waiting for a turn does not block the lane."""
    seen: list[str] = []
    proceed = trio.Event()

    async def handle(event: str) -> None:
        await proceed.wait()
        seen.append(event)

    async with lanes_for(handle) as lanes:
        lanes.open()
        lanes.file(RED, "first")
        with trio.CancelScope() as scope:
            scope.cancel()
            async with lanes.turn(RED):
                pytest.fail("the turn came although nobody waits for it")
        lanes.file(RED, "second")
        proceed.set()
        await lanes.wait_idle()
    assert seen == ["first", "second"]


async def test_a_slow_handler_is_named_once_while_events_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After two seconds the log names the handler, how many wait, and what to do."""

    async def handle(event: str) -> None:
        if event == "slow":
            await trio.sleep(30)

    with structlog.testing.capture_logs() as logs:
        async with lanes_for(handle) as lanes:
            lanes.open()
            lanes.file(RED, "slow")
            await trio.testing.wait_all_tasks_blocked()
            lanes.file(RED, "waits")
            await lanes.wait_idle()
    named = [entry for entry in logs if "holds its lane" in entry["event"]]
    assert [(entry["handler"], entry["waiting"]) for entry in named] == [("Test.slow", 1)]
    assert "start_soon" in named[0]["remedy"]


async def test_many_slow_handlers_are_named_bit_by_bit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Fifty at once are not fifty lines at once, but each of them is named, and once."""
    times: list[float] = []

    def keep(logger: object, name: str, entry: structlog.typing.EventDict) -> dict[str, object]:
        times.append(trio.current_time())
        return dict(entry)

    async def handle(event: str) -> None:
        await trio.sleep(60)

    with structlog.testing.capture_logs(processors=[keep]) as logs:
        async with lanes_for(handle) as lanes:
            lanes.open()
            start = trio.current_time()
            for number in range(50):
                for event in ("slow", "waits"):
                    lanes.file(("view", ChannelId(str(number)), UserId("alice")), event)
            await trio.sleep(30)
    assert len(logs) == 50
    assert times == [start + 2] * 20 + [start + 4] * 20 + [start + 6] * 10


async def test_watching_for_slow_handlers_takes_one_task(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A thousand people who pass through leave no task behind each."""

    async def handle(event: str) -> None:
        await trio.sleep(0.001)

    async with lanes_for(handle) as lanes:
        lanes.open()
        before = trio.lowlevel.current_statistics().tasks_living
        for number in range(1_000):
            key: LaneKey = ("view", ChannelId("red"), UserId(str(number)))
            lanes.file(key, "first")
            lanes.file(key, "second")
            await lanes.wait_idle()
        assert trio.lowlevel.current_statistics().tasks_living <= before + 2


async def test_empty_lanes_leave_nothing_behind() -> None:
    """A thousand users passing through do not leave a thousand lanes."""

    async def handle(event: str) -> None:
        pass

    async with lanes_for(handle) as lanes:
        lanes.open()
        for number in range(1000):
            lanes.file(("view", ChannelId("red"), UserId(str(number))), "list")
        await lanes.wait_idle()
        assert lanes.statistics().lanes == 0


async def test_a_closed_lane_takes_nothing_more_but_finishes() -> None:
    """After `close` what waits is handled, and what comes counts as late, not as shed."""
    seen: list[str] = []
    shed: list[str] = []

    async def handle(event: str) -> None:
        seen.append(event)

    async with lanes_for(handle, shed=shed) as lanes:
        lanes.file(RED, "kept")
        lanes.close()
        assert not lanes.file(RED, "late")
        lanes.open()
        await lanes.wait_idle()
        assert lanes.statistics().late == 1
    assert (seen, shed) == (["kept"], [])


async def test_whoever_waits_for_a_turn_hears_that_the_lanes_have_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Neither a turn that waits at the end nor one asked for after it waits for ever."""
    ended: list[str] = []

    async def handle(event: str) -> None:
        await trio.sleep_forever()

    async def wait_for_turn(lanes: Lanes[str], name: str) -> None:
        with pytest.raises(LanesEnded):
            async with lanes.turn(RED):
                pytest.fail("the turn came")
        ended.append(name)

    async with lanes_for(handle) as lanes:
        lanes.open()
        lanes.file(RED, "stuck")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_turn, lanes, "before")
            await trio.testing.wait_all_tasks_blocked()
            lanes.end()
        await wait_for_turn(lanes, "after")
        await lanes.wait_idle()
    assert ended == ["before", "after"]
