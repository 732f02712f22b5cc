"""What is chosen in a message's menu reaches the service like a key press."""

from __future__ import annotations

from moobius_trio import (
    ChannelId,
    Content,
    MenuItemClick,
    MessageId,
    MessageUp,
    MoobiusService,
    UserId,
)
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver


class Menus(MoobiusService):
    """Notes messages and clicks, and answers a click."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.seen.append(f"message {msg_up.text}")

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        self.seen.append(f"{click.menu_item_id} on {click.message_content.text}")
        await self.reply(click, "done")


def chosen(channel_id: ChannelId, sender: UserId) -> MenuItemClick:
    """Somebody chose *translate* on a message."""
    return MenuItemClick(
        menu_item_id="translate",
        channel_id=channel_id,
        sender=sender,
        message_id=MessageId("message-1"),
        message_content=Content(text="salve"),
    )


async def test_a_menu_click_is_handled_in_its_bands_lane_and_can_be_answered(local: Local) -> None:
    """It comes in the order in which it was sent, and `reply` answers whoever chose."""
    service = Menus()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    said = MessageUp(
        channel_id=band.channel_id, sender=alice.user_id, content=Content(text="salve")
    )
    deliver(service, said, chosen(band.channel_id, alice.user_id), said)
    await local.settle()
    assert service.seen == ["message salve", "translate on salve", "message salve"]
    assert [message.text for message in alice.messages] == ["done"]


async def test_a_menu_click_in_a_band_of_somebody_else_is_left_out(local: Local) -> None:
    """As every event of a band that the service does not hold."""
    service = Menus()
    await local.start(service)
    deliver(service, chosen(ChannelId("elsewhere"), UserId("alice")))
    await local.settle()
    assert service.seen == []
