"""A disk that fails under a running service: what needs it ends, and everything else goes on."""

from __future__ import annotations

from moobius_trio import (
    Band,
    ChannelId,
    Content,
    MessageUp,
    MoobiusService,
    Receipt,
    StorageError,
    UserId,
    container,
)
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver, kept_on
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE = UserId("alice")


class Counting(Band):
    counts = container(int)


class Clerk(MoobiusService[Counting]):
    """Counts, reads what was counted, or does without the container."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: dict[str, Receipt] = {}
        self.errors: list[BaseException] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band, word = self.bands[msg_up.channel_id], msg_up.text or ""
        number = "nothing"
        if word.startswith("count"):
            band.counts[ALICE] = band.counts.get(ALICE, 0) + 1
        if word.startswith(("count", "read")):
            number = str(band.counts[ALICE])
        self.receipts[word] = await band.create_message(f"{word}: {number}", band.members)

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append(exc)


def say(channel_id: ChannelId, text: str) -> MessageUp:
    """A message of alice to the service."""
    return MessageUp(channel_id=channel_id, sender=ALICE, content=Content(text=text))


async def test_after_a_disk_error_handlers_that_change_nothing_still_answer(local: Local) -> None:
    """The lost change is told once and what rests on it is not said; readers are served, and
    nobody hears a number that is not stored."""
    local.keep_failures = True
    disk, service = FaultyDisk(), Clerk()
    with kept_on(disk):
        await local.start(service, bands=["red"])
    [red] = service.bands
    [alice] = await local.band(red).join("Alice")
    deliver(service, say(red, "count 1"))
    await local.settle()
    disk.fails_to_sync = True
    deliver(service, say(red, "count 2"))
    await local.settle()
    [error] = service.errors
    assert isinstance(error, StorageError)
    assert "the disk failed (Input/output error)" in str(error)
    outcome = await service.receipts["count 2"].outcome()
    assert (outcome.state, outcome.error) == ("dropped", error)
    disk.fails_to_sync = False
    deliver(service, say(red, "read"), say(red, "talk"))
    await local.settle()
    assert alice.texts == ["count 1: 1", "read: 1", "talk: nothing"]
    assert service.errors == [error]
    deliver(service, say(red, "count 3"))
    await local.settle()
    [_, refused] = service.errors
    assert "until the service is restarted" in str(refused)
    assert "count 3" not in service.receipts
    deliver(service, say(red, "read again"))
    await local.settle()
    assert alice.texts[-1] == "read again: 1"
    assert list(disk.records.values()) == [b"1"]
