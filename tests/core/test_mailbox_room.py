"""How much may wait: counted in events and in bytes, per band and in all (F34)."""

from __future__ import annotations

import json
import tracemalloc
from sys import getsizeof

import hypothesis.strategies as st
import pytest
from hypothesis import given

from moobius_trio.codec import generation0
from moobius_trio.core.mailbox_room import LaneKey, Limits, MailboxRoom
from moobius_trio.core.weights import OBJECT, weight
from moobius_trio.types import (
    Action,
    BottomButton,
    ChannelId,
    Character,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    GenericUpdate,
    GroupId,
    GroupMessage,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageId,
    MessageUp,
    Playground,
    StyleItem,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
)

RED: LaneKey = ("band", ChannelId("red"), None)
RED_VIEWS: LaneKey = ("view", ChannelId("red"), None)
BLUE: LaneKey = ("band", ChannelId("blue"), None)


def filled(room: MailboxRoom, key: LaneKey, size: int = 0) -> int:
    """How many events of a size a lane takes."""
    count = 0
    while room.take(key, size):
        count += 1
    return count


def test_a_band_has_its_own_room() -> None:
    """A full band takes nothing more; its views and other bands take as much as before."""
    room = MailboxRoom(Limits())
    assert filled(room, RED) == 1_000
    assert filled(room, RED_VIEWS) == 1_000
    assert filled(room, BLUE) == 1_000


def test_a_band_is_full_by_its_bytes() -> None:
    """Few large events fill a band, and it has room again for as much as has ended."""
    room = MailboxRoom(Limits(band_bytes=1_000))
    assert filled(room, RED, 300) == 3
    assert room.take(BLUE, 300)
    room.give_back(RED, 300)
    assert filled(room, RED, 300) == 1
    assert not room.take(RED, 101)
    assert room.take(RED, 100)


def test_all_bands_together_are_full_by_events_and_by_bytes() -> None:
    """What waits in all of them is bounded, however many there are."""
    bands: list[LaneKey] = [("band", ChannelId(str(number)), None) for number in range(100)]
    by_events, by_bytes = MailboxRoom(Limits()), MailboxRoom(Limits())
    assert sum(filled(by_events, band) for band in bands) == 20_000 + 80 * 10
    assert sum(filled(by_bytes, band, 2**20) for band in bands) == 64


def test_a_calm_band_has_room_while_others_are_flooded() -> None:
    """Ten small events are taken from each band, however full all others are."""
    room = MailboxRoom(Limits(total_events=1_500))
    assert filled(room, RED) == 1_000
    assert filled(room, RED_VIEWS) == 500
    assert filled(room, BLUE, 100) == 10
    calm: LaneKey = ("band", ChannelId("calm"), None)
    assert not room.take(calm, 64 * 1024 + 1)


@given(
    st.lists(st.tuples(st.sampled_from([RED, RED_VIEWS, BLUE]), st.integers(0, 400), st.booleans()))
)
def test_what_is_given_back_is_forgotten(steps: list[tuple[LaneKey, int, bool]]) -> None:
    """After any coming and going the counts are those of what is there, and none at the end."""
    limits = Limits(band_events=5, band_bytes=1_000, total_events=8, total_bytes=1_500)
    room = MailboxRoom(limits)
    there: list[tuple[LaneKey, int]] = []
    for key, size, leaves in steps:
        if leaves and there:
            room.give_back(*there.pop())
        elif room.take(key, size):
            there.append((key, size))
        assert room.size == sum(size for _, size in there)
        for band in (RED, RED_VIEWS, BLUE):
            mine = [size for key, size in there if key == band]
            assert room.events(band) == len(mine) <= limits.band_events
            assert sum(mine) <= limits.band_bytes
    for key, size in there:
        room.give_back(key, size)
    assert (room.size, room._events, room._bands) == (0, 0, {})


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"note": "x" * 50_000},
        {"note": "\N{GRINNING FACE}" * 10_000},
        {"note": [{}] * 15_000},
        {"note": {str(number): [number] for number in range(3_000)}},
        {"note": [[[[[["deep"]]]]]] * 3_000},
    ],
    ids=["small", "text", "wide", "empty objects", "mapping", "nested"],
)
def test_the_weight_is_about_what_an_event_takes(extra: dict[str, object]) -> None:
    """What is counted is near to what Python has allocated for it, however small it was as text."""
    event = MessageUp(channel_id=ChannelId("red"), sender=UserId("alice"))
    frame = json.loads(generation0.encode_for_service(event))
    text_field = frame["body"]["content"]
    text_field.update(extra)
    text = json.dumps(frame)
    generation0.decode_for_service(text)  # so that what is made once is there
    tracemalloc.start()
    try:
        read = generation0.decode_for_service(text)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 2 - 2_000 <= weight(read) <= 3 * taken + 2_000


def test_the_weight_grows_with_every_part() -> None:
    """Long ids, many recipients and long words count as well as texts do."""
    small = weight(MessageUp(channel_id=ChannelId("red"), sender=UserId("alice")))
    assert 300 < small < 2_000
    long = "x" * 10_000
    for event in (
        MessageUp(channel_id=ChannelId("red"), sender=UserId(long)),
        MessageUp(
            channel_id=ChannelId("red"),
            sender=UserId("alice"),
            recipients=[UserId(str(number)) for number in range(200)],
        ),
        MessageUp(channel_id=ChannelId("red"), sender=UserId("a"), content=Content(path=long)),
        Action(subtype=long, channel_id=ChannelId("red"), sender=UserId("alice")),
        GroupMessage(
            message=MessageUp(
                channel_id=ChannelId("red"), sender=UserId("a"), content=Content(text=long)
            ),
            group_id=GroupId("g"),
        ),
        MenuItemClick(
            menu_item_id="quote",
            channel_id=ChannelId("red"),
            sender=UserId("a"),
            message_content=Content(text=long),
        ),
        MessageDown(channel_id=ChannelId("red"), content=Content(text=long)),
        UpdateUserList(
            channel_id=ChannelId("red"),
            user_list=[Character(user_id=UserId("a"), description=long)],
        ),
        UpdateFeatures(
            channel_id=ChannelId("red"),
            features=[
                Feature(
                    feature_id="f",
                    button_text="F",
                    arguments=[FeatureArgument(name="n", values=[long])],
                )
            ],
        ),
        UpdateMenu(
            channel_id=ChannelId("red"),
            menu=[
                MenuItem(
                    menu_item_id="m",
                    menu_item_text="M",
                    dialog=Dialog(bottom_buttons=[BottomButton(id="ok", text=long)]),
                )
            ],
        ),
        UpdatePlayground(channel_id=ChannelId("red"), content=Playground(text=long)),
        UpdateStyle(channel_id=ChannelId("red"), style=[StyleItem(widget="channel", text=long)]),
        UpdateChannelInfo(channel_id=ChannelId("red"), data={"name": long}),
        GenericUpdate(data={"name": long}),
    ):
        assert weight(event) >= 10_000


@given(
    content=st.builds(Content, text=st.none() | st.text(), path=st.none() | st.text()),
    recipients=st.lists(st.text().map(UserId), max_size=5),
    msg_id=st.text().map(MessageId),
)
def test_a_message_weighs_the_same_on_the_short_way(
    content: Content, recipients: list[UserId], msg_id: MessageId
) -> None:
    """What comes all the time is weighed without the walk that everything else takes."""
    message = MessageUp(
        channel_id=ChannelId("red"),
        sender=UserId("alice"),
        content=content,
        recipients=tuple(recipients),
        msg_id=msg_id,
    )
    inside = GroupMessage(message=message, group_id=GroupId(""))  # which is walked over
    assert weight(inside) == weight(message) + OBJECT + getsizeof("")
