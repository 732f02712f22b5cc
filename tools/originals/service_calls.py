"""The original's HTTP calls, its database, and calls that are known not to work."""

from __future__ import annotations

import trio
from service_scene import BAND, Scene
from service_screen import MENU

__all__ = ("make_calls", "meet_defects")


async def make_calls(scene: Scene) -> None:
    """Everything that asks or tells the platform by HTTP, and what is stored."""
    original, alice, bob = scene.original, scene.alice, scene.bob
    people = [alice.user_id, bob.user_id]
    async with scene.step("fetch_member_ids, fetch_character_profile, fetch_characters") as step:
        assert await original.call("fetch_member_ids", BAND) == people
        found = await original.call("fetch_character_profile", people[::-1])
        assert [each["character_id"] for each in found] == people[::-1]
        single = await original.call("fetch_character_profile", people[0])
        assert single["character_id"] == people[0]
        assert len(await original.call("fetch_characters", BAND)) == 4
        step.came("ids, profiles in the order asked for, one alone, and all with agents")
    async with scene.step("create_channel, update_channel, channel lists") as step:
        channel = await original.call("create_channel", "Second", "made by the original")
        assert channel in await original.call("fetch_bound_channels")
        await original.call("update_channel", channel, "Renamed", "still the original's")
        assert channel in await original.call("fetch_popular_channels")
        assert isinstance(await original.call("fetch_channel_list"), list)
        await original.call("unbind_service_from_channel", channel)
        assert channel not in await original.call("fetch_bound_channels")
        assert await original.call("bind_service_to_channel", channel)
        step.came("bound, renamed, listed, unbound and bound again")
    async with scene.step("groups") as step:
        group = (await original.call("create_service_group", people))["group_id"]
        found = await original.call("character_ids_of_service_group", group)
        assert found == people
        await original.call("fetch_channel_group_list", BAND)
        await original.call("fetch_channel_temp_group", BAND)
        step.came("made, read again in their order; the lists answer")
    async with scene.step("upload, download") as step:
        notes = str(scene.folder / "notes.txt")
        address = await original.call("upload", notes)
        place = await original.call("download", address, str(scene.folder / "got" / "notes.txt"))
        assert await trio.Path(place).read_bytes() == await trio.Path(notes).read_bytes()
        step.came("the same bytes")
    async with scene.step("authenticate, refresh_authentication, fetch_service_id_list") as step:
        await original.call("authenticate")
        await original.call("refresh_authentication")
        mine = await original.call("fetch_service_id_list")
        assert [each for each in mine if BAND in each["channel_ids"]]
        step.came("new tokens, which are good")
    async with scene.step("database: store") as step:
        await original.call("store", BAND, "notes", "a", {"n": 1})
        await original.call("store", BAND, "notes", "b", [1, 2])
        step.came("in its own files; its folder is channel_<id>")


async def meet_defects(scene: Scene, agent: str) -> None:
    """Calls that its documentation offers and that are known not to work."""
    original, alice, to = scene.original, scene.alice, scene.everybody
    async with scene.step("fetch_message_history gives a list"):
        history = await original.call("fetch_message_history", BAND)
        assert isinstance(history, list), f"it gave {sorted(history)}"
    async with scene.step("send_message without a sender"):
        await original.call("send_message", "nobody says", BAND, None, to)
        await scene.both_hear(lambda it: it.text == "nobody says")
    async with scene.step("send_characters with nobody in the list"):
        await original.call("send_characters", [], BAND, to)
    async with scene.step("send_menu with a single item"):
        await original.call("send_menu", MENU[0], BAND, to)
    async with scene.step("send_canvas with a dict"):
        await original.call("send_canvas", [{"text": "plain", "path": None}], BAND, to)
    async with scene.step("send with an update and a list of recipients"):
        update = {"subtype": "style", "channel_id": BAND, "recipients": to, "content": []}
        await original.call("send", "update", update)
    async with scene.step("send with a message and a list of recipients") as step:
        body: dict[str, object] = {
            "channel_id": BAND,
            "recipients": to,
            "sender": agent,
            "timestamp": 1,
        }
        message = {"subtype": "text", "content": {"text": "sent plainly"}, **body}
        await original.call("send", "message_down", message)
        await scene.both_hear(lambda it: it.text == "sent plainly")
        step.came("both hear it")
    async with scene.step("send_update comes from its service"):
        sent = await original.call("send_update", {"subtype": "unheard-of"}, alice.user_id)
        assert sent["service_id"] != alice.user_id, "it names the target as its service"
    async with scene.step("str(service)"):
        await original.call("str")
    async with scene.step("sign_up"):
        await original.call("sign_up")
