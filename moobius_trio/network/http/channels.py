"""Calls about bands ("channels"): who is in them, which there are, making and naming them.

Each call is one of section 2.2 of docs/protocol/generation-0.md or generation-1.md; bodies are
written and read by the codec, requests are made by the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.network.http.calls import get, ignored, post
from moobius_trio.network.http.users import UserCalls
from moobius_trio.network.side_by_side import MOST_CALLS, side_by_side
from moobius_trio.types import ChannelId, Character, ServiceId, UserId

__all__ = ("ChannelCalls",)


class ChannelCalls(UserCalls):
    """The part of ``HttpApi`` about bands."""

    async def get_channel_user_list(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Character, ...]:
        """The people in a band, in the platform's order; the service has to hold the band.

        Generation 1 takes two calls for it. Whose profile it leaves out has the id as nickname.
        """
        if self._old:
            query = {"channel_id": channel_id, "service_id": service_id}
            return await self._account.call(get("/channel/userlist", query), http0.decode_user_list)
        return (await self.get_channel_user_lists([channel_id], service_id))[0]

    async def get_channel_user_lists(
        self, channel_ids: Sequence[ChannelId], service_id: ServiceId
    ) -> list[tuple[Character, ...]]:
        """The people in each of many bands, as `get_channel_user_list` gives them for one.

        Up to 32 calls run side by side. In generation 1 the profiles of all bands are asked for
        together, and whoever is in several bands once.
        """
        if self._old:
            fetch = partial(self.get_channel_user_list, service_id=service_id)
            return await side_by_side(fetch, channel_ids, MOST_CALLS)
        fetch_ids = partial(self.fetch_member_ids, service_id=service_id)
        lists = await side_by_side(fetch_ids, channel_ids, MOST_CALLS)
        profiles = await self.fetch_profiles(chain.from_iterable(lists))
        known = {each.user_id: each for each in profiles}
        return [
            tuple(known.get(each) or Character(user_id=each, nickname=each) for each in ids)
            for ids in lists
        ]

    async def fetch_real_characters(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Character, ...]:
        """The same list under its other name: people are real, figures of a service are not."""
        return await self.get_channel_user_list(channel_id, service_id)

    async def fetch_member_ids(
        self, channel_id: ChannelId, service_id: ServiceId | UserId
    ) -> tuple[UserId, ...]:
        """The ids of the people in a band, in the platform's order.

        A program that is a user gives its own id as ``service_id`` (generation 1).
        """
        query = {"channel_id": channel_id, "service_id": service_id}
        if self._old:
            call = get("/channel/userlist", query)
            people = await self._account.call(call, http0.decode_user_list)
            return tuple(each.user_id for each in people)
        call = get("/channel/character_list", query)
        return await self._account.call(call, http1.decode_member_ids)

    async def create_channel(self, name: str, description: str = "") -> ChannelId:
        """Make a band. No service holds it yet: ``bind_service_to_channel`` comes next.

        Not made again after a failure that may have come too late.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("create_channel")
        body = http1.encode_create_channel(name, description)
        call = post("/channel/create", body, idempotent=False)
        return await self._account.call(call, http1.decode_channel_id)

    async def update_channel(self, channel_id: ChannelId, name: str, description: str) -> None:
        """Give a band its name and description; both are written.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("update_channel")
        body = http1.encode_update_channel(channel_id, name, description)
        await self._account.call(post("/channel/update", body, idempotent=True), ignored)

    async def fetch_popular_channels(self) -> tuple[ChannelId, ...]:
        """The bands that the platform shows to everybody, in its order.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_popular_channels")
        return await self._account.call(get("/channel/popular"), http1.decode_channel_ids)

    async def fetch_channel_list(self) -> tuple[ChannelId, ...]:
        """The bands of the account's own user, in the platform's order.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_channel_list")
        return await self._account.call(get("/channel/list"), http1.decode_channel_ids)
