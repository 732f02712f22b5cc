"""How a user speaks with its platform: the words of the generation that its settings name.

What a frame looks like is the codec's, what a group is the book's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from moobius_trio.codec import generation0
from moobius_trio.config import Settings
from moobius_trio.network.http import HttpApi
from moobius_trio.network.link import Side
from moobius_trio.types import UpdateCharacterGroup, UpdateUserList, UserCommand, UserFrame, UserId

__all__ = ("Speech", "make_speech")


@attrs.frozen(eq=False, kw_only=True)
class Speech:
    """The words, and what has to be asked besides."""

    side: Side[UserCommand, UserFrame]
    look_up: Callable[[UpdateCharacterGroup], Awaitable[UpdateUserList]]
    """Gives the characters that a group stands for."""
    refresh: tuple[str, ...]
    """The actions that ask a service for everything that it shows."""


def make_speech(settings: Settings, http_api: HttpApi, user_id: UserId) -> Speech:
    """The generation that the settings name."""
    return Speech(
        side=Side(
            decode=generation0.decode_for_user,
            encode=generation0.encode_from_user,
            origin_type=generation0.origin_type,
        ),
        look_up=_no_groups,
        refresh=("fetch_user_list", "fetch_features", "fetch_playground"),
    )


async def _no_groups(update: UpdateCharacterGroup) -> UpdateUserList:
    raise LookupError(update)
