"""The demo: every key, message and spell of docs/protocol/generation-0.md section 5.

What a user did is kept per band and user; what the service owns is made once, in `on_start`. It
speaks either generation of the platform's protocol; the menu of a message is what the second one
adds, and the local platform carries it in both.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import structlog

from moobius_trio import (
    Action,
    Band,
    Character,
    Content,
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
    UserId,
    container,
    every,
    stored,
)

log = structlog.get_logger()

MICKEY_LIMIT = 5
STAGES = {"light": "Let There Be Light!", "dark": "Let There Be Dark!"}
STYLE = [StyleItem(widget="playground", display="visible", expand=True)]
FEATURES = [
    Feature(
        feature_id="key1",
        feature_name="magic",
        button_text="Do Some Magic",
        arguments=[
            FeatureArgument(
                name="magic_type",
                type="enum",
                values=["Mickey", "Talk"],
                placeholder="Select Magic",
            )
        ],
    ),
    Feature(feature_id="key2", feature_name="stage", button_text="Swap Stage"),
]
MENU = [
    MenuItem(menu_item_id="praise", menu_item_text="Praise it", message_subtypes=["text"]),
    MenuItem(menu_item_id="about", menu_item_text="What is this?", message_subtypes=["image"]),
]


@stored
@attrs.define
class State:
    """What one user of one band has; a change made in a handler is saved by itself."""

    stage: str = "light"
    mickey_num: int = 0
    keys_hidden: bool = False


class DemoBand(Band):
    """One room. `members` is kept by the SDK; only what users did is ours."""

    states = container(State, factory=State)


class DemoService(MoobiusService[DemoBand]):
    """A room with two keys, a stage that swaps, and figures that appear."""

    pictures: Mapping[str, str]
    """Address of each stage's picture."""
    cast: Mapping[str, Character]
    """Our own figures, by key."""

    async def on_start(self) -> None:
        """Upload the pictures and make the figures; both are remembered over restarts."""
        art = self.folder / "resources"
        self.pictures = {stage: await self.upload_file(art / f"{stage}.png") for stage in STAGES}
        self.cast = await self.ensure_characters(
            NewCharacter(
                key="Wand", nickname="Wand", avatar=art / "wand.png", description="I am Wand!"
            ),
            *(
                NewCharacter(
                    key=f"Mickey_{n}",
                    username="Mickey",
                    nickname=f"Mickey {n}",
                    avatar=art / "mickey.jpg",
                    description=f"I am Mickey {n}!",
                )
                for n in range(MICKEY_LIMIT)
            ),
        )

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Pass on what users say to each other; obey three words said to the Service."""
        band, user = self.bands[msg_up.channel_id], msg_up.sender
        match msg_up.to_service, msg_up.text and msg_up.text.lower():
            case _, None:  # a picture or a file: to all who were picked, except the sender
                await self.send(self.msg_up_to_msg_down(msg_up, remove_self=True))
            case True, "hide" | "show" as word:
                band.states[user].keys_hidden = word == "hide"
                await self.show_features(band, user)
            case True, "reset":
                band.states[user].mickey_num = 0
                await self.show_characters(band, user)
            case False, "moobius":
                await band.create_message("Moobius is Great!", msg_up.recipients, sender=user)
            case False, _:
                await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        """The first key makes figures and lets them talk, the second one swaps the stage."""
        band, user = self.bands[feature_call.channel_id], feature_call.sender
        state = band.states[user]
        match feature_call.feature_id, feature_call.values:
            case "key1", {"magic_type": "Mickey"} if state.mickey_num >= MICKEY_LIMIT:
                await self.reply(feature_call, "You have reached the limit of Mickey!")
            case "key1", {"magic_type": "Mickey"}:
                state.mickey_num += 1
                await self.show_characters(band, user)
            case "key1", {"magic_type": "Talk"} if state.mickey_num == 0:
                await self.reply(feature_call, "Please Create Mickey First!")
            case "key1", {"magic_type": "Talk"}:
                last = state.mickey_num - 1
                newest = self.cast[f"Mickey_{last}"]
                await self.reply(feature_call, f"Mickey {last} Here!", sender=newest)
            case "key2", _:
                state.stage = "dark" if state.stage == "light" else "light"
                await self.show_playground(band, user)
                await self.reply(feature_call, self.pictures[state.stage], subtype="image")
            case _:
                log.warning("unknown key or choice", key=feature_call.feature_id)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        """Somebody chose an entry of a message's menu: praise for all, a card for the asker."""
        said = click.message_content
        match click.menu_item_id:
            case "praise":
                band = self.bands[click.channel_id]
                text = f"“{said.text}” How true!"
                await band.create_message(text, band.members, sender=click.sender)
            case "about":
                card = Content.card(title="A picture", text="as it is", link=said.path or "")
                await self.reply(click, card, subtype="card")
            case _:
                log.warning("unknown menu item", item=click.menu_item_id)

    async def on_fetch_user_list(self, action: Action) -> None:
        """A client needs its character list."""
        await self.show_characters(self.bands[action.channel_id], action.sender)

    async def on_fetch_features(self, action: Action) -> None:
        """A client needs its keys, and the menu of its messages."""
        band = self.bands[action.channel_id]
        await self.show_features(band, action.sender)
        await band.send_update_menu(MENU, action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        """A client needs its stage, and how to show it."""
        band = self.bands[action.channel_id]
        await self.show_playground(band, action.sender)
        await band.send_update_style(STYLE, action.sender)

    async def on_join_channel(self, action: Action) -> None:
        """A newcomer starts afresh and is announced to all."""
        band = self.bands[action.channel_id]
        band.states[action.sender] = State()
        await self.announce(band, action.sender, "joined")

    async def on_leave_channel(self, action: Action) -> None:
        """Whoever leaves is forgotten and announced to the rest."""
        band = self.bands[action.channel_id]
        band.states.pop(action.sender, None)
        await self.announce(band, action.sender, "left")

    @every(minutes=1)
    async def check_in(self, band: DemoBand) -> None:
        """Say the time; a job that takes a band runs once for each, in that band's lane."""
        text = f"Check in every minute! {self.now():%Y-%m-%d %H:%M:%S}"
        await band.create_message(text, band.members, sender=self.cast["Wand"])

    async def on_spell(self, spell: object) -> None:
        """Say a word as often as asked, in every band."""
        match spell:
            case [str(word), int(times)]:  # a tuple from this process, a list from another one
                text = f"WAND: {word * times}"
            case _:
                text = "WAND: DEFAULT"
        for band in self.bands.values():
            await band.create_message(text, band.members, sender=self.cast["Wand"])

    async def show_features(self, band: DemoBand, user: UserId) -> None:
        """The user's keys, or none while hidden."""
        await band.send_update_features([] if band.states[user].keys_hidden else FEATURES, user)

    async def show_characters(self, band: DemoBand, user: UserId) -> None:
        """Everybody real, then the figures this user has made."""
        mickeys = [self.cast[f"Mickey_{n}"] for n in range(band.states[user].mickey_num)]
        await band.send_update_user_list([*band.members.values(), *mickeys], user)

    async def show_playground(self, band: DemoBand, user: UserId) -> None:
        """The user's stage with its caption."""
        stage = band.states[user].stage
        picture = Playground(path=self.pictures[stage], text=STAGES[stage])
        await band.send_update_playground(picture, user)

    async def announce(self, band: DemoBand, user: UserId, what: str) -> None:
        """The new list of people to all, then a word about who came or went."""
        await band.send_update_user_list(band.members.values(), band.members)
        text = f"{band.profile(user).nickname} {what} the band!"
        await band.create_message(text, band.members, sender=user)
