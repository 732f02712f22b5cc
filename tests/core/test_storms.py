"""Under load and bad luck: figures that must agree whatever happens in which order."""

from __future__ import annotations

import random
from collections import Counter

import attrs
import trio
import trio.testing

from moobius_trio import (
    Action,
    Band,
    ChannelId,
    Content,
    Gap,
    MessageUp,
    MoobiusService,
    Overflow,
    UserId,
    container,
)
from moobius_trio.core.environment import Environment, TraceRecord, UnitRecord
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import changed_environment, deliver, place, runtime_of
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE = UserId("alice")
BAND = ChannelId("local-demo")


def message(text: str, band: str = BAND, sender: str = ALICE) -> MessageUp:
    """A message to the service."""
    return MessageUp(channel_id=ChannelId(band), sender=UserId(sender), content=Content(text=text))


async def test_a_flood_is_shed_and_the_counts_agree(local: Local) -> None:
    """Of 30,000 events at once each is handled or reported; memory and order stay bounded."""

    class Slow(MoobiusService):
        def __init__(self) -> None:
            super().__init__()
            self.handled = 0
            self.reported: Counter[str] = Counter()

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep(0.01)
            self.handled += 1

        async def on_overflow(self, overflow: Overflow) -> None:
            self.reported[overflow.channel_id] += overflow.shed

    service = Slow()
    bands = [f"band-{number}" for number in range(30)]
    await local.start(service, bands=bands)
    for number in range(30_000):
        deliver(service, message("x", f"local-band-{number % 30}"))
    assert service.statistics().lanes.waiting <= 20_000 + 30  # a report for each band
    await local.settle()
    shed = service.statistics().lanes.shed
    assert shed > 0
    assert service.handled + shed == 30_000
    assert sum(service.reported.values()) == shed
    assert service.statistics().link.connections == 1


async def test_handlers_that_stall_cost_no_connection(local: Local) -> None:
    """All bands stuck for ten minutes, with traffic: receipts are read and nothing reconnects.

    (F35)
    """

    class Stalling(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep(600)

    service = Stalling()
    await local.start(service, bands=["red", "blue"], handler_seconds=None)
    [alice] = await local.band("red").join("Alice")
    start = trio.current_time()
    for _ in range(60):
        for band in ("local-red", "local-blue"):
            deliver(service, message("x", band))
        receipt = await service.create_message(ChannelId("local-red"), "still here", alice.user_id)
        assert (await receipt.outcome()).state == "confirmed"
        await trio.sleep(10)
    assert trio.current_time() - start >= 600
    link = service.statistics().link
    assert (link.connections, link.gaps) == (1, 0)
    assert link.heartbeats >= 19
    runtime_of(service).dispatcher.lanes.end()


async def test_cancelled_sends_are_whole_or_absent(local: Local) -> None:
    """A thousand sends under random cancellations: what arrives is whole, once, and in order.

    (F12)
    """
    chance = random.Random(1)
    platform, service = ScriptedPlatform(), MoobiusService()
    place(local, service)
    returned: list[str] = []
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve, room=1)
        service._environment = attrs.evolve(service._environment, connect=connect)
        handle = await nursery.start(service.serve)
        runtime_of(service).outbox._queue.limit_items = 5
        for number in range(1_000):
            with trio.CancelScope() as scope:
                scope.deadline = trio.current_time() + chance.choice([0, 0.001, 10])
                await service.create_message(BAND, f"message {number}", ALICE)
                returned.append(f"message {number}")
            if chance.random() < 0.01:
                await platform.cut()
        await runtime_of(service).outbox.wait_idle()  # after so many cuts it keeps away for long
        await handle.stop()
    taken = [str(message.text) for message in platform.taken]
    assert taken == returned
    assert 300 < len(taken) < 1_000
    assert platform.repeated == 0


async def test_no_user_saw_a_number_that_is_not_stored(local: Local) -> None:
    """At the moment in which a frame leaves, the disk has what it tells, however it behaves.

    (F50)
    """

    class Counting(Band):
        counts = container(int)

    class Counter_(MoobiusService[Counting]):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            band = self.bands[msg_up.channel_id]
            band.counts[ALICE] = band.counts.get(ALICE, 0) + 1
            await trio.sleep(chance.random())
            await band.create_message(f"number {band.counts[ALICE]}.", band.members)

    chance, disk, service = random.Random(2), FaultyDisk(), Counter_()
    told: list[int] = []

    def look(record: TraceRecord | UnitRecord) -> None:
        if isinstance(record, TraceRecord) and "number " in record.frame:
            told.append(int(record.frame.partition("number ")[2].partition(".")[0]))
            assert told[-1] <= max(int(value) for value in disk.records.values())

    def change(environment: Environment) -> Environment:
        return attrs.evolve(environment, engines=disk.engines, default_engine="faulty", trace=look)

    local.keep_failures = True
    with changed_environment(change):
        await local.start(service)
    [alice] = await local.band("local-demo").join("Alice")
    for number in range(300):
        deliver(service, message(str(number)))
        if number % 3 == 0:
            disk.hang()
        await trio.sleep(chance.random())
        disk.full = chance.random() < 0.2
        disk.go_on()
    disk.full = False
    await local.settle()
    assert len(told) > 100
    assert told == [int(text[7:-1]) for text in alice.texts]
    assert told == sorted(told)


async def test_members_are_right_after_a_day_of_cuts(local: Local) -> None:
    """People come and go while the connection does; in the end the list is the platform's (F19)."""

    class Watching(MoobiusService):
        gaps: tuple[Gap, ...] = ()

        async def on_gap(self, gap: Gap) -> None:
            self.gaps += (gap,)

    chance, service = random.Random(3), Watching()
    band = await local.start(service)
    people = await band.join(*(f"Person {number}" for number in range(8)))
    there = set(people)
    for _ in range(60):
        if chance.random() < 0.3:
            local.platform.cut()
        person = chance.choice(people)
        if person in there:
            await person.leave()
            there.discard(person)
        else:
            await person.rejoin()
            there.add(person)
        await trio.sleep(chance.random() * 2)
    await local.skip(minutes=2)
    assert set(service.bands[band.channel_id].members) == {person.user_id for person in there}
    assert len(service.gaps) == service.statistics().link.gaps > 5


async def test_a_thousand_users_leave_nothing_behind(local: Local) -> None:
    """After everybody has come, asked and gone, lanes, holds and members are as before (F55)."""
    service = MoobiusService()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    for number in range(1_000):
        user = UserId(f"user-{number}")
        deliver(
            service,
            *(
                Action(subtype=subtype, channel_id=BAND, sender=user)
                for subtype in ("join_channel", "fetch_user_list", "leave_channel")
            ),
        )
        await trio.testing.wait_all_tasks_blocked()
    await local.settle()
    await alice.say("anybody there?", to=SERVICE)
    assert list(service.bands[BAND].members) == [alice.user_id]
    statistics = service.statistics().lanes
    assert (statistics.lanes, statistics.waiting, statistics.shed) == (0, 0, 0)
