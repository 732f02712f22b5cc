"""Calls about people and characters: profiles, and who the account itself is.

Each call is one of section 2.2 of docs/protocol/generation-0.md or generation-1.md; bodies are
written and read by the codec, requests are made by the account.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.errors import ApiError
from moobius_trio.network.http.calls import get, ignored, post
from moobius_trio.network.http.subject import Subject
from moobius_trio.network.side_by_side import side_by_side
from moobius_trio.types import Character, UserId, UserInfo, as_tuple

__all__ = ("UserCalls",)

PROFILE_PATH = "/character/fetch_profile"
INFO_PATH = "/user/info"
PROFILES_AT_ONCE = 200
"""So that neither request nor reply outgrows what is parsed."""


class UserCalls(Subject):
    """The part of ``HttpApi`` about people and characters."""

    async def fetch_user_profile(self, user_id: UserId) -> Character:
        """The profile of a person or character.

        Raises:
            ApiError: also when the platform answers without this profile.
        """
        if self._old:
            call = post("/user/fetch_profile", http0.encode_fetch_profile(user_id), idempotent=True)
            return await self._account.call(call, partial(http0.decode_profile, user_id=user_id))
        found = await self.fetch_profiles([user_id])
        if not found:
            raise ApiError(PROFILE_PATH, f"the reply has no profile of {user_id}", status=200)
        return found[0]

    async def fetch_profiles(self, user_ids: Iterable[UserId]) -> tuple[Character, ...]:
        """Profiles of people and characters, in the order of ``user_ids``.

        Asked for in lists of up to 200, in generation 0 one by one, up to 16 calls side by side.
        Whose profile the platform leaves out is missing; in generation 0 that is an ``ApiError``.
        """
        ids = tuple(dict.fromkeys(as_tuple(user_ids)))
        if self._old:
            return tuple(await side_by_side(self.fetch_user_profile, ids))

        async def fetch(start: int) -> tuple[Character, ...]:
            body = http1.encode_fetch_profiles(ids[start : start + PROFILES_AT_ONCE])
            call = post(PROFILE_PATH, body, idempotent=True)
            return await self._account.call(call, http1.decode_characters)

        lists = await side_by_side(fetch, range(0, len(ids), PROFILES_AT_ONCE))
        found = {character.user_id: character for part in lists for character in part}
        return tuple(found[each] for each in ids if each in found)

    async def fetch_user_info(self) -> UserInfo:
        """The account's own user; generation 0 tells nothing but its id."""
        if self._old:
            user_id = await self._account.call(get(INFO_PATH), http0.decode_user_info)
            return UserInfo(user_id=user_id)
        return await self._account.call(get(INFO_PATH), http1.decode_user_info)

    async def update_current_user(self, name: str, avatar: str, description: str) -> None:
        """Change the profile that others see of the account's own user; all three are written.

        ``avatar`` is the address of a picture, empty for none.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("update_current_user")
        body = http1.encode_update_user(name, avatar, description)
        await self._account.call(post(INFO_PATH, body, idempotent=True), ignored)
