"""Which events run one after the other, and how other code gets into a lane."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
import trio
import trio.testing

from moobius_trio import (
    Action,
    Band,
    ChannelId,
    Content,
    FeatureCall,
    Gap,
    MessageUp,
    MoobiusService,
    Overflow,
    UnknownPayload,
    UserId,
    every,
)
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver, runtime_of

ALICE = UserId("alice")
BOB = UserId("bob")


def message(band: str, sender: UserId, text: str = "") -> MessageUp:
    """A message in a band of the local platform."""
    return MessageUp(
        channel_id=ChannelId(f"local-{band}"), sender=sender, content=Content(text=text)
    )


class Diary(MoobiusService):
    """Notes when a message is begun and ended; each takes ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.seen.append(f"+{msg_up.text}")
        await trio.sleep(10)
        self.seen.append(f"-{msg_up.text}")


async def test_a_band_is_an_actor(local: Local) -> None:
    """By default users of one band wait for each other, and bands do not."""
    service = Diary()
    await local.start(service, bands=["red", "blue"])
    deliver(service, message("red", ALICE, "1"), message("red", BOB, "2"))
    deliver(service, message("blue", ALICE, "3"))
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(service.seen) == ["+1", "+3"]
    await local.settle()
    assert [entry for entry in service.seen if "3" not in entry] == ["+1", "-1", "+2", "-2"]


async def test_lanes_by_sender(local: Local) -> None:
    """With ``lanes: sender`` only what one user does in one band is in order."""
    service = Diary()
    await local.start(service, bands=["red"], lanes="sender")
    deliver(
        service,
        message("red", ALICE, "1"),
        message("red", BOB, "2"),
        message("red", ALICE, "3"),
    )
    start = trio.current_time()
    await local.settle()
    assert trio.current_time() - start == 20
    assert sorted(service.seen[:2]) == ["+1", "+2"]
    assert service.seen.index("-1") < service.seen.index("+3")


async def test_a_hundred_users_lose_no_increment(local: Local) -> None:
    """Read, wait and write is safe in a handler: no two of one band are at it at once (F32)."""
    wait = random.Random(0)

    class Counter(MoobiusService):
        count = 0
        order: tuple[str | None, ...] = ()

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            before = self.count
            await trio.sleep(wait.random())
            self.count = before + 1
            self.order = (*self.order, msg_up.text)

    service = Counter()
    await local.start(service, bands=["red"])
    deliver(service, *(message("red", UserId(str(n % 100)), str(n)) for n in range(900)))
    await local.settle()
    assert service.count == 900
    assert service.order == tuple(str(number) for number in range(900))


async def test_a_hundred_stuck_bands_do_not_hold_up_another(local: Local) -> None:
    """However many handlers wait, an event of an idle band is handled at once."""

    class Service(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            if msg_up.channel_id != "local-free":
                await trio.sleep(50)
            else:
                self.reply_after = trio.current_time() - start

    service = Service()
    await local.start(service, bands=["free", *(f"stuck-{number}" for number in range(100))])
    start = trio.current_time()
    deliver(service, *(message(f"stuck-{number}", ALICE) for number in range(100)))
    deliver(service, message("free", ALICE))
    await trio.testing.wait_all_tasks_blocked()
    assert service.reply_after == 0
    await local.settle()


async def test_reports_and_unknown_frames_share_one_lane(local: Local) -> None:
    """What belongs to no band is handled in order too, and never in the reader."""

    class Service(MoobiusService):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        async def on_unknown_payload(self, payload: UnknownPayload) -> None:
            await trio.sleep(5)
            self.seen.append(payload.type)

        async def on_gap(self, gap: Gap) -> None:
            self.seen.append("gap")

    service = Service()
    await local.start(service)
    deliver(service, UnknownPayload(type="one", frame={}), UnknownPayload(type="two", frame={}))
    assert service.seen == []
    await local.drop_socket()
    await local.until(lambda: len(service.seen) == 3)
    assert service.seen == ["one", "two", "gap"]


async def test_too_many_events_are_shed_and_reported(local: Local) -> None:
    """Beyond its thousand a band sheds the newest; one report says how many, another none."""
    reports: list[Overflow] = []

    class Service(Diary):
        async def on_overflow(self, overflow: Overflow) -> None:
            await trio.sleep(1)
            reports.append(overflow)

    service = Service()
    await local.start(service, bands=["red", "blue"], handler_seconds=None)
    deliver(service, *(message("red", ALICE, str(number)) for number in range(1_050)))
    deliver(service, message("blue", ALICE, "calm"))
    await trio.sleep(5)
    assert [(report.channel_id, report.shed) for report in reports] == [("local-red", 50)]
    await local.settle()
    assert [entry for entry in service.seen if entry.startswith("-")].count("-calm") == 1
    assert len(service.seen) == 2 * 1_001
    deliver(service, *(message("red", ALICE, str(number)) for number in range(1_002)))
    await trio.sleep(5)
    assert [report.shed for report in reports] == [50, 2]


async def test_what_the_sdk_files_is_never_shed(local: Local) -> None:
    """A gap is reported for a band whose lane is full, and for one whose service lane is."""
    gaps: list[Gap] = []

    class Service(Diary):
        async def on_gap(self, gap: Gap) -> None:
            gaps.append(gap)

    service = Service()
    await local.start(service, bands=["red"])
    lanes = runtime_of(service).dispatcher.lanes
    lanes.room.limits = Limits(band_events=0)
    await local.drop_socket()
    await local.until(lambda: gaps)
    assert len(gaps) == 1


# in_lane


class Crossing(MoobiusService):
    """Enters a lane from wherever a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.result: object = None

    async def enter(self, channel_id: ChannelId) -> str:
        self.seen.append("in")
        await trio.sleep(5)
        self.seen.append("out")
        return f"was in {channel_id}"

    async def cross(self) -> None:
        for channel_id in self.bands:
            self.result = await self.in_lane(channel_id, self.enter, channel_id)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.seen.append("message")

    async def on_spell(self, spell: object) -> object:
        await self.cross()
        return self.result


async def test_a_spell_enters_a_lane(local: Local) -> None:
    """It waits for the event that runs, keeps later ones out, and gets the result."""
    service = Crossing()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    service.spells.send_nowait("go")
    await trio.testing.wait_all_tasks_blocked()
    await alice.say("hello", to=SERVICE)
    assert service.seen == ["in", "out", "message"]
    assert service.result == "was in local-demo"


async def test_a_task_enters_a_lane(local: Local) -> None:
    """Also one that a handler has started."""

    class Service(Crossing):
        async def on_feature_call(self, feature_call: FeatureCall) -> None:
            self.start_soon(self.cross)
            await trio.sleep(1)
            self.seen.append("handler")

    service = Service()
    band = await local.start(service)
    deliver(service, FeatureCall(feature_id="x", channel_id=band.channel_id, sender=ALICE))
    await local.until(lambda: service.result)
    assert service.seen == ["handler", "in", "out"]


async def test_a_job_that_takes_no_band_enters_a_lane(local: Local) -> None:
    """Jobs run outside; `in_lane` is their way in."""

    class Service(Crossing):
        @every(minutes=1)
        async def tick(self) -> None:
            await self.cross()

    service = Service()
    await local.start(service)
    await local.skip(minutes=1, seconds=6)
    assert service.seen == ["in", "out"]


async def test_a_job_that_takes_a_band_runs_in_its_lane(local: Local) -> None:
    """Once for each band, with nothing else of that band meanwhile."""

    class Service(Diary):
        @every(minutes=1)
        async def tick(self, band: Band) -> None:
            self.seen.append(f"+{band.channel_id}")
            await trio.sleep(10)
            self.seen.append(f"-{band.channel_id}")

    service = Service()
    await local.start(service, bands=["red", "blue"])
    await trio.sleep(55)
    deliver(service, message("red", ALICE, "hello"))
    await trio.sleep(30)
    await local.settle()
    assert [entry for entry in service.seen if "blue" not in entry] == [
        "+hello",
        "-hello",
        "+local-red",
        "-local-red",
    ]
    assert [entry for entry in service.seen if "blue" in entry] == ["+local-blue", "-local-blue"]


@pytest.mark.parametrize("where", ["own", "other"])
async def test_in_lane_is_refused_inside_a_handler(local: Local, where: str) -> None:
    """Whatever the band: the handler would wait for itself, or two for each other."""

    class Service(Crossing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            bands = {"own": msg_up.channel_id, "other": ChannelId("local-blue")}
            async with trio.open_nursery() as nursery:  # its tasks are the handler's as well
                nursery.start_soon(self.try_it, bands[where])
                nursery.start_soon(self.try_it, bands[where])

        async def try_it(self, channel_id: ChannelId) -> None:
            with pytest.raises(RuntimeError, match=r"Service\.on_msg_up.*start_soon"):
                await self.in_lane(channel_id, self.enter, channel_id)
            self.result = "refused"

    service = Service()
    await local.start(service, bands=["red", "blue"])
    deliver(service, message("red", ALICE))
    await local.settle()
    assert service.result == "refused"


async def test_in_lane_is_refused_inside_in_lane_and_in_a_bands_job(local: Local) -> None:
    """Both hold a lane."""
    refused: list[str] = []

    class Service(Crossing):
        async def again(self, channel_id: ChannelId) -> None:
            with pytest.raises(RuntimeError, match="in_lane was called inside"):
                await self.in_lane(channel_id, self.enter, channel_id)
            refused.append("again")

        @every(minutes=1)
        async def tick(self, band: Band) -> None:
            await self.again(band.channel_id)

        async def on_spell(self, spell: object) -> object:
            return await self.in_lane(ChannelId("local-demo"), self.again, ChannelId("local-demo"))

    await local.start(Service())
    await local.aspell("go")
    await local.skip(minutes=1)
    assert refused == ["again", "again"]


async def test_in_lane_is_refused_in_on_error_of_a_handler(local: Local) -> None:
    """`on_error` runs while the handler's lane is still held."""
    refused: list[str] = []

    class Service(Crossing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            raise ValueError("no")

        async def on_error(self, event: object, exc: BaseException) -> None:
            with pytest.raises(RuntimeError, match="in_lane was called inside on_error"):
                await self.in_lane(ChannelId("local-demo"), self.enter, ChannelId("local-demo"))
            refused.append("on_error")

    local.keep_failures = True
    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.say("hello", to=SERVICE)
    assert refused == ["on_error"]


@pytest.mark.parametrize("callback", ["on_start", "on_channel_init"])
async def test_in_lane_is_refused_before_the_lanes_are_open(local: Local, callback: str) -> None:
    """At the start it would wait for the end of the start; a task may wait for that."""

    class Service(Crossing):
        async def on_start(self) -> None:
            if callback == "on_start":
                await self.try_it()

        async def on_channel_init(self, channel_id: ChannelId) -> None:
            if callback == "on_channel_init":
                await self.try_it()

        async def try_it(self) -> None:
            with pytest.raises(RuntimeError, match=f"{callback}.*lanes open"):
                await self.cross()
            self.start_soon(self.cross)

    service = Service()
    await local.start(service)
    await local.until(lambda: service.result)
    assert service.seen == ["in", "out"]


async def test_what_in_lane_raises_is_the_callers(local: Local) -> None:
    """It is no failure of a handler, and the lane is free again."""

    class Service(Crossing):
        async def enter(self, channel_id: ChannelId) -> str:
            raise LookupError("inside")

    service = Service()
    await local.start(service)
    with pytest.raises(LookupError, match="inside"):
        await service.in_lane(ChannelId("local-demo"), service.enter, ChannelId("local-demo"))
    with pytest.raises(KeyError, match="elsewhere"):
        await service.in_lane(ChannelId("elsewhere"), service.enter, ChannelId("elsewhere"))
    deliver(service, message("demo", ALICE))
    await local.settle()
    assert service.seen == ["message"]
    assert local.failures == []


async def test_a_cancelled_in_lane_lets_the_lane_go_on(local: Local) -> None:
    """Cancelled while it waits or while it runs, it holds up nothing."""
    service = Crossing()
    await local.start(service)
    band = ChannelId("local-demo")
    with trio.move_on_after(2):
        await service.in_lane(band, service.enter, band)
    deliver(service, message("demo", ALICE))
    await local.settle()
    assert service.seen == ["in", "message"]


async def test_a_job_added_by_a_handler_is_none_of_it(local: Local) -> None:
    """Its runs have a unit of their own and may enter lanes."""

    class Service(Crossing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.jobs.add(self.cross, every=timedelta(minutes=1))

    service = Service()
    await local.start(service)
    deliver(service, message("demo", ALICE))
    await local.skip(minutes=1, seconds=6)
    assert service.seen == ["in", "out"]


async def test_the_default_actions_are_in_order_with_messages(local: Local) -> None:
    """Joins and leaves run in the band's lane, in the order in which they came."""

    class Service(Diary):
        async def on_join_channel(self, action: Action) -> None:
            self.seen.append("join")

        async def on_leave_channel(self, action: Action) -> None:
            self.seen.append("leave")

    service = Service()
    band = await local.start(service)
    deliver(
        service,
        message("demo", ALICE, "1"),
        Action(subtype="join_channel", channel_id=band.channel_id, sender=BOB),
        message("demo", BOB, "2"),
        Action(subtype="leave_channel", channel_id=band.channel_id, sender=BOB),
    )
    await local.settle()
    assert service.seen == ["+1", "-1", "join", "+2", "-2", "leave"]
