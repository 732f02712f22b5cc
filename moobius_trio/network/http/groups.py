"""Calls about groups: lists of recipients that the platform knows by an id.

In generation 1 recipients on the socket are groups (docs/protocol/generation-1.md section 3.5).
What is remembered of them is not kept here: each call asks the platform.
"""

from __future__ import annotations

from collections.abc import Iterable

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.errors import ApiError
from moobius_trio.network.http.calls import get, post
from moobius_trio.network.http.users import UserCalls
from moobius_trio.types import (
    ChannelId,
    Character,
    Group,
    GroupId,
    ServiceId,
    UserId,
    as_tuple,
)

__all__ = ("GroupCalls",)

GROUP_PATH = "/user/group"
NEW_GROUP = GroupId("")


class GroupCalls(UserCalls):
    """The part of ``HttpApi`` about groups."""

    async def create_group(self, members: Iterable[UserId]) -> GroupId:
        """Make a group of recipients for a service; its order is kept.

        Not made again after a failure that may have come too late.
        """
        return await self.create_service_group(NEW_GROUP, members)

    async def create_service_group(
        self, group_id: GroupId, user_uuids: Iterable[UserId]
    ) -> GroupId:
        """Make a group of recipients and give the id that the platform knows it by.

        Not made again after a failure that may have come too late.
        """
        members = as_tuple(user_uuids)
        encode = http0.encode_create_group if self._old else http1.encode_create_group
        call = post("/service/group/create", encode(group_id, members), idempotent=False)
        decode = http0.decode_group if self._old else http1.decode_group
        return await self._account.call(call, decode)

    async def create_channel_group(
        self, channel_id: ChannelId, members: Iterable[UserId], name: str = "moobius_trio"
    ) -> GroupId:
        """Make a group of recipients for messages of the account's own user in a band.

        Not made again after a failure that may have come too late.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("create_channel_group")
        body = http1.encode_channel_group(channel_id, name, as_tuple(members))
        call = post(f"{GROUP_PATH}/create", body, idempotent=False)
        return await self._account.call(call, http1.decode_group)

    async def fetch_group(
        self, group_id: GroupId, channel_id: ChannelId, user_id: UserId
    ) -> tuple[UserId, ...]:
        """Who is in a group that ``user_id`` sent a message to, in order.

        Raises:
            ApiError: also when the platform has no such group. It is never an empty list then,
                which would mean a message to the Service.
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_group")
        query = {"group_id": group_id, "channel_id": channel_id, "user_id": user_id}
        return await self._account.call(get(GROUP_PATH, query), http1.decode_members)

    async def fetch_service_group(self, group_id: GroupId) -> tuple[UserId, ...]:
        """Who is in a group that a service made, in order.

        Raises:
            ApiError: also when the platform has no such group.
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_service_group")
        call = get("/service/group", {"group_id": group_id})
        return await self._account.call(call, http1.decode_members)

    async def fetch_channel_groups(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Group, ...]:
        """The groups of a band, with their members.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_channel_groups")
        query = {"channel_id": channel_id, "service_id": service_id}
        return await self._account.call(get(f"{GROUP_PATH}/list", query), http1.decode_groups)

    async def fetch_temp_groups(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Group, ...]:
        """The temporary groups of a band, with their members.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_temp_groups")
        query = {"channel_id": channel_id, "service_id": service_id}
        return await self._account.call(get(f"{GROUP_PATH}/temp", query), http1.decode_groups)

    async def fetch_user_from_group(
        self, user_id: UserId, channel_id: ChannelId, group_id: GroupId
    ) -> Character:
        """A member of a group of recipients. Generation 1 takes two calls for it.

        Raises:
            ApiError: also when the user is not in the group.
        """
        if self._old:
            query = {"user_id": user_id, "channel_id": channel_id, "group_id": group_id}
            return await self._account.call(get(GROUP_PATH, query), http0.decode_character)
        if user_id not in await self.fetch_group(group_id, channel_id, user_id):
            raise ApiError(GROUP_PATH, f"{user_id} is not in the group", status=200)
        return await self.fetch_user_profile(user_id)
