"""When the one task that writes waits for further frames, and when it does not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
import trio.testing

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.receipts import Receipt
from moobius_trio.network.streams import FrameStream
from moobius_trio.network.writing import TOGETHER_BYTES
from moobius_trio.testing.link_rig import make_outbox, message
from moobius_trio.types import (
    ChannelId,
    Character,
    Copy,
    ServiceCommand,
    UpdateUserList,
    UserId,
)


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop."""

    now = 0

    def before_io_wait(self, timeout: float) -> None:
        self.now += 1


class Recording:
    """A connection that knows how many frames it got with which write, and in which turn."""

    closed = False

    def __init__(
        self,
        turns: Turns,
        *,
        seconds: float = 0.0,
        clock: trio.testing.MockClock | None = None,
    ) -> None:
        """``seconds``: what each write takes of the clock's time."""
        self._turns = turns
        self._seconds = seconds
        self._clock = clock
        self.writes: list[tuple[int, int]] = []

    async def send_texts(self, texts: Sequence[str]) -> None:
        self.writes.append((len(texts), self._turns.now))
        if self._clock is not None:
            self._clock.jump(self._seconds)


@pytest.fixture
def turns(mock_clock: trio.testing.MockClock) -> Turns:
    """On a clock that stands still, so that whatever follows follows soon."""
    del mock_clock
    return Turns()


async def test_a_frame_on_its_own_leaves_in_the_next_turn(turns: Turns) -> None:
    """However soon after the last one: whoever waits for it is not made to wait for others."""
    outbox, stream = make_outbox(), Recording(turns)
    trio.lowlevel.add_instrument(turns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        for number in range(3):
            await trio.testing.wait_all_tasks_blocked()
            await outbox.put(message(str(number)))
            put_at = turns.now
            await trio.testing.wait_all_tasks_blocked()
            assert stream.writes.pop() == (1, put_at + 1)
        nursery.cancel_scope.cancel()


async def test_one_of_many_waits_for_as_long_as_others_come(turns: Turns) -> None:
    """So that what comes turn by turn leaves together."""
    outbox, stream = make_outbox(), Recording(turns)
    trio.lowlevel.add_instrument(turns)
    for text in "ab":
        await outbox.put(message(text))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        await trio.testing.wait_all_tasks_blocked()
        for text in "cde":
            await outbox.put(message(text))
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    counts = [count for count, _ in stream.writes]
    assert counts[0] == 2
    assert counts[1] > 1  # who runs first in a turn is chance
    assert sum(counts) == 5


async def test_behind_a_full_write_the_rest_leaves_at_once(turns: Turns) -> None:
    """There is enough already: nothing is won by waiting."""
    outbox, stream = make_outbox(), Recording(turns)
    trio.lowlevel.add_instrument(turns)
    for _ in range(5):
        await outbox.put(message("x" * (TOGETHER_BYTES // 2)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [count for count, _ in stream.writes] == [2, 2, 1]
    assert len({turn for _, turn in stream.writes}) == 1


async def test_full_writes_let_others_run_every_two_milliseconds(
    turns: Turns, mock_clock: trio.testing.MockClock
) -> None:
    """The kernel may take megabytes without making the writer wait; nobody else would run."""
    outbox, stream = make_outbox(), Recording(turns, seconds=0.0015, clock=mock_clock)
    trio.lowlevel.add_instrument(turns)
    for _ in range(16):
        await outbox.put(message("x" * (TOGETHER_BYTES // 2)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    began = stream.writes[0][1]
    assert [turn - began for _, turn in stream.writes] == [0, 0, 1, 1, 2, 2, 3, 3]


class Quick(Recording):
    """One that can begin a write without waiting, and takes so much of it as it is told to."""

    heard = 1
    whole = True

    def start_sending(self, texts: Sequence[str]) -> bool:
        self.writes.append((len(texts), self._turns.now))
        return self.whole


@asynccontextmanager
async def resting_writer(stream: Recording) -> AsyncIterator[Outbox[ServiceCommand]]:
    """An outbox whose writer has this connection and nothing to do."""
    outbox = make_outbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        await trio.testing.wait_all_tasks_blocked()
        yield outbox
        nursery.cancel_scope.cancel()


async def test_an_answer_on_its_own_leaves_at_once(
    turns: Turns, mock_clock: trio.testing.MockClock
) -> None:
    """Without another turn of the loop, once after each sign of life; what is more, together."""
    stream = Quick(turns)
    trio.lowlevel.add_instrument(turns)
    async with resting_writer(stream) as outbox:
        for _ in range(2):
            put_at = turns.now
            receipt = await outbox.put(message("answer"))
            assert receipt.state == "written"
            assert (outbox.idle, stream.writes[-1]) == (False, (1, put_at))
            await outbox.put(message("more"))
            await outbox.put(message("more"))
            await trio.testing.wait_all_tasks_blocked()
            assert stream.writes[-2:] == [(1, put_at), (2, put_at + 1)]
            mock_clock.jump(1)
            stream.heard += 1
    assert outbox.written == 6


async def test_nothing_leaves_at_once_that_no_sign_of_life_came_before(turns: Turns) -> None:
    """A service that speaks by itself has its frames written together."""
    stream = Quick(turns)
    trio.lowlevel.add_instrument(turns)
    async with resting_writer(stream) as outbox:
        await outbox.put(message("answer"))
        await trio.testing.wait_all_tasks_blocked()
        put_at = turns.now
        await outbox.put(message("of its own"))
        await trio.testing.wait_all_tasks_blocked()
        assert stream.writes[-1] == (1, put_at + 1)


async def test_among_many_nothing_leaves_at_once(turns: Turns) -> None:
    """Where frames come in numbers, a write for each would cost more than it saves."""
    stream = Quick(turns)
    trio.lowlevel.add_instrument(turns)
    async with resting_writer(stream) as outbox:
        await outbox.put(message("answer"))
        await outbox.put(message("a"))
        await outbox.put(message("b"))
        await trio.testing.wait_all_tasks_blocked()
        stream.heard += 1
        put_at = turns.now
        await outbox.put(message("c"))
        assert stream.writes[-1][0] == 2
        await trio.testing.wait_all_tasks_blocked()
        assert stream.writes[-1][0] == 1
        assert stream.writes[-1][1] > put_at


async def test_what_did_not_leave_at_once_the_writer_sends_on_first(turns: Turns) -> None:
    """Until then it is a write under way, which must end in time and which nothing overtakes."""
    stream = Quick(turns)
    stream.whole = False
    async with resting_writer(stream) as outbox:
        receipt = await outbox.put(message("answer"))
        await outbox.put(message("more"))
        assert (receipt.state, outbox.written) == ("written", 0)
        await trio.testing.wait_all_tasks_blocked()
        assert [count for count, _ in stream.writes] == [1, 0, 1]
        assert outbox.written == 2


async def test_what_is_too_much_for_one_write_follows(turns: Turns) -> None:
    """Of more than 64 KiB that became ready together a part leaves at once, the rest behind it."""
    stream = Quick(turns)
    async with resting_writer(stream) as outbox:
        outbox.pause()
        for _ in range(5):
            await outbox.put(message("x" * (TOGETHER_BYTES // 2)))
        outbox.resume()
        assert [count for count, _ in stream.writes] == [2]
        await trio.testing.wait_all_tasks_blocked()
        assert [count for count, _ in stream.writes] == [2, 2, 1]


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_connection_that_breaks_at_once_is_no_error_of_the_sender(
    turns: Turns, noticed: bool
) -> None:
    """The writer tells of it: whoever reads may not have noticed that nothing can be written."""

    class Broken(Quick):
        def start_sending(self, texts: Sequence[str]) -> bool:
            self.closed = noticed
            raise ConnectionLost(None, "it broke")

    outbox, receipts = make_outbox(), []
    with pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match="it broke")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.write_to, cast(FrameStream, Broken(turns)))
            await trio.testing.wait_all_tasks_blocked()
            receipts.append(await outbox.put(message("answer")))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()  # or a writer that tells nothing would wait for ever
    outbox.connection_lost("it broke")
    assert (await receipts[0].outcome()).state == "unconfirmed"


def people(of: str, *names: str) -> UpdateUserList:
    """What one of them sees: a state, of which the newer one counts."""
    user_list = [Character(user_id=UserId(name), nickname=name) for name in names]
    return UpdateUserList(
        channel_id=ChannelId("band"), recipients=(UserId(of),), user_list=user_list
    )


def refuse(outbox: Outbox[ServiceCommand], *receipts: Receipt) -> None:
    """As a platform does that wants a login first."""
    for receipt in receipts:
        copy = Copy(request_id=receipt.request_id, origin_type="x", status=False)
        assert outbox.on_copy(copy) == "refused"


class Telling(Quick):
    """Keeps the ids of what is written."""

    def __init__(self, turns: Turns) -> None:
        super().__init__(turns)
        self.ids: list[str] = []

    def start_sending(self, texts: Sequence[str]) -> bool:
        self.ids += [json.loads(text)["request_id"] for text in texts]
        return super().start_sending(texts)

    async def send_texts(self, texts: Sequence[str]) -> None:
        self.ids += [json.loads(text)["request_id"] for text in texts]
        await super().send_texts(texts)


async def test_what_was_refused_leaves_in_its_order_also_where_it_leaves_at_once(
    turns: Turns, mock_clock: trio.testing.MockClock
) -> None:
    """A state between them that a newer one has replaced wakes nobody too early."""
    stream = Telling(turns)
    async with resting_writer(stream) as outbox:
        outbox.use_mode("proven")
        first = await outbox.put(message("first"))
        state = await outbox.put(people("alice"))
        second = await outbox.put(message("second"))
        await trio.testing.wait_all_tasks_blocked()
        outbox.pause()
        refuse(outbox, first, state, second)
        newer = await outbox.put(people("alice", "bob"))
        stream.ids.clear()
        mock_clock.jump(1)
        stream.heard += 1  # the login's answer
        outbox.resume()
        await trio.testing.wait_all_tasks_blocked()
    assert stream.ids == [one.request_id for one in (first, second, newer)]
    assert (await state.outcome()).state == "superseded"


async def test_no_refused_state_leaves_at_once_behind_a_newer_one(
    turns: Turns, mock_clock: trio.testing.MockClock
) -> None:
    """People would go back to what is old."""
    stream = Telling(turns)
    async with resting_writer(stream) as outbox:
        outbox.use_mode("proven")
        old = [await outbox.put(people(name)) for name in ("alice", "bob")]
        await trio.testing.wait_all_tasks_blocked()
        refuse(outbox, *old)
        for name in ("alice", "bob"):
            await outbox.put(people(name, "carol"))
        await trio.testing.wait_all_tasks_blocked()
        stream.ids.clear()
        mock_clock.jump(1)
        stream.heard += 1
        outbox.resume()
        await trio.testing.wait_all_tasks_blocked()
    assert stream.ids == []
    assert [(await one.outcome()).state for one in old] == ["superseded"] * 2


async def test_what_must_not_be_written_does_not_leave_at_once_either(turns: Turns) -> None:
    """While the session has to log in again, and when the connection is given up."""
    stream = Quick(turns)
    async with resting_writer(stream) as outbox:
        outbox.pause()
        assert (await outbox.put(message("paused"))).state == "queued"
        outbox.resume()
        assert [count for count, _ in stream.writes] == [1]
    stream.heard += 1
    assert (await outbox.put(message("too late"))).state == "queued"
