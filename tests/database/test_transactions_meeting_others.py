"""An open transaction and what others do meanwhile: it stays whole, and so do they."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio.database import StorageUnit, Stores, container, current_unit
from moobius_trio.errors import StorageError
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId

BAND = ChannelId("b")
DECLARED = {"box": container(object, key=object)}


@contextmanager
def running(unit: StorageUnit | None) -> Iterator[None]:
    """Run the block as a part of this unit."""
    token = current_unit.set(unit)
    try:
        yield
    finally:
        current_unit.reset(token)


@asynccontextmanager
async def opened(disk: FaultyDisk) -> AsyncIterator[tuple[Stores, Any]]:
    """A container with three records, and a unit that works on it."""
    async with disk.open() as stores:
        storage = await stores.storage(BAND, DECLARED)
        storage.box.update(a={"n": 1}, b=[1], c=3)
        await storage.flush()
        disk.commits.clear()
        with running(unit := StorageUnit()):
            yield stores, storage
            await unit.finish()


def stored(disk: FaultyDisk) -> dict[str, str]:
    return {key.decode(): value.decode() for (_, key), value in disk.records.items()}


async def test_a_change_inside_that_another_handler_saves_first_is_the_blocks() -> None:
    """It goes with the block, and what the other one says of it waits for the block."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        older = storage.box["b"]
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["a"]["n"] = 9
                older.append(9)
                with running(other := StorageUnit()):
                    assert (storage.box["a"], storage.box["b"]) == ({"n": 9}, [1, 9])
                    [ticket] = other.settle()
                    await other.finish()
                await trio.testing.wait_all_tasks_blocked()
                assert disk.commits == []
                raise ValueError
        assert ticket.error is not None
        assert dict(storage.box) == {"a": {"n": 1}, "b": [1], "c": 3}


async def test_a_flush_from_outside_leaves_the_block_whole() -> None:
    """Storing everything there is does not store half a block."""
    disk = FaultyDisk()
    async with opened(disk) as (stores, storage):
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["a"]["n"] = 9
                with running(None):
                    await stores.flush()
                raise ValueError
        assert storage.box["a"] == {"n": 1}
    assert stored(disk)["a"] == '{"n":1}'


async def test_what_another_handler_changed_before_the_block_touches_it_stays() -> None:
    """It is not taken back with the block."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        with running(other := StorageUnit()):
            storage.box["a"]["n"] = 2
        with contextlib.suppress(ValueError):
            async with storage.transaction():
                storage.box["a"]["n"] = 3
                raise ValueError
        with running(other):
            await other.finish()
        assert storage.box["a"] == {"n": 2}
    assert stored(disk)["a"] == '{"n":2}'


async def test_an_earlier_change_that_fails_takes_nothing_out_of_the_block() -> None:
    """A change inside that nobody has looked for yet is still part of it."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        disk.hang()
        storage.box["a"] = {"n": 5}
        await trio.testing.wait_all_tasks_blocked()
        async with storage.transaction():
            storage.box["a"]["n"] = 7
            storage.box["c"] = 7
            disk.full = True
            disk.go_on()
            await trio.testing.wait_all_tasks_blocked()
            disk.full = False
    assert stored(disk) == {"a": '{"n":7}', "b": "[1]", "c": "7"}


async def test_two_tasks_of_one_handler_cannot_both_open_one() -> None:
    """Also when what was changed before takes both of them a while to save."""
    disk = FaultyDisk()
    opens: list[bool] = []

    async def change(storage: Any) -> None:
        try:
            async with storage.transaction():
                opens.append(True)
                await trio.testing.wait_all_tasks_blocked()
        except RuntimeError:
            opens.append(False)

    async with opened(disk) as (_, storage):
        for n in range(1_200):
            storage.box[n] = [n]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(change, storage)
            nursery.start_soon(change, storage)
    assert sorted(opens) == [False, True]


async def test_what_cannot_be_done_whole_is_not_begun() -> None:
    """Emptying or replacing a container fails before the first record, not in the middle."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage), storage.transaction():
        storage.box["b"].append(7)
        box = storage.box
        changes: list[Callable[[], object]] = [
            box.clear,
            lambda: box.replace({"x": 1}),
            lambda: box.__setitem__("b", [1, 7]),
        ]
        with running(StorageUnit()):
            for change in changes:
                with pytest.raises(StorageError, match="open transaction"):
                    change()
        assert dict(box) == {"a": {"n": 1}, "b": [1, 7], "c": 3}


async def test_the_second_of_two_blocks_that_change_one_value_fails() -> None:
    """It cannot be stored whole without the first one."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage), storage.transaction():
        storage.box["b"] = [7]
        with running(other := StorageUnit()):
            with pytest.raises(StorageError, match="open transaction"):
                async with storage.transaction():
                    storage.box["c"] = 8
                    storage.box["b"].append(8)
            await other.finish()
    assert stored(disk) == {"a": '{"n":1}', "b": "[7,8]", "c": "3"}


async def test_a_refusal_in_the_moment_of_a_cancellation_is_heard() -> None:
    """Either the handler or the service is told, however both meet."""
    for delay in range(8):
        disk = FaultyDisk()
        heard: list[StorageError] = []
        async with opened(disk) as (_, storage):
            disk.hang()
            disk.full = True

            async def handle(storage: Any, scope: trio.CancelScope, heard: list[Any]) -> None:
                with scope:
                    try:
                        async with storage.transaction():
                            storage.box["c"] = 9
                    except StorageError as exc:
                        heard.append(exc)

            async with trio.open_nursery() as nursery:
                scope = trio.CancelScope()
                with running(None):
                    nursery.start_soon(handle, storage, scope, heard)
                await trio.testing.wait_all_tasks_blocked()
                disk.go_on()
                for _ in range(delay):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert len(heard) + len(disk.problems) == 1


async def test_a_task_that_outlived_its_handler_has_whole_blocks_too() -> None:
    """Nobody looks at that handler's unit any more; the block has one of its own."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        await (unit := StorageUnit()).finish()
        with running(unit):
            async with storage.transaction():
                storage.box["a"]["n"] = 5
                storage.box["c"] = 5
            assert stored(disk) == {"a": '{"n":5}', "b": "[1]", "c": "5"}
            assert len(disk.commits) == 1


async def test_keys_that_others_add_during_the_block_come_before_its_own() -> None:
    """They are stored before them, and a restart gives that order."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        async with storage.transaction():
            storage.box["of the block"] = 1
            with running(StorageUnit()):
                storage.box["of another"] = 1
            await trio.testing.wait_all_tasks_blocked()
        assert list(storage.box) == list(stored(disk))
        assert list(storage.box)[-1] == "of the block"


async def test_a_deletion_that_is_refused_leaves_the_order_of_the_store() -> None:
    """The key is where it was, not at the end, where a restart would not have it."""
    disk = FaultyDisk()
    async with opened(disk) as (_, storage):
        disk.full = True
        del storage.box["a"]
        await trio.testing.wait_all_tasks_blocked()
        disk.full = False
        assert list(storage.box) == ["a", "b", "c"] == list(stored(disk))
