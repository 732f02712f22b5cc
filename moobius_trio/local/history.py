"""Kept messages as the frames that they went in. What is kept, and for whom, is ``world``'s."""

from __future__ import annotations

from moobius_trio.codec.generation0 import encode_for_service, encode_for_user
from moobius_trio.codec.text import parse_object
from moobius_trio.local.records import Message
from moobius_trio.types import MessageDown, MessageUp

__all__ = ("as_frame",)


def as_frame(message: Message) -> object:
    """The frame that the message went in: up to the service, or down to this user."""
    if message.direction == "up":
        text = encode_for_service(
            MessageUp(
                channel_id=message.channel_id,
                sender=message.sender,
                content=message.content,
                recipients=message.recipients,
                subtype=message.subtype,
                timestamp=message.timestamp,
                msg_id=message.msg_id,
            )
        )
    else:
        text = encode_for_user(
            MessageDown(
                channel_id=message.channel_id,
                content=message.content,
                recipients=message.recipients,
                sender=message.sender,
                subtype=message.subtype,
                timestamp=message.timestamp,
            )
        )
    return parse_object(text, "kept message")
