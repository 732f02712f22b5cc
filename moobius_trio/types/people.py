"""Characters: the people of a band and the figures a service makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from moobius_trio.types.ids import ChannelId, GroupId, UserId
from moobius_trio.types.values import OldName, as_tuple_of

__all__ = ("ChannelInfo", "Character", "Group", "NewCharacter", "UserInfo", "as_characters")


@attrs.frozen(kw_only=True)
class Character:
    """A row of a user's character list: a person, or a figure that a service made.

    Wire: docs/protocol/generation-0.md section 2.2.
    """

    user_id: UserId
    username: str = ""
    """The account's name; for a figure of a service its kind, such as ``Mickey``."""
    nickname: str = ""
    """The name that others see."""
    avatar: str = ""
    """The address of a picture; empty for none."""
    description: str = ""

    if not TYPE_CHECKING:  # for mypy an unknown attribute stays an error
        character_id = OldName("character.user_id")
        name = OldName("character.nickname")
        user_context = OldName("character.nickname, .avatar, .description")
        character_context = OldName("character.nickname, .avatar, .description")


@attrs.frozen(kw_only=True)
class NewCharacter:
    """What ``ensure_characters`` needs to make a figure, or to find it again by its key."""

    key: str
    """The service's own name for the figure; the same key gives the same figure after a restart."""
    nickname: str
    username: str = attrs.field(default=attrs.Factory(lambda self: self.key, takes_self=True))
    avatar: str | Path = ""
    """An address, or the path of a local picture, which is then uploaded."""
    description: str = ""


@attrs.frozen(kw_only=True)
class UserInfo:
    """The account's own user (docs/protocol/generation-1.md section 2.2 row 13)."""

    user_id: UserId
    name: str = ""
    avatar: str = ""
    description: str = ""
    email: str = ""
    email_verified: bool = False


@attrs.frozen(kw_only=True)
class ChannelInfo:
    """What is known of a band itself."""

    channel_id: ChannelId
    channel_name: str = ""
    channel_description: str = ""
    channel_type: str = ""


@attrs.frozen(kw_only=True)
class Group:
    """Recipients that the platform knows by an id; their order is kept."""

    group_id: GroupId
    members: tuple[UserId, ...] = ()


def as_characters(values: Iterable[Character]) -> tuple[Character, ...]:
    """The characters as a tuple."""
    return as_tuple_of(Character, values, "the people of a band are band.members.values()")
