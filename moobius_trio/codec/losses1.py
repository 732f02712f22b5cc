"""What generation 1 has no word for, told before it is left out. Pure: who logs it is the caller.

The rules themselves are in docs/protocol/generation-1.md section 11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from moobius_trio.codec.tags1 import CONTENT_KEYS
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Feature,
    MessageDown,
    ServiceCommand,
    UpdateFeatures,
    UpdateUserList,
    UserId,
)

__all__ = ("ProfileOf", "losses")

ProfileOf: TypeAlias = Callable[[ChannelId, UserId], Character | None]
"""How everybody in a band sees a character; None where that is not known."""


def losses(command: ServiceCommand, profile_of: ProfileOf | None = None) -> tuple[str, ...]:
    """What of ``command`` is not in its frame of generation 1, as words for a log; mostly none.

    ``feature_name``: a key's name, which no screen shows. ``new_window``: a form without fields
    and without a dialog, or fields without a form. ``profile``: a name or picture in a character
    list that is not the one that everybody sees, told only with ``profile_of``. ``content``: keys
    of a message that published clients refuse, so that a platform may leave them out.
    """
    return tuple(dict.fromkeys(_lost(command, profile_of)))


def _lost(command: ServiceCommand, profile_of: ProfileOf | None) -> Iterator[str]:
    match command:
        case UpdateFeatures():
            for feature in command.features:
                yield from _lost_of_key(feature)
        case UpdateUserList() if profile_of is not None:
            for character in command.user_list:
                if _shown_otherwise(character, profile_of(command.channel_id, character.user_id)):
                    yield "profile"
        case MessageDown() if _unknown_keys(command.content):
            yield "content"


def _lost_of_key(feature: Feature) -> Iterator[str]:
    if feature.feature_name != feature.feature_id:
        yield "feature_name"
    if feature.new_window != (bool(feature.arguments) or feature.dialog is not None):
        yield "new_window"


def _shown_otherwise(character: Character, seen: Character | None) -> bool:
    if seen is None:
        return False
    return (character.nickname, character.avatar, character.description) != (
        seen.nickname,
        seen.avatar,
        seen.description,
    )


def _unknown_keys(content: Content) -> bool:
    return not content.extra.keys() <= CONTENT_KEYS
