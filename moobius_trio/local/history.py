"""Kept messages as the frames that they went in, and as generation 1 tells of them.

What is kept, and for whom, is ``world``'s.
"""

from __future__ import annotations

from collections.abc import Callable

from moobius_trio.codec.generation0 import encode_for_service, encode_for_user
from moobius_trio.codec.text import parse_object
from moobius_trio.local.records import Message
from moobius_trio.types import GroupId, MessageDown, MessageUp, PastMessage, UserId

__all__ = ("as_frame", "as_past")


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
                msg_id=message.msg_id,
            )
        )
    return parse_object(text, "kept message")


def as_past(message: Message, group_of: Callable[[tuple[UserId, ...]], GroupId]) -> PastMessage:
    """The message as a client of generation 1 is told of it: its recipients are a group, and none
    of a message up are the Service."""
    named = bool(message.recipients) or message.direction == "down"
    return PastMessage(
        channel_id=message.channel_id,
        content=message.content,
        sender=message.sender,
        subtype=message.subtype,
        timestamp=message.timestamp,
        msg_id=message.msg_id,
        group_id=group_of(message.recipients) if named else None,
    )
