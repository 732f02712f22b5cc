"""A handler that blocks the loop for less than 15 s does not cost the connection (F31)."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from moobius_trio.network.memory import MemoryFrameStream
from moobius_trio.testing.link_rig import message, open_link
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ScriptedPlatform

BLOCK_SECONDS = 14.9
ON_THE_WAY = 0.5
"""How long an answer takes: a block may begin between a frame and its answer."""


class Distant:
    """The platform's end of a connection, with a way that takes time."""

    def __init__(self, stream: MemoryFrameStream) -> None:
        self.receive_text = stream.receive_text
        self.aclose = stream.aclose
        self._stream = stream

    async def send_text(self, text: str) -> None:
        await trio.sleep(ON_THE_WAY)
        for _ in range(20):
            await trio.lowlevel.checkpoint()  # as reading from a socket takes a few turns
        await self._stream.send_text(text)


@pytest.mark.parametrize("seconds", [4.6, 14.0, BLOCK_SECONDS, 900.0])
async def test_no_block_costs_the_connection(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    """At whatever moment between two heartbeats it comes, and with frames on their way.

    The clock jumps while no other task can run, which is what a block is; what the platform says
    in that time is read only after it.
    """
    lost = 0
    for half_seconds in range(124):
        platform = ScriptedPlatform()

        async def serve(stream: MemoryFrameStream, platform: ScriptedPlatform = platform) -> None:
            stream.answers_pings = False  # in memory a pong would take no time
            await platform.serve(Distant(stream))

        async with open_link(serve) as rig:
            await trio.sleep(65)  # so that the platform is known to answer heartbeats
            assert rig.link.statistics().liveness == "proven"
            await trio.sleep(half_seconds / 2 + 0.2)
            receipts = [await rig.outbox.put(message(str(number))) for number in range(3)]
            autojump_clock.jump(seconds)
            receipts.append(await rig.outbox.put(message("after")))
            assert {(await receipt.outcome()).state for receipt in receipts} == {"confirmed"}
            await trio.sleep(100)
            lost += rig.link.statistics().connections - 1
        assert platform.repeated == 0
    note(f"connections lost by {half_seconds + 1} blocks of {seconds:g} s", lost)
    assert lost == 0
