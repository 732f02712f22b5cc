"""The load platform: a process of its own that does as little as it can.

It speaks just enough of both generations for services to start, sends messages up as fast as
replies come down, and measures. picows, a WebSocket server written in C, on uvloop: so that it is
not what is measured. Facts: docs/protocol/generation-0.md and generation-1.md, sections 2 and 3.
What is measured, and of whom, is not known here.

Run: ``python load_platform.py [--cert FILE]``. It prints one line of JSON with its ports; HTTP is
always a plain one. Then each line of the input is an order, ``{"do": …}``, and each line it prints
the answer. An order may name a ``client``: whoever connects under ``/~NAME``, and asks for
``/~NAME/…``; without a name it is the one without. One whose name begins with ``bare`` gives
everything back as it came, and never logs in.

- ``settings``: seconds of ``delay`` before each answer to a call, ``members`` of each band, and
  whether they are ``strangers`` to those of all others; of a client whether it gets ``copies``,
  which are the platform's receipts. All may be left out; the counts begin anew.
- ``wait``: until the client is there and has logged in; ``seconds`` at most.
- ``echo``: keep ``window`` frames of ``size`` bytes on their way for ``seconds``, in turn to each
  of the ``bands``, to ``recipients`` (``service``, or a group's id), as ``generation`` has it. The
  text repeats the letter ``text``, by which a service may know what to do. With one on its way at
  a time the platform does not sleep meanwhile: a core takes as long to wake up as a service to
  answer, and whoever sends would spend time on waking it. Given are ``messages``,
  ``rate`` (answers each second, until all have come), ``p50`` and ``p99`` (seconds from the n-th
  frame to the n-th answer).
- ``flood``: send ``messages`` without waiting for answers, for ``seconds`` at most; given are
  ``sent`` and ``seconds``, when the socket has taken them all.
- ``counts``: ``requests`` by method and path, ``connections``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import uvloop
from load_http import USER, Calls, Http, named
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

Order = dict[str, Any]

MESSAGE = "44444444-4444-4444-8444-"
BARE = "bare"
PATIENCE = 60.0
"""Seconds for the last answers."""
LOW = 1_000_000
"""Bytes that may wait for the socket in a flood."""


def ignore(payload: bytes) -> None:
    """What a client says while nothing is measured."""


class Client:
    """Somebody who is measured, and the run that is under way."""

    def __init__(self, name: str) -> None:
        self.bare = name.startswith(BARE)
        self.copies = True
        self.transport: WSTransport | None = None
        self.logged_in = asyncio.Event()
        self.numbers = count(1)
        self.answered: Callable[[bytes], None] = ignore
        self.lost: Callable[[], None] = lambda: None

    def come(self, transport: WSTransport) -> None:
        """It has connected, and counts as logged in."""
        self.transport = transport
        self.logged_in.set()

    def go(self, transport: WSTransport) -> None:
        """A connection of it has ended."""
        if self.transport is transport:
            self.transport = None
            self.logged_in.clear()
            self.lost()

    def take(self, transport: WSTransport, payload: bytes) -> None:
        """One frame of it."""
        if self.bare:
            self.answered(payload)
        elif b"message_down" in payload[:64] or b"msg_down" in payload[:64]:
            self.answered(payload)
            if self.copies:
                old = b"msg_down" in payload[:64]
                answer_frame(
                    transport, b"msg_down" if old else b"message_down", request_id_of(payload)
                )
        else:
            frame = json.loads(payload)
            kind = frame["type"]
            if self.copies:
                answer_frame(transport, kind.encode(), frame.get("request_id", "").encode())
            if kind == "service_login":
                self.come(transport)

    async def there(self, seconds: float) -> WSTransport:
        """Wait until it is."""
        await asyncio.wait_for(self.logged_in.wait(), seconds)
        if self.transport is None:
            raise RuntimeError("the client has gone")
        return self.transport


class Load:
    """What the platform knows."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.connections = 0
        self._clients: dict[str, Client] = {}

    def client(self, name: str) -> Client:
        """The client of that name."""
        return self._clients.setdefault(name, Client(name))


def answer_frame(transport: WSTransport, kind: bytes, request_id: bytes) -> None:
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

    def __init__(self, load: Load, request: WSUpgradeRequest) -> None:
        super().__init__()
        self._load = load
        self._client = load.client(named(request.path.decode("latin-1"))[0])
        self._parts: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._load.connections += 1
        if self._client.bare:
            self._client.come(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            if frame.fin and not self._parts:
                self._client.take(transport, frame.get_payload_as_bytes())
                return
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                self._client.take(transport, b"".join(self._parts))
                self._parts.clear()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._client.go(transport)


def frame_up(generation: int, band: str, text: str, number: str, recipients: str) -> bytes:
    """A message of the user; ``number`` are the last twelve digits of its id."""
    body: dict[str, object]
    if generation == 0:
        body = {
            "subtype": "text",
            "channel_id": band,
            "content": {"text": text},
            "timestamp": 1_700_000_000_000,
            "msg_id": MESSAGE + number,
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
        "message_id": MESSAGE + number,
        "context": {},
        "sender": USER,
    }
    return json.dumps({"type": "message_up", "body": body}).encode()


def frames(client: Client, order: Order) -> tuple[Callable[[], bytes], bytes]:
    """Gives one frame after the other, each with an id of its own, without building it anew; and
    the text that all of them have."""
    generation, recipients = order["generation"], order.get("recipients", "service")
    number = "8" * 12
    split = number.encode()
    pieces = []
    empty = len(frame_up(generation, order["bands"][0], "", number, recipients))
    text = order.get("text", "x") * max(1, order["size"] - empty)
    for band in order["bands"]:
        before, after = frame_up(generation, band, text, number, recipients).split(split)
        pieces.append((before, after))
    numbers, turns = client.numbers, cycle(pieces)

    def frame() -> bytes:
        before, after = next(turns)
        return b"%b%012d%b" % (before, next(numbers), after)

    return frame, text.encode()


async def echo(client: Client, order: Order) -> dict[str, object]:
    """Keep a number of messages on their way, for some time."""
    transport = await client.there(60)
    next_frame, text = frames(client, order)
    latencies: list[float] = []
    sent_at: deque[float] = deque()
    done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    clock = time.perf_counter

    def send() -> None:
        sent_at.append(clock())
        transport.send(WSMsgType.TEXT, next_frame())

    def answered(payload: bytes) -> None:
        now = clock()
        if not latencies and text not in payload:
            done.set_exception(RuntimeError("the answer has not the text of the message"))
        latencies.append(now - sent_at.popleft())
        if now < end:
            send()
        elif not sent_at:
            done.set_result(now - began)

    def lost() -> None:
        if not done.done():
            done.set_exception(RuntimeError("the client has gone"))

    loop = asyncio.get_running_loop()

    def stay_awake() -> None:
        if not done.done():
            loop.call_soon(stay_awake)

    client.answered, client.lost = answered, lost
    if order["window"] == 1:
        stay_awake()
    began = clock()
    end = began + order["seconds"]
    for _ in range(order["window"]):
        send()
    try:
        seconds = await asyncio.wait_for(done, order["seconds"] + PATIENCE)
    except TimeoutError:
        raise RuntimeError(f"{len(sent_at)} messages have not been answered") from None
    finally:
        client.answered, client.lost = ignore, lambda: None
    ranked = sorted(latencies)
    return {
        "messages": len(latencies),
        "rate": len(latencies) / seconds,
        "p50": statistics.median(ranked),
        "p99": ranked[int(len(ranked) * 0.99)],
    }


async def flood(client: Client, order: Order) -> dict[str, object]:
    """Send so many messages without waiting for an answer; say when the socket took them all."""
    transport = await client.there(60)
    next_frame, _ = frames(client, {"size": 0, **order})
    under = transport.underlying_transport
    began = time.perf_counter()
    for number in range(order["messages"]):
        transport.send(WSMsgType.TEXT, next_frame())
        if number % 100 == 0:
            await asyncio.sleep(0)
            while under.get_write_buffer_size() > LOW:
                if time.perf_counter() - began > order["seconds"]:
                    return {"sent": number, "seconds": time.perf_counter() - began}
                await asyncio.sleep(0.01)
    return {"sent": order["messages"], "seconds": time.perf_counter() - began}


async def carry_out(load: Load, order: Order) -> dict[str, object]:
    """One order."""
    client = load.client(order.get("client", ""))
    match order["do"]:
        case "wait":
            await client.there(order.get("seconds", 60))
            return {}
        case "echo":
            return await echo(client, order)
        case "flood":
            return await flood(client, order)
        case "settings":
            load.calls.delay = order.get("delay", load.calls.delay)
            load.calls.members = order.get("members", load.calls.members)
            load.calls.strangers = order.get("strangers", load.calls.strangers)
            client.copies = order.get("copies", client.copies)
            load.calls.requests.clear()
            return {}
        case "counts":
            return {"requests": dict(load.calls.requests), "connections": load.connections}
    raise ValueError(f"no order {order['do']!r}")


async def main(cert: str | None) -> None:
    """Serve until the input ends."""
    load = Load()
    tls = None
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert)
    loop = asyncio.get_running_loop()
    sockets = await ws_create_server(
        lambda request: Service(load, request), "127.0.0.1", 0, ssl=tls
    )
    http = await loop.create_server(
        lambda: Http(load.calls), "127.0.0.1", 0
    )  # the calls stay plain
    ws_port, http_port = (one.sockets[0].getsockname()[1] for one in (sockets, http))
    answer({"ws": ws_port, "http": http_port})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer(await carry_out(load, json.loads(line)))
        except (TimeoutError, RuntimeError, KeyError, ValueError) as error:
            answer({"error": f"{type(error).__name__}: {error}"})


def answer(value: object) -> None:
    """One line for whoever gave the order."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cert", help="a file with a key and certificates: serve TLS")
    uvloop.run(main(parser.parse_args().cert))
