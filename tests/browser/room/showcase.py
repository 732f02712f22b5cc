"""A service for tests of the page that uses all of what generation 1 adds to a screen."""

from __future__ import annotations

from moobius_trio import (
    Action,
    BottomButton,
    Character,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    MenuItem,
    MenuItemClick,
    MessageUp,
    MoobiusService,
    NewCharacter,
    Playground,
    StyleItem,
)

FIELDS = [
    FeatureArgument(name="who", placeholder="a name"),
    FeatureArgument(name="story", type="textbox", optional=True),
    FeatureArgument(name="age", type="number"),
    FeatureArgument(name="secret", type="password"),
    FeatureArgument(name="dish", type="enum", values=["soup", "salad"]),
]
BUTTONS = [
    BottomButton(id="save", text="Save"),
    BottomButton(id="draft", text="Save as draft"),
    BottomButton(id="no", text="Not now", submit=False),
]
KEYS = [
    Feature(
        feature_id="profile",
        button_text="Profile",
        arguments=FIELDS,
        dialog=Dialog(title="About you", bottom_buttons=BUTTONS),
    ),
    Feature(feature_id="sure", button_text="Sure?", dialog=Dialog(title="Really?")),
    Feature(feature_id="marked", button_text="Marked"),
    Feature(feature_id="secret", button_text="Hidden"),
]
MENU = [
    MenuItem(menu_item_id="like", menu_item_text="Like", message_subtypes=["text", "card"]),
    MenuItem(
        menu_item_id="report",
        menu_item_text="Report",
        arguments=[FeatureArgument(name="why", type="textbox")],
        dialog=Dialog(bottom_buttons=[BottomButton(id="send", text="Send report")]),
    ),
]
STAGE = [
    Playground(text="# First\nThe **first** item"),
    Playground(text="\n\n".join(f"row {number}" for number in range(60))),
    Playground(text="The last item"),
]
LOOKS = [
    StyleItem(widget="feature", display="highlight", feature_id="marked", text="press me"),
    StyleItem(widget="feature", display="invisible", feature_id="secret"),
]


class Showcase(MoobiusService):
    """Everything at once, for each who comes; and a word for all that is done."""

    cook: Character

    async def on_start(self) -> None:
        """Make the two characters."""
        cook = NewCharacter(key="cook", nickname="Cook", description="Cooks <b>everything</b>")
        waiter = NewCharacter(key="waiter", nickname="Waiter")
        self.cook = (await self.ensure_characters(cook, waiter))["cook"]

    async def on_fetch_features(self, action: Action) -> None:
        """Keys, the menu of messages, and how they look."""
        band = self.bands[action.channel_id]
        await band.send_update_features(KEYS, action.sender)
        await band.send_update_menu(MENU, action.sender)
        await band.send_update_style(LOOKS, action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        """A canvas of three items."""
        await self.bands[action.channel_id].send_update_playground(STAGE, action.sender)

    async def on_feature_call(self, call: FeatureCall) -> None:
        """Say what was pressed, with which button, and what was filled in."""
        said = f"{call.feature_id} by {call.bottom_button_id}: {list(call.values.values())}"
        await self.reply(call, said)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        """Say what was chosen, of which message."""
        known = "a known" if click.message_id else "an unknown"
        done = f"{click.menu_item_id} by {click.bottom_button_id} {list(click.values.values())}"
        of = f"{known} {click.message_subtype}: {click.message_content.text}"
        await self.reply(click, f"{done} of {of}")

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Pass on what is for people; do what is asked of the Service."""
        band, user = self.bands[msg_up.channel_id], msg_up.sender
        words = (msg_up.text or "").split()
        match (msg_up.to_service, *words):
            case False, *_:
                await self.send(self.msg_up_to_msg_down(msg_up))
            case True, "card", link, *title:
                name = " ".join(title) or "Our menu"
                card = Content.card(title=name, text="Soup.", link=link, button="See it")
                await band.create_message(card, user, subtype="card", sender=self.cook)
            case True, "file":
                path = "https://elsewhere.example/plan.zip"
                file = Content.file(path, filename="plan.zip", size=2048)
                await band.create_message(file, user, subtype="file", sender=self.cook)
            case True, "many", count:
                for number in range(int(count)):
                    await band.create_message(f"line {number}", user, sender=self.cook)
