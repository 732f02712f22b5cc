"""Calls about services: which there are, making one, binding it to bands, its characters.

Each call is one of docs/protocol/generation-0.md section 2.2; bodies are written and read by the
codec, requests are made by the account.
"""

from __future__ import annotations

from collections.abc import Iterable

from moobius_trio.codec import http0
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import get, post
from moobius_trio.types import ChannelId, Character, GroupId, ServiceId, ServiceInfo, UserId

__all__ = ("ServiceCalls",)


class ServiceCalls:
    """The part of ``HttpApi`` about services."""

    _account: Account

    async def get_service_list(self) -> tuple[ServiceInfo, ...]:
        """The account's services with the bands each holds, in the platform's order."""
        return await self._account.call(get("/service/list"), http0.decode_services)

    async def create_service(self, description: str) -> ServiceId:
        """Make a service. Not made again after a failure that may have come too late."""
        body = http0.encode_create_service(description)
        call = post("/service/create", body, idempotent=False)
        return await self._account.call(call, http0.decode_service_id)

    async def bind_service_to_channel(self, service_id: ServiceId, channel_id: ChannelId) -> bool:
        """Give a band to a service. True always: a refusal is an ``ApiError``, not a False."""
        body = http0.encode_binding(service_id, channel_id)
        await self._account.call(post("/service/bind", body, idempotent=True), _ignored)
        return True

    async def unbind_service_from_channel(
        self, service_id: ServiceId, channel_id: ChannelId
    ) -> None:
        """Take a band from a service."""
        body = http0.encode_binding(service_id, channel_id)
        await self._account.call(post("/service/unbind", body, idempotent=True), _ignored)

    async def create_service_user(
        self, service_id: ServiceId, username: str, nickname: str, avatar: str, description: str
    ) -> Character:
        """Make a character of a service; ``avatar`` is the address of a picture, empty for none.

        Not made again after a failure that may have come too late.
        """
        body = http0.encode_create_character(service_id, username, nickname, avatar, description)
        call = post("/service/user/create", body, idempotent=False)
        return await self._account.call(call, http0.decode_character)

    async def get_service_user_list(self, service_id: ServiceId) -> tuple[Character, ...]:
        """The characters that a service has made, in the platform's order."""
        call = get("/service/user/list", {"service_id": service_id})
        return await self._account.call(call, http0.decode_characters)

    async def create_service_group(
        self, group_id: GroupId, user_uuids: Iterable[UserId]
    ) -> GroupId:
        """Make a group of recipients and give the id that the platform knows it by.

        Not made again after a failure that may have come too late.
        """
        body = http0.encode_create_group(group_id, user_uuids)
        call = post("/service/group/create", body, idempotent=False)
        return await self._account.call(call, http0.decode_group)


def _ignored(data: object) -> None:
    """For answers whose data says nothing."""
