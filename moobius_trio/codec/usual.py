"""What a service is sent and sends all the time: messages and receipts, without the converter.

A frame in its most frequent form gives its value, any other None; then the converter reads it, or
says what is wrong with it. What comes here is not checked yet (``text.glance``), so each value in
it is looked at: read and of its type, or passed to ``certain``. Nothing may be taken that the
shapes would refuse, or otherwise than by them. Likewise a message is known here to be writable
without a walk over its frame. Facts: docs/protocol/generation-0.md section 3.3,
docs/protocol/generation-1.md section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from moobius_trio.codec.tags import TO_SERVICE
from moobius_trio.codec.tags1 import COPY, MESSAGE_UP
from moobius_trio.codec.text import MAX_DEPTH, certain
from moobius_trio.types import Content, Copy, GroupMessage, MessageDown, MessageUp

__all__ = ("USUAL_0", "USUAL_1", "Readers", "is_usual", "usual_event")

T = TypeVar("T")

_INT64: Final = 2**63
_kind: Final[Callable[[object], Any]] = type
"""The type of a value, about which a type checker knows no more than this module may assume."""

_texts: Final = frozenset({str}).issuperset
"""Whether these types are all that of a text."""

_DEEPEST: Final = MAX_DEPTH - 3
"""Levels inside a context: those of the frame, of its body and of itself are taken."""

_MESSAGE_0: Final = itemgetter(
    "subtype", "channel_id", "timestamp", "recipients", "msg_id", "content", "context"
)
_CONTEXT_0: Final = itemgetter("sender", "recipients", "group_id")
_MESSAGE_1: Final = itemgetter(
    *("subtype", "channel_id", "timestamp", "recipients", "message_id", "content", "context"),
    "sender",
)
_RECEIPT: Final = itemgetter("request_id", "origin_type", "status", "context")


# Below, as many keys as are read means that there are no others.


def _message_0(body: Any) -> MessageUp | None:
    subtype, channel_id, timestamp, listed, msg_id, content, context = _MESSAGE_0(body)
    sender, recipients, group_id = _CONTEXT_0(context)
    text = content["text"]
    if (
        type(recipients) is list
        and recipients == listed
        and str is _kind(subtype) is _kind(channel_id) is _kind(msg_id)
        and str is _kind(text) is _kind(sender)
        and _texts(map(type, recipients))
        and type(timestamp) is int
        and timestamp < _INT64
        and (group_id is None or type(group_id) is str)
        and len(body) == 7
        and len(context) == 3
        and len(content) == 1
    ):
        return MessageUp(
            channel_id=channel_id,
            sender=sender,
            content=Content(text=text),
            recipients=tuple(recipients),
            subtype=subtype,
            timestamp=timestamp,
            msg_id=msg_id,
        )
    return None


def _message_1(body: Any) -> MessageUp | GroupMessage | None:
    subtype, channel_id, timestamp, recipients, msg_id, content, context, sender = _MESSAGE_1(body)
    text = content["text"]
    if (
        str is _kind(subtype) is _kind(channel_id) is _kind(msg_id)
        and str is _kind(text) is _kind(sender) is _kind(recipients)
        and type(timestamp) is int
        and timestamp < _INT64
        and type(context) is dict
        and (not context or certain(context.values(), _DEEPEST))
        and len(body) == 8
        and len(content) == 1
    ):
        message = MessageUp(
            channel_id=channel_id,
            sender=sender,
            content=Content(text=text),
            subtype=subtype,
            timestamp=timestamp,
            msg_id=msg_id,
        )
        if recipients == TO_SERVICE:
            return message
        return GroupMessage(message=message, group_id=recipients)
    return None


def _receipt(body: Any) -> Copy | None:
    request_id, origin_type, status, context = _RECEIPT(body)
    if (
        str is _kind(request_id) is _kind(origin_type)
        and type(status) is bool
        and type(context) is dict
        and certain(context.values(), _DEEPEST)
        and len(body) == 4
    ):
        return Copy(request_id=request_id, origin_type=origin_type, status=status, context=context)
    return None


Readers: TypeAlias = Mapping[object, Callable[[Any], T]]
"""By the type of a frame what reads its body."""

USUAL_0: Final[Readers[MessageUp | Copy | None]] = MappingProxyType(
    {"msg_up": _message_0, "copy_client": _receipt, "copy": _receipt}
)
"""Generation 0."""

USUAL_1: Final[Readers[MessageUp | GroupMessage | Copy | None]] = MappingProxyType(
    {MESSAGE_UP: _message_1, COPY: _receipt}
)
"""Generation 1."""


def usual_event(glanced: Any, readers: Readers[T]) -> T | None:
    """The event that a frame is; None: it is not a usual one, or no frame at all."""
    try:
        read = readers.get(glanced["type"])
        if read is not None and len(glanced) == 2:
            return read(glanced["body"])
    except (LookupError, TypeError):  # a key is missing, or what has the keys is no object
        pass
    return None


def is_usual(message: MessageDown, request_id: str, client_id: str) -> bool:
    """True when the message is a text, and nothing in its frame is of another type than it says.

    The ids stand in it too; an author's program may have passed anything for one.
    """
    content = message.content
    return (
        str is _kind(message.channel_id) is _kind(message.sender) is _kind(message.subtype)
        and str is _kind(message.msg_id) is _kind(content.text)
        and str is _kind(request_id) is _kind(client_id)
        and _texts(map(type, message.recipients))
        and content.path is None
        and not content.extra
        and (message.timestamp is None or type(message.timestamp) is int)
    )
