"""The public API as authors write it: type-checked with mypy --strict, never run.

A line with ``# type: ignore[…]`` must fail: if a signature gets looser, mypy reports the comment
as unused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import attrs
import trio

from moobius_trio import (
    Action,
    Band,
    CachedDict,
    ChannelId,
    Character,
    Content,
    Feature,
    FeatureArgument,
    FeatureCall,
    GroupMessage,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    MoobiusService,
    MoobiusUser,
    MoobiusWand,
    NewCharacter,
    Outcome,
    PastMessage,
    Playground,
    Receipt,
    ServiceHandle,
    ServiceStatus,
    StyleItem,
    UpdateUserList,
    UserHandle,
    UserId,
    container,
    cron,
    every,
    open_wand,
    run,
    stored,
)


@stored
@attrs.define
class Score:
    """Points of one user."""

    points: int = 0


class Room(Band):
    """A band with containers of its own."""

    scores = container(Score, factory=Score)
    words = container(str, key=str)


class Plain(MoobiusService):
    """Without a band class of its own."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Everything a message has."""
        assert_type(msg_up.text, str | None)
        assert_type(msg_up.to_service, bool)
        assert_type(msg_up.recipients, tuple[UserId, ...])
        assert_type(self.bands[msg_up.channel_id], Band)
        assert_type(await self.send(self.msg_up_to_msg_down(msg_up)), Receipt)
        self.msg_up_to_msg_down(msg_up, True, text="x", recipients=[msg_up.sender])
        await self.send("msg_down", msg_up)  # type: ignore[arg-type]


class Game(MoobiusService[Room]):
    """With a band class of its own."""

    async def on_start(self) -> None:
        """What the start needs."""
        assert_type(await self.upload_file(self.folder / "a.png"), str)
        cast = await self.ensure_characters(NewCharacter(key="a", nickname="A"))
        assert_type(cast, dict[str, Character])
        assert_type(self.start_soon(trio.sleep, 1.0), trio.CancelScope)
        self.start_soon(trio.sleep, "soon")  # type: ignore[arg-type]
        assert_type(await self.run_sync(len, "abc"), int)

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        """Bands, containers and sending."""
        band = self.bands[feature_call.channel_id]
        assert_type(band, Room)
        assert_type(band.scores, CachedDict[UserId, Score])
        assert_type(band.words, CachedDict[str, str])
        assert_type(band.scores[feature_call.sender].points, int)
        assert_type(band.members, Mapping[UserId, Character])
        band.scores = {feature_call.sender: Score()}
        band.scores["somebody"]  # type: ignore[index]
        self.bands["a text"]  # type: ignore[index]
        receipt = await band.create_message("hi", band.members, sender=feature_call.sender)
        assert_type(await receipt.outcome(), Outcome)
        await band.create_message(Content(path="x"), feature_call.sender, "image")
        await band.send_update_user_list(band.members.values(), [feature_call.sender])
        await band.send_update_features(
            [
                Feature(
                    feature_id="a",
                    button_text="A",
                    arguments=[FeatureArgument(name="kind", type="enum", values=["x", "y"])],
                )
            ],
            band.members.values(),
        )
        await band.send_update_playground(Playground(text="x"), feature_call.sender)
        await band.send_update_style([StyleItem(widget="playground")], band.members)
        await band.create_message(1, band.members)  # type: ignore[arg-type]
        await self.reply(feature_call, "hi")
        await self.create_message(feature_call.channel_id, "hi", [feature_call.sender])
        await self.create_message(feature_call.sender, "hi", [])  # type: ignore[arg-type]
        assert_type(feature_call.values, dict[str, str | int])

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        """What generation 1 adds."""
        band = self.bands[click.channel_id]
        item = MenuItem(menu_item_id="quote", menu_item_text="Quote", message_subtypes=["text"])
        await band.send_update_menu([item], band.members)
        await band.send_update_menu(item, band.members)  # type: ignore[arg-type]
        await band.send_update_playground([Playground(text="x"), Playground()], click.sender)
        await band.send_file(self.folder / "a.png", click.sender, filename="b.png")
        await self.reply(click, Content.card(title="T", text="t", link="l"), subtype="card")
        agent = await self.create_agent("Cat", self.folder / "cat.png")
        assert_type(await self.update_agent(agent, name="Lion"), Character)
        assert_type(await self.create_channel("new"), ChannelId)
        assert_type(await band.fetch_message_history(), list[PastMessage])
        async for said in self.iterate_message_history(click.channel_id):
            assert_type(await self.download(said), Path)
        await self.download(click)  # type: ignore[arg-type]

    async def on_error(self, event: object, exc: BaseException) -> None:
        """A message whose group nobody knows."""
        if isinstance(event, GroupMessage):
            assert_type(event.message, MessageUp)

    async def on_join_channel(self, action: Action) -> None:
        """Ids are not mixed up."""
        MessageDown(channel_id=action.channel_id, content="x", recipients=[action.sender])
        MessageDown(channel_id=action.sender, content="x")  # type: ignore[arg-type]

    @every(minutes=1)
    async def tick(self, band: Room) -> None:
        """A job keeps its signature."""

    @cron("0 9 * * *", tz="Europe/Berlin")
    async def morning(self) -> None:
        """A job without a band."""
        await self.tick(self.bands[ChannelId("a")])
        await self.tick("a")  # type: ignore[arg-type]


async def main() -> None:
    """Running."""
    async with MoobiusWand() as wand:
        handle = await wand.run(Game())
        assert_type(handle, ServiceHandle)
        wand.spell(handle, ("word", 1))
        assert_type(await wand.aspell(handle, 1, wait=True), object)
    with MoobiusWand.connect("game") as outside:
        assert_type(outside.spell({"say": "rain"}, timeout=1, wait=True), object)
        assert_type(outside.status(), ServiceStatus)
    async with open_wand("game") as awaited:
        assert_type(await awaited.aspell(1, wait=True), object)
        assert_type(await awaited.status(), ServiceStatus)
        await wand.run(Game)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Plain().serve)
        await nursery.start(Game().serve)


if __name__ == "__main__":
    run(main)
    run(Game().serve)
    trio.run(Game().serve)


class Bot(MoobiusUser):
    """A user of the platform."""

    async def on_msg_down(self, msg_down: MessageDown) -> None:
        assert_type(await self.reply(msg_down, "hello"), Receipt)
        await self.say(msg_down.channel_id, Content(text="x"), self.characters(msg_down.channel_id))
        await self.click(msg_down.channel_id, "key1", {"name": "value", "number": 3})
        await self.choose("quote", msg_down)
        await self.say(msg_down, "hello")  # type: ignore[arg-type]

    async def on_update_user_list(self, update: UpdateUserList) -> None:
        assert_type(update.user_list, tuple[Character, ...])

    async def on_update_menu(self, update: UpdateUserList) -> None:  # type: ignore[override]
        """Of another update."""


async def bot_beside_a_service(service: MoobiusService) -> None:
    """Handles are those of what is run."""
    async with MoobiusWand() as wand, trio.open_nursery() as nursery:
        assert_type(await wand.run(service), ServiceHandle)
        handle = await wand.run(Bot(email="a@example.org", channels=[ChannelId("band")]))
        assert_type(handle, UserHandle)
        assert_type(handle.user_id, UserId)
        started: UserHandle = await nursery.start(Bot().serve)
        await started.stop()
    run(Bot().serve)
