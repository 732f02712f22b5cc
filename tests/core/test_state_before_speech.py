"""State before speech: no user sees an effect that a crash can take back, and nobody else waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import (
    Band,
    ChannelId,
    Content,
    MessageUp,
    MoobiusService,
    Receipt,
    StorageError,
    StorageTypeError,
    UserId,
    container,
    every,
)
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver, kept_on, runtime_of
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE = UserId("alice")


class Counting(Band):
    counts = container(int)
    levels = container(dict[str, int], factory=lambda: {"level": 0})


class Counter(MoobiusService[Counting]):
    """Counts what it is told to, and says the number; "read" only says, "talk" touches nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: dict[str, Receipt] = {}
        self.errors: list[tuple[object, BaseException]] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band, word = self.bands[msg_up.channel_id], msg_up.text or ""
        number = 0
        if word.startswith("count"):
            band.counts[ALICE] = number = band.counts.get(ALICE, 0) + 1
        elif word.startswith("level"):
            band.levels[ALICE]["level"] += 1
            number = band.levels[ALICE]["level"]
        elif word.startswith("read"):
            number = band.counts[ALICE]
        self.receipts[word] = await band.create_message(f"{word}: {number}", band.members)

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


@asynccontextmanager
async def counter_on(
    disk: FaultyDisk, local: Local, *bands: str
) -> AsyncIterator[tuple[Counter, list[ChannelId]]]:
    """A counter with its bands; its disk works again at the end."""
    service = Counter()
    with kept_on(disk):
        await local.start(service, bands=bands)
    yield service, list(service.bands)
    disk.go_on()
    await local.settle()


def say(channel_id: ChannelId, text: str) -> MessageUp:
    """A message of alice to the service."""
    return MessageUp(channel_id=channel_id, sender=ALICE, content=Content(text=text))


async def test_a_frame_waits_for_what_its_handler_changed(local: Local) -> None:
    """While the disk hangs nothing is told; when it goes on everything is, in order."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (service, [red]):
        [alice] = await local.band(red).join("Alice")
        disk.hang()
        deliver(service, say(red, "count"), say(red, "level"))
        await trio.sleep(5)
        assert alice.texts == []
        receipt = service.receipts["count"]
        assert repr(receipt).endswith("queued>")
        disk.go_on()
        await local.settle()
        assert alice.texts == ["count: 1", "level: 1"]
        assert receipt.state == "confirmed"


async def test_nobody_waits_for_the_changes_of_others(local: Local) -> None:
    """Another band's frames, and those of a unit that touched nothing, pass a disk that hangs."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red", "blue") as (service, [red, blue]):
        [alice] = await local.band(red).join("Alice")
        [bob] = await local.band(blue).join("Bob")
        disk.hang()
        deliver(service, say(red, "count"))
        await trio.testing.wait_all_tasks_blocked()
        deliver(service, say(blue, "talk"))
        await trio.sleep(1)
        assert (alice.texts, bob.texts) == ([], ["talk: 0"])
        await service.create_message(blue, "from outside any unit", bob.user_id)
        await trio.sleep(1)
        assert bob.texts[-1] == "from outside any unit"


async def test_what_a_reader_says_waits_too(local: Local) -> None:
    """A unit that has only read a record that is not durable yet does not tell of it earlier."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (service, [red]):
        [alice] = await local.band(red).join("Alice")
        disk.hang()
        deliver(service, say(red, "count"), say(red, "read"))
        await trio.sleep(1)
        assert alice.texts == []
        disk.go_on()
        await local.settle()
        assert alice.texts == ["count: 1", "read: 1"]


async def test_frames_of_one_band_keep_their_order(local: Local) -> None:
    """A frame that waits for nothing stays behind the band's frames that do."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (service, [red]):
        [alice] = await local.band(red).join("Alice")
        disk.hang()
        deliver(service, say(red, "count"), say(red, "talk"))
        await trio.sleep(1)
        assert alice.texts == []
        disk.go_on()
        await local.settle()
        assert alice.texts == ["count: 1", "talk: 0"]


async def test_heartbeat_and_login_pass_a_disk_that_hangs(local: Local) -> None:
    """The connection is kept, and made again, while frames wait for the disk."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (service, [red]):
        [alice] = await local.band(red).join("Alice")
        disk.hang()
        deliver(service, say(red, "count"))
        await trio.sleep(40)
        link = runtime_of(service).link
        assert link.statistics().heartbeats == 2  # the first one right after the login
        local.platform.cut()
        await trio.sleep(5)
        assert link.statistics().state == "connected"
        assert link.statistics().connections == 2
        assert alice.texts == []
        disk.go_on()
        await local.settle()
        assert alice.texts == ["count: 1"]


async def test_what_cannot_be_stored_is_not_said(local: Local) -> None:
    """The frame ends as dropped with the StorageError, `on_error` hears it, all else flows."""
    local.keep_failures = True
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (service, [red]):
        [alice] = await local.band(red).join("Alice")
        disk.full = True
        deliver(service, say(red, "count"), say(red, "talk"))
        await local.settle()
        outcome = await service.receipts["count"].outcome()
        assert (outcome.state, type(outcome.error)) == ("dropped", StorageError)
        assert alice.texts == ["talk: 0"]
        [(event, exc)] = service.errors
        assert event is None
        assert isinstance(exc, StorageError)
        assert "no space left on device" in str(exc)
        disk.full = False
        deliver(service, say(red, "count again"))
        await local.settle()
        assert alice.texts[-1] == "count again: 1"


async def test_a_task_that_goes_on_may_speak_again(local: Local) -> None:
    """After a change was refused its next send raises, once; later ones are sent."""

    class Service(Counter):
        async def on_start(self) -> None:
            self.start_soon(self.count_for_ever)

        async def count_for_ever(self) -> None:
            [band] = self.bands.values()
            while True:
                await trio.sleep(60)
                band.counts[ALICE] = band.counts.get(ALICE, 0) + 1
                try:
                    await band.create_message(f"it is {band.counts[ALICE]}", band.members)
                    await trio.sleep(1)
                    await band.create_message("and goes on", band.members)
                except StorageError:
                    await band.create_message("a moment", band.members)

    local.keep_failures = True
    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    await local.skip(seconds=65)
    disk.full = True
    await local.skip(seconds=62)
    disk.full = False
    await local.skip(seconds=62)
    assert alice.texts == ["it is 1", "and goes on", "a moment", "it is 2", "and goes on"]


async def test_a_job_hears_of_a_failed_store_as_a_handler_does(local: Local) -> None:
    """What a job says is held and dropped in the same way; the job goes on."""

    class Service(Counter):
        @every(minutes=1)
        async def tick(self, band: Counting) -> None:
            band.counts[ALICE] = band.counts.get(ALICE, 0) + 1
            await band.create_message(f"tick {band.counts[ALICE]}", band.members)

    local.keep_failures = True
    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    disk.full = True
    await local.skip(minutes=1)
    disk.full = False
    await local.skip(minutes=1)
    assert alice.texts == ["tick 1"]
    assert [type(exc) for _, exc in service.errors] == [StorageError]


async def test_a_change_inside_a_value_is_stored_before_it_is_told(local: Local) -> None:
    """When the user sees the number, the disk has it."""
    disk = FaultyDisk()
    async with counter_on(disk, local, "red") as (_, [red]):
        [alice] = await local.band(red).join("Alice")
        for number in range(1, 4):
            await alice.say("level", to=SERVICE)
            assert alice.last.text == f"level: {number}"
            [stored] = [text for (place, _), text in disk.records.items() if place.band == red]
            assert stored == b'{"level":%d}' % number


async def test_a_value_that_cannot_be_stored_is_refused_by_send(local: Local) -> None:
    """`send` raises StorageTypeError and sends nothing; the stored value is there again."""

    class Service(MoobiusService[Counting]):
        async def on_spell(self, spell: object) -> object:
            band = self.bands[ChannelId("local-demo")]
            band.levels[ALICE]["level"] = spell  # type: ignore[assignment]
            await band.create_message("said", band.members)
            return "sent"

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    with pytest.raises(StorageTypeError):
        await local.aspell(object())
    assert alice.texts == []
    assert service.bands[band.channel_id].levels[ALICE] == {"level": 0}
    assert await local.aspell(7) == "sent"
    assert alice.texts == ["said"]


async def test_a_handler_that_raises_keeps_what_it_changed(local: Local) -> None:
    """Memory and disk agree: what was changed before the error is there, in both."""

    class Service(Counter):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.bands[msg_up.channel_id].levels[ALICE]["level"] = 5
            raise ValueError("too late")

    local.keep_failures = True
    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        band = await local.start(service)
    deliver(service, say(band.channel_id, "go"))
    await local.settle()
    assert service.bands[band.channel_id].levels[ALICE] == {"level": 5}
    assert b'{"level":5}' in disk.records.values()


async def test_the_start_is_a_unit_of_work(local: Local) -> None:
    """What `on_start` and `on_channel_init` change is stored before they speak."""
    local.keep_unheard = True  # the ids are made up

    class Service(Counter):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            self.bands[channel_id].levels[ALICE]["level"] = 1

        async def on_start(self) -> None:
            for band in self.bands.values():
                band.levels[ALICE]["level"] += 1
                self.receipts["start"] = await band.create_message("started", ALICE)

    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        await local.start(service)
    assert b'{"level":2}' in disk.records.values()
    assert [record.handler for record in local.trace] == ["Service.on_start"]


async def test_containers_of_the_service_itself_count_as_well(local: Local) -> None:
    """``self.storage`` and containers declared on the service are held to the same rule."""

    class Service(MoobiusService):
        totals = container(int)

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.totals[ALICE] = self.totals.get(ALICE, 0) + 1
            await self.reply(msg_up, f"{self.totals[ALICE]} in all")

    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    disk.hang()
    deliver(service, attrs.evolve(say(band.channel_id, "go"), sender=alice.user_id))
    await trio.sleep(1)
    assert alice.texts == []
    disk.go_on()
    await local.settle()
    assert alice.texts == ["1 in all"]


# The trace


async def test_the_trace_says_which_handler_sent_a_frame_and_when(local: Local) -> None:
    """Each frame comes with its unit, its handler, the milliseconds since that began, and waits."""

    class Service(MoobiusService[Counting]):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep(0.25)
            await self.reply(msg_up, "first")
            self.bands[msg_up.channel_id].counts[ALICE] = 1
            await trio.sleep(0.25)
            await self.reply(msg_up, "second")

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    local.trace.clear()
    await alice.say("go", to=SERVICE)
    first, second = local.trace
    assert "first" in first.frame
    assert first.handler == second.handler == "Service.on_msg_up"
    assert first.unit is not None
    assert first.unit == second.unit
    assert (round(first.milliseconds), round(second.milliseconds)) == (250, 500)
    await alice.say("go", to=SERVICE)
    assert local.trace[-1].unit != first.unit


async def test_the_trace_counts_what_each_frame_waited_for(local: Local) -> None:
    """Two frames of one unit that wait at once keep their own counts."""

    class Service(MoobiusService[Counting]):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            band = self.bands[msg_up.channel_id]
            await band.create_message("free", band.members)
            band.counts[ALICE] = 1
            await band.create_message("held", band.members)
            await trio.sleep(1)
            await band.create_message("free again", band.members)

    disk, service = FaultyDisk(), Service()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    local.trace.clear()
    await alice.say("go", to=SERVICE)
    assert [record.records for record in local.trace] == [0, 1, 0]


async def test_every_part_of_a_split_message_is_traced(local: Local) -> None:
    """A message too large only by its recipients leaves in parts, all with the same handler."""
    local.keep_unheard = True  # the ids are made up

    class Service(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            crowd = [UserId(f"user-{number:040}") for number in range(30)]
            await self.create_message(msg_up.channel_id, "hi", crowd)

    service = Service()
    band = await local.start(service, max_message_bytes=1_000)
    deliver(service, say(band.channel_id, "go"))
    await local.settle()
    assert len(local.trace) > 1
    assert {record.handler for record in local.trace} == {"Service.on_msg_up"}


async def test_a_frame_from_outside_has_no_handler(local: Local) -> None:
    """What is sent by no unit of work, a test for example, says so."""
    service = MoobiusService()
    band = await local.start(service)
    await service.create_message(band.channel_id, "hi", ALICE)
    await local.settle()
    [record] = local.trace
    assert (record.unit, record.handler, record.milliseconds, record.records) == (None, "", 0, 0)
