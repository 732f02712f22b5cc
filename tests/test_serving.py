"""Hypercorn on trio: addresses, ports, and an end that always comes."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
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
    """One line, before anything listens."""
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
