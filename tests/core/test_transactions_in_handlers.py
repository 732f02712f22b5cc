"""What a handler's transaction says and stores: all of it, or nothing."""

from __future__ import annotations

import pytest
import trio

from moobius_trio import (
    Band,
    Content,
    MessageUp,
    MoobiusService,
    Receipt,
    StorageError,
    UserId,
    container,
)
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver, kept_on
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE, BOB = UserId("alice"), UserId("bob")


class Bank(Band):
    accounts = container(dict[str, int], factory=lambda: {"coins": 10})


class Teller(MoobiusService[Bank]):
    """Moves a coin from alice to bob and says so twice: inside the block and behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: list[Receipt] = []
        self.errors: list[tuple[object, BaseException]] = []
        self.gate = trio.Event()

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band = self.bands[msg_up.channel_id]
        if msg_up.text == "look":
            await self.reply(msg_up, f"alice has {band.accounts[ALICE]['coins']}")
            return
        async with band.transaction():
            band.accounts[ALICE]["coins"] -= 1
            self.receipts.append(await self.reply(msg_up, "one coin is on its way"))
            with pytest.raises(RuntimeError, match="behind"):
                await self.receipts[-1].outcome()
            await self.gate.wait()
            band.accounts[BOB]["coins"] += 1
            if msg_up.text == "fail":
                raise ValueError("the coin was false")
        await self.reply(msg_up, "it has come")

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))

    def coins(self) -> list[int]:
        [band] = self.bands.values()
        return [band.accounts[who]["coins"] for who in (ALICE, BOB)]


async def test_nothing_is_told_before_the_block_is_stored(local: Local) -> None:
    """Its frames leave at its end, in order; until then the other frames of the band wait."""
    service, disk = Teller(), FaultyDisk()
    service.gate.set()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    disk.hang()
    said = MessageUp(channel_id=band.channel_id, sender=alice.user_id, content=Content(text="move"))
    deliver(service, said)
    await trio.sleep(1)
    assert alice.texts == []
    disk.go_on()
    await local.settle()
    assert alice.texts == ["one coin is on its way", "it has come"]
    assert service.coins() == [9, 11]
    assert (await service.receipts[0].outcome()).state == "confirmed"


async def test_a_block_that_raises_was_never_heard_of(local: Local) -> None:
    """Its frames are dropped, its changes undone, and the error is the handler's."""
    local.keep_failures = True
    service = Teller()
    service.gate.set()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.say("fail", to=SERVICE)
    assert alice.texts == []
    assert service.coins() == [10, 10]
    [(event, exc)] = service.errors
    assert isinstance(event, MessageUp)
    assert isinstance(exc, ValueError)
    outcome = await service.receipts[0].outcome()
    assert outcome.state == "dropped"
    assert "the coin was false" in outcome.reason


async def test_a_block_out_of_time_was_never_heard_of(local: Local) -> None:
    """The handlers' time limit cancels it: the same as an error."""
    local.keep_failures = True
    service = Teller()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.say("move", to=SERVICE, settle=False)
    await trio.sleep(61)
    await local.settle()
    assert alice.texts == []
    assert service.coins() == [10, 10]


async def test_a_block_that_a_full_disk_refuses_was_never_heard_of(local: Local) -> None:
    """The handler gets the StorageError, once; the next one is stored and told."""
    local.keep_failures = True
    service, disk = Teller(), FaultyDisk()
    service.gate.set()
    with kept_on(disk):
        band = await local.start(service)
    [alice] = await band.join("Alice")
    disk.full = True
    await alice.say("move", to=SERVICE)
    assert alice.texts == []
    assert [type(exc) for _, exc in service.errors] == [StorageError]
    disk.full = False
    await alice.say("move", to=SERVICE)
    assert alice.texts == ["one coin is on its way", "it has come"]
    assert service.coins() == [9, 11]
