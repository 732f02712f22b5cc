"""Clients of a local platform that write every frame and call themselves, of either generation.

For tests of what stands on the wire: nothing here uses the codec, so that what it reads and writes
is what docs/protocol/ says. No service, link or page.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeAlias

import httpx
import trio

from moobius_trio.errors import ConnectionLost
from moobius_trio.local import DEFAULT_BAND, Knobs, Platform, open_platform
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.inline import run_inline

__all__ = ("AGENTS", "BASE", "Caller", "Json", "Wire", "Wires", "open_wires")

Json: TypeAlias = dict[str, Any]

BASE: Final = "http://127.0.0.1:8000"
AGENTS: Final[Mapping[int, str]] = {0: "python-requests/2.31.0", 1: "Python/3.11 aiohttp/3.9.5"}
"""The ``User-Agent`` of each generation's original client."""

SECONDS: Final = 20.0
"""A frame or close that does not come fails the test instead of holding it up for ever."""


class Caller:
    """Somebody who is signed in, and their HTTP calls.

    Attributes:
        generation: which one they speak.
        headers: of all their calls.
        token: their access token.
    """

    def __init__(self, http: httpx.AsyncClient, generation: Literal[0, 1]) -> None:
        self._http = http
        self.generation = generation
        self.headers = {"User-Agent": AGENTS[generation]}
        self.token = ""
        self.refresh_token = ""

    async def sign_in(self, email: str, password: str = "p") -> Json:
        """Sign in; gives the envelope of the reply."""
        body = {"username": email, "password": password}
        reply: Json = (await self.call("POST", "/auth/sign_in", body)).json()
        if reply["code"] == 10_000:
            result = reply["data"]["AuthenticationResult"]
            self.token, self.refresh_token = result["AccessToken"], result["RefreshToken"]
            self.headers["Auth-Origin"] = "cognito"
            self.headers["Authorization"] = f"Bearer {self.token}"
        return reply

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One call; ``body`` is posted as JSON."""
        content = None if body is None else json.dumps(body)
        headers = {**self.headers, "Content-Type": "application/json"}
        return await self._http.request(method, path, content=content, headers=headers)

    async def data(self, method: str, path: str, body: object = None) -> Any:
        """The data of a call that succeeds.

        Raises:
            AssertionError: it fails, or its reply is not as both generations need it.
        """
        reply = await self.call(method, path, body)
        envelope = reply.json()
        assert envelope["code"] == 10_000, envelope
        assert reply.headers["content-type"] == "application/json"
        return envelope["data"]


class Wire:
    """One connection, frame by frame.

    Attributes:
        who: the id of the service or user on it.
    """

    def __init__(self, stream: MemoryFrameStream, caller: Caller, who: str) -> None:
        self.stream = stream
        self.caller = caller
        self.who = who
        self._numbers = itertools.count(1)

    async def put(self, frame: Json) -> str:
        """Send a frame as it is, with a request id if it has none, which is given back."""
        whole = {"request_id": f"{self.who}-{next(self._numbers)}", **frame}
        await self.stream.send_text(json.dumps(whole))
        return str(whole["request_id"])

    async def get(self, *kinds: str) -> Json:
        """The next frame, or the next one of these types."""
        with trio.fail_after(SECONDS):
            while True:
                frame: Json = json.loads(await self.stream.receive_text())
                if not kinds or frame.get("type") in kinds:
                    return frame

    async def receipt(self, frame: Json) -> Json:
        """Send a frame; gives the receipt for it and drops what comes before that."""
        name = await self.put(frame)
        while True:
            reply = await self.get("copy", "copy_client")
            if reply["body"]["request_id"] == name:
                return reply

    async def none_more(self, *kinds: str) -> bool:
        """Whether nothing of these types has come up to the receipt of a heartbeat sent now."""
        beat = "ping" if self.caller.generation == 0 else "heartbeat"
        name = await self.put({"type": beat, "body": {}})
        while True:
            frame = await self.get()
            if frame["body"].get("request_id") == name:
                return True
            if frame["type"] in kinds:
                return False

    async def log_in(self) -> Json:
        """The login of a service or of a user; gives the receipt."""
        return await self.receipt(self.login())

    def login(self) -> Json:
        """The frame of the login."""
        login = {"auth_origin": "cognito", "access_token": self.caller.token}
        if isinstance(self, ServiceWire):
            return {"type": "service_login", **login, "service_id": self.who}
        return {"type": "user_login", **login}

    async def closed(self) -> int | None:
        """Read until the connection ends; gives the code it was closed with."""
        with trio.fail_after(SECONDS):
            try:
                while True:
                    await self.stream.receive_text()
            except ConnectionLost as lost:
                return lost.code


class ServiceWire(Wire):
    """One of a service."""


class Wires:
    """A platform in memory, and clients of it; made by `open_wires`."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient, nursery: trio.Nursery) -> None:
        self.platform = platform
        self.http = http
        self._nursery = nursery

    async def caller(self, generation: Literal[0, 1], email: str) -> Caller:
        """Somebody with an account, signed in."""
        caller = Caller(self.http, generation)
        assert (await caller.sign_in(email))["code"] == 10_000
        return caller

    def stream(self) -> MemoryFrameStream:
        """A new connection."""
        near, far = memory_stream_pair()
        self._nursery.start_soon(self.platform.serve_socket, far)
        return near

    async def service(
        self, generation: Literal[0, 1], *, email: str = "service@x.org", band: str = DEFAULT_BAND
    ) -> ServiceWire:
        """A new service that holds the band, logged in."""
        caller = await self.caller(generation, email)
        made = await caller.data("POST", "/service/create", {"description": "d"})
        binding = {"channel_id": band, "service_id": made["service_id"]}
        await caller.data("POST", "/service/bind", binding)
        return await self.connect(caller, made["service_id"])

    async def connect(self, caller: Caller, service_id: str) -> ServiceWire:
        """A further connection of a service, logged in."""
        wire = ServiceWire(self.stream(), caller, service_id)
        assert (await wire.log_in())["body"]["status"] is True
        return wire

    async def user(
        self, generation: Literal[0, 1], name: str, *, band: str | None = DEFAULT_BAND
    ) -> Wire:
        """A user, logged in and, unless told otherwise, a member of the band."""
        caller = await self.caller(generation, f"{name}@x.org")
        info = await caller.data("GET", "/user/info")
        wire = Wire(self.stream(), caller, info["sub"])
        assert (await wire.log_in())["body"]["status"] is True
        if band is not None:
            await self.act(wire, "join_channel", band=band)
        return wire

    async def act(self, wire: Wire, subtype: str, *, band: str = DEFAULT_BAND) -> None:
        """A user's action, which is taken."""
        own = "client_id" if wire.caller.generation == 0 else "user_id"
        body = {"subtype": subtype, "channel_id": band, "context": {}}
        reply = await wire.receipt({"type": "action", own: wire.who, "body": body})
        assert reply["body"]["status"] is True, reply


@asynccontextmanager
async def open_wires(*, knobs: Knobs | None = None) -> AsyncIterator[Wires]:
    """A platform in memory for clients that are written out, as the block's value."""
    async with (
        trio.open_nursery() as nursery,
        open_platform(
            state=None,
            knobs=Knobs() if knobs is None else knobs,
            run_sync=run_inline,
            wall_clock=lambda: 1_700_000_000.0 + trio.current_time(),
            random=random.Random(1),
            password_work=16,
        ) as platform,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=platform.app), base_url=BASE) as http,
    ):
        yield Wires(platform, http, nursery)
        nursery.cancel_scope.cancel()
