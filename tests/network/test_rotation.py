"""The planned new connection before the platform's host would cut the old one (F1)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from moobius_trio.network.memory import MemoryFrameStream
from moobius_trio.network.streams import FrameStream
from moobius_trio.testing.link_rig import message, open_link
from moobius_trio.testing.scripted_platform import ReceivedFrame, ScriptedPlatform
from moobius_trio.types import ChannelId, Content, MessageDown, MessageId, MessageUp, UserId

MINUTE = 60.0


class Slow(ScriptedPlatform):
    """Takes its time for each answer."""

    seconds = 0.02

    async def _acknowledge(self, *args: Any) -> None:
        await trio.sleep(self.seconds)
        await super()._acknowledge(*args)


@pytest.mark.parametrize("seed", range(5))
async def test_a_connection_is_given_up_between_105_and_115_minutes(
    autojump_clock: MockClock, seed: int
) -> None:
    """With a goodbye of 1000, and the next login follows at once; never two at a time."""
    platform = ScriptedPlatform()
    async with open_link(platform.serve, seed=seed) as rig:
        await trio.sleep(24 * 60 * MINUTE)
        statistics = rig.link.statistics()
    ages = [b.at - a.at for a, b in zip(platform.logins, platform.logins[1:], strict=False)]
    assert len(ages) == statistics.rotations == len(rig.gaps) == 13
    assert all(105 * MINUTE <= age <= 115 * MINUTE + 3 for age in ages)
    assert len({round(age) for age in ages}) > 5  # not all services at one moment
    assert platform.most_open == 1
    assert {end.code for end in platform.ends} == {1000}
    assert {gap.reason for gap in rig.gaps} == {"a planned new connection"}


@pytest.mark.parametrize("copies", ["own", "foreign", "absent"])
async def test_rotations_lose_and_double_nothing(autojump_clock: MockClock, copies: Any) -> None:
    """A message every ten seconds for six hours, on a platform that would show each repetition."""
    platform = Slow(copies=copies)
    async with open_link(platform.serve) as rig:
        receipts = []
        for number in range(6 * 360):
            receipts.append(await rig.outbox.put(message(str(number))))
            await trio.sleep(10)
        await trio.sleep(30)
        states = {(await receipt.outcome()).state for receipt in receipts}
        assert rig.link.statistics().rotations == 3
    assert states == {"confirmed" if copies == "own" else "unconfirmed"}
    assert [one.text for one in platform.taken] == [str(n) for n in range(len(receipts))]
    assert platform.repeated == 0


async def test_a_quiet_moment_is_waited_for(autojump_clock: MockClock) -> None:
    """While frames leave every second it goes on; two seconds without one are enough."""
    platform = Slow()
    async with open_link(platform.serve) as rig:
        await trio.sleep(104 * MINUTE)
        due = rig.link._session._rotate_at  # type: ignore[union-attr]
        while trio.current_time() < due + 100:
            await rig.outbox.put(message("x"))
            await trio.sleep(1)
        assert rig.link.statistics().rotations == 0
        await trio.sleep(6)
        assert rig.link.statistics().rotations == 1


async def test_without_a_quiet_moment_it_comes_after_four_minutes(
    autojump_clock: MockClock,
) -> None:
    """So that the connection is never as old as two hours; what is on its way is answered first."""
    platform = Slow()
    platform.seconds = 0.9
    async with open_link(platform.serve) as rig:
        number = 0
        await trio.sleep(104 * MINUTE)
        while rig.link.statistics().rotations < 1:
            await rig.outbox.put(message(str(number)))
            number += 1
            await trio.sleep(1)
        await trio.sleep(30)
    ages = [b.at - a.at for a, b in zip(platform.logins, platform.logins[1:], strict=False)]
    assert all(age < 120 * MINUTE for age in ages)
    assert platform.repeated == 0
    assert [one.text for one in platform.taken] == [str(n) for n in range(number)]


async def test_unanswered_frames_hold_it_up_for_five_seconds_only(
    autojump_clock: MockClock,
) -> None:
    """Then it is an end like any other: they are written again on the next connection."""

    class Forgetful(ScriptedPlatform):
        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if not isinstance(frame.command, MessageDown) or self.connections > 1:
                await super()._acknowledge(stream, frame, accepted)

    platform = Forgetful()
    async with open_link(platform.serve) as rig:
        await trio.sleep(104 * MINUTE)
        due = rig.link._session._rotate_at  # type: ignore[union-attr]
        await trio.sleep_until(due + 1)
        receipt = await rig.outbox.put(message("x"))
        assert (await receipt.outcome()).state == "confirmed"
        assert trio.current_time() < due + 15
        assert rig.link.statistics().rotations == 1
    assert platform.repeated == 1


async def test_a_refusal_during_the_drain_is_tried_again_afterwards(
    autojump_clock: MockClock,
) -> None:
    """Nothing is written to a connection that is being given up (F16)."""

    def first_try(frame: ReceivedFrame) -> bool:
        return isinstance(frame.command, MessageDown) and frame.connection == 1

    platform = Slow(refuses=first_try)
    platform.seconds = 3
    async with open_link(platform.serve) as rig:
        await trio.sleep(104 * MINUTE)
        due = rig.link._session._rotate_at  # type: ignore[union-attr]
        await trio.sleep_until(due + 1.9)
        receipt = await rig.outbox.put(message("x"))
        assert (await receipt.outcome()).state == "confirmed"
    assert platform.connections == 2
    assert [frame.connection for frame in platform.received if first_try(frame)] == [1]


async def test_what_came_during_a_rotation_lies_in_its_gap(autojump_clock: MockClock) -> None:
    """Every event that was not handed on was told at a time that some gap contains (F19)."""
    platform = Slow()
    told: dict[str, float] = {}
    current: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        current[:] = [end]
        await trio.sleep(0.7)  # the platform is slow to take connections
        await platform.serve(end)

    async with open_link(serve) as rig:
        for rotations in range(1, 4):
            await trio.sleep_until(rig.link._session._rotate_at - 5)  # type: ignore[union-attr]
            behind = 0
            while behind < 10:
                behind += rig.link.statistics().rotations == rotations
                text = str(len(told))
                told[text] = trio.current_time()
                await platform.tell(
                    MessageUp(
                        channel_id=ChannelId("band"),
                        sender=UserId("alice"),
                        content=Content(text=text),
                        msg_id=MessageId(text),
                    )
                )
                await trio.sleep(0.31)
            await trio.sleep(5)
    seen = {event.text for event in rig.events if isinstance(event, MessageUp)}
    missed = {at for text, at in told.items() if text not in seen}
    assert missed
    assert all(any(gap.since <= at <= gap.until for gap in rig.gaps) for at in missed)
