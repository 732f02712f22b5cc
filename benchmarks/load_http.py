"""The calls of the load platform: just enough of HTTP for services to start, each counted.

No WebSocket and no measuring here; the platform is load_platform.py. Facts:
docs/protocol/generation-0.md and generation-1.md, section 2.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ("USER", "Calls", "Http", "named")

USER = "11111111-1111-4111-8111-111111111111"
GROUP = "22222222-2222-4222-8222-222222222222"
ALL_BITS = 2**128 - 1
SERVICE = "33333333-3333-4333-8333-333333333333"


class Calls:
    """How calls are answered.

    Attributes:
        delay: seconds before each answer.
        members: of each band; the first of them speaks in all bands.
        strangers: nobody is in two bands.
        requests: how many there were, by method and path.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.members = 1
        self.strangers = False
        self.requests: Counter[str] = Counter()


def named(path: str) -> tuple[str, str]:
    """The name of the client in a path, and the rest of that."""
    first, _, rest = path.lstrip("/").partition("/")
    return (first[1:], rest) if first.startswith("~") else ("", path.lstrip("/"))


class Http(asyncio.Protocol):
    """Just enough of HTTP/1.1 for the calls of a start, each answered after the delay."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._data = b""
        self._transport: Any = None
        self._last: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode("latin-1")
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            method, target, _ = head.split(" ", 2)
            self._last = asyncio.ensure_future(self._reply(method, target, body, self._last))

    async def _reply(
        self, method: str, target: str, body: bytes, before: asyncio.Task[None] | None
    ) -> None:
        if self._calls.delay:
            await asyncio.sleep(self._calls.delay)
        if before is not None:
            await before
        split = urlsplit(target)
        path = "/" + named(split.path)[1].lstrip("/")
        self._calls.requests[f"{method} {path}"] += 1
        band = parse_qs(split.query).get("channel_id", [""])[0]
        data = data_of(self._calls, path, band, body)
        content = json.dumps({"code": 10000, "msg": "ok", "message": "ok", "data": data}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(content)).encode()
            + b"\r\n\r\n"
            + content
        )


def person(user_id: str) -> dict[str, object]:
    """A member as generation 0 shows one."""
    return {"user_id": user_id, "username": name_of(user_id), "user_context": profile(user_id)}


def profile(user_id: str) -> dict[str, str]:
    """What generation 0 says of somebody."""
    return {"nickname": name_of(user_id), "avatar": picture_of(user_id), "description": ""}


def character(character_id: str) -> dict[str, object]:
    """A member as generation 1 shows one."""
    name, avatar = name_of(character_id), picture_of(character_id)
    profile = {"name": name, "avatar": avatar, "description": ""}
    return {"character_id": character_id, "character_context": profile}


def name_of(user_id: str) -> str:
    """A name that nobody else has."""
    return f"user {user_id[-12:]}"


def picture_of(user_id: str) -> str:
    """An address as pictures have them."""
    return f"https://pictures.example.org/avatars/{user_id}.png"


def members(calls: Calls, band: str) -> list[str]:
    """Who is in a band."""
    if calls.strangers:
        first = uuid.UUID(band).int << 16
        return [str(uuid.UUID(int=first + number & ALL_BITS)) for number in range(calls.members)]
    return [USER, *(str(uuid.UUID(int=number)) for number in range(1, calls.members))]


def data_of(calls: Calls, path: str, band: str, body: bytes) -> object:
    """The data of a reply; null for all that has none."""
    match path:
        case "/auth/sign_in" | "/auth/refresh":
            return {"AuthenticationResult": {"AccessToken": "access", "RefreshToken": "refresh"}}
        case "/service/create":
            return {"service_id": SERVICE}
        case "/service/list" | "/service/user/list" | "/service/character/list":
            return []
        case "/user/group/list" | "/user/group/temp":
            return []
        case "/channel/userlist":
            return {"userlist": [person(one) for one in members(calls, band)]}
        case "/channel/character_list":
            return {"character_list": members(calls, band)}
        case "/character/fetch_profile":
            return [character(one) for one in json.loads(body)["character_list"]]
        case "/service/group/create":
            return GROUP
        case "/user/group" | "/service/group":
            return {"characters": [USER]}
    return None
