"""A service's words in generation 1: groups where generation 0 has lists, in both directions."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from moobius_trio.errors import ApiError, GroupUnknown, MessageTooLarge
from moobius_trio.network.group_book import GroupBook
from moobius_trio.network.memory import memory_stream_pair
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.wire1 import Generation1Wire
from moobius_trio.testing.link_rig import make_outbox, message
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Copy,
    Feature,
    GroupId,
    GroupMessage,
    MenuItem,
    MessageUp,
    RequestId,
    ServiceCommand,
    ServiceId,
    StyleItem,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdateStyle,
    UpdateUserList,
    UserId,
)

BAND = ChannelId("band")
ALICE, BOB = UserId("alice"), UserId("bob")


@attrs.define(eq=False)
class Platform:
    """The groups of a platform; a list whose first name is in ``slow`` or ``refused`` is so."""

    groups: dict[str, tuple[UserId, ...]] = attrs.field(factory=dict)
    created: list[tuple[UserId, ...]] = attrs.field(factory=list)
    fetched: int = 0
    refused: set[str] = attrs.field(factory=set)
    slow: dict[str, trio.Event] = attrs.field(factory=dict)

    async def create(self, members: tuple[UserId, ...]) -> GroupId:
        self.created.append(members)
        first = members[0] if members else "nobody"
        if first in self.slow:
            await self.slow[first].wait()
        if first in self.refused:
            raise ApiError("/service/group/create", "not today")
        group = GroupId("+".join(members) or "nobody")
        self.groups[group] = members
        return group

    async def fetch(self, group: GroupId, channel: ChannelId, user: UserId) -> tuple[UserId, ...]:
        self.fetched += 1
        if group not in self.groups:
            raise ApiError("/user/group", "no such group")
        return self.groups[group]


@attrs.define(eq=False)
class Rig:
    """An outbox that speaks generation 1, and what leaves it."""

    platform: Platform = attrs.field(factory=Platform)
    wire: Generation1Wire = attrs.field(init=False)
    outbox: Outbox = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Generation1Wire(GroupBook(self.platform.create, self.platform.fetch))
        self.outbox = make_outbox(wire=self.wire.side())

    async def written(self, count: int) -> list[dict[str, Any]]:
        """The bodies of the next frames."""
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outbox.write_to, ours)
            bodies = [json.loads(await theirs.receive_text())["body"] for _ in range(count)]
            nursery.cancel_scope.cancel()
        return bodies


def say(text: str, *recipients: UserId) -> ServiceCommand:
    return message(text, recipients=recipients)


async def test_a_thousand_messages_to_the_same_fifty_people_are_one_group_request() -> None:
    """Each names the group in place of the list."""
    rig = Rig()
    people = tuple(UserId(f"user-{number}") for number in range(50))
    for number in range(1_000):
        await rig.outbox.put(say(f"{number}", *people))
    assert rig.platform.created == [people]
    bodies = await rig.written(1_000)
    assert [body["content"]["text"] for body in bodies] == [f"{each}" for each in range(1_000)]
    assert {body["recipients"] for body in bodies} == {"+".join(people)}


async def test_a_thousand_messages_of_one_group_are_one_lookup() -> None:
    """Each is given its recipients in their order."""
    rig = Rig(Platform(groups={"g": (BOB, ALICE)}))
    for number in range(1_000):
        up = MessageUp(channel_id=BAND, sender=ALICE, timestamp=number)
        resolved = await rig.wire.resolve(GroupMessage(message=up, group_id=GroupId("g")))
        assert resolved == attrs.evolve(up, recipients=(BOB, ALICE))
    assert rig.platform.fetched == 1


async def test_a_group_nobody_knows_is_an_error_and_never_the_service() -> None:
    """Neither one the platform does not know nor one that is empty becomes an empty list."""
    rig = Rig(Platform(groups={"empty": (), "to-it": (UserId("service"),)}))
    up = MessageUp(channel_id=BAND, sender=ALICE)
    for group in ("missing", "empty"):
        with pytest.raises(ApiError if group == "missing" else GroupUnknown, match="group"):
            await rig.wire.resolve(GroupMessage(message=up, group_id=GroupId(group)))
    meant = await rig.wire.resolve(GroupMessage(message=up, group_id=GroupId("to-it")))
    assert meant.to_service


async def test_a_group_that_cannot_be_made_is_an_error_to_its_sender_alone() -> None:
    """Nothing is queued for it; what others send goes out."""
    rig = Rig(Platform(refused={"alice"}))
    with pytest.raises(ApiError, match="not today"):
        await rig.outbox.put(say("lost", ALICE))
    assert rig.outbox.idle
    await rig.outbox.put(say("kept", BOB))
    [body] = await rig.written(1)
    assert body["content"] == {"text": "kept"}


async def test_frames_of_a_band_keep_their_order_behind_a_slow_group() -> None:
    """Whoever sends them; those of other bands pass."""
    rig = Rig(Platform(slow={"alice": trio.Event()}))

    async def speak() -> None:
        await rig.outbox.put(say("one", ALICE))
        await rig.outbox.put(say("three", BOB))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        await wait_all_tasks_blocked()
        nursery.start_soon(rig.outbox.put, say("two", BOB))
        await wait_all_tasks_blocked()
        await rig.outbox.put(attrs.evolve(say("elsewhere", BOB), channel_id=ChannelId("other")))
        rig.platform.slow["alice"].set()
    texts = [body["content"]["text"] for body in await rig.written(4)]
    assert texts == ["elsewhere", "one", "two", "three"]


async def test_whoever_is_cancelled_while_a_group_is_made_has_sent_nothing() -> None:
    """Cancelled before it returns, a send has not queued anything."""
    rig = Rig(Platform(slow={"alice": trio.Event()}))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.outbox.put, say("never", ALICE))
            await wait_all_tasks_blocked()
            scope.cancel()
    assert rig.outbox.idle


async def test_a_character_list_is_a_group_of_its_own_also_an_empty_one() -> None:
    """Its order is kept; one without anybody clears the list."""
    rig = Rig()
    row = Character(user_id=BOB, nickname="Bob")
    for rows in ((row,), ()):
        update = UpdateUserList(channel_id=BAND, user_list=rows, recipients=(ALICE,))
        await rig.outbox.put(update)
        [body] = await rig.written(1)
        assert body["recipients"] == "alice"
        assert body["content"] == {"characters": "bob" if rows else "nobody"}
    assert rig.platform.created == [(ALICE,), (BOB,), ()]


async def test_an_update_for_nobody_is_done_at_once_and_said_once() -> None:
    """There is no group of nobody to send it to; a message for nobody is dropped as ever."""
    rig = Rig()
    with capture_logs() as lines:
        for _ in range(2):
            update = UpdateFeatures(channel_id=BAND, features=[], recipients=())
            receipt = await rig.outbox.put(update)
            assert receipt.state == "confirmed"
    assert [line["update"] for line in lines] == ["UpdateFeatures"]
    assert (await rig.outbox.put(say("to nobody"))).state == "dropped"
    assert rig.outbox.idle
    assert rig.platform.created == []


async def test_what_is_for_a_whole_band_has_no_recipients_and_is_written() -> None:
    """Channel info asks for no group."""
    rig = Rig()
    await rig.outbox.put(UpdateChannelInfo(channel_id=BAND, data={"channel_name": "N"}))
    await rig.written(1)
    assert rig.platform.created == []


async def test_a_frame_too_large_is_not_split_since_its_recipients_take_no_room() -> None:
    """To however many people: it is refused as it is to one."""
    rig = Rig()
    people = [UserId(f"user-{number}") for number in range(5_000)]
    await rig.outbox.put(say("short", *people))
    with pytest.raises(MessageTooLarge):
        await rig.outbox.put(say("x" * 70_000, *people))
    assert len(await rig.written(1)) == 1


async def test_a_newer_menu_replaces_one_that_waits() -> None:
    """A menu is a state like keys and stage."""
    rig = Rig()
    receipts = [
        await rig.outbox.put(
            UpdateMenu(
                channel_id=BAND,
                menu=[MenuItem(menu_item_id=name, menu_item_text=name)],
                recipients=(ALICE,),
            )
        )
        for name in ("old", "new")
    ]
    assert [receipt.state for receipt in receipts] == ["superseded", "queued"]


async def test_what_generation_1_has_no_word_for_is_said_once() -> None:
    """The frame goes out without it."""
    rig = Rig()
    keys = [Feature(feature_id="roll", button_text="Roll", feature_name="the die")]
    with capture_logs() as lines:
        for _ in range(2):
            update = UpdateFeatures(channel_id=BAND, features=keys, recipients=(ALICE,))
            await rig.outbox.put(update)
    assert [line["part"] for line in lines] == ["feature_name"]


def test_a_message_down_that_was_not_prepared_is_no_frame() -> None:
    """A group's id is never made up."""
    rig = Rig()
    with pytest.raises(LookupError):
        rig.outbox.encode(say("hello", ALICE))  # type: ignore[arg-type]  # it is a command


async def test_a_message_with_content_of_a_file_goes_out_with_its_name_and_size() -> None:
    """All kinds of message have their words in generation 1."""
    rig = Rig()
    content = Content.file("https://host/a.pdf", filename="a.pdf", size=7)
    await rig.outbox.put(attrs.evolve(message("", recipients=("alice",)), content=content))
    [body] = await rig.written(1)
    assert body["content"] == {"path": "https://host/a.pdf", "filename": "a.pdf", "size": 7}


async def test_a_list_that_shows_somebody_otherwise_is_told_once() -> None:
    """Everybody sees a member's own profile, so that another name in a list is told, once."""
    platform, alice = Platform(), Character(user_id=ALICE, nickname="Alice")
    book = GroupBook(platform.create, platform.fetch)
    wire = Generation1Wire(book, profile_of=lambda channel_id, user_id: alice)
    with capture_logs() as logs:
        for nickname in ("Alice", "Cat", "Dog"):
            shown = [Character(user_id=ALICE, nickname=nickname)]
            update = UpdateUserList(channel_id=BAND, user_list=shown, recipients=[ALICE])
            await wire.prepare(update)
            wire.encode_from_service(
                update, request_id=RequestId("r"), client_id=ServiceId("s"), timestamp=0
            )
    assert [line["part"] for line in logs] == ["profile"]


async def test_groups_are_made_anew_when_a_frame_was_refused_for_good() -> None:
    """A platform that has forgotten them does not keep a service silent."""
    rig = Rig()
    receipt = await rig.outbox.put(say("refused", ALICE))
    for _ in range(2):
        rig.outbox.resume()
        await rig.written(1)
        refusal = Copy(request_id=receipt.request_id, origin_type="message_down", status=False)
        rig.outbox.on_copy(refusal)
    assert receipt.state == "refused"
    await rig.outbox.put(say("heard", ALICE))
    assert rig.platform.created == [(ALICE,), (ALICE,)]


async def test_styles_of_two_keys_do_not_replace_each_other() -> None:
    """What a style is about is part and key."""
    rig = Rig()
    receipts = []
    for key in ("roll", "draw", "roll"):
        item = StyleItem(widget="feature", display="highlight", feature_id=key)
        style = UpdateStyle(channel_id=BAND, style=[item], recipients=(ALICE,))
        receipts.append(await rig.outbox.put(style))
    assert [receipt.state for receipt in receipts] == ["superseded", "queued", "queued"]
