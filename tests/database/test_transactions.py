"""Changes that belong together: all of them stored, or none, in memory and in the store."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moobius_trio.database import (
    ContainerSpec,
    MoobiusStorage,
    StorageUnit,
    Stores,
    container,
    current_unit,
    open_stores,
)
from moobius_trio.errors import StorageError, StorageTypeError
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId, ServiceId

BAND, OTHER = ChannelId("b"), ChannelId("c")
DECLARED = {"box": container(object, key=object), "more": container(object, key=object)}


@asynccontextmanager
async def unit_of_work() -> AsyncIterator[StorageUnit]:
    """A unit that ends as one of a handler does."""
    unit = StorageUnit()
    token = current_unit.set(unit)
    try:
        yield unit
    finally:
        with trio.move_on_after(10, shield=True):
            await unit.finish()
        current_unit.reset(token)


@asynccontextmanager
async def opened(disk: FaultyDisk) -> AsyncIterator[Any]:
    async with disk.open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        storage.box.update(a={"n": 1}, b=[1], c=3)
        await storage.flush()
        disk.commits.clear()
        yield storage


def stored(disk: FaultyDisk) -> dict[str, str]:
    return {key.decode(): value.decode() for (_, key), value in disk.records.items()}


AS_BEFORE = {"a": '{"n":1}', "b": "[1]", "c": "3"}


async def test_all_changes_of_the_block_are_one_commit() -> None:
    """Assignments, deletions and changes inside values go together, and are there at its end."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        async with storage.transaction():
            storage.box["a"]["n"] += 1
            storage.box["new"] = "x"
            del storage.box["c"]
            await trio.testing.wait_all_tasks_blocked()
            assert disk.commits == []
            storage.more["z"] = 1
        assert len(disk.commits) == 1
        assert stored(disk) == {"a": '{"n":2}', "b": "[1]", "new": '"x"', "z": "1"}


async def test_without_a_unit_of_work() -> None:
    """Code that is no handler's may use one, too."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        async with storage.transaction():
            storage.box["b"].append(2)
            storage.box["c"] = 4
        assert stored(disk) == {"a": '{"n":1}', "b": "[1,2]", "c": "4"}
        assert len(disk.commits) == 1


@pytest.mark.parametrize("sends", [True, False])
async def test_a_block_that_raises_leaves_nothing(sends: bool) -> None:
    """Memory and store are as before, in the same order, also for changes inside values."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work() as unit:
        kept = storage.box["b"]
        with pytest.raises(ValueError, match="enough"):
            async with storage.transaction():
                storage.box["a"]["n"] = 9
                if sends:
                    unit.settle()
                storage.box["d"] = storage.box.pop("b")
                storage.box["a"]["n"] = 10
                del storage.box["a"]
                storage.box["c"] = 4
                kept.append("by an older name")
                raise ValueError("enough")
        assert dict(storage.box) == {"a": {"n": 1}, "b": [1], "c": 3}
        assert list(storage.box) == ["a", "b", "c"]
        storage.box["b"].append(2)
        await unit.save_all()
        await trio.testing.wait_all_tasks_blocked()
    assert stored(disk) == {**AS_BEFORE, "b": "[1,2]"}
    assert disk.problems == []


async def test_a_cancelled_block_leaves_nothing() -> None:
    """As one that raises."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        with trio.move_on_after(0) as scope:
            async with storage.transaction():
                storage.box["a"]["n"] = 9
                storage.box["new"] = 1
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert dict(storage.box) == {"a": {"n": 1}, "b": [1], "c": 3}
    assert stored(disk) == AS_BEFORE


async def test_changes_before_the_block_are_not_part_of_it() -> None:
    """What the unit changed before stays, also inside a value, when the block is taken back."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        storage.box["a"]["n"] = 2
        storage.box["c"] = 4
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["a"]["n"] = 3
                storage.box["c"] = 5
                raise ValueError
        assert dict(storage.box) == {"a": {"n": 2}, "b": [1], "c": 4}
        await trio.testing.wait_all_tasks_blocked()
        assert stored(disk) == {"a": '{"n":2}', "b": "[1]", "c": "4"}


async def test_a_refused_commit_takes_the_whole_block_back() -> None:
    """A full disk: the block raises, memory and store are as before, a later one works."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        disk.full = True
        with pytest.raises(StorageError, match="no space"):
            async with storage.transaction():
                del storage.box["a"]
                storage.box["b"].append(2)
        assert list(storage.box.items()) == [("a", {"n": 1}), ("b", [1]), ("c", 3)]
        disk.full = False
        async with storage.transaction():
            storage.box["b"].append(3)
        assert stored(disk) == {**AS_BEFORE, "b": "[1,3]"}


async def test_a_value_that_cannot_be_stored_takes_the_whole_block_back() -> None:
    """Found at its end inside a value, nothing of the block stays."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        with pytest.raises(StorageTypeError):
            async with storage.transaction():
                storage.box["c"] = 4
                storage.box["b"].append(object())
        assert dict(storage.box) == {"a": {"n": 1}, "b": [1], "c": 3}
    assert stored(disk) == AS_BEFORE


async def test_frames_of_the_block_wait_for_its_end() -> None:
    """Each frame holds the block's ticket, which is decided with it."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work() as unit:
        async with storage.transaction():
            [early] = unit.settle()
            storage.box["c"] = 4
            [late] = unit.settle()
            assert early is late
            assert not late.done
        assert late.done
        assert late.error is None
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                [lost] = unit.settle()
                raise ValueError("no")
        assert lost.done
        assert "no" in str(lost.error)
        assert unit.settle() == ()  # its author knows, and may say so


async def test_another_handler_cannot_write_what_an_open_block_has_changed() -> None:
    """It is refused at once, memory stays; other records and later writes work."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        async with storage.transaction():
            storage.box["c"] = 4
            del storage.box["b"]
            mine = current_unit.get()
            current_unit.set(other := StorageUnit())
            for key in ("b", "c"):
                with pytest.raises(StorageError, match="open transaction"):
                    storage.box[key] = 5
            with pytest.raises(StorageError, match="open transaction"):
                del storage.box["c"]
            storage.box["free"] = 1
            assert storage.box["c"] == 4
            assert not other.settle()[0].done  # what it says of that record waits for the block
            await other.finish()
            current_unit.set(mine)
        storage.box["c"] = 6
        assert stored(disk) == {"a": '{"n":1}', "c": "4", "free": "1"}


async def test_a_change_inside_by_another_handler_belongs_to_the_block() -> None:
    """The record is written only by the transaction, and goes back with it."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["b"] = [2]
                mine = current_unit.get()
                current_unit.set(other := StorageUnit())
                storage.box["b"].append(3)
                [ticket] = other.settle()
                await other.finish()
                current_unit.set(mine)
                await trio.testing.wait_all_tasks_blocked()
                assert disk.commits == []
                raise ValueError
        assert ticket.error is not None
        assert storage.box["b"] == [1]
    assert stored(disk) == AS_BEFORE


async def test_an_earlier_change_that_fails_meanwhile_goes_back_further() -> None:
    """Taken back, the record has what the store has, not what it never got."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        disk.hang()
        storage.box["c"] = "never stored"
        await trio.testing.wait_all_tasks_blocked()
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["c"] = "taken back"
                disk.full = True
                disk.go_on()
                await trio.testing.wait_all_tasks_blocked()
                assert storage.box["c"] == "taken back"
                raise ValueError
        assert storage.box["c"] == 3
        disk.full = False
    assert stored(disk) == AS_BEFORE


async def test_blocks_of_one_moment_and_other_changes_share_a_commit() -> None:
    """While a commit runs, transactions and plain changes gather for the next one."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        disk.hang()
        storage.more["first"] = 1

        async def change(key: str) -> None:
            async with storage.transaction():
                storage.more[key] = key

        async with trio.open_nursery() as nursery:
            await trio.testing.wait_all_tasks_blocked()
            for n in range(5):
                nursery.start_soon(change, f"k{n}")
            await trio.testing.wait_all_tasks_blocked()
            storage.more["last"] = 1
            disk.go_on()
    assert [len(commit) for commit in disk.commits] == [1, 6]


async def test_two_blocks_that_write_one_record_are_stored_in_their_order() -> None:
    """One commit never holds a record twice."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        disk.hang()
        storage.more["first"] = 1

        async def change(n: int) -> None:
            async with storage.transaction():
                storage.more["k"] = n
                storage.more[f"n{n}"] = n

        async with trio.open_nursery() as nursery:
            await trio.testing.wait_all_tasks_blocked()
            for n in range(3):
                nursery.start_soon(change, n)
                await trio.testing.wait_all_tasks_blocked()
            disk.go_on()
    assert [len(commit) for commit in disk.commits] == [1, 2, 2, 2]
    assert stored(disk)["k"] == "2"


async def test_one_inside_another_is_refused() -> None:
    """Also when a task of the handler's own nursery tries."""
    async with opened(FaultyDisk()) as storage, unit_of_work(), storage.transaction():
        with pytest.raises(RuntimeError, match="open already"):
            async with storage.transaction():
                pass


async def test_flush_inside_a_block_is_refused() -> None:
    """It would wait for the block's own end."""
    async with opened(FaultyDisk()) as storage, unit_of_work(), storage.transaction():
        storage.box["c"] = 4
        with pytest.raises(RuntimeError, match="never end"):
            await storage.flush()


async def test_an_empty_block_waits_for_nothing() -> None:
    """Also on a store that takes nothing any more."""
    disk = FaultyDisk()
    async with opened(disk) as storage, unit_of_work():
        disk.fails_to_sync = True
        storage.box["c"] = 4
        await trio.testing.wait_all_tasks_blocked()
        async with storage.transaction():
            assert storage.box["c"] == 3
        with pytest.raises(StorageError):
            async with storage.transaction():
                storage.box["c"] = 4
        assert storage.box["c"] == 3


@asynccontextmanager
async def two_engines(folder: Path, *engines: str) -> AsyncIterator[tuple[Stores, MoobiusStorage]]:
    specs = [
        ContainerSpec(name=name, implementation=engine)
        for name, engine in zip(("box", "more"), engines, strict=True)
    ]
    async with open_stores(
        specs,
        service_id=ServiceId("s"),
        folder=folder,
        run_sync=run_inline,
        on_problem=lambda problem: None,
    ) as stores:
        yield stores, await stores.storage(BAND, {})


async def test_an_engine_of_single_records_refuses(tmp_path: Path) -> None:
    """At the assignment, with the engine that could; nothing is changed."""
    async with two_engines(tmp_path, "json", "sqlite") as (_, storage), unit_of_work():
        with pytest.raises(StorageError, match=r"each record by itself.*sqlite"):
            async with storage.transaction():
                storage.more["k"] = 1
                storage.box["k"] = 1
        assert not storage.box
        assert not storage.more


async def test_containers_of_two_stores_are_refused(tmp_path: Path) -> None:
    """At the assignment that would need both."""
    async with two_engines(tmp_path, "memory", "sqlite") as (_, storage), unit_of_work():
        with pytest.raises(StorageError, match="lies in"):
            async with storage.transaction():
                storage.more["k"] = 1
                storage.box["k"] = 1
        assert not storage.box
        assert not storage.more


async def test_bands_of_one_store_go_together(tmp_path: Path) -> None:
    """One SQLite file holds them all, so a block may cover several."""
    async with two_engines(tmp_path, "sqlite", "sqlite") as (stores, first), unit_of_work():
        second = await stores.storage(OTHER, {})
        async with first.transaction():
            first.box["k"] = 1
            second.box["k"] = 2
        assert stores.statistics()[0].commits == 1


async def test_a_band_at_a_time_where_the_engine_says_so() -> None:
    """An engine whose commits go together within a band refuses a second band."""
    disk = FaultyDisk()
    disk.atomic = "band"
    async with disk.open() as stores, unit_of_work():
        first = await stores.storage(BAND, DECLARED)
        second = await stores.storage(OTHER, DECLARED)
        with pytest.raises(StorageError, match="covers one band"):
            async with first.transaction():
                first.box["k"] = 1
                first.more["k"] = 1
                second.box["k"] = 2
        assert not first.box
        assert disk.commits == []


async def test_cancelled_while_it_waits_for_the_disk_the_store_decides() -> None:
    """The changes are with the store: memory keeps them, and takes them back if it refuses."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        for full in (False, True):
            disk.hang()
            with trio.CancelScope() as scope:
                async with unit_of_work(), trio.open_nursery() as nursery:

                    async def cancel(scope: trio.CancelScope = scope) -> None:
                        await trio.testing.wait_all_tasks_blocked()
                        scope.cancel()

                    async with storage.transaction():
                        storage.box["c"] = ["full", full]
                        nursery.start_soon(cancel)
            assert scope.cancelled_caught
            assert storage.box["c"] == ["full", full]
            disk.full = full
            disk.go_on()
            await trio.testing.wait_all_tasks_blocked()
            assert storage.box["c"] == ["full", False]


_keys = st.sampled_from("abcd")
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), _keys, st.integers(0, 9)),
        st.tuples(st.just("inside"), _keys, st.integers(0, 9)),
        st.tuples(st.just("delete"), _keys),
        st.tuples(st.just("clear")),
        st.tuples(st.just("send")),
    ),
    max_size=6,
)


def _play(box: Any, unit: StorageUnit | None, steps: list[Any]) -> None:
    for name, *args in steps:
        match name, args:
            case "set", (key, n):
                box[key] = [n]
            case "inside", (key, n):
                box.get(key, []).append(n)
            case "delete", (key,):
                box.pop(key, None)
            case "clear", ():
                box.clear()
            case _:
                if unit is not None:
                    unit.settle()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.lists(st.tuples(_steps, st.sampled_from(["plain", "kept", "raises", "full"]))))
def test_any_blocks_leave_what_a_dict_with_copies_has(blocks: list[Any]) -> None:
    """Kept blocks count, others leave no trace, in memory, in the store, and in the order."""

    async def test() -> None:
        disk = FaultyDisk()
        model: dict[str, Any] = {}
        async with disk.open() as stores:
            storage = await stores.storage(BAND, DECLARED)
            for steps, kind in blocks:
                disk.full = kind == "full"
                async with unit_of_work() as unit:
                    if kind == "plain":
                        _play(storage.box, unit, steps)
                    else:
                        with contextlib.suppress(ValueError, StorageError):
                            async with storage.transaction():
                                _play(storage.box, unit, steps)
                                if kind == "raises":
                                    raise ValueError
                if kind in ("plain", "kept"):
                    _play(model, None, steps)
                    await storage.flush()
                disk.full = False
                assert list(storage.box.items()) == list(model.items())
                assert await stores.sweep() == ()
        async with disk.open() as stores:
            storage = await stores.storage(BAND, DECLARED)
            assert list(storage.box.items()) == list(model.items())

    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("gives_back", ["raises", "disk is full"])
async def test_keys_that_are_equal_go_back_as_what_they_were(gives_back: str) -> None:
    """1 and True are one key to a dict and two to a store; memory and disk agree about which."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        storage = await stores.storage(BAND, {"box": container(object, key=object)})
        storage.box[1] = ["one"]
        await storage.flush()
        disk.full = gives_back == "disk is full"
        with contextlib.suppress(KeyError, StorageError):
            async with storage.transaction():
                storage.box.replace({"other": 0, True: ["true"]})
                if not disk.full:
                    raise KeyError
        disk.full = False
        assert repr(dict(storage.box)) == "{1: ['one']}"
        storage.box[1].append("more")
        await storage.flush()
    assert list(disk.records.values()) == [b'["one","more"]']
