"""The original in user mode, beside a service of ours and a person of ours."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import attrs
import trio
from original import Original, open_original
from people import Person, open_person
from report import Report, Step
from room import Room, open_room

from moobius_trio.types import (
    Action,
    ChannelId,
    FeatureCall,
    MenuItemClick,
    MessageDown,
    MessageUp,
    UserId,
)

__all__ = ("play_user", "scene_name")

BAND: Final = ChannelId("local-users")


def scene_name(protocol: str) -> str:
    """What the report calls it."""
    generation = "0" if protocol == "0.0.1" else "1"
    return f"moobius 1.8.0 in user mode, beside our service of generation {generation}"


@attrs.define
class Scene:
    """Who is there."""

    report: Report
    name: str
    original: Original
    room: Room
    alice: Person
    refreshed: bool
    me: UserId = UserId("")

    async def after_joining(self) -> None:
        """Wait for what it is shown when it has joined, and for the error that this is to it.

        A service of generation 1 is asked for all that it shows besides (section 5.4).
        """
        await self.original.event("error", lambda it: "character" in it)
        if self.refreshed:
            for part in ("buttons", "menu", "canvas", "style"):
                await self.original.event(f"on_update_{part}")
            await self.original.event("error", lambda it: "character" in it)

    def step(self, did: str) -> AbstractAsyncContextManager[Step]:
        return self.report.step(self.name, did, self.original.logged)


async def play_user(
    report: Report, python: str, folder: Path, url: str, ca_file: Path, protocol: str
) -> None:
    """All of it, in a band of its own."""
    mine = folder / f"user-{protocol}"
    async with (
        open_room(mine, url, ca_file, protocol, BAND) as room,
        open_person(mine, url, ca_file, f"carol-{protocol}", protocol, BAND) as alice,
        open_original(
            report,
            python,
            mine / "original",
            url,
            email=f"user-{protocol}@example.org",
            channels=[BAND],
            service_mode=False,
        ) as original,
    ):
        await room.seen.first(Action)  # the person's own joining
        refreshed = protocol == "1.8"
        scene = Scene(report, scene_name(protocol), original, room, alice, refreshed)
        if await _joins(scene):
            await _speaks(scene)
            await _sees(scene)
            await _clicks(scene)
            await _calls(scene)
            await _leaves(scene)


async def _joins(scene: Scene) -> bool:
    original, room = scene.original, scene.room
    joined = False
    async with scene.step("start: sign-in, login, join") as step:
        scene.me = UserId(await original.event("on_start"))
        action = await room.seen.first(Action)
        assert (action.subtype, action.sender) == ("join_channel", scene.me)
        joined = True
        await scene.after_joining()
        step.came("our on_join_channel")
    return joined


async def _speaks(scene: Scene) -> None:
    original, room, me, alice = scene.original, scene.room, scene.me, scene.alice
    async with scene.step("send_message to the service") as step:
        await original.call("send_message", "hello", BAND, None, ["service"])
        heard = await room.seen.first(MessageUp)
        assert (heard.sender, heard.text, heard.to_service) == (me, "hello", True)
        answer = await original.event("on_message_down")
        assert answer["content"]["text"] == "you said hello"
        step.came("our on_msg_up to the Service; on_message_down of the answer")
    async with scene.step("send_message to a person and itself") as step:
        to = [alice.user_id, me]
        await original.call("send_message", "psst", BAND, None, to)
        heard = await room.seen.first(MessageUp)
        assert list(heard.recipients) == to
        for_alice = await alice.seen.first(MessageDown)
        assert (for_alice.text, for_alice.sender) == ("psst", me)
        back = await original.event("on_message_down")
        assert (back["content"]["text"], back["sender"]) == ("psst", me)
        step.came("our on_msg_up with both in order; both hear it")
    async with scene.step("a person speaks to it") as step:
        await alice.say(BAND, "hi you", [me])
        heard = await room.seen.first(MessageUp)
        assert list(heard.recipients) == [me]
        back = await original.event("on_message_down")
        assert (back["content"]["text"], back["sender"]) == ("hi you", alice.user_id)
        step.came("on_message_down from the person")


async def _sees(scene: Scene) -> None:
    original = scene.original
    async with scene.step("send_refresh: characters"):
        await original.call("send_refresh", BAND)
        await original.shown("on_update_characters")
    async with scene.step("send_refresh: buttons") as step:
        update = await original.event("on_update_buttons")
        plain, form = (each["button"] for each in update["content"])
        assert (plain["button_id"], plain["dialog"]) == ("plain", None)
        assert form["dialog"]["title"] == "Fill it in"
        kinds = [each["type"] for each in form["dialog"]["components"]]
        assert kinds == ["dropdown", "textbox"], kinds
        step.came("both, one with its dialog")
    async with scene.step("send_refresh: menu") as step:
        update = await original.event("on_update_menu")
        assert update["content"][0]["menu_item"]["menu_item_id"] == "like"
        step.came("the entry")
    async with scene.step("send_refresh: canvas") as step:
        update = await original.event("on_update_canvas")
        assert [each["canvas_item"]["text"] for each in update["content"]] == ["one", "two"]
        step.came("two items")
    async with scene.step("send_refresh: style") as step:
        update = await original.event("on_update_style")
        items = [each["style_item"] for each in update["content"]]
        assert (items[0]["widget"], items[0]["expand"]) == ("canvas", True)
        assert (items[1]["widget"], items[1]["button_id"]) == ("button", "plain")
        step.came("of the canvas and of one button")
    async with scene.step("update: channel info"):
        await scene.room.send_update_channel_info(
            BAND,
            {
                "channel_id": BAND,
                "channel_name": "Users",
                "channel_description": "for users",
                "channel_type": "ccs",
            },
        )
        await original.shown("on_update_channel_info")


async def _clicks(scene: Scene) -> None:
    original, room, me = scene.original, scene.room, scene.me
    async with scene.step("send_button_click") as step:
        await original.call("send_button_click", "plain", "confirm", [], BAND)
        call = await room.seen.first(FeatureCall)
        assert (call.sender, call.feature_id, call.arguments) == (me, "plain", ())
        filled = [{"label": "Colour", "value": "red"}, {"label": "Why", "value": "because"}]
        arguments = [{"$": "ClickArgument", **each} for each in filled]
        await original.call("send_button_click", "form", "go", arguments, BAND)
        call = await room.seen.first(FeatureCall)
        assert call.values == {"Colour": "red", "Why": "because"}
        assert call.bottom_button_id == "go"
        step.came("our on_feature_call, without and with its fields")
    async with scene.step("send_menu_item_click with a message's id") as step:
        await original.call("send_message", "choose me", BAND, None, ["service"])
        message = await original.event("on_message_down")
        await original.call("send_menu_item_click", "like", "confirm", [], "m-1", BAND)
        click = await room.seen.first(MenuItemClick)
        assert (click.sender, click.menu_item_id, click.message_id) == (me, "like", "m-1")
        step.came("our on_menu_item_click")
    async with scene.step("send_menu_item_click with a message"):
        content = {"$": "MessageContent", **message["content"]}
        given = {"$": "MessageBody", **message, "content": content}
        await original.call("send_menu_item_click", "like", "confirm", [], given, BAND)
        await room.seen.first(MenuItemClick)


async def _calls(scene: Scene) -> None:
    original, me = scene.original, scene.me
    async with scene.step("update_current_user") as step:
        avatar = "https://127.0.0.1/picture.png"
        await original.call("update_current_user", avatar, "a program", "Robot")
        profile = await original.call("fetch_character_profile", me)
        assert (profile["name"], profile["description"]) == ("Robot", "a program")
        step.came("its profile says so")
    async with scene.step("fetch_channel_list, fetch_popular_channels, fetch_member_ids") as step:
        for name in ("fetch_channel_list", "fetch_popular_channels"):
            assert BAND in await original.call(name), name
        assert me in await original.call("fetch_member_ids", BAND)
        step.came("its channel in both lists, itself among the members")
    async with scene.step("groups of a channel") as step:
        people = [scene.alice.user_id, me]
        group = (await original.call("create_channel_group", BAND, "Friends", people))["group_id"]
        assert await original.call("character_ids_of_channel_group", me, BAND, group) == people
        step.came("made, and read again in order")


async def _leaves(scene: Scene) -> None:
    original, room, me = scene.original, scene.room, scene.me
    async with scene.step("send_leave_channel, send_join_channel") as step:
        await original.call("send_leave_channel", BAND)
        action = await room.seen.first(Action)
        assert (action.subtype, action.sender) == ("leave_channel", me)
        await original.call("send_join_channel", BAND)
        action = await room.seen.first(Action)
        assert (action.subtype, action.sender) == ("join_channel", me)
        step.came("our on_leave_channel and on_join_channel")
        await scene.after_joining()
    async with scene.step("sign_out"):
        await original.call("sign_out")
    async with scene.step("nothing unknown came, and no error was logged meanwhile"):
        with trio.move_on_after(0.3):
            unknown = await original.event("on_unknown_payload")
            raise AssertionError(f"on_unknown_payload: {unknown}")
