"""Messages that come twice are handled once, and two messages are never taken for one (F20)."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from moobius_trio.codec import generation0
from moobius_trio.network.duplicates import Duplicates
from moobius_trio.testing.link_rig import open_link
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.types import Action, ChannelId, Content, MessageId, MessageUp, UserId

HOUR = 3600.0

names = st.sampled_from(["", "a", "b", "-1", "-2"])
messages = st.builds(
    MessageUp,
    channel_id=names.map(ChannelId),
    sender=names.map(UserId),
    content=st.builds(
        Content,
        text=st.none() | names,
        path=st.none() | names,
        extra=st.dictionaries(names, st.sampled_from([0, 1, True, None, "1", [], -1, -2])),
    ),
    recipients=st.lists(names.map(UserId), max_size=2),
    subtype=names,
    timestamp=st.sampled_from([0, -1, -2, 1]),
    msg_id=names.map(MessageId),
)


def up(number: int, *, channel: str = "band", text: str | None = None) -> MessageUp:
    """A message with an id of its own."""
    return MessageUp(
        channel_id=ChannelId(channel),
        sender=UserId("alice"),
        content=Content(text=text or f"{number}"),
        timestamp=number,
        msg_id=MessageId(f"id-{number}"),
    )


def wire(message: MessageUp) -> str:
    """What tells two messages apart: all that they say."""
    return generation0.encode_for_service(message)


@given(st.lists(messages, max_size=30))
def test_only_what_is_the_same_in_everything_is_dropped(stream: list[MessageUp]) -> None:
    """Whatever ids the platform uses twice; without an id nothing is dropped."""
    duplicates, latest = Duplicates(), dict[object, str]()
    for message in stream:
        repeated = duplicates.is_repeated(message, 0.0)
        key = (message.channel_id, message.msg_id)
        if repeated:
            assert message.msg_id
            assert latest[key] == wire(message)
        elif message.msg_id:
            assert latest.get(key) != wire(message)
        latest[key] = wire(message)


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": -2},
        {"sender": "bob"},
        {"recipients": ("bob",)},
        {"subtype": "image"},
        {"content": Content(path="hello")},
        {"content": Content(text="hello", extra={"size": 1})},
        {"content": Content(text="hello", extra={"size": True})},
    ],
    ids=str,
)
def test_a_message_that_differs_in_one_thing_is_another(change: dict[str, Any]) -> None:
    """Also where Python finds two values equal, or gives them the same hash."""
    message = MessageUp(
        channel_id=ChannelId("band"),
        sender=UserId("alice"),
        content=Content(text="hello"),
        timestamp=-1,
        msg_id=MessageId("id"),
    )
    duplicates = Duplicates()
    assert not duplicates.is_repeated(message, 0)
    assert duplicates.is_repeated(message, 0)
    assert not duplicates.is_repeated(attrs.evolve(message, **change), 0)
    assert duplicates.is_repeated(attrs.evolve(message, **change), 0)
    if "content" in change:
        other = Content(text="hello", extra={"size": 2})
        assert not duplicates.is_repeated(attrs.evolve(message, content=other), 0)


def test_an_hour_is_remembered_and_no_more() -> None:
    """A message that comes again later is handled again."""
    duplicates = Duplicates()
    assert not duplicates.is_repeated(up(1), 0)
    assert duplicates.is_repeated(up(1), HOUR - 1)
    assert not duplicates.is_repeated(up(2), 0)
    assert not duplicates.is_repeated(up(2), HOUR)


def test_ten_thousand_of_a_band_are_remembered_and_no_more() -> None:
    """A flood of one band pushes out its own oldest, and nothing of others."""
    duplicates = Duplicates()
    duplicates.is_repeated(up(0, channel="quiet"), 0)
    for number in range(30_000):
        assert not duplicates.is_repeated(up(number), 0)
    assert len(duplicates) == 10_001
    assert duplicates.is_repeated(up(29_999), 0)
    assert duplicates.is_repeated(up(20_000), 0)
    assert not duplicates.is_repeated(up(19_999), 0)
    assert duplicates.is_repeated(up(0, channel="quiet"), 0)


def test_however_many_bands_there_are_it_stays_small() -> None:
    """What an hour has passed over goes, and over 200,000 the band that was silent longest."""
    duplicates = Duplicates()
    for number in range(1_000):
        duplicates.is_repeated(up(number, channel=f"{number}"), float(number))
    for number in range(2_000):
        duplicates.is_repeated(up(number), 2 * HOUR)
    assert len(duplicates) == 2_000
    assert len(duplicates._bands) == 1
    for number in range(300_000):
        duplicates.is_repeated(up(number, channel=f"{number % 100}"), 2 * HOUR)
    assert len(duplicates) <= 200_000


@attrs.define(eq=False)
class Doubling(ScriptedPlatform):
    """Tells nearly a third of its events twice, some of them on the next connection only."""

    source: random.Random = attrs.field(factory=lambda: random.Random(1))
    late: list[MessageUp] = attrs.field(factory=list)

    async def talk(self, count: int) -> None:
        for number in range(count):
            event = up(number, channel=f"band-{number % 3}")
            for _ in range(1 + (self.source.random() < 0.2)):
                await self.tell(event)
            if self.source.random() < 0.1:
                self.late.append(event)
            if number % 1_000 == 999:
                await trio.sleep(61)
                await self.cut()
                await trio.sleep(2)
                for event in self.late:
                    await self.tell(event)
                self.late.clear()
            await trio.lowlevel.checkpoint()


async def test_ten_thousand_messages_doubled_also_across_cuts_are_handled_once(
    autojump_clock: MockClock,
) -> None:
    """In their order; what was left out is counted, and what bears no id is never left out."""
    platform = Doubling()
    join = Action(subtype="join_channel", channel_id=ChannelId("b"), sender=UserId("alice"))
    async with open_link(platform.serve) as rig:
        await platform.talk(10_000)
        for _ in range(3):
            await platform.tell(join)
        await trio.sleep(1)
        statistics = rig.link.statistics()
    handled = [event.timestamp for event in rig.events if isinstance(event, MessageUp)]
    assert handled == list(range(10_000))
    assert statistics.duplicates > 2_500
    assert statistics.connections == 11
    assert rig.events.count(join) == 3
