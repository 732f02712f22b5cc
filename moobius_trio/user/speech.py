"""How a user speaks with its platform: the words of the generation that its settings name.

What a frame looks like is the codec's, what is known of groups the book's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import attrs

from moobius_trio.codec import generation0, generation1
from moobius_trio.config import Settings
from moobius_trio.errors import GroupUnknown
from moobius_trio.network.group_book import GroupBook
from moobius_trio.network.http import HttpApi
from moobius_trio.network.link import Side
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupId,
    Ping,
    RequestId,
    UpdateCharacterGroup,
    UpdateUserList,
    UserCommand,
    UserFrame,
    UserId,
    UserMessage,
)

__all__ = ("Speech", "make_speech")


@attrs.frozen(eq=False, kw_only=True)
class Speech:
    """The words, and what has to be asked besides."""

    side: Side[UserCommand, UserFrame]
    look_up: Callable[[UpdateCharacterGroup], Awaitable[UpdateUserList]]
    """Gives the characters that a group stands for; raises ``MoobiusError``."""
    refresh: tuple[str, ...]
    """The actions that ask a service for everything that it shows."""
    joined: Callable[[], Awaitable[Sequence[ChannelId]]]
    """In which bands the user is, where the platform says that; raises ``MoobiusError``."""


def make_speech(settings: Settings, http_api: HttpApi, user_id: UserId) -> Speech:
    """The generation that the settings name."""
    if settings.protocol == "1.8":
        groups = _Groups(http_api, user_id)
        return Speech(
            side=Side(
                decode=generation1.decode_for_user,
                encode=groups.encode,
                origin_type=generation1.origin_type,
                prepare=groups.prepare,
                on_refused=groups.forget_lists,
            ),
            look_up=groups.look_up,
            refresh=("refresh",),
            joined=http_api.fetch_channel_list,
        )
    return Speech(
        side=Side(
            decode=generation0.decode_for_user,
            encode=generation0.encode_from_user,
            origin_type=generation0.origin_type,
        ),
        look_up=_no_groups,
        refresh=("fetch_user_list", "fetch_features", "fetch_playground"),
        joined=_not_said,
    )


async def _no_groups(update: UpdateCharacterGroup) -> UpdateUserList:
    raise GroupUnknown(update.group_id, update.channel_id, "generation 0 has no groups")


async def _not_said() -> Sequence[ChannelId]:
    return ()


class _Groups:
    """Generation 1 with its groups, which for a user belong to a band each
    (docs/protocol/generation-1.md section 3.5)."""

    def __init__(self, http_api: HttpApi, user_id: UserId) -> None:
        self._http_api = http_api
        self._user_id = user_id
        self._books: dict[ChannelId, GroupBook] = {}

    def encode(
        self,
        command: UserCommand,
        /,
        *,
        request_id: RequestId,
        client_id: UserId,
        timestamp: int,
    ) -> str:
        """The frame of a command for which `prepare` has returned."""
        return generation1.encode_from_user(
            command,
            request_id=request_id,
            user_id=client_id,
            timestamp=timestamp,
            group_of=partial(self._group_of, command),
        )

    async def prepare(self, command: UserCommand) -> None:
        """Have the platform know the recipients of a message; see `GroupBook.ready`."""
        if isinstance(command, UserMessage) and command.recipients:
            await self._book(command.channel_id).ready(command.recipients)

    def forget_lists(self) -> None:
        """The platform may not know them any more; see `GroupBook.forget_lists`."""
        for book in self._books.values():
            book.forget_lists()

    async def look_up(self, update: UpdateCharacterGroup) -> UpdateUserList:
        """Who is in the group, with profiles. Whose profile is missing has the id as nickname.

        Raises:
            MoobiusError: the platform did not say.
        """
        book = self._book(update.channel_id)
        ids = await book.members(update.group_id, update.channel_id, self._user_id)
        known = {each.user_id: each for each in await self._http_api.fetch_profiles(ids)}
        people = [known.get(each) or Character(user_id=each, nickname=each) for each in ids]
        return UpdateUserList(channel_id=update.channel_id, user_list=people)

    def _group_of(self, command: UserCommand | Ping, members: tuple[UserId, ...]) -> GroupId:
        if not isinstance(command, UserMessage):
            raise LookupError(f"a {type(command).__name__} has no recipients")
        return self._book(command.channel_id).id_of(members)

    def _book(self, channel_id: ChannelId) -> GroupBook:
        book = self._books.get(channel_id)
        if book is None:
            create = partial(self._http_api.create_channel_group, channel_id)
            book = self._books[channel_id] = GroupBook(create, self._http_api.fetch_group)
        return book
