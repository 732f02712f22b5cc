"""How much memory an event takes, roughly: what the bounds of the lanes are counted in.

Nothing here decides how much is too much (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from sys import getsizeof
from types import MappingProxyType
from typing import Any, Final

import attrs

from moobius_trio.types import (
    Action,
    BottomButton,
    Character,
    Content,
    Copy,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    GenericUpdate,
    GroupMessage,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Playground,
    StyleItem,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateCharacterGroup,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("weight",)

_FIELDS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    kind: attrgetter(*(field.name for field in attrs.fields(kind)))
    for kind in (
        MessageUp,
        GroupMessage,
        Content,
        Action,
        FeatureCall,
        MenuItemClick,
        FeatureCallArgument,
        Copy,
        UnknownPayload,
        *(MessageDown, UpdateChannelInfo, UpdateCharacterGroup),
        *(UpdateUserList, Character, UpdatePlayground, Playground, UpdateStyle, StyleItem),
        *(UpdateFeatures, Feature, FeatureArgument, Dialog, BottomButton, UpdateMenu, MenuItem),
    )
}
_FIELDS[GenericUpdate] = lambda update: (update.data,)  # of one name attrgetter makes no tuple

OBJECT: Final = 100
"""Bytes of an event, or of a mapping with nothing in it, rounded up."""
ENTRY: Final = 100
"""Bytes of one entry of a mapping, rounded up."""
NUMBER: Final = 32

_text_size: Final = str.__sizeof__
"""What getsizeof gives for a text, in half the time."""


def weight(event: object) -> int:
    """Bytes of an event with all that is in it.

    The text on the wire says too little of that: three bytes there, such as ``{},``, may become
    seventy here. Linear in the number of values, and without recursion.
    """
    if type(event) is MessageUp:
        content = event.content
        if not content.extra:  # what comes all the time: the same without a list of what is left
            total = 2 * OBJECT + NUMBER  # the message, its content and its time
            for person in event.recipients:
                total += _text_size(person)
            if content.text is not None:
                total += _text_size(content.text)
            if content.path is not None:
                total += _text_size(content.path)
            return (
                total
                + getsizeof(event.recipients)
                + _text_size(event.channel_id)
                + _text_size(event.sender)
                + _text_size(event.subtype)
                + _text_size(event.msg_id)
            )
    total = 0
    left: list[Any] = [event]
    for value in left:  # which grows meanwhile
        kind = type(value)
        if kind is str:
            total += getsizeof(value)
        elif kind in _FIELDS:
            total += OBJECT
            left += _FIELDS[kind](value)
        elif kind is tuple or kind is list:
            total += getsizeof(value)
            left += value
        elif kind is dict or kind is MappingProxyType:
            if value or kind is dict:  # the empty view is one for all
                total += OBJECT + ENTRY * len(value)
                left += value
                left += value.values()
        elif value is not None:
            total += NUMBER
    return total
