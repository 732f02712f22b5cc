"""Ids as types of their own, so that a band's id cannot be passed where a person's belongs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType

from moobius_trio.types.values import as_tuple

__all__ = (
    "NO_SENDER",
    "ChannelId",
    "GroupId",
    "MessageId",
    "RequestId",
    "ServiceId",
    "UserId",
    "as_channel_ids",
    "as_user_ids",
)

ChannelId = NewType("ChannelId", str)
"""A band. "Channel" is the wire's word for it."""

UserId = NewType("UserId", str)
"""A character: a person, or one that a service made."""

ServiceId = NewType("ServiceId", str)
"""A service, as the platform knows it."""

MessageId = NewType("MessageId", str)
"""A message that a user sent up."""

RequestId = NewType("RequestId", str)
"""One client frame; kept when the frame is sent again."""

GroupId = NewType("GroupId", str)
"""A set of recipients that the platform knows by an id."""

NO_SENDER = UserId("no_sender")
"""The sender of a message that nobody speaks (docs/protocol/generation-0.md section 3.2)."""


def as_user_ids(ids: Iterable[UserId]) -> tuple[UserId, ...]:
    """The ids as a tuple; a lone text is refused."""
    return ids if type(ids) is tuple else as_tuple(ids)  # for each message, in both directions


def as_channel_ids(ids: Iterable[ChannelId]) -> tuple[ChannelId, ...]:
    """The ids as a tuple; a lone text is refused."""
    return as_tuple(ids)
