"""Hypercorn on trio: addresses, ports, and an end that always comes."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from moobius_trio import serving
from moobius_trio.errors import ConnectionLost, UsageError
from moobius_trio.local import Platform, open_platform
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.serving import ABORT, serve_app
from moobius_trio.testing.inline import run_inline

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


async def hello(scope: Any, receive: Receive, send: Send) -> None:
    """The smallest application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=time.time, random=random.Random(1)
    ) as platform:
        yield platform


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_ready_means_that_the_address_answers(host: str) -> None:
    """Any free port, and its URL in ``started``."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(
            lambda task_status: serve_app(hello, host=host, task_status=task_status)
        )
        assert url.startswith(f"http://{host}:")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(url)).text == "hello"
        nursery.cancel_scope.cancel()


async def test_a_port_in_use_is_one_line() -> None:
    """It names the port."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, hello)
        port = int(url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port} is in use") as caught:
            await serve_app(hello, port=port)
        assert "\n" not in str(caught.value)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", ""])  # noqa: S104
async def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    """One line, before anything listens (S25)."""
    with pytest.raises(UsageError, match="loopback"):
        await serve_app(hello, host=host)


@pytest.mark.parametrize("port", [-1, 65_536])
async def test_a_port_that_is_none_is_refused(port: int) -> None:
    """One line too."""
    with pytest.raises(UsageError, match="no port"):
        await serve_app(hello, port=port)


async def test_the_port_is_free_again_afterwards() -> None:
    """Nothing of a server is left when its task has ended."""
    port = 0
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                lambda task_status: serve_app(hello, port=port, task_status=task_status)  # noqa: B023
            )
            port = int(url.rpartition(":")[2])
            nursery.cancel_scope.cancel()


async def test_open_sockets_are_closed_with_1001_at_the_end(platform: Platform) -> None:
    """Two tabs that watch and a client that has not logged in are told goodbye."""
    codes = []
    async with trio.open_nursery() as clients, trio.open_nursery() as server:
        url = await server.start(serve_app, platform.app)
        opened = trio.Event()
        count = 0

        async def client(path: str) -> None:
            nonlocal count
            async with websocket_connector(url.replace("http", "ws") + path)() as stream:
                count += 1
                if count == 3:
                    opened.set()
                try:
                    while True:
                        await stream.receive_text()
                except ConnectionLost as lost:
                    codes.append(lost.code)

        for path in ("/", "/local/watch", "/local/watch"):
            clients.start_soon(client, path)
        await opened.wait()
        server.cancel_scope.cancel()
    assert codes == [1001, 1001, 1001]


async def flood(scope: Any, receive: Receive, send: Send) -> None:
    """An application that sends for ever to a socket."""
    await receive()
    await send({"type": "websocket.accept"})
    await send_for_ever(send)


async def send_for_ever(send: Send) -> None:
    while True:
        await send({"type": "websocket.send", "text": "x" * 16_000_000})  # more than any window
        await trio.lowlevel.checkpoint()  # once the connection is gone, sends return at once


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_peer_that_does_not_read_cannot_keep_the_server_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its connection is dropped; the bound of this test is for a server that hangs."""
    monkeypatch.setattr(serving, "GRACE_SECONDS", 0.1)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(serve_app, flood)
            port = int(url.rpartition(":")[2])
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(HANDSHAKE)
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(0.05)  # until the window is full
            nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)


async def test_an_application_can_drop_its_connection() -> None:
    """The call is in the scope, and ends a send that waits for a peer that does not read."""
    ended = trio.Event()

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        async def drop() -> None:
            await trio.testing.wait_all_tasks_blocked(0.05)
            scope["extensions"][ABORT]()

        await receive()
        await send({"type": "websocket.accept"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drop)
            nursery.start_soon(send_for_ever, send)
            while (await receive())["type"] != "websocket.disconnect":
                pass
            nursery.cancel_scope.cancel()
        ended.set()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(serve_app, app)
            port = int(url.rpartition(":")[2])
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(HANDSHAKE)
                await ended.wait()
            nursery.cancel_scope.cancel()


async def test_nonsense_on_one_connection_does_not_end_the_server() -> None:
    """The next one is served."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, hello)
        port = int(url.rpartition(":")[2])
        for nonsense in (
            b"\x00" * 100,
            b"GET\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff" * 3,
            b"",
        ):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                if nonsense:
                    await stream.send_all(nonsense)
                await stream.send_eof()
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(url)).text == "hello"
        nursery.cancel_scope.cancel()


async def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither addresses nor requests: what is said is said by who serves."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, hello)
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(url)
        nursery.cancel_scope.cancel()
    assert capfd.readouterr() == ("", "")


async def test_a_cancellation_at_the_very_start_ends_it() -> None:
    """Also between the listener and the first connection; no task and no socket is left."""
    for steps in range(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_app, hello)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


class RawPeer:
    """A client that writes the bytes of a WebSocket itself."""

    def __init__(self, stream: trio.SocketStream, url: str) -> None:
        self.stream = stream
        self._host = url.removeprefix("http://")

    async def upgrade(self, *headers: str) -> bytes:
        """Ask for the protocol of the platform; gives the head of the answer."""
        lines = [
            "GET / HTTP/1.1",
            f"Host: {self._host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            *headers,
        ]
        await self.stream.send_all("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        return await self.read_until(b"\r\n\r\n")

    async def read_until(self, end: bytes) -> bytes:
        """What comes up to this, or all there is."""
        got = b""
        while end not in got and (more := await self.stream.receive_some()):
            got += more
        return got


@asynccontextmanager
async def raw_peer(app: Any) -> AsyncIterator[RawPeer]:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, app)
        port = int(url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            yield RawPeer(stream, url)
        nursery.cancel_scope.cancel()


async def test_compressed_frames_are_not_agreed_to(platform: Platform) -> None:
    """300 KB of them would be 300 MB here; one that comes all the same ends the connection."""
    async with raw_peer(platform.app) as peer:
        head = await peer.upgrade("sec-websocket-extensions: permessage-deflate")
        assert head.startswith(b"HTTP/1.1 101")
        assert b"extensions" not in head.lower()
        compress = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = compress.compress(b"a" * 20_000_000) + compress.flush(zlib.Z_SYNC_FLUSH)[:-4]
        head = b"\xc1\xff" + len(data).to_bytes(8, "big") + b"\0\0\0\0"
        tracemalloc.start()
        try:
            await peer.stream.send_all(head + data)
            await peer.read_until(b"never")
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


async def test_a_message_without_end_is_not_gathered(platform: Platform) -> None:
    """It is closed with 1009 at a megabyte, and dropped when it goes on all the same."""
    async with raw_peer(platform.app) as peer:
        await peer.upgrade()
        await peer.stream.send_all(b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0")
        tracemalloc.start()
        try:
            with pytest.raises(trio.BrokenResourceError):
                for _ in range(100):
                    await peer.stream.send_all(b"a" * 1_000_000)
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("head", [b"\x81", b"\x01"])
async def test_a_message_that_is_too_long_is_told_so(platform: Platform, head: bytes) -> None:
    """A client that sends it whole, in one frame or in several, reads 1009."""
    async with raw_peer(platform.app) as peer:
        await peer.upgrade()
        size = serving.MAX_MESSAGE_BYTES + 1
        frame = head + b"\xff" + size.to_bytes(8, "big") + b"\0\0\0\0" + b"a" * size
        await peer.stream.send_all(frame)
        assert b"\x88\x02" + (1009).to_bytes(2, "big") in await peer.read_until(b"\x03\xf1")


@pytest.mark.parametrize(
    "opening",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    ],
)
async def test_nobody_gets_http_2(opening: bytes) -> None:
    """A connection stays what it began as: the application counts on it."""
    async with raw_peer(hello) as peer:
        await peer.stream.send_all(opening)
        answer = await peer.read_until(b"hello")
        assert answer.startswith(b"HTTP/1.1 200")


async def test_an_application_with_a_sign_in_may_be_reached_from_outside() -> None:
    """Loopback has the same port; its URL is the one given."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve_app, hello, host="127.0.0.2", exposed=True))
        assert url.startswith("http://127.0.0.1:")
        port = url.rpartition(":")[2]
        async with httpx.AsyncClient(trust_env=False) as http:
            for address in ("127.0.0.1", "127.0.0.2"):
                assert (await http.get(f"http://{address}:{port}")).text == "hello"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.7", "cannot listen"), ("here.example", "no number"), ("", "no number")],
)
async def test_an_address_of_another_machine_is_one_line(host: str, words: str) -> None:
    """Loopback is free again then."""
    with pytest.raises(UsageError, match=words) as caught:
        await serve_app(hello, host=host, exposed=True)
    assert "\n" not in str(caught.value)
