"""Both generations of the protocol on one port: which one a connection speaks, and its frames.

Neither login tells (docs/protocol/generation-1.md section 8). So a connection begins with what is
known of its token, and the first frame that only one generation has settles it. What a frame means
is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from moobius_trio.codec import generation0, generation1
from moobius_trio.codec.frames import ClientFrame
from moobius_trio.codec.generations import Generation, generation_of_frame
from moobius_trio.local.groups import Groups
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.session import Session
from moobius_trio.local.state import State
from moobius_trio.types import (
    Character,
    Copy,
    ServiceEvent,
    UpdateUserList,
    UserEvent,
    UserId,
)

__all__ = ("Dialects",)

_SHOWN: Final = 10_000
"""Rows of character lists that are remembered."""


class Dialects:
    """Reads and writes frames in the generation that fits.

    Attributes:
        groups: what the groups are by which generation 1 names recipients.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.groups = Groups(state)
        self._shown: dict[UserId, Character] = {}

    def begin(self, session: Session, token: str) -> None:
        """Somebody logs in with this token."""
        session.access_token = token
        if session.settled:
            self._state.tokens.learn(token, session.generation)
        else:
            session.generation = self._state.tokens.generation(token)

    def decode(self, session: Session, text: str) -> ClientFrame:
        """What the client said.

        Raises:
            MalformedPayload: it is no frame, or names a group that there is not.
        """
        if not session.settled and (told := generation_of_frame(text)) is not None:
            session.generation, session.settled = told, True
            self._state.tokens.learn(session.access_token, told)
        if session.generation == 1:
            return generation1.decode_from_client(text, members_of=self.groups.members)
        return generation0.decode_from_client(text)

    def for_service(self, generation: Generation, event: ServiceEvent) -> str:
        """The frame that tells a service."""
        if generation == 1:
            return generation1.encode_for_service(event, group_of=self.groups.id_of)
        return generation0.encode_for_service(event)

    def for_user(self, generation: Generation, event: UserEvent) -> str:
        """The frame that tells a user's client."""
        if generation == 1:
            if isinstance(event, UpdateUserList):
                self._remember(event.user_list)
            return generation1.encode_for_user(event, group_of=self.groups.id_of)
        return generation0.encode_for_user(event)

    def receipt(self, session: Session, copy: Copy) -> str:
        """The frame that answers a client."""
        return self.for_service(session.generation, copy)

    def profiles(self, user_ids: Iterable[UserId]) -> tuple[Character, ...]:
        """The people or figures with these ids, in order. A row of a character list that the
        platform does not know, as a service of generation 0 may write one, is known by that.

        Raises:
            Refused: there is nobody of an id.
        """
        return tuple(map(self._profile, user_ids))

    def _profile(self, user_id: UserId) -> Character:
        found = self._state.world.character(user_id) or self._shown.get(user_id)
        if found is None:
            raise Refused(404, f"there is no user {user_id}")
        return found

    def _remember(self, rows: Iterable[Character]) -> None:
        for row in rows:
            if self._state.world.character(row.user_id) is None:
                self._shown.pop(row.user_id, None)
                self._shown[row.user_id] = row
                if len(self._shown) > _SHOWN:
                    del self._shown[next(iter(self._shown))]
