"""A service of ours that shows one of everything, and keeps what its users do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from people import Seen, configure

from moobius_trio import MoobiusService
from moobius_trio.types import (
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
    Playground,
    StyleItem,
)

__all__ = ("Room", "open_room")

KEYS = (
    Feature(feature_id="plain", button_text="Plain"),
    Feature(
        feature_id="form",
        button_text="Form",
        arguments=[
            FeatureArgument(name="Colour", type="enum", values=["red", "blue"]),
            FeatureArgument(name="Why", type="textbox"),
        ],
        dialog=Dialog(
            title="Fill it in", bottom_buttons=[BottomButton(id="go", text="Go", submit=True)]
        ),
    ),
)
MENU = (MenuItem(menu_item_id="like", menu_item_text="Like", message_subtypes=["text"]),)
STAGE = (Playground(text="one"), Playground(text="two"))
STYLE = (
    StyleItem(widget="playground", display="visible", expand=True),
    StyleItem(widget="feature", display="highlight", feature_id="plain"),
)


class Room(MoobiusService):
    """Says everything again to whoever speaks to it, and shows all that there is."""

    def __init__(self, config: Path) -> None:
        super().__init__(config)
        self.seen = Seen()

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.seen.add(msg_up)
        if msg_up.to_service:
            await self.reply(msg_up, Content(text=f"you said {msg_up.text}"))
        else:
            await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_join_channel(self, action: Action) -> None:
        self.seen.add(action)
        await super().on_join_channel(action)

    async def on_leave_channel(self, action: Action) -> None:
        self.seen.add(action)
        await super().on_leave_channel(action)

    async def on_fetch_features(self, action: Action) -> None:
        await self.send_update_features(action.channel_id, KEYS, action.sender)
        await self.send_update_menu(action.channel_id, MENU, action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        await self.send_update_playground(action.channel_id, STAGE, action.sender)
        await self.send_update_style(action.channel_id, STYLE, action.sender)

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        self.seen.add(feature_call)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        self.seen.add(click)


@asynccontextmanager
async def open_room(
    folder: Path, url: str, ca_file: Path, protocol: str, channel_id: str
) -> AsyncIterator[Room]:
    """The service on the generation named, in one band that it takes from whoever has it."""
    more: dict[str, Any] = {} if protocol == "0.0.1" else {"protocol": protocol}
    config = configure(
        folder / "room" / "service.json",
        url,
        ca_file,
        "room@example.org",
        channels=[channel_id],
        name="originals-room",
        others="include",
        **more,
    )
    room = Room(config)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(room.serve)
        yield room
        await handle.stop()
