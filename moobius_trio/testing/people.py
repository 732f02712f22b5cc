"""People with sockets of their own, on a platform that runs in another process.

For tests of whole programs; where platform and test share a process, `actors` are easier to use.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import httpx

from moobius_trio.codec.generation0 import decode_for_user, encode_from_user
from moobius_trio.codec.http0 import decode_tokens
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.websocket import FrameStream, websocket_connector
from moobius_trio.types import (
    ChannelId,
    Content,
    MessageDown,
    RequestId,
    UserAction,
    UserCommand,
    UserEvent,
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("BAND", "User", "open_user")

BAND = ChannelId("local-demo")


@attrs.frozen
class User:
    """A person with a socket of their own."""

    user_id: UserId
    stream: FrameStream
    channel_id: ChannelId = BAND

    async def send(self, command: UserCommand) -> None:
        """Send one frame up."""
        await self.stream.send_text(
            encode_from_user(
                command, request_id=RequestId("r"), client_id=self.user_id, timestamp=1
            )
        )

    async def say(self, text: str, *to: UserId) -> None:
        """Say something in the band."""
        await self.send(
            UserMessage(channel_id=self.channel_id, content=Content(text=text), recipients=to)
        )

    async def until(self, fits: Callable[[UserEvent], bool]) -> UserEvent:
        """Read until something comes that fits."""
        while True:
            event = decode_for_user(await self.stream.receive_text())
            if fits(event):
                return event

    async def hears(self, text: str) -> None:
        """Read until somebody says this."""
        await self.until(lambda event: isinstance(event, MessageDown) and event.text == text)

    async def close_code(self) -> int | None:
        """Read to the end of the connection; gives the code it was closed with."""
        try:
            await self.until(lambda event: False)
        except ConnectionLost as exc:
            return exc.code
        raise AssertionError("the connection has no end")


@asynccontextmanager
async def open_user(
    url: str, name: str, channel_id: ChannelId = BAND, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[User]:
    """Sign in as a guest at a local platform, connect, and join a band.

    Args:
        url: the platform's address, as in the ready line.
        channel_id: the band's id.
        tls: for a platform of ``local --tls``, whom to trust (``network.tls.trusting``).
    """
    secure = tls if tls is not None else True
    async with httpx.AsyncClient(base_url=url, verify=secure, trust_env=False) as client:
        reply = await client.post("/local/guest", json={"name": name})
    data = reply.json()["data"]
    async with websocket_connector(url.replace("http", "ws", 1) + "/", tls=tls)() as stream:
        user = User(UserId(data["user_id"]), stream, channel_id)
        await user.send(UserLogin(access_token=decode_tokens(data).access.reveal()))
        await user.send(UserAction(subtype="join_channel", channel_id=channel_id))
        yield user
