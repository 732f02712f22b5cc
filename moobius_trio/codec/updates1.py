"""Reading an ``update`` of generation 1, as a service wrote it or as a user is sent it.

Only the reading; they are written by ``plain1`` and the ``generation1`` modules. Facts:
docs/protocol/generation-1.md sections 3.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of
from moobius_trio.codec.groups1 import MembersOf, members_in, recipients_in
from moobius_trio.codec.plain1 import said_twice
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.tags import CHANNEL_INFO, UPDATE
from moobius_trio.codec.tags1 import BUTTONS, CANVAS, CHARACTERS, MENU, STYLE
from moobius_trio.codec.widgets1 import (
    ButtonsShape,
    CanvasShape,
    CharactersShape,
    MenuShape,
    StyleShape,
)
from moobius_trio.types import (
    ChannelId,
    Character,
    GenericUpdate,
    Update,
    UpdateChannelInfo,
    UpdateCharacterGroup,
    UpdateUserList,
    UserId,
)

__all__ = ("update_for_user", "update_from_client")

_Shape: TypeAlias = ButtonsShape | MenuShape | CanvasShape | StyleShape

_SHAPES: Final[Mapping[object, type[_Shape]]] = MappingProxyType(
    {BUTTONS: ButtonsShape, MENU: MenuShape, CANVAS: CanvasShape, STYLE: StyleShape}
)


def update_from_client(frame: dict[str, object], members_of: MembersOf) -> Update:
    """The update that a service wrote; of a character list the ids alone are known.

    Raises:
        MalformedPayload: the body is not what its subtype needs, or names a group that nobody
            knows.
    """

    def recipients(body: JsonObject, what: str) -> tuple[UserId, ...]:
        return recipients_in(body, what, members_of)

    update = _update(frame, recipients)
    if not isinstance(update, UpdateCharacterGroup):
        return update
    body, what = frame["body"], f"{UPDATE} {CHARACTERS}"
    members = members_in(update.group_id, what, "content.characters", members_of)
    return UpdateUserList(
        channel_id=update.channel_id,
        user_list=[Character(user_id=each) for each in members],
        recipients=recipients_in(body, what, members_of),
    )


def update_for_user(frame: dict[str, object]) -> Update | UpdateCharacterGroup:
    """The update that a user's client is sent; recipients, which it may have, are not read.

    Raises:
        MalformedPayload: the body is not what its subtype needs.
    """
    return _update(frame, lambda body, what: ())


def _update(
    frame: dict[str, object], recipients: Callable[[JsonObject, str], tuple[UserId, ...]]
) -> Update | UpdateCharacterGroup:
    body = structure(body_of(frame, UPDATE), JsonObject, what=UPDATE, at="body")
    if frame.get("subtype") == CHANNEL_INFO:
        return _channel_info(frame, body)
    subtype = body.get("subtype")
    what = f"{UPDATE} {subtype}"
    if subtype == CHARACTERS:
        listed = structure(body, CharactersShape, what=what, at="body")
        group_id = listed.content.characters
        return UpdateCharacterGroup(channel_id=listed.channel_id, group_id=group_id)
    if subtype == CHANNEL_INFO:
        told = structure(body, _ChannelInfoShape, what=what, at="body")
        return UpdateChannelInfo(channel_id=told.channel_id, data=told.content)
    shape = _SHAPES.get(subtype) if isinstance(subtype, str) else None
    if shape is None:
        return GenericUpdate(data=body)
    return structure(body, shape, what=what, at="body").value(recipients(body, what))


@attrs.define(eq=False, repr=False)
class _ChannelInfoShape:
    channel_id: ChannelId
    content: JsonObject


@attrs.define(eq=False, repr=False)
class _ChannelInfoFrame:
    channel_id: ChannelId


def _channel_info(frame: dict[str, object], body: JsonObject) -> UpdateChannelInfo:
    """The form of section 3.2, in which the band stands twice and what it is twice as well."""
    channel_id = structure(frame, _ChannelInfoFrame, what=CHANNEL_INFO).channel_id
    data = {key: value for key, value in body.items() if key != "channel_id"}
    if data.get("context") == said_twice(data):
        del data["context"]
    return UpdateChannelInfo(channel_id=channel_id, data=data)
