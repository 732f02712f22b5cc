"""Tapes of a service on either generation of the protocol are the same tape."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio import Action, FeatureCall, MenuItemClick, MessageUp, MoobiusService
from moobius_trio.local.inspected import as_plain
from moobius_trio.tapes import Recorder, Tape, Up, compare, read_tape, write_tape
from moobius_trio.tapes.tape import words_of
from moobius_trio.testing import open_local, replay
from moobius_trio.types import (
    BottomButton,
    ChannelId,
    Dialog,
    Feature,
    FeatureArgument,
    MenuItem,
    Playground,
    UserId,
)

FORM = Dialog(title="T", bottom_buttons=[BottomButton(id="no", text="No")])


class Shown(MoobiusService):
    """Shows a little of everything, and tells what reached it."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_join_channel(self, action: Action) -> None:
        await self.show(action.channel_id, action.sender)

    async def on_fetch_features(self, action: Action) -> None:
        await self.show(action.channel_id, action.sender)

    async def show(self, channel_id: ChannelId, user: UserId) -> None:
        item = MenuItem(menu_item_id="m", menu_item_text="M")
        key = Feature(
            feature_id="k", button_text="K", arguments=[FeatureArgument(name="a")], dialog=FORM
        )
        await self.send_update_features(channel_id, [key], [user])
        await self.send_update_menu(channel_id, [item], [user])
        people = list(self.bands[channel_id].members.values())
        await self.send_update_user_list(channel_id, people, [user])

    async def on_fetch_playground(self, action: Action) -> None:
        stage = Playground(text="stage")
        await self.send_update_playground(action.channel_id, stage, [action.sender])

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        values = f"{feature_call.values} {feature_call.bottom_button_id}"
        await self.reply(feature_call, values)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        named = "named" if click.message_id else "nameless"
        await self.reply(click, f"{named} {click.message_content.text}")


async def record(protocol: Any) -> Tape:
    """What Alice and Bob do with the service, and see."""
    async with open_local(protocol=protocol) as local:
        alice, bob = await (await local.start(Shown())).join("Alice", "Bob")
        recorder = Recorder(*local.platform.who_is_there(), began=0)

        def listen(news: Any) -> None:
            recorder.feed(as_plain(news))

        with local.platform.inspector.listen(listen):
            for do in (
                lambda: alice.say("hello", to=[bob, alice]),
                lambda: bob.choose("m"),
                lambda: alice.click("k", a="1", bottom_button_id="no"),
                lambda: alice.fetch("fetch_features", "fetch_playground"),
                bob.leave,
            ):
                await trio.sleep(10)
                await do()
        return recorder.tape({}, ended=local._site.wall_clock_ms(), service="shown")


@pytest.fixture(scope="module")
def tapes() -> dict[str, Tape]:
    """What was recorded on each generation."""
    return {
        protocol: trio.run(record, protocol, clock=trio.testing.MockClock(autojump_threshold=0))
        for protocol in ("0.0.1", "1.8")
    }


def test_what_people_did_is_told_in_the_same_words(tapes: dict[str, Tape]) -> None:
    """Which generation the service spoke is nothing that they did."""
    told = {
        protocol: [words_of(event) for event in tape.events if isinstance(event, Up)]
        for protocol, tape in tapes.items()
    }
    assert told["0.0.1"] == told["1.8"]
    assert told["1.8"] == [
        "Alice says 'hello' to Bob, Alice",
        "Bob chooses m",
        "Alice clicks k (a=1)",
        "Alice: fetch_features",
        "Alice: fetch_playground",
        "Bob: leave_channel",
    ]


@pytest.mark.parametrize("recorded", ["0.0.1", "1.8"])
@pytest.mark.parametrize("played", ["0.0.1", "1.8"])
async def test_a_tape_of_one_is_a_tape_of_the_other(
    tapes: dict[str, Tape], recorded: str, played: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Also what a page asks for when it is loaded anew: in parts, or by one refresh."""
    tape = read_tape(write_tape(tapes[recorded]), "tape")
    async with open_local(protocol=played) as local:
        await local.start(Shown())
        assert compare(tape, await replay(local, tape)) is None
