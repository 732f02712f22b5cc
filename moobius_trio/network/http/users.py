"""Calls about people and characters: profiles, groups, and who the account itself is.

Each call is one of docs/protocol/generation-0.md section 2.2; bodies are written and read by the
codec, requests are made by the account.
"""

from __future__ import annotations

from functools import partial

from moobius_trio.codec import http0
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import get, post
from moobius_trio.types import ChannelId, Character, GroupId, UserId

__all__ = ("UserCalls",)


class UserCalls:
    """The part of ``HttpApi`` about people and characters."""

    _account: Account

    async def fetch_user_profile(self, user_id: UserId) -> Character:
        """The profile of a person or character."""
        call = post("/user/fetch_profile", http0.encode_fetch_profile(user_id), idempotent=True)
        return await self._account.call(call, partial(http0.decode_profile, user_id=user_id))

    async def fetch_user_from_group(
        self, user_id: UserId, channel_id: ChannelId, group_id: GroupId
    ) -> Character:
        """A member of a group of recipients."""
        query = {"user_id": user_id, "channel_id": channel_id, "group_id": group_id}
        return await self._account.call(get("/user/group", query), http0.decode_character)

    async def fetch_user_info(self) -> UserId:
        """The account's own user id."""
        return await self._account.call(get("/user/info"), http0.decode_user_info)
