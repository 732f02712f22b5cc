"""When the one task that writes waits for further frames, and when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import trio
import trio.testing

from moobius_trio.network.streams import FrameStream
from moobius_trio.network.writing import TOGETHER_BYTES
from moobius_trio.testing.link_rig import make_outbox, message


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
