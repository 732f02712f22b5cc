"""The load platform: a process of its own that does as little as it can.

It speaks just enough of both generations for a service to start, sends messages up as fast as
replies come down, and measures. picows, a WebSocket server written in C, on uvloop: so that it is
not what is measured. Facts: docs/protocol/generation-0.md and generation-1.md, sections 2 and 3.

Run: ``python load_platform.py [--cert FILE]``. It prints one line of JSON with its addresses. Then
each line of the input is an order, and each line it prints the answer: ``wait`` until a service is
logged in and has its bands, ``echo`` a number of messages, ``flood`` with so many, ``counts``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

Order = dict[str, Any]

USER = "11111111-1111-4111-8111-111111111111"
GROUP = "22222222-2222-4222-8222-222222222222"
SERVICE = "33333333-3333-4333-8333-333333333333"
MANY = 100_000
"""Latencies kept."""


class Load:
    """What the platform knows: the service's connection, and the run that is under way."""

    def __init__(self, delay: float, members: int) -> None:
        self.delay = delay
        self.members = members
        self.requests: Counter[str] = Counter()
        self.transport: WSTransport | None = None
        self.logged_in = asyncio.Event()
        self.send_next: Callable[[bytes], None] = lambda frame: None
        self.copies = True
        self.connections = 0

    def take(self, transport: WSTransport, payload: bytes) -> None:
        """One frame of the service."""
        if b"message_down" in payload[:64] or b"msg_down" in payload[:64]:
            self.send_next(payload)
            kind = b"message_down" if b"message_down" in payload[:64] else b"msg_down"
            if self.copies:
                self.answer(transport, kind, request_id_of(payload))
            return
        frame = json.loads(payload)
        kind = frame["type"]
        self.answer(transport, kind.encode(), frame.get("request_id", "").encode())
        if kind == "service_login":
            self.transport = transport
            self.logged_in.set()

    def answer(self, transport: WSTransport, kind: bytes, request_id: bytes) -> None:
        """A receipt."""
        name = b"copy_client" if kind in (b"msg_down", b"ping") else b"copy"
        transport.send(
            WSMsgType.TEXT,
            b'{"type":"%b","body":{"request_id":"%b","origin_type":"%b","status":true,'
            b'"context":{}}}' % (name, request_id, kind),
        )


def request_id_of(payload: bytes) -> bytes:
    """The id of a frame, without reading the rest of it."""
    start = payload.index(b'"request_id"') + 12
    start = payload.index(b'"', start) + 1
    return payload[start : payload.index(b'"', start)]


class Service(WSListener):
    """One connection."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self._parts: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._load.connections += 1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            if frame.fin and not self._parts:
                self._load.take(transport, frame.get_payload_as_bytes())
                return
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                self._load.take(transport, b"".join(self._parts))
                self._parts.clear()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._load.transport is transport:
            self._load.transport = None
            self._load.logged_in.clear()


class Http(asyncio.Protocol):
    """Just enough of HTTP/1.1 for the calls of a start, each answered after the delay."""

    def __init__(self, load: Load) -> None:
        self._load = load
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
        if self._load.delay:
            await asyncio.sleep(self._load.delay)
        if before is not None:
            await before
        split = urlsplit(target)
        path = "/" + split.path.lstrip("/")
        self._load.requests[f"{method} {path}"] += 1
        data = data_of(self._load, path, parse_qs(split.query), body)
        content = json.dumps({"code": 10000, "msg": "ok", "message": "ok", "data": data}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(content)).encode()
            + b"\r\n\r\n"
            + content
        )


def person(number: int) -> dict[str, object]:
    """A member as generation 0 shows one."""
    profile = {"nickname": f"user {number}", "avatar": "", "description": ""}
    return {"user_id": user_id(number), "username": f"user{number}", "user_context": profile}


def character(character_id: str) -> dict[str, object]:
    """A member as generation 1 shows one."""
    profile = {"name": character_id[:8], "avatar": "", "description": ""}
    return {"character_id": character_id, "character_context": profile}


def user_id(number: int) -> str:
    """The id of a member; the first one is who speaks."""
    return USER if number == 0 else str(uuid.UUID(int=number))


def data_of(load: Load, path: str, query: dict[str, list[str]], body: bytes) -> object:
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
            return {"userlist": [person(number) for number in range(load.members)]}
        case "/channel/character_list":
            return {"character_list": [user_id(number) for number in range(load.members)]}
        case "/character/fetch_profile":
            return [character(one) for one in json.loads(body)["character_list"]]
        case "/service/group/create":
            return GROUP
        case "/user/group" | "/service/group":
            return {"characters": [USER]}
    return None


def frame_up(generation: int, band: str, text: str, number: int, recipients: str) -> bytes:
    """A message of the user."""
    body: dict[str, object]
    if generation == 0:
        body = {
            "subtype": "text",
            "channel_id": band,
            "content": {"text": text},
            "timestamp": 1_700_000_000_000,
            "msg_id": str(uuid.UUID(int=number)),
            "recipients": [],
            "context": {"sender": USER, "recipients": [], "group_id": None},
        }
        return json.dumps({"type": "msg_up", "body": body}).encode()
    body = {
        "subtype": "text",
        "channel_id": band,
        "content": {"text": text},
        "timestamp": 1_700_000_000_000,
        "recipients": recipients,
        "message_id": str(uuid.UUID(int=number)),
        "sender": USER,
    }
    return json.dumps({"type": "message_up", "body": body}).encode()


async def echo(load: Load, order: Order) -> dict[str, object]:
    """Keep a number of messages on their way until all have been answered."""
    count, window, size = order["messages"], order["window"], order["size"]
    bands: list[str] = order["bands"]
    generation: int = order["generation"]
    recipients: str = order.get("recipients", "service")
    load.copies = order.get("copies", True)
    await load.logged_in.wait()
    transport = load.transport
    if transport is None:
        raise RuntimeError("the service has gone")
    numbers = iter(range(order["first"], order["first"] + count))
    empty = len(frame_up(generation, bands[0], "", 0, recipients))
    text = "x" * max(1, size - empty)
    frames = deque(
        frame_up(generation, bands[number % len(bands)], text, number, recipients)
        for number in numbers
    )
    latencies: list[float] = []
    sent_at: deque[float] = deque()
    done = asyncio.get_running_loop().create_future()
    left = count
    clock = time.perf_counter

    def send() -> None:
        sent_at.append(clock())
        transport.send(WSMsgType.TEXT, frames.popleft())

    def next_one(payload: bytes) -> None:
        nonlocal left
        left -= 1
        if len(latencies) < MANY:
            latencies.append(clock() - sent_at.popleft())
        if frames:
            send()
        elif left == 0:
            done.set_result(None)

    load.send_next = next_one
    began = clock()
    for _ in range(min(window, count)):
        send()
    await asyncio.wait_for(done, order.get("seconds", 120))
    seconds = clock() - began
    ranked = sorted(latencies)
    return {
        "messages": count,
        "seconds": seconds,
        "p50": statistics.median(ranked),
        "p99": ranked[int(len(ranked) * 0.99)],
    }


async def flood(load: Load, order: Order) -> dict[str, object]:
    """Send so many messages without waiting for an answer; say when the socket took them all."""
    await load.logged_in.wait()
    transport = load.transport
    if transport is None:
        raise RuntimeError("the service has gone")
    load.send_next = lambda frame: None
    under = transport.underlying_transport
    began = time.perf_counter()
    for number in range(order["messages"]):
        band = order["bands"][number % len(order["bands"])]
        frame = frame_up(order["generation"], band, "x" * 100, order["first"] + number, "service")
        transport.send(WSMsgType.TEXT, frame)
        if number % 100 == 0:
            await asyncio.sleep(0)
            while under.get_write_buffer_size() > 1_000_000:
                if time.perf_counter() - began > order["seconds"]:
                    return {"sent": number, "seconds": time.perf_counter() - began}
                await asyncio.sleep(0.01)
    return {"sent": order["messages"], "seconds": time.perf_counter() - began}


async def carry_out(load: Load, order: Order) -> dict[str, object]:
    """One order."""
    match order["do"]:
        case "wait":
            await asyncio.wait_for(load.logged_in.wait(), order.get("seconds", 60))
            return {}
        case "echo":
            return await echo(load, order)
        case "flood":
            return await flood(load, order)
        case "settings":
            load.delay, load.members = order["delay"], order["members"]
            load.requests.clear()
            return {}
        case "counts":
            return {"requests": dict(load.requests), "connections": load.connections}
    raise ValueError(f"no order {order['do']!r}")


async def main(cert: str | None) -> None:
    """Serve until the input ends."""
    load = Load(0.0, 1)
    tls = None
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert)
    loop = asyncio.get_running_loop()
    sockets = await ws_create_server(lambda request: Service(load), "127.0.0.1", 0, ssl=tls)
    http = await loop.create_server(lambda: Http(load), "127.0.0.1", 0)  # the calls stay plain
    ws_port, http_port = (one.sockets[0].getsockname()[1] for one in (sockets, http))
    answer({"ws": ws_port, "http": http_port})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer(await carry_out(load, json.loads(line)))
        except (TimeoutError, RuntimeError) as error:
            answer({"error": f"{type(error).__name__}: {error}"})


def answer(value: object) -> None:
    """One line for whoever gave the order."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cert", help="a file with a key and certificates: serve TLS")
    uvloop.run(main(parser.parse_args().cert))
