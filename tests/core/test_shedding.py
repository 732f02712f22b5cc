"""What is shed is counted and reported, all of it, and never as a flood of reports (F34)."""

from __future__ import annotations

import itertools
from collections import Counter

import structlog.testing
import trio
import trio.testing

from moobius_trio import (
    Action,
    ChannelId,
    Content,
    Copy,
    MessageUp,
    MoobiusService,
    Overflow,
    RequestId,
    UnknownPayload,
    UserId,
)
from moobius_trio.core.inlet import Inlet
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver, faulty_api, runtime_of
from moobius_trio.types import ServiceEvent

ALICE = UserId("alice")
BAND = ChannelId("local-demo")


def message(text: str = "", band: str = BAND, sender: str = ALICE) -> MessageUp:
    """A message to the service."""
    return MessageUp(channel_id=ChannelId(band), sender=UserId(sender), content=Content(text=text))


class Reporting(MoobiusService):
    """Slow, and writes down what it is told of events that were shed."""

    def __init__(self, seconds: float = 0.01) -> None:
        super().__init__()
        self.seconds = seconds
        self.handled = 0
        self.reports: list[tuple[float, Overflow]] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await trio.sleep(self.seconds)
        self.handled += 1

    async def on_copy(self, copy: Copy) -> None:
        await trio.sleep(0.01)

    async def on_unknown_payload(self, payload: UnknownPayload) -> None:
        await trio.sleep(1_000 if payload.type == "stuck" else 0.01)

    async def on_overflow(self, overflow: Overflow) -> None:
        self.reports.append((trio.current_time(), overflow))

    @property
    def reported(self) -> Counter[ChannelId | None]:
        """How many events of each band it was told of."""
        told: Counter[ChannelId | None] = Counter()
        for _, overflow in self.reports:
            told[overflow.channel_id] += overflow.shed
        return told


async def test_a_long_flood_is_reported_once_a_second(local: Local) -> None:
    """Ten seconds of it are some ten reports and log lines, and their sum is what was shed."""
    service = Reporting(seconds=60)
    await local.start(service, handler_seconds=None)
    with structlog.testing.capture_logs() as logs:
        for _ in range(1_000):
            deliver(service, *(message() for _ in range(20)))
            await trio.sleep(0.01)
        await trio.sleep(1)
    times = [time for time, _ in service.reports]
    assert 10 <= len(times) <= 12
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.99
    assert service.reported == {BAND: 19_000}
    assert {overflow.waiting for _, overflow in service.reports} == {1_000}
    assert len([entry for entry in logs if "shed" in entry["event"]]) == len(times)
    runtime_of(service).dispatcher.lanes.end()


async def test_what_is_shed_is_counted_for_each_band(local: Local) -> None:
    """Handlers and statistics agree on each band, and on what belongs to no band."""
    service = Reporting()
    await local.start(service, bands=["red", "blue", "calm"])
    frame = UnknownPayload(type="news", frame={})
    copy = Copy(request_id=RequestId("1"), origin_type="x", status=True)
    deliver(service, *[message(band="local-red")] * 1_100, *[message(band="local-blue")] * 1_001)
    deliver(service, *[frame, copy] * 510, message(band="local-calm"))
    await local.settle()
    expected = {"local-red": 100, "local-blue": 1, None: 20}
    assert service.reported == expected
    lanes = service.statistics().lanes
    assert dict(lanes.shed_by_band) == expected
    assert (lanes.shed, lanes.shed_reported) == (121, 121)
    assert (lanes.waiting, lanes.bytes) == (0, 0)


async def test_large_events_are_shed_by_their_bytes(local: Local) -> None:
    """A band keeps 8 MiB of them, so a hundred messages of 200 kB are too much for one."""
    service = Reporting()
    await local.start(service, bands=["red", "blue"])
    deliver(service, *(message("x" * 200_000, band="local-red") for _ in range(100)))
    deliver(service, message("x" * 200_000, band="local-blue"))
    assert 8_000_000 < service.statistics().lanes.bytes < 9_000_000
    await local.settle()
    assert service.handled == 41 + 1
    assert service.reported == {"local-red": 59}


async def test_coalesced_requests_are_counted(local: Local) -> None:
    """A thousand reloads of one person while the first is not answered are one more answer."""

    class Service(MoobiusService):
        asked = 0

        async def on_fetch_features(self, action: Action) -> None:
            self.asked += 1
            await trio.sleep(1)

    service = Service()
    await local.start(service)
    request = Action(subtype="fetch_features", channel_id=BAND, sender=ALICE)
    deliver(service, request)
    await trio.testing.wait_all_tasks_blocked()
    deliver(service, *[request] * 1_000)
    await local.settle()
    lanes = service.statistics().lanes
    assert (service.asked, lanes.coalesced, lanes.shed) == (2, 999, 0)


async def test_a_stop_reports_what_was_shed_before_it(local: Local) -> None:
    """What is shed in the second after a report is told before the service ends."""
    service = Reporting(seconds=0.001)
    await local.start(service)
    for _ in range(2):
        deliver(service, *[message()] * 1_500)
        await trio.sleep(0.1)
    handle = local.handle()
    await handle.stop()
    lanes = handle.statistics().lanes
    assert lanes.shed == lanes.shed_reported == service.reported[BAND] > 500
    assert service.handled + lanes.shed == 3_000


async def test_what_nobody_can_be_told_any_more_is_in_the_log(local: Local) -> None:
    """A service whose own lane is stuck until the end has the number in its log."""
    service = Reporting()
    await local.start(service, handler_seconds=None)
    deliver(service, UnknownPayload(type="stuck", frame={}))
    await trio.testing.wait_all_tasks_blocked()
    deliver(service, *[message()] * 1_007)
    handle = local.handle()
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    [entry] = [entry for entry in logs if entry["event"] == "shed events were not reported"]
    assert entry["events"] == 7
    lanes = handle.statistics().lanes
    assert (lanes.shed, lanes.shed_reported, lanes.waiting) == (7, 0, 0)


async def test_strange_bands_are_counted_and_not_remembered(local: Local) -> None:
    """Of 5,000 bands that it does not hold a service names 1,000 and counts every event."""
    service = Reporting()
    await local.start(service)
    with structlog.testing.capture_logs() as logs:
        for number in range(5_000):
            deliver(service, message(band=f"strange-{number}"), message(band=f"strange-{number}"))
    assert len([entry for entry in logs if "does not hold" in entry["event"]]) == 1_000
    assert service.statistics().lanes.not_held == 10_000
    assert len(runtime_of(service).dispatcher._strangers) == 1_000


async def test_events_before_the_start_are_bounded_too(local: Local) -> None:
    """What comes while members are fetched waits within the same bounds; the rest is reported."""
    service = Reporting()
    inlet = Inlet([BAND])
    events: list[ServiceEvent] = [message(str(number)) for number in range(1_200)]
    events += [message(band=f"strange-{number}") for number in range(3_000)]
    events += [UnknownPayload(type="news", frame={})] * 1_001
    for event in events:
        inlet(event)
    assert len(inlet._waiting) == 3_000
    await local.start(service)
    inlet.open(runtime_of(service).dispatcher)
    inlet(message("later"))
    await local.settle()
    assert service.reported == {BAND: 200 + 1, None: 1}
    assert service.handled == 1_000


async def test_a_join_that_is_shed_before_the_start_is_not_lost(local: Local) -> None:
    """The list of the band is fetched once more then."""
    service = Reporting()
    with faulty_api() as api:
        band = await local.start(service)
        await band.join("Alice")
        inlet = Inlet([BAND], Limits(band_events=0))
        inlet(Action(subtype="leave_channel", channel_id=BAND, sender=ALICE))
        before = api.count("/channel/userlist")
        inlet.open(runtime_of(service).dispatcher)
        await local.settle()
        assert api.count("/channel/userlist") == before + 1
    assert service.reported == {BAND: 1}
