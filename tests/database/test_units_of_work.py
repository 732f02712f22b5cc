"""Which changes inside values are saved when, and what a frame has to wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio.database import (
    ContainerSpec,
    StorageUnit,
    StrayChange,
    container,
    current_unit,
)
from moobius_trio.database.kept import KeptRecords
from moobius_trio.database.unit import WINDOW
from moobius_trio.errors import NotLoaded, StorageError, StorageTypeError
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId

BAND = ChannelId("b")
DECLARED = {"box": container(object, key=object), "other": container(object, key=object)}


@asynccontextmanager
async def opened(disk: FaultyDisk) -> AsyncIterator[Any]:
    async with disk.open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        yield storage


@contextmanager
def working() -> Iterator[StorageUnit]:
    unit = StorageUnit()
    token = current_unit.set(unit)
    try:
        yield unit
    finally:
        current_unit.reset(token)


async def test_a_change_inside_a_value_is_saved_at_the_next_send() -> None:
    """Before a frame leaves, what the unit touched since the last one is queued."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = {"n": [1]}
        await storage.flush()
        with working() as unit:
            storage.box["k"]["n"].append(2)
            [ticket] = unit.settle()
            await ticket.wait()
            assert list(disk.records.values()) == [b'{"n":[1,2]}']
            assert unit.settle() == ()
            await unit.finish()


async def test_a_change_inside_a_value_is_saved_when_the_unit_ends() -> None:
    """Without any send, the end of the unit queues everything it touched, however it was read."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update({n: [] for n in range(5)})
        with working() as unit:
            storage.box[0].append("x")
            storage.box.get(1).append("x")
            for value in list(storage.box.values())[2:3]:
                value.append("x")
            for _, value in list(storage.box.items())[3:4]:
                value.append("x")
            storage.box.setdefault(4, []).append("x")
            await unit.finish()
        await storage.flush()
    assert list(disk.records.values()) == [b'["x"]'] * 5


async def test_records_that_did_not_change_are_not_written() -> None:
    """Reading, and writing the same again, costs no commit."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = [1]
        await storage.flush()
        with working() as unit:
            storage.box["k"].append(2)
            storage.box["k"].pop()
            storage.box["k"] = [1]
            storage.box.save("k")
            assert unit.settle() == ()
            await unit.finish()
    assert len(disk.commits) == 1


async def test_a_send_looks_at_the_last_32_records_touched_before() -> None:
    """A change to one of those is saved although it was touched before the last send; one
    touched longer ago waits for the end of the unit."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update({n: [] for n in range(WINDOW + 1)})
        await storage.flush()
        with working() as unit:
            values = [storage.box[n] for n in range(WINDOW + 1)]
            unit.settle()
            values[0].append("long ago")
            values[1].append("in the window")
            unit.settle()
            await trio.testing.wait_all_tasks_blocked()
            assert [change.value for change in disk.commits[-1]] == [b'["in the window"]']
            await unit.finish()
        await storage.flush()
    assert [change.value for change in disk.commits[-1]] == [b'["long ago"]']


async def test_a_loop_of_changes_and_sends_encodes_each_record_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """3,000 records changed one by one with a send each: no send looks at all of them again."""
    looks = 0
    look = KeptRecords.save_if_changed

    def counted(self: KeptRecords, record: Any) -> bool:
        nonlocal looks
        looks += 1
        return look(self, record)

    monkeypatch.setattr(KeptRecords, "save_if_changed", counted)
    async with opened(FaultyDisk()) as storage:
        with working() as unit:
            for n in range(3_000):
                storage.box[n] = {}
                storage.box[n]["n"] = n
                assert len(unit.settle()) == 1
            await unit.finish()
    # Each send looks at the window and the new one; the end and the last sweep once at each.
    assert looks <= 3_000 * (WINDOW + 3)


async def test_a_frame_waits_for_what_others_changed_in_the_records_it_read() -> None:
    """Reading a record whose change is not durable yet gives its ticket, also for a number."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update(number=1, unrelated=2)
        await storage.flush()
        disk.hang()
        with working() as writer:
            storage.box["number"] += 1
            [written] = writer.settle()
        with working() as reader:
            assert storage.box["unrelated"] == 2
            assert reader.settle() == ()
            assert storage.box["number"] == 2
            assert reader.settle() == (written,)
            disk.go_on()
            await written.wait()
            assert reader.settle() == ()


async def test_a_deletion_is_waited_for_as_well() -> None:
    """The frame that says that something is gone leaves after it is gone."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = 1
        await storage.flush()
        with working() as unit:
            del storage.box["k"]
            [ticket] = unit.settle()
            assert not ticket.done
            await ticket.wait()
    assert not disk.records


@pytest.mark.parametrize(
    "look",
    [
        len,
        bool,
        list,
        lambda box: list(box.keys()),
        lambda box: "new" in box,
        lambda box: box.get("gone"),
        lambda box: box.pop("gone", None),
        lambda box: "kept" in reversed(box),
    ],
)
async def test_who_sees_which_keys_there_are_waits_for_them(look: Callable[[Any], object]) -> None:
    """A number of keys is an effect too: it is not told before what made it so is stored."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update(kept=1, gone=2)
        await storage.flush()
        disk.hang()
        with working() as writer:
            storage.box["new"] = 3
            del storage.box["gone"]
            [written] = writer.settle()
        with working() as reader:
            assert storage.box["kept"] == 1
            assert reader.settle() == ()
            look(storage.box)
            assert reader.settle() == (written,)
            disk.go_on()
            await written.wait()
            look(storage.box)
            assert reader.settle() == ()


async def test_a_change_from_another_thread_is_refused() -> None:
    """It could not wake the writer; what is said says so, and later changes are written."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StorageError, match=r"another thread.*assign it in the handler"):
            await trio.to_thread.run_sync(storage.box.__setitem__, "k", 1)
        assert not storage.box
        storage.box["k"] = 2
        await storage.flush()
    assert list(disk.records.values()) == [b"2"]


async def test_the_end_of_a_unit_lets_others_run_between_slices(autojump_clock: object) -> None:
    """250 touched records are looked at in three slices, with two checkpoints between."""
    async with opened(FaultyDisk()) as storage:
        storage.box.update({n: [] for n in range(250)})
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            with working() as unit:
                list(storage.box.values())
                nursery.start_soon(other)
                await unit.finish()
            assert 1 <= turns <= 3
            nursery.cancel_scope.cancel()


async def test_a_send_after_many_changes_lets_others_run_between_slices(
    autojump_clock: object,
) -> None:
    """Of 250 changed records 200 are saved in two slices, and the frame waits for them all."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update({n: [] for n in range(250)})
        await storage.flush()
        with working() as unit:
            first = storage.box[0]
            assert unit.settle() == ()
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await trio.lowlevel.checkpoint()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                for n in range(1, 250):
                    storage.box[n].append("x")
                first.append("x")  # in hands since before the last send
                disk.hang()
                await unit.save_ahead()
                assert 1 <= turns <= 3
                nursery.cancel_scope.cancel()
            tickets = unit.settle()
            disk.go_on()
            for ticket in tickets:
                await ticket.wait()
            assert list(disk.records.values()) == [b'["x"]'] * 250
            await unit.finish()


async def test_ahead_of_a_send_all_values_are_saved_although_one_cannot_be() -> None:
    """The first unstorable value is raised after the others of the slices are queued."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update({n: [] for n in range(200)})
        with working() as unit:
            for n in range(200):
                storage.box[n].append("x" if n else object())
            with pytest.raises(StorageTypeError):
                await unit.save_ahead()
            await unit.finish()
        await storage.flush()
    assert sorted(disk.records.values()) == [b'["x"]'] * 199 + [b"[]"]


async def test_all_values_are_saved_although_one_cannot_be() -> None:
    """At the end of a unit the first unstorable value is raised after the others are queued."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update(a=[], b=[], c=[])
        with working() as unit:
            storage.box["a"].append(object())
            storage.box["b"].append(object())
            storage.box["c"].append("kept")
            with pytest.raises(StorageTypeError, match=r"box\['a'\]\[0\]"):
                await unit.finish()
        await storage.flush()
        assert dict(storage.box) == {"a": [], "b": [], "c": ["kept"]}


async def test_the_sweep_finds_what_no_unit_covers(autojump_clock: object) -> None:
    """A reference kept from an earlier unit: stored after 30 s at the latest, and named."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        with working() as unit:
            kept = storage.box["k"] = []
            await unit.finish()
        kept.append(1)
        [stray] = await stores.sweep()
        assert isinstance(stray, StrayChange)
        assert (str(stray.place), stray.key) == ("box of band b", "k")
        assert await stores.sweep() == ()
        kept.append(2)
        await trio.sleep(31)
        assert list(disk.records.values()) == [b"[1,2]"]
        kept.append(3)
    assert list(disk.records.values()) == [b"[1,2,3]"]


async def test_the_sweep_leaves_running_units_alone() -> None:
    """What a handler is about to save by itself is no stray change."""
    async with FaultyDisk().open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        storage.box["k"] = []
        with working() as unit:
            storage.box["k"].append(1)
            assert await stores.sweep() == ()
            await unit.finish()


async def test_a_unit_that_has_ended_takes_no_notice() -> None:
    """A task that outlives its handler changes records without a unit; the sweep covers it."""
    async with FaultyDisk().open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        with working() as unit:
            await unit.finish()
            storage.box["k"] = []
            storage.box["k"].append(1)
            assert unit.settle() == ()
        assert [stray.key for stray in await stores.sweep()] == ["k"]


async def test_flush_inside_a_unit_stores_what_it_touched() -> None:
    """After flush in a handler its changes inside values are durable."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = []
        with working() as unit:
            storage.box["k"].append(1)
            await storage.flush()
            assert list(disk.records.values()) == [b"[1]"]
            await unit.finish()


async def test_a_container_that_is_not_loaded_says_so() -> None:
    """Every use of a ``load: false`` container raises until it is loaded."""
    async with opened(FaultyDisk()) as storage:
        box = await storage.put("late", load=False)
        for use in (
            lambda: box["k"],
            lambda: box.get("k"),
            lambda: box.__setitem__("k", 1),
            lambda: "k" in box,
            lambda: list(box),
            lambda: len(box),
            lambda: box.pop("k", None),
            lambda: box.save("k"),
            lambda: box.clear(),
        ):
            with pytest.raises(NotLoaded, match=r"await container\.load"):
                use()
        assert "not loaded" in repr(box)
        await storage.load()
        box["k"] = 1
        await box.load()
        assert storage.late is box
        assert dict(box) == {"k": 1}


async def test_unknown_containers_are_named_with_the_nearest_one() -> None:
    """A typo in a container's name says which one may have been meant."""
    async with opened(FaultyDisk()) as storage:
        assert "box" in storage
        assert "bx" not in storage
        with pytest.raises(AttributeError, match="Did you mean 'box'"):
            storage.bx["k"] = 1
        assert ContainerSpec(name="x", implementation="memory").load
