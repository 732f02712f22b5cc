"""Changes inside stored values: wherever the author's code makes them, the store has them."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import (
    Band,
    ChannelId,
    MessageUp,
    MoobiusService,
    UserId,
    container,
    every,
    stored,
)
from moobius_trio.core.environment import Environment
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import changed_environment, deliver
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE = UserId("alice")


@stored(name="SavedPart")
@attrs.define
class Part:
    tags: set[str] = attrs.field(factory=set)
    rows: list[dict[str, int]] = attrs.field(factory=list)


@stored(name="SavedWhole")
@attrs.define
class Whole:
    part: Part = attrs.field(factory=Part)
    by_name: dict[str, list[Part]] = attrs.field(factory=dict)
    level: int = 0


class Room(Band):
    data = container(dict[str, Any], key=str, factory=lambda: {"n": 0, "list": []})
    wholes = container(Whole, key=str, factory=Whole)
    plain = container(object, key=str)


class Service(MoobiusService[Room]):
    """Does what the test says, in a handler unless it says otherwise."""

    totals = container(list[int], key=str, factory=list)
    work: Callable[[Service, Room], Awaitable[object]]

    @property
    def band(self) -> Room:
        return self.bands[ChannelId("local-demo")]

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.work(self, self.band)


@contextmanager
def kept_on(disk: FaultyDisk) -> Iterator[None]:
    """Services that are started in the block keep everything on this disk."""

    def change(environment: Environment) -> Environment:
        return attrs.evolve(environment, engines=disk.engines, default_engine="faulty")

    with changed_environment(change):
        yield


def on_disk(disk: FaultyDisk, name: str, key: str) -> Any:
    """What is stored of one record, in the notation of the store; None: it is not there."""
    found = [
        json.loads(value)
        for (place, raw), value in disk.records.items()
        if (place.container, raw) == (name, key.encode())
    ]
    return found[0] if found else None


async def handled(
    local: Local,
    work: Callable[[Service, Room], Awaitable[object]],
    *,
    cls: type[Service] = Service,
) -> tuple[FaultyDisk, Service]:
    """A service whose handler has done the work, to its end; its disk."""
    disk, service = FaultyDisk(), cls()
    service.work = work  # type: ignore[method-assign, assignment]
    with kept_on(disk):
        await local.start(service)
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await local.settle()
    return disk, service


# What is changed ----------------------------------------------------------------------------


async def test_changes_at_any_depth(local: Local) -> None:
    """Numbers, lists in dicts, dicts in lists, sets in objects in dicts of objects (F45)."""

    async def work(service: Service, band: Room) -> None:
        band.data["k"]["n"] += 1
        band.data["k"]["list"].append({"deep": []})
        band.data["k"]["list"][0]["deep"].append(7)
        whole = band.wholes["w"]
        whole.level += 1
        whole.part.tags.add("new")
        whole.by_name.setdefault("a", []).append(Part())
        whole.by_name["a"][0].rows.append({"x": 1})
        whole.by_name["a"][0].rows[0]["x"] += 1
        service.totals["t"].append(1)

    disk, _ = await handled(local, work)
    assert on_disk(disk, "data", "k") == {"n": 1, "list": [{"deep": [7]}]}
    assert on_disk(disk, "totals", "t") == [1]
    fields = on_disk(disk, "wholes", "w")["fields"]
    assert fields["level"] == 1
    assert fields["part"]["fields"]["tags"] == {"$set": ["new"]}
    assert fields["by_name"]["a"][0]["fields"]["rows"] == [{"x": 2}]


@pytest.mark.parametrize(
    "read",
    [
        lambda box: box["k"],
        lambda box: box.get("k"),
        lambda box: box.get("k", {}),
        lambda box: box.setdefault("k", {}),
        lambda box: next(iter(box.values())),
        lambda box: next(value for _, value in box.items()),
        lambda box: next(box[key] for key in box),
        lambda box: box.copy()["k"],
        lambda box: dict(box)["k"],
        lambda box: {**box}["k"],
        lambda box: (box | {})["k"],
        lambda box: ({} | box)["k"],
    ],
)
async def test_a_value_is_watched_however_it_was_read(
    local: Local, read: Callable[[Any], list[int]]
) -> None:
    """Every way to come by a value is noticed, so what is changed in it is stored (F45)."""

    async def prepare(service: Service, band: Room) -> None:
        band.plain["k"] = [0]

    async def work(service: Service, band: Room) -> None:
        read(band.plain).append(1)

    disk, service = await handled(local, prepare)
    service.work = work  # type: ignore[method-assign, assignment]
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await local.settle()
    assert on_disk(disk, "plain", "k") == [0, 1]


async def test_a_value_that_was_taken_out_and_put_back(local: Local) -> None:
    """Popped, changed and assigned again, under its own key or another, it is stored changed."""

    async def work(service: Service, band: Room) -> None:
        band.plain.update(a=[], b=[])
        value = band.plain.pop("a")
        value.append(1)
        band.plain["a"] = value
        await trio.sleep(1)
        value.append(2)
        key, last = band.plain.popitem()
        assert key == "a"
        last.append(3)
        band.plain["c"] = last
        last.append(4)

    disk, _ = await handled(local, work)
    assert on_disk(disk, "plain", "c") == [1, 2, 3, 4]
    assert on_disk(disk, "plain", "a") is None


# When and where -----------------------------------------------------------------------------


async def test_a_handler_that_runs_for_minutes(local: Local) -> None:
    """What it changed is stored before each thing that it says, and what it changed last at its
    end; between awaits nothing has to be said of it."""
    local.keep_unheard = True  # the ids are made up
    stored_then: list[int] = []
    disk, service = FaultyDisk(), Service()

    async def work(service: Service, band: Room) -> None:
        mine = band.data["k"]
        for minute in range(1, 4):
            mine["n"] = minute
            await trio.sleep(30)
            mine["list"].append(minute)
            await trio.sleep(30)
            receipt = await band.create_message(f"minute {minute}", ALICE)
            await receipt.outcome()
            stored_then.append(on_disk(disk, "data", "k")["n"])
        await trio.sleep(60)
        mine["n"] = 99

    service.work = work  # type: ignore[method-assign, assignment]
    with kept_on(disk):
        await local.start(service, handler_seconds=None)
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await local.until(
        lambda: on_disk(disk, "data", "k") == {"n": 99, "list": [1, 2, 3]}, seconds=400
    )
    assert stored_then == [1, 2, 3]


async def test_tasks_of_the_handlers_own(local: Local) -> None:
    """What tasks of a nursery inside the handler change belongs to the handler."""

    async def work(service: Service, band: Room) -> None:
        async def change(number: int) -> None:
            value = band.data[f"k{number}"]
            await trio.sleep(number)
            value["n"] += number

        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(change, number)

    disk, _ = await handled(local, work)
    assert [on_disk(disk, "data", f"k{number}")["n"] for number in (1, 2, 3)] == [1, 2, 3]


async def test_a_handler_that_times_out(local: Local) -> None:
    """Cancelled at its limit, it leaves memory and disk alike."""
    local.keep_failures = True

    async def work(service: Service, band: Room) -> None:
        band.data["k"]["n"] = 1
        try:
            await trio.sleep_forever()
        finally:
            band.data["k"]["n"] += 1

    disk, service = await handled(local, work)
    assert [type(exc).__name__ for _, exc in local.failures] == ["HandlerTimedOut"]
    assert service.band.data["k"] == on_disk(disk, "data", "k") == {"n": 2, "list": []}


@pytest.mark.parametrize("records", [1, 1_500])
async def test_a_handler_that_the_end_of_the_service_cancels(local: Local, records: int) -> None:
    """Its changes are stored at the end, however many records it holds, and are not strays."""
    disk, service = FaultyDisk(), Service()

    async def work(service: Service, band: Room) -> None:
        for number in range(records):
            band.data[f"k{number}"]["n"] = 1
        try:
            await trio.sleep_forever()
        finally:
            for number in range(records):
                band.data[f"k{number}"]["n"] = 2

    service.work = work  # type: ignore[method-assign, assignment]
    with kept_on(disk):
        await local.start(service, handler_seconds=None)
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await trio.testing.wait_all_tasks_blocked()
    await local.stop()
    values = [on_disk(disk, "data", f"k{number}")["n"] for number in range(0, records, 499)]
    assert set(values) == {2}


async def test_a_task_that_is_cancelled(local: Local) -> None:
    """What it changed is looked at to the end although it is cancelled: no sweep finds the rest."""

    async def task(band: Room) -> None:
        for number in range(1_500):
            band.data[f"k{number}"]["n"] = 1
        try:
            await trio.sleep_forever()
        finally:
            for number in range(1_500):
                band.data[f"k{number}"]["n"] = 2

    async def work(service: Service, band: Room) -> None:
        scope = service.start_soon(task, band)
        await trio.sleep(1)
        scope.cancel()

    disk, _ = await handled(local, work)
    await trio.sleep(40)
    assert {on_disk(disk, "data", f"k{number}")["n"] for number in range(0, 1_500, 499)} == {2}


async def test_every_kind_of_code_of_the_authors(local: Local) -> None:
    """Start, job of a band, job of the service, spell, task, error and end: all are covered."""

    class Everywhere(Service):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            self.bands[channel_id].data["init"]["n"] += 1

        async def on_start(self) -> None:
            self.totals["start"].append(1)
            self.start_soon(self.task)

        async def task(self) -> None:
            value = self.band.data["task"]
            await trio.sleep(500)
            value["n"] += 1
            await trio.sleep(500)
            value["n"] += 1

        @every(minutes=1)
        async def of_a_band(self, band: Room) -> None:
            value = band.data["band job"]
            await trio.sleep(1)
            value["n"] += 1

        @every(minutes=1)
        async def of_the_service(self) -> None:
            for band in self.bands.values():
                band.data["service job"]["list"].append(1)

        async def on_spell(self, spell: object) -> None:
            self.band.data["spell"]["n"] += 1

        async def on_error(self, event: object, exc: BaseException) -> None:
            self.band.data["error"]["n"] += 1

        async def on_stop(self) -> None:
            self.band.data["stop"]["n"] += 1

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.band.data["raised"]["n"] += 1
            raise ValueError("on purpose")

    local.keep_failures = True
    disk, service = FaultyDisk(), Everywhere()
    with kept_on(disk):
        await local.start(service)
    assert on_disk(disk, "data", "init")["n"] == 1
    assert on_disk(disk, "totals", "start") == [1]
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await local.aspell("now")
    await local.skip(seconds=70)
    read = functools.partial(on_disk, disk, "data")
    assert [read(key)["n"] for key in ("raised", "error", "spell", "band job")] == [1, 1, 1, 1]
    assert read("service job")["list"] == [1]
    await local.until(lambda: (read("task") or {}).get("n") == 2, seconds=2_000)
    await local.stop()
    assert read("stop")["n"] == 1


async def test_what_was_only_read_is_not_written(local: Local) -> None:
    """A handler that looks at everything and says something costs no commit."""
    local.keep_unheard = True  # the ids are made up

    async def prepare(service: Service, band: Room) -> None:
        band.plain.update({str(number): [number] for number in range(100)})

    async def work(service: Service, band: Room) -> None:
        for value in band.plain.values():
            value.append(1)
            value.pop()
        await band.create_message("seen", ALICE)
        band.plain["5"] = [5]

    disk, service = await handled(local, prepare)
    commits = len(disk.commits)
    service.work = work  # type: ignore[method-assign, assignment]
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    await local.settle()
    assert len(disk.commits) == commits


# What is not covered, and found ------------------------------------------------------------


async def test_a_reference_of_an_earlier_handler_fails_the_test(local: Local) -> None:
    """The kit's sweep finds it, stores it, and names container and key with the remedy."""
    kept: list[list[int]] = []

    async def work(service: Service, band: Room) -> None:
        if kept:
            kept[0].append(1)
        else:
            band.plain["k"] = []
            kept.append(band.plain["k"])  # type: ignore[arg-type]

    disk, service = await handled(local, work)
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    with pytest.raises(AssertionError, match=r"plain of band local-demo.*k"):
        await local.settle()
    await service.band.flush()
    assert on_disk(disk, "plain", "k") == [1]


async def test_a_value_inside_two_records_is_found_as_well(local: Local) -> None:
    """Deep inside it is not seen at assignment; changed by one record, the sweep stores the
    other one and says so."""

    async def prepare(service: Service, band: Room) -> None:
        shared: list[int] = []
        band.plain["a"] = {"inner": shared}
        band.plain["b"] = {"inner": shared}

    async def work(service: Service, band: Room) -> None:
        band.plain["a"]["inner"].append(1)  # type: ignore[index]

    disk, service = await handled(local, prepare)
    service.work = work  # type: ignore[method-assign, assignment]
    deliver(service, MessageUp(channel_id=ChannelId("local-demo"), sender=ALICE))
    with pytest.raises(AssertionError, match=r"plain of band local-demo.*b"):
        await local.settle()
    await service.band.flush()
    assert on_disk(disk, "plain", "a") == on_disk(disk, "plain", "b") == {"inner": [1]}
