"""A room for tests of the page: it does whatever somebody looks at there.

Said to all: passed on. Said to the Service: a word from `on_msg_up`'s table.
"""

from __future__ import annotations

from moobius_trio import (
    Action,
    Character,
    Feature,
    FeatureArgument,
    FeatureCall,
    MessageUp,
    MoobiusService,
    NewCharacter,
    Playground,
    StyleItem,
)

KEYS = [
    Feature(
        feature_id="order",
        button_text="Order",
        arguments=[
            FeatureArgument(
                name="dish", type="enum", values=["soup", "salad"], placeholder="Which?"
            ),
            FeatureArgument(name="for whom", type="string"),
            FeatureArgument(name="note", type="string", optional=True, placeholder="anything"),
        ],
    ),
    Feature(feature_id="wave", button_text="Wave"),
]
MARKDOWN = """# Menu
*Fresh* soup, **hot** bread. <b onclick=hurt()>raw</b>

- [elsewhere](https://elsewhere.example/menu)
- [own]({own})
- [bad](javascript:hurt())

![there](https://elsewhere.example/there.png) ![here]({own})"""


class Room(MoobiusService):
    """People, and a puppet that only some see."""

    ghost: Character
    picture: str

    async def on_start(self) -> None:
        """Upload the one picture, make the one puppet."""
        self.picture = await self.upload_file(self.folder / "wand.png")
        ghost = NewCharacter(key="ghost", nickname="Ghost", username="ghost")
        self.ghost = (await self.ensure_characters(ghost))["ghost"]

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Pass on what is for people; do what is asked of the Service."""
        band, user = self.bands[msg_up.channel_id], msg_up.sender
        match msg_up.to_service, msg_up.text:
            case False, _:
                await self.send(self.msg_up_to_msg_down(msg_up))
            case True, "ghost":
                await band.send_update_user_list([*band.members.values(), self.ghost], user)
                await band.create_message("Boo!", user, sender=self.ghost)
            case True, "nobody":
                await band.create_message("Nobody says this.", user)
            case True, "fold" | "unfold" as word:
                style = StyleItem(widget="playground", display="visible", expand=word == "unfold")
                await band.send_update_style([style], user)

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        """Say what was ordered."""
        said = f"{feature_call.feature_id}: {dict(feature_call.values)}"
        await self.reply(feature_call, said)

    async def on_fetch_features(self, action: Action) -> None:
        """The same keys for all."""
        await self.bands[action.channel_id].send_update_features(KEYS, action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        """A stage of every kind of Markdown."""
        own = self.picture[self.picture.index("/bucket/") :]
        stage = Playground(path=self.picture, text=MARKDOWN.replace("{own}", own))
        await self.bands[action.channel_id].send_update_playground(stage, action.sender)
