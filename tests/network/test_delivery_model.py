"""Link and outbox against a platform that fails at random: what holds whatever happens.

Each seed is one run in simulated time; hypothesis makes trio's own choices repeatable, too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import attrs
import trio
from hypothesis import given, settings, strategies
from structlog.testing import capture_logs
from trio.testing import MockClock

from moobius_trio.codec import generation0
from moobius_trio.errors import ConnectionLost, OutboxFull
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.network.receipts import Outcome, Receipt
from moobius_trio.testing.link_rig import LinkRig, make_link, message
from moobius_trio.types import (
    ChannelId,
    Copy,
    MessageDown,
    Ping,
    Playground,
    RequestId,
    ServiceLogin,
    UpdatePlayground,
    UserId,
)


@attrs.frozen
class Faults:
    """How a run goes wrong: chances for each frame, and how many faults there are at most."""

    copies: Literal["own", "foreign", "absent"]
    ordering: Literal["pipelined", "strict"]
    room: int | None
    limit: int
    most: int
    cut: float
    refused: float
    copy_lost: float
    copy_late: float
    copy_doubled: float
    copy_strange: float

    @classmethod
    def draw(cls, source: random.Random) -> Faults:
        pick = source.choice
        return cls(
            copies=pick(["own", "own", "own", "foreign", "absent"]),
            ordering=pick(["pipelined", "strict"]),
            room=pick([None, None, 1, 3]),
            limit=pick([10_000, 20, 5]),
            most=pick([3, 10, 40]),
            cut=pick([0, 0.05, 0.2]),
            refused=pick([0, 0, 0.1]),
            copy_lost=pick([0, 0, 0, 0.1]),
            copy_late=pick([0, 0.1]),
            copy_doubled=pick([0, 0.1]),
            copy_strange=pick([0, 0.1]),
        )


@attrs.define(eq=False)
class FailingPlatform:
    """A platform that takes frames in order, and fails by its faults once it is told to."""

    faults: Faults
    source: random.Random
    nursery: trio.Nursery
    failing: bool = False
    taken: list[tuple[RequestId, str]] = attrs.field(factory=list)
    """Each time a frame took effect: its id and text."""
    refusals: Counter[RequestId] = attrs.field(factory=Counter)
    before_login: int = 0
    most_open: int = 0
    _left: int = 0
    _streams: list[MemoryFrameStream] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._left = self.faults.most

    async def serve(self, stream: MemoryFrameStream) -> None:
        self._streams = [one for one in self._streams if not (one.closed or one.deaf)]
        self._streams.append(stream)
        self.most_open = max(self.most_open, len(self._streams))
        with suppress(ConnectionLost):
            await self._answer(stream)

    async def _answer(self, stream: MemoryFrameStream) -> None:
        faults, logged_in = self.faults, False
        while True:
            frame = generation0.decode_from_client(await stream.receive_text())
            command = frame.command
            if isinstance(command, Ping):
                await self._say(stream, self._copy(frame))
            elif self._happens(faults.cut):
                return await self._end(stream)
            elif isinstance(command, ServiceLogin):
                logged_in = True
                await self._say(stream, self._copy(frame))
            elif self._happens(faults.refused):
                self.refusals[frame.request_id] += 1
                await self._acknowledge(stream, self._copy(frame, status=False))
            else:
                self.before_login += not logged_in
                self.taken.append((frame.request_id, text_of(command)))
                if self._happens(faults.cut):
                    return await self._end(stream)
                await self._acknowledge(stream, self._copy(frame))

    def _happens(self, chance: float) -> bool:
        happens = self.failing and self._left > 0 and self.source.random() < chance
        self._left -= happens
        return happens

    def _copy(self, frame: generation0.ClientFrame, *, status: bool = True) -> Copy | None:
        if self.faults.copies == "absent":
            return None
        own = self.faults.copies == "own"
        request_id = frame.request_id if own else RequestId(f"theirs-{self.source.random()}")
        return Copy(request_id=request_id, origin_type=frame.origin_type, status=status)

    async def _acknowledge(self, stream: MemoryFrameStream, copy: Copy | None) -> None:
        faults = self.faults
        if copy is None or self._happens(faults.copy_lost):
            return
        if self._happens(faults.copy_strange):
            await self._say(stream, attrs.evolve(copy, request_id=RequestId("strange")))
        if self._happens(faults.copy_late):
            self.nursery.start_soon(self._say_late, copy)
            return
        if self._happens(faults.copy_doubled):
            await self._say(stream, copy)
            if copy.status:  # a refusal that comes twice and late may be that of the second try
                self.nursery.start_soon(self._say_late, copy)
        await self._say(stream, copy)

    async def _say(self, stream: MemoryFrameStream, copy: Copy | None) -> None:
        if copy is not None:
            await stream.send_text(generation0.encode_for_service(copy))

    async def _say_late(self, copy: Copy) -> None:
        await trio.sleep(self.source.choice([0.01, 0.3, 2, 10]))
        with suppress(ConnectionLost):
            await self._say(self._streams[-1], copy)  # on whatever connection there is then

    async def _end(self, stream: MemoryFrameStream) -> None:
        way = self.source.choice(["close", "cut", "black hole"])
        if way == "close":
            await stream.aclose(1001, "cut")
        elif way == "cut":
            stream.cut()
        else:
            stream.silent = stream.deaf = True
            await trio.sleep_forever()


def text_of(command: object) -> str:
    if isinstance(command, UpdatePlayground):
        return command.content.text or ""
    assert isinstance(command, MessageDown)
    return command.text or ""


@attrs.define(eq=False)
class LateRecord:
    """A record that is stored later, or fails to be."""

    error: Exception | None
    done: bool = False
    _callbacks: list[Callable[[], None]] = attrs.field(factory=list)

    def on_done(self, callback: Callable[[], None], /) -> None:
        self._callbacks.append(callback)

    async def store(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.done = True
        for callback in self._callbacks:
            callback()


@attrs.define(eq=False)
class Sent:
    """Something that was put, and how it should and did end."""

    channel: str
    text: str
    key: tuple[str, str] | None
    """Of a state: what a newer one must share to replace it."""
    receipt: Receipt
    may_leave: bool
    outcome: Outcome = Outcome("confirmed")


@attrs.define(eq=False)
class Sender:
    """Puts messages and states in one channel: some held back, some cancelled."""

    rig: LinkRig
    source: random.Random
    nursery: trio.Nursery
    sent: list[Sent]

    async def send(self, channel: str, count: int) -> None:
        for _ in range(count):
            await self._send_one(channel)
            if self.source.random() < 0.3:
                await trio.sleep(self.source.choice([0.001, 0.02, 0.5, 3]))

    async def _send_one(self, channel: str) -> None:
        source, outbox = self.source, self.rig.outbox
        text = f"{source.random()}"
        command, key = message(text, channel=channel), None
        extra: dict[str, Any] = {}
        may_leave, discarded, transaction = True, False, None
        if source.random() < 0.3:
            key = (channel, source.choice(["alice", "bob"]))
            command = stage(text, *key)  # type: ignore[assignment]
        if source.random() < 0.2:
            record = LateRecord(OSError("full") if source.random() < 0.2 else None)
            self.nursery.start_soon(record.store, source.choice([0, 0.01, 1, 5]))
            extra["holds"] = [record]
            may_leave = record.error is None
        if source.random() < 0.1:
            discarded = source.random() < 0.3
            transaction = LateRecord(OSError("no") if discarded else None)
            extra["transaction"] = transaction
            extra["holds"] = [*extra.get("holds", ()), transaction]
        patience = source.choice([0, 0.001, 0.5]) if source.random() < 0.3 else 1e6
        receipt = None
        with trio.move_on_after(patience):
            try:
                receipt = await outbox.put(command, **extra)
            except OutboxFull:
                return
        if receipt is None:
            return
        if transaction is not None:
            await transaction.store(source.choice([0, 0.1, 2]))
        self.sent.append(Sent(channel, text, key, receipt, may_leave and not discarded))


def stage(text: str, channel: str, user: str) -> UpdatePlayground:
    return UpdatePlayground(
        channel_id=ChannelId(channel), content=Playground(text=text), recipients=[UserId(user)]
    )


async def run(seed: int) -> tuple[Faults, FailingPlatform, list[Sent]]:
    source = random.Random(seed)
    faults = Faults.draw(source)
    sent: list[Sent] = []
    async with trio.open_nursery() as nursery:
        platform = FailingPlatform(faults, source, nursery)
        connect = memory_connector(nursery, platform.serve, room=faults.room)
        rig = make_link(connect, seed=seed, ordering=faults.ordering, limit_items=faults.limit)
        await nursery.start(rig.link.serve)
        await trio.sleep(35)  # a heartbeat has been answered: silence is a fault from now on
        platform.failing = True
        async with trio.open_nursery() as senders:
            for channel in ("one", "two")[: source.randint(1, 2)]:
                sender = Sender(rig, source, nursery, sent)
                senders.start_soon(sender.send, channel, source.choice([5, 25]))
        with trio.fail_after(4_000):
            for one in sent:
                one.outcome = await one.receipt.outcome()
        statistics = rig.outbox.statistics()
        assert rig.outbox.idle
        assert (statistics.queued, statistics.unconfirmed, statistics.held) == (0, 0, 0)
        assert statistics.queued_bytes == 0
        await rig.link.stop()
        nursery.cancel_scope.cancel()
    return faults, platform, sent


def check_each(faults: Faults, platform: FailingPlatform, sent: list[Sent]) -> None:
    """What an outcome says is so, and what may leave is not lost where that can be helped."""
    took_effect = {text for _, text in platform.taken}
    for one in sent:
        state = one.outcome.state
        assert (state == "dropped") == (not one.may_leave), one
        if state == "confirmed":
            assert one.text in took_effect
        if state == "dropped":
            assert one.text not in took_effect
        if state == "superseded":
            assert one.key is not None
        if state == "refused":
            refusals = platform.refusals[one.receipt.request_id]
            assert refusals >= (1 if faults.copy_doubled else 2)
            assert faults.copy_doubled or one.text not in took_effect
        if state == "unconfirmed":
            twice = platform.refusals[one.receipt.request_id] >= 2  # and a write without an answer
            assert faults.copies != "own" or faults.copy_lost or twice


def check_order(faults: Faults, platform: FailingPlatform, sent: list[Sent]) -> None:
    """Messages of a channel take effect first in the order of put; states end with the newest."""
    position = {one.text: number for number, one in enumerate(sent)}
    for channel in ("one", "two"):
        kept = {
            one.text
            for one in sent
            if one.channel == channel
            and one.key is None
            # one that is refused once comes behind those already on their way
            and (faults.ordering == "strict" or not platform.refusals[one.receipt.request_id])
        }
        first = dict.fromkeys(text for _, text in platform.taken if text in kept)
        order = [position[text] for text in first]
        assert order == sorted(order)
    last: dict[tuple[str, str], list[int]] = {}
    keys = {one.text: one.key for one in sent}
    for _, text in platform.taken:
        if (key := keys.get(text)) is not None:
            last.setdefault(key, []).append(position[text])
    assert all(shown[-1] == max(shown) for shown in last.values())


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(seed=strategies.integers(0, 2**32))
def test_every_frame_ends_as_its_receipt_says_whatever_happens(seed: int) -> None:
    """No loss unnamed, no disorder, nothing before login, one connection, none written twice
    where it must not be."""
    with capture_logs():
        faults, platform, sent = trio.run(run, seed, clock=MockClock(autojump_threshold=0))
    assert platform.most_open == 1
    assert platform.before_login == 0
    if faults.copies != "own":
        assert max(Counter(platform.taken).values(), default=0) <= 1
    check_each(faults, platform, sent)
    check_order(faults, platform, sent)
