"""The kit is the same on both generations: what a service shows, and what people do with it."""

from __future__ import annotations

from typing import Literal

import pytest

from moobius_trio import (
    Action,
    BottomButton,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    MenuItem,
    MenuItemClick,
    MessageUp,
    MoobiusService,
    Playground,
    StyleItem,
    UserId,
)
from moobius_trio.core.unheard import Unheard
from moobius_trio.testing import Actor, Local

Protocol = Literal["0.0.1", "1.8"]
both = pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])

FORM = Dialog(
    title="Paint the house",
    bottom_buttons=[
        BottomButton(id="close", text="Not now", submit=False),
        BottomButton(id="roof", text="Paint the roof"),
        BottomButton(id="wall", text="Paint the wall"),
    ],
)
PAINT = Feature(
    feature_id="paint",
    button_text="Paint",
    arguments=[
        FeatureArgument(name="colour", type="enum", values=["red", "blue"], placeholder="which?"),
        FeatureArgument(name="litres", type="number", optional=True),
        FeatureArgument(name="note", type="textbox", optional=True),
        FeatureArgument(name="key", type="password", optional=True),
    ],
    dialog=FORM,
)
PLAIN = Feature(feature_id="plain", button_text="Plain")
TRANSLATE = MenuItem(
    menu_item_id="translate",
    menu_item_text="Translate",
    message_subtypes=["text"],
    arguments=[FeatureArgument(name="to", type="enum", values=["Latin", "Greek"])],
)
QUOTE = MenuItem(menu_item_id="quote", menu_item_text="Quote")
SCENES = (Playground(text="one"), Playground(path="https://host/two.png"))
STYLE = (
    StyleItem(widget="playground", display="visible"),
    StyleItem(widget="feature", display="highlight", feature_id="plain", text="press me"),
)
CARD = Content.card(title="Tea", text="at five", link="https://host/tea", button="Come")
PHOTO = Content.file("https://host/cat.png", filename="cat.png", size=7)


class Everything(MoobiusService):
    """Shows each part of a screen, and says what was done with it."""

    async def on_fetch_features(self, action: Action) -> None:
        band = self.bands[action.channel_id]
        await band.send_update_features([PAINT, PLAIN], action.sender)
        await band.send_update_menu([TRANSLATE, QUOTE], action.sender)
        await band.send_update_style(STYLE, action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        await self.send_update_playground(action.channel_id, SCENES, action.sender)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        match msg_up.text:
            case "tea":
                await self.reply(msg_up, CARD, subtype="card")
            case "photo":
                await self.reply(msg_up, PHOTO, subtype="image")
            case "curtain":
                await self.send_update_playground(msg_up.channel_id, [], msg_up.sender)
            case "no menu":
                await self.send_update_menu(msg_up.channel_id, [], msg_up.sender)
            case _:
                await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        said = f"{feature_call.bottom_button_id} {dict(feature_call.values)}"
        await self.reply(feature_call, said)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        said = click.message_content.text or click.message_content.path
        await self.reply(click, f"{click.menu_item_id} {dict(click.values)} on {said}")


async def alone(local: Local, protocol: Protocol) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(Everything(), protocol=protocol)).join("Alice")
    return alice


@both
async def test_a_screen_is_the_same_in_every_part(local: Local, protocol: Protocol) -> None:
    """Forms with their buttons, menus, canvases and styles come as they were sent."""
    alice = await alone(local, protocol)
    assert alice.names == ["Alice"]
    assert alice.keys == (PAINT, PLAIN)
    assert alice.menu == (TRANSLATE, QUOTE)
    assert (alice.stage, alice.canvas) == (SCENES[0], SCENES)
    assert alice.style == STYLE
    await alice.say("curtain")
    assert (alice.stage, alice.canvas) == (Playground(), ())
    await alice.say("no menu")
    assert alice.menu == ()


@both
async def test_cards_and_files_are_shown_whole(local: Local, protocol: Protocol) -> None:
    """All kinds of message have all their parts."""
    alice = await alone(local, protocol)
    await alice.say("tea")
    assert (alice.last.subtype, alice.last.content) == ("card", CARD)
    await alice.say("photo")
    assert (alice.last.subtype, alice.last.content) == ("image", PHOTO)


@both
async def test_the_buttons_of_a_form_send_it(local: Local, protocol: Protocol) -> None:
    """The first that sends unless another is named; one that only closes it sends nothing."""
    alice = await alone(local, protocol)
    await alice.click("paint", colour="red", litres="2")
    assert alice.last.text == "roof {'colour': 'red', 'litres': '2'}"
    await alice.click("paint", colour="red", bottom_button_id="wall")
    assert alice.last.text == "wall {'colour': 'red'}"
    for button in ("close", "confirm"):
        with pytest.raises(AssertionError, match=rf"no button '{button}' .*\['roof', 'wall'\]"):
            await alice.click("paint", colour="red", bottom_button_id=button)
    await alice.click("plain")
    assert alice.last.text == "confirm {}"


@both
async def test_an_entry_of_a_messages_menu_is_chosen(local: Local, protocol: Protocol) -> None:
    """For the newest message or another; only where its kind has the entry."""
    alice = await alone(local, protocol)
    await alice.say("salve")
    said = alice.last
    await alice.choose("translate", to="Greek")
    assert alice.last.text == "translate {'to': 'Greek'} on salve"
    await alice.choose("translate", message=said, to="Latin")
    assert alice.last.text == "translate {'to': 'Latin'} on salve"
    await alice.say("photo")
    await alice.choose("quote")
    assert alice.last.text == f"quote {{}} on {PHOTO.path}"
    await alice.say("photo")
    with pytest.raises(AssertionError, match="for messages of kind text, not image"):
        await alice.choose("translate", to="Greek")
    with pytest.raises(AssertionError, match="it has: translate, quote"):
        await alice.choose("burn")
    with pytest.raises(AssertionError, match=r"as choose\('translate', to=…\)"):
        await alice.choose("translate", message=said)


@both
async def test_who_will_not_get_a_frame_is_told_on_both(local: Local, protocol: Protocol) -> None:
    """Whatever it is called on the wire, with handler and line."""

    class Careless(Everything):
        async def on_menu_item_click(self, click: MenuItemClick) -> None:
            await self.send_update_menu(click.channel_id, [QUOTE], UserId("nobody"))

    local.keep_unheard = True
    [alice] = await (await local.start(Careless(), protocol=protocol)).join("Alice")
    await alice.say("salve")
    await alice.choose("quote")
    [unheard] = local.unheard
    assert isinstance(unheard, Unheard)
    assert unheard.handler == "Careless.on_menu_item_click"
    assert unheard.reason.startswith("a menu to 'nobody'")


@pytest.mark.local(protocol="1.8")
async def test_the_kit_is_told_once_and_a_single_service_may_differ(local: Local) -> None:
    """``open_local(protocol=…)`` and the marker are for all, ``start(protocol=…)`` for one."""
    later, former = Everything(), Everything()
    await local.start(later, bands=["later"])
    await local.start(former, bands=["former"], protocol="0.0.1")
    assert later.http_api.protocol == "1.8"
    assert former.http_api.protocol == "0.0.1"
    for name in ("later", "former"):
        [alice] = await local.band(name).join("Alice")
        await alice.say("hello")
        assert alice.texts == ["hello"]
