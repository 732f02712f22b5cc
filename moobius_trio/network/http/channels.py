"""Calls about bands ("channels"): who is in them.

Each call is one of docs/protocol/generation-0.md section 2.2; bodies are written and read by the
codec, requests are made by the account.
"""

from __future__ import annotations

from moobius_trio.codec import http0
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import get
from moobius_trio.types import ChannelId, Character, ServiceId

__all__ = ("ChannelCalls",)


class ChannelCalls:
    """The part of ``HttpApi`` about bands."""

    _account: Account

    async def get_channel_user_list(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Character, ...]:
        """The people in a band, in the platform's order; the service has to hold the band."""
        query = {"channel_id": channel_id, "service_id": service_id}
        return await self._account.call(get("/channel/userlist", query), http0.decode_user_list)

    async def fetch_real_characters(
        self, channel_id: ChannelId, service_id: ServiceId
    ) -> tuple[Character, ...]:
        """The same list under its other name: people are real, figures of a service are not."""
        return await self.get_channel_user_list(channel_id, service_id)
