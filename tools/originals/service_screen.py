"""What the original shows its people, and what they do with it: all parts of the screen."""

from __future__ import annotations

from typing import Final

from service_scene import BAND, Scene

from moobius_trio.types import (
    MessageDown,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("MENU", "show_screen")

BUTTONS: Final = [
    {"$": "Button", "button_id": "plain", "button_text": "Plain"},
    {
        "$": "Button",
        "button_id": "form",
        "button_text": "Form",
        "dialog": {
            "$": "Dialog",
            "title": "Fill it in",
            "components": [
                {
                    "$": "InputComponent",
                    "label": "Colour",
                    "type": "dropdown",
                    "required": True,
                    "placeholder": "choose",
                    "choices": ["red", "blue"],
                },
                {"$": "InputComponent", "label": "Why", "type": "textbox"},
                {"$": "InputComponent", "label": "How many", "type": "number"},
            ],
            "bottom_buttons": [
                {"$": "BottomButton", "id": "go", "text": "Go", "submit": True},
                {"$": "BottomButton", "id": "no", "text": "No", "submit": False},
            ],
        },
    },
]
MENU: Final = [
    {"$": "MenuItem", "menu_item_id": "like", "menu_item_text": "Like", "message_subtypes": "text"}
]


async def show_screen(scene: Scene, agent: str) -> None:
    """All parts of the screen; ``agent`` is a character of its own."""
    original, alice, bob, to = scene.original, scene.alice, scene.bob, scene.everybody
    people = (alice, bob)
    async with scene.step("send_characters") as step:
        order = [agent, bob.user_id, alice.user_id]
        await original.call("send_characters", order, BAND, to)
        for person in people:
            shown = await person.seen.first(UpdateUserList)
            assert [each.user_id for each in shown.user_list] == order
            assert shown.user_list[0].nickname == "Mick"
        step.came("both see the three, in that order, by name")
    async with scene.step("send_buttons with a dialog") as step:
        await original.call("send_buttons", BUTTONS, BAND, to)
        for person in people:
            keys = (await person.seen.first(UpdateFeatures)).features
            assert [key.feature_id for key in keys] == ["plain", "form"]
            assert [field.type for field in keys[1].arguments] == ["enum", "textbox", "number"]
            assert keys[1].dialog is not None
            assert keys[1].dialog.title == "Fill it in"
            assert [each.id for each in keys[1].dialog.bottom_buttons] == ["go", "no"]
        step.came("two keys, a title, three fields and two bottom buttons")
    async with scene.step("people press buttons") as step:
        given = {"Colour": "red", "Why": "because", "How many": "3"}
        for person in people:
            await person.click(BAND, "plain")
            await original.event("on_button_click", lambda it: it["button_id"] == "plain")
            await person.click(BAND, "form", given, bottom_button_id="go")
            click = await original.event("on_button_click")
            assert (click["sender"], click["bottom_button_id"]) == (person.user_id, "go")
            assert {each["label"]: each["value"] for each in click["arguments"]} == given
        step.came("on_button_click with the fields and the bottom button")
    async with scene.step("send_menu") as step:
        await original.call("send_menu", MENU, BAND, to)
        for person in people:
            [item] = (await person.seen.first(UpdateMenu)).menu
            assert (item.menu_item_id, item.message_subtypes) == ("like", ("text",))
        step.came("both have the entry for texts")
    async with scene.step("people choose from a message's menu") as step:
        await original.call("send_message", "choose me", BAND, agent, to)
        for person in people:
            message = await person.seen.first(MessageDown, lambda it: it.text == "choose me")
            await person.choose("like", message)
            click = await original.event("on_menu_item_click")
            assert (click["sender"], click["message_id"]) == (person.user_id, message.msg_id)
            assert click["message_content"]["text"] == "choose me"
        step.came("on_menu_item_click with the message")
    async with scene.step("send_canvas with two items") as step:
        items = [
            {"$": "CanvasItem", "text": "one", "path": str(scene.folder / "picture.png")},
            {"$": "CanvasItem", "text": "two"},
        ]
        await original.call("send_canvas", items, BAND, to)
        for person in people:
            stage = (await person.seen.first(UpdatePlayground)).items
            assert [item.text for item in stage] == ["one", "two"]
            assert stage[0].path
        step.came("both items, the picture uploaded")
    async with scene.step("send_style") as step:
        style = [
            {"$": "StyleItem", "widget": "canvas", "display": "visible", "expand": True},
            {"$": "StyleItem", "widget": "button", "display": "highlight", "button_id": "plain"},
        ]
        await original.call("send_style", style, BAND, to)
        for person in people:
            stage_style, key_style = (await person.seen.first(UpdateStyle)).style
            assert (stage_style.widget, stage_style.expand) == ("playground", True)
            assert (key_style.display, key_style.feature_id) == ("highlight", "plain")
        step.came("of the stage and of one key")
