"""Calls about services: which there are, making one, binding it to bands, its characters.

Each call is one of section 2.2 of docs/protocol/generation-0.md or generation-1.md; bodies are
written and read by the codec, requests are made by the account.
"""

from __future__ import annotations

import attrs

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.network.http.calls import get, ignored, post
from moobius_trio.network.http.subject import Subject
from moobius_trio.types import ChannelId, Character, ServiceId, ServiceInfo, UserId

__all__ = ("ServiceCalls",)


class ServiceCalls(Subject):
    """The part of ``HttpApi`` about services."""

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
        await self._account.call(post("/service/bind", body, idempotent=True), ignored)
        return True

    async def unbind_service_from_channel(
        self, service_id: ServiceId, channel_id: ChannelId
    ) -> None:
        """Take a band from a service."""
        body = http0.encode_binding(service_id, channel_id)
        await self._account.call(post("/service/unbind", body, idempotent=True), ignored)

    async def create_service_user(
        self, service_id: ServiceId, username: str, nickname: str, avatar: str, description: str
    ) -> Character:
        """Make a character of a service; ``avatar`` is the address of a picture, empty for none.

        Generation 1 has no ``username``: it is in what is given here, and the platform forgets it.
        Not made again after a failure that may have come too late.
        """
        if self._old:
            body = http0.encode_create_character(
                service_id, username, nickname, avatar, description
            )
            call = post("/service/user/create", body, idempotent=False)
            return await self._account.call(call, http0.decode_character)
        body = http1.encode_create_character(service_id, nickname, avatar, description)
        call = post("/service/character/create", body, idempotent=False)
        made = await self._account.call(call, http1.decode_character)
        return attrs.evolve(made, username=username)

    async def get_service_user_list(self, service_id: ServiceId) -> tuple[Character, ...]:
        """The characters that a service has made, in the platform's order."""
        query = {"service_id": service_id}
        if self._old:
            call = get("/service/user/list", query)
            return await self._account.call(call, http0.decode_characters)
        call = get("/service/character/list", query)
        return await self._account.call(call, http1.decode_characters)

    async def create_agent(
        self, service_id: ServiceId, name: str, avatar: str = "", description: str = ""
    ) -> Character:
        """Make a character of a service: ``create_service_user`` in the words of generation 1."""
        return await self.create_service_user(service_id, name, name, avatar, description)

    async def update_agent(
        self, service_id: ServiceId, character_id: UserId, name: str, avatar: str, description: str
    ) -> None:
        """Change a character of a service; all three texts are written.

        Raises:
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("update_agent")
        body = http1.encode_update_character(service_id, character_id, name, avatar, description)
        await self._account.call(post("/service/character/update", body, idempotent=True), ignored)

    async def fetch_agents(self, service_id: ServiceId) -> tuple[Character, ...]:
        """The characters that a service has made, in the words of generation 1."""
        return await self.get_service_user_list(service_id)
