"""From what an author writes in a call to the payload that is sent.

Only shapes and defaults; who queues the payload is the subclass's `send`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from moobius_trio.core.recipients import (
    Recipients,
    Speaker,
    as_canvas,
    as_content,
    as_recipients,
    as_sender,
)
from moobius_trio.types import (
    NO_SENDER,
    Action,
    ChannelId,
    Character,
    Content,
    Feature,
    FeatureCall,
    GenericUpdate,
    JsonValue,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Playground,
    RawPayload,
    StyleItem,
    Update,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

if TYPE_CHECKING:
    from moobius_trio.network.receipts import Receipt

__all__ = ("Sending",)


class Sending(ABC):
    """Everything a service can say, in terms of one `send`."""

    @abstractmethod
    async def send(self, payload: MessageDown | Update | RawPayload) -> Receipt:
        """Queue one payload; the service says what it raises."""

    async def send_msg_down(
        self,
        channel_id: ChannelId,
        recipients: Recipients,
        subtype: str,
        message_content: Content | str,
        sender: Speaker | None = None,
    ) -> Receipt:
        """Say something to the recipients; raises as `send`.

        Args:
            subtype: ``text``, or ``image``, ``audio``, ``file``, ``card``.
            message_content: the text, or the address of the picture, sound or file.
            sender: whoever speaks; None: nobody.
        """
        return await self.send(
            MessageDown(
                channel_id=channel_id,
                recipients=as_recipients(recipients),
                subtype=subtype,
                content=as_content(message_content, subtype),
                sender=NO_SENDER if sender is None else as_sender(sender),
            )
        )

    async def create_message(
        self,
        channel_id: ChannelId,
        content: Content | str,
        recipients: Recipients,
        subtype: str = "text",
        sender: Speaker | None = None,
    ) -> Receipt:
        """Say something to the recipients; the same as `send_msg_down` in another order."""
        return await self.send_msg_down(channel_id, recipients, subtype, content, sender)

    async def reply(
        self,
        event: MessageUp | FeatureCall | MenuItemClick | Action,
        content: Content | str,
        *,
        subtype: str = "text",
        sender: Speaker | None = None,
    ) -> Receipt:
        """Answer the event's sender, spoken as that user unless a sender is named."""
        speaker = event.sender if sender is None else sender
        return await self.send_msg_down(event.channel_id, event.sender, subtype, content, speaker)

    def msg_up_to_msg_down(
        self,
        msg_up: MessageUp,
        remove_self: bool = False,
        *,
        text: str | None = None,
        recipients: Recipients | None = None,
    ) -> MessageDown:
        """An upward message turned round: same sender, content and recipients.

        Args:
            remove_self: leave the sender out of the recipients.
            text: instead of the text it had.
            recipients: instead of those the user picked.
        """
        to = msg_up.recipients if recipients is None else as_recipients(recipients)
        if remove_self:
            to = tuple(user_id for user_id in to if user_id != msg_up.sender)
        return MessageDown(
            channel_id=msg_up.channel_id,
            content=msg_up.content if text is None else Content(text=text),
            recipients=to,
            sender=msg_up.sender,
            subtype=msg_up.subtype if text is None else "text",
            relayed=True,
        )

    async def send_update_user_list(
        self, channel_id: ChannelId, user_list: Iterable[Character], recipients: Recipients
    ) -> Receipt:
        """Set the character list of the recipients, in this order; raises as `send`."""
        return await self.send(
            UpdateUserList(
                channel_id=channel_id, user_list=user_list, recipients=as_recipients(recipients)
            )
        )

    async def send_update_features(
        self, channel_id: ChannelId, feature_data: Iterable[Feature], recipients: Recipients
    ) -> Receipt:
        """Set the keys of the recipients; none hides them all; raises as `send`."""
        return await self.send(
            UpdateFeatures(
                channel_id=channel_id, features=feature_data, recipients=as_recipients(recipients)
            )
        )

    async def send_update_playground(
        self,
        channel_id: ChannelId,
        content: Playground | Iterable[Playground],
        recipients: Recipients,
    ) -> Receipt:
        """Set the stage of the recipients; raises as `send`.

        Args:
            content: a picture, a text or both; several of them make a canvas to scroll through,
                of which generation 0 shows the first elsewhere than on a platform of ours; none
                empties the stage.
        """
        first, *more = (content,) if isinstance(content, Playground) else as_canvas(content)
        return await self.send(
            UpdatePlayground(
                channel_id=channel_id,
                content=first,
                more=more,
                recipients=as_recipients(recipients),
            )
        )

    async def send_update_menu(
        self, channel_id: ChannelId, menu: Iterable[MenuItem], recipients: Recipients
    ) -> Receipt:
        """Set the menu that messages open for the recipients; none removes it; raises as `send`.

        What they choose comes to `on_menu_item_click`. Elsewhere than on a platform of ours
        generation 0 has no menus, and nothing is shown.
        """
        return await self.send(
            UpdateMenu(channel_id=channel_id, menu=menu, recipients=as_recipients(recipients))
        )

    async def send_update_style(
        self, channel_id: ChannelId, style_content: Iterable[StyleItem], recipients: Recipients
    ) -> Receipt:
        """Set the style of the recipients' screens; raises as `send`."""
        return await self.send(
            UpdateStyle(
                channel_id=channel_id, style=style_content, recipients=as_recipients(recipients)
            )
        )

    async def send_update_channel_info(
        self, channel_id: ChannelId, channel_data: Mapping[str, JsonValue]
    ) -> Receipt:
        """Tell what is known of the band itself; raises as `send`."""
        return await self.send(UpdateChannelInfo(channel_id=channel_id, data=channel_data))

    async def send_update(self, target_client_id: str, data: Mapping[str, JsonValue]) -> Receipt:
        """Send an update whose body is `data`; the wire has no place for the target.

        See docs/protocol/generation-0.md section 3.2. Raises as `send`.
        """
        return await self.send(GenericUpdate(data=data))
