"""Three times as many changes are three times as much work, whatever the loop looks like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio.database import StorageUnit, container, current_unit, kept
from moobius_trio.database.group import Group, Where
from moobius_trio.database.plain import has_text
from moobius_trio.database.records import Owners, Record
from moobius_trio.database.transactions import open_transaction
from moobius_trio.database.unit import WINDOW
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId

DECLARED = {"box": container(object, key=object)}

NOWHERE: Any = None

Handler = Callable[[Any, StorageUnit, int], Awaitable[None]]


async def change_and_send(box: Any, unit: StorageUnit, users: int) -> None:
    for user in range(users):
        box[user]["n"] += 1
        unit.settle()
        await trio.lowlevel.checkpoint()


async def change_and_send_in_a_row(box: Any, unit: StorageUnit, users: int) -> None:
    for user in range(users):
        box[user]["n"] += 1
        unit.settle()


async def assign_and_send(box: Any, unit: StorageUnit, users: int) -> None:
    for user in range(users):
        box[user] = {"n": user}
        unit.settle()
        await trio.lowlevel.checkpoint()


async def change_one_and_send(box: Any, unit: StorageUnit, users: int) -> None:
    for _ in range(users):
        box[0]["n"] += 1
        unit.settle()
        await trio.lowlevel.checkpoint()


async def looks_at_values(handler: Handler, users: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often it is asked whether a value has changed until the handler's unit is through."""
    count = 0

    def counting(value: object, text: bytes) -> bool:
        nonlocal count
        count += 1
        return has_text(value, text)

    async with FaultyDisk().open() as stores:
        storage = await stores.storage(ChannelId("b"), DECLARED)
        box = storage.box
        box.update({user: {"n": 0} for user in range(users)})
        await storage.flush()
        with monkeypatch.context() as patch:
            patch.setattr(kept, "has_text", counting)
            unit = StorageUnit()
            token = current_unit.set(unit)
            try:
                await handler(box, unit, users)
                await unit.finish()
            finally:
                current_unit.reset(token)
    return count


@pytest.mark.parametrize(
    "handler",
    [change_and_send, change_and_send_in_a_row, assign_and_send, change_one_and_send],
)
async def test_a_loop_of_change_and_send_over_all_users_is_linear(
    handler: Handler, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each send looks at its own change and at most 32 records more, each end at each record."""
    for users in (1_000, 3_000):
        assert users <= await looks_at_values(handler, users, monkeypatch) <= users * (WINDOW + 3)


def test_no_dict_holds_the_owners_of_all_values() -> None:
    """One that has no place left is built anew, and the loop waits for as long as that takes."""
    owners = Owners()
    values: list[object] = [{} if number % 2 else [number] for number in range(6_400)]
    for value in values:
        owners.exchange(Record(NOWHERE, "k", b"k"), value, own=True)
    assert all(owners.owner(value) is not None for value in values)
    assert max(map(len, owners._parts.values())) < len(values) / 10


async def test_many_transactions_that_wait_are_gathered_in_linear_work(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait while the disk is slow, each is looked at a few times, not once for each
    other one."""
    looks = 0

    records = Group.records

    def counting(self: Group) -> Iterator[Where]:
        nonlocal looks
        looks += 1
        return records(self)

    monkeypatch.setattr(Group, "records", counting)
    disk = FaultyDisk()
    async with disk.open() as stores:
        storage = await stores.storage(ChannelId("b"), DECLARED)

        async def change(user: int) -> None:
            async with open_transaction():
                storage.box[user] = user

        disk.hang()
        storage.box["first"] = 0
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for user in range(300):
                nursery.start_soon(change, user)
            await trio.testing.wait_all_tasks_blocked()
            disk.go_on()
        assert [len(changes) for changes in disk.commits] == [1, 300]
    assert 300 <= looks < 300 * 10
