"""Group commits, their tickets, and what happens when the disk does not take them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from moobius_trio.database import StorageUnit, StoreBroken, container, current_unit
from moobius_trio.errors import StorageError
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId

BAND, OTHER = ChannelId("b"), ChannelId("c")
DECLARED = {"box": container(object, key=object)}


async def test_one_commit_serves_many_bands() -> None:
    """What is changed while a commit runs goes together into the next one."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        first = (await stores.storage(BAND, DECLARED)).container("box")
        second = (await stores.storage(OTHER, DECLARED)).container("box")
        disk.hang()
        first["k"] = 1
        await trio.testing.wait_all_tasks_blocked()
        for n in range(50):
            first["k"] = second["k"] = n
            second[n] = n
        assert stores.statistics()[0].waiting == 53
        disk.go_on()
        await stores.flush()
        assert stores.statistics()[0].waiting == 0
    assert [len(commit) for commit in disk.commits] == [1, 52]


async def test_a_ticket_is_done_when_its_change_is_durable() -> None:
    """Callbacks run once, at once if it is done already; it bears the number of the change."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        disk.hang()
        unit = StorageUnit()
        current_unit.set(unit)
        box["a"], box["b"] = 1, 2
        [ticket] = unit.settle()
        current_unit.set(None)
        calls: list[str] = []
        ticket.on_done(lambda: calls.append("later"))
        assert (ticket.done, ticket.error, ticket.number, calls) == (False, None, 2, [])
        disk.go_on()
        await ticket.wait()
        ticket.on_done(lambda: calls.append("at once"))
        assert (ticket.done, ticket.error, calls) == (True, None, ["later", "at once"])


async def test_a_full_disk_leaves_memory_and_store_alike() -> None:
    """The failed changes are undone in memory, reported once, and later writes work again (F41)."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box.update(changed=[1], deleted=2, same=3)
        await stores.flush()
        before = dict(disk.records)
        disk.full = True
        unit = StorageUnit()
        current_unit.set(unit)
        box["changed"].append(2)
        del box["deleted"]
        box["new"] = 4
        [ticket] = unit.settle()
        with pytest.raises(StorageError, match="no space left"):
            await ticket.wait()
        assert isinstance(ticket.error, StorageError)
        assert dict(box) == {"changed": [1], "same": 3, "deleted": 2}
        assert disk.records == before
        assert disk.problems == [ticket.error]
        with pytest.raises(StorageError, match="taken back"):
            unit.settle()  # what this unit says may rest on changes that are lost
        assert unit.settle() == ()
        await unit.finish()
        current_unit.set(None)
        disk.full = False
        box["changed"].append(3)
        box["new"] = 5
        await stores.storage(BAND, DECLARED)
        await stores.flush()
        assert dict(box) == {"changed": [1, 3], "same": 3, "deleted": 2, "new": 5}
        assert sorted(disk.records.values()) == [b"2", b"3", b"5", b"[1,3]"]


async def test_a_newer_change_survives_the_failure_of_an_older_one() -> None:
    """A change made while the failing commit ran is written by the next one."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box.update(k=1, other=1)
        await stores.flush()
        disk.hang()
        disk.full = True
        box["k"] = 2
        box["other"] = 2
        await trio.testing.wait_all_tasks_blocked()
        box["k"] = 3
        unit = StorageUnit()
        current_unit.set(unit)
        assert box["other"] == 2
        [failing] = unit.settle()
        current_unit.set(None)

        def space() -> None:
            disk.full = False

        failing.on_done(space)
        disk.go_on()
        await trio.testing.wait_all_tasks_blocked()
        assert dict(box) == {"k": 3, "other": 1}
        assert sorted(disk.records.values()) == [b"1", b"3"]


async def test_a_record_deleted_and_made_again_returns_to_the_stored_one() -> None:
    """However a key got its newest value, a failure brings back what the store has."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box["k"] = {"old": 1}
        await stores.flush()
        disk.full = True
        box["k"] = {"new": box.pop("k")["old"]}
        with pytest.raises(StorageError):
            await stores.flush()
        assert dict(box) == {"k": {"old": 1}}
        box.replace({"x": 1})
        with pytest.raises(StorageError):
            await stores.flush()
        assert dict(box) == {"k": {"old": 1}}


async def test_a_disk_that_cannot_sync_takes_nothing_until_it_is_opened_again() -> None:
    """Later changes are refused at once and change nothing; reading goes on (F42)."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box["k"] = [1]
        await stores.flush()
        disk.fails_to_sync = True
        box["k"].append(2)
        with pytest.raises(StoreBroken, match="Input/output error"):
            await stores.flush()
        disk.fails_to_sync = False
        changes: list[Callable[[], object]] = [
            lambda: box.__setitem__("k", [3]),
            lambda: box.__setitem__("new", 1),
            lambda: box.__delitem__("k"),
            lambda: box.replace({}),
        ]
        for change in changes:
            with pytest.raises(StoreBroken):
                change()
        box["k"].append(3)
        with pytest.raises(StoreBroken):
            box.save("k")
        assert dict(box) == {"k": [1]}
        assert stores.statistics()[0].broken == "the disk failed (Input/output error)"
        with pytest.raises(StoreBroken):
            await stores.flush()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box["k"].append(4)
    assert list(disk.records.values()) == [b"[1,4]"]


async def test_an_engine_with_a_fault_of_its_own_breaks_only_its_store() -> None:
    """Whatever it raises, the writer lives on and says so."""
    disk = FaultyDisk()
    disk.error = ZeroDivisionError("oops")
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box["k"] = 1
        with pytest.raises(StoreBroken, match="oops"):
            await stores.flush()
        assert not box


async def test_changes_made_behind_a_failing_sync_fail_with_it() -> None:
    """What was queued while the disk broke is undone as well."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        disk.hang()
        disk.fails_to_sync = True
        box["a"] = 1
        await trio.testing.wait_all_tasks_blocked()
        box["b"] = 2
        disk.go_on()
        with pytest.raises(StoreBroken):
            await stores.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert not box
    assert len(disk.problems) == 2


async def test_a_cancelled_service_still_stores_what_it_did() -> None:
    """Cancelling the block ends it only after its changes are durable."""
    disk = FaultyDisk()
    with trio.CancelScope() as scope:
        async with disk.open() as stores:
            box = (await stores.storage(BAND, DECLARED)).box
            box["k"] = []
            box["k"].append(1)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert list(disk.records.values()) == [b"[1]"]


async def test_a_hanging_disk_does_not_hold_the_end_for_ever(autojump_clock: object) -> None:
    """The end is bounded; what could not be stored is reported."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        disk.hang()
        box["k"] = 1
        begun = trio.current_time()
    assert trio.current_time() - begun <= 20
    [problem] = disk.problems
    assert "closed before the change was stored" in str(problem)


async def test_errors_of_the_block_come_out_as_they_are() -> None:
    """No group is wrapped around what the block raises."""
    with pytest.raises(ZeroDivisionError):
        async with FaultyDisk().open():
            raise ZeroDivisionError


async def test_a_flush_waits_for_all_bands_before_it_raises() -> None:
    """One band's value cannot be stored: the others' changes inside values are stored first."""
    disk = FaultyDisk()
    async with disk.open() as stores:
        first, second = [(await stores.storage(one, DECLARED)).box for one in (BAND, OTHER)]
        first["k"], second["k"] = [1], [1]
        await stores.flush()
        disk.commits.clear()
        first["k"].append(2)
        second["k"].append(2)
        disk.full = True
        with pytest.raises(StorageError, match="no space"):
            await stores.flush()
        disk.full = False
        assert (first["k"], second["k"]) == ([1], [1])
        second["k"].append(3)
        await stores.flush()
    assert [[change.value for change in commit] for commit in disk.commits] == [[b"[1,3]"]]
