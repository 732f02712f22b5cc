"""A WebSocket of Starlette as the platform's socket: a close always ends, and in time."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
import trio
import trio.testing
from starlette.websockets import WebSocket

from moobius_trio.errors import ConnectionLost
from moobius_trio.local.sockets import CLOSE_SECONDS, StarletteSocket
from moobius_trio.serving import ABORT


class Server:
    """The server's side of one WebSocket, and the peer behind it."""

    def __init__(self, *, answers: bool = True, stuck: bool = False) -> None:
        self.answers = answers
        self.stuck = stuck
        self.aborted = trio.Event()
        self.closed: int | None = None
        self.put, self._messages = trio.open_memory_channel[Any](10)
        self.put.send_nowait({"type": "websocket.connect"})

    async def receive(self) -> Any:
        return await self._messages.receive()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if self.stuck and message["type"] != "websocket.accept":
            with trio.CancelScope(shield=True):  # as Hypercorn's write to a peer that does not read
                await self.aborted.wait()
            raise OSError("closed")
        if message["type"] == "websocket.close":
            self.closed = message["code"]
            if self.answers:
                self.put.send_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def abort(self) -> None:
        self.aborted.set()
        self.put.send_nowait({"type": "websocket.disconnect", "code": 1006})

    async def socket(self) -> StarletteSocket:
        scope = {"type": "websocket", "headers": [], "extensions": {ABORT: self.abort}}
        websocket = WebSocket(scope, self.receive, self.send)
        await websocket.accept()
        return StarletteSocket(websocket)


async def read_on(socket: StarletteSocket) -> ConnectionLost:
    try:
        while True:
            await socket.receive_text()
    except ConnectionLost as lost:
        return lost


async def test_a_close_that_is_answered_takes_no_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The reader sees the answer; the connection is not dropped."""
    server = Server()
    socket = await server.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_on, socket)
        await socket.aclose(1008, "why")
    assert (server.closed, trio.current_time()) == (1008, 0)
    assert not server.aborted.is_set()


async def test_a_close_whose_reader_was_cancelled_reads_the_answer_itself(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """So it is when the server ends: the goodbye is answered all the same, at once."""
    server = Server()
    socket = await server.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_on, socket)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await socket.aclose(1001)
    assert (server.closed, trio.current_time()) == (1001, 0)
    assert not server.aborted.is_set()


@pytest.mark.parametrize("stuck", [False, True])
async def test_a_peer_that_does_not_answer_or_read_is_dropped_in_time(
    autojump_clock: trio.testing.MockClock, stuck: bool
) -> None:
    """Also when the write of the close frame waits behind a shield."""
    server = Server(answers=False, stuck=stuck)
    socket = await server.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_on, socket)
        await socket.aclose(1001)
    assert server.aborted.is_set()
    assert trio.current_time() == CLOSE_SECONDS


async def test_a_close_ends_a_send_that_waits(autojump_clock: trio.testing.MockClock) -> None:
    """The sender learns that the connection is lost."""
    server = Server(answers=False, stuck=True)
    socket = await server.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_on, socket)
        nursery.start_soon(socket.aclose, 1008)
        with pytest.raises(ConnectionLost) as caught:
            await socket.send_text("x")
    assert caught.value.code == 1008


async def test_what_comes_in_is_texts_until_the_peer_goes() -> None:
    """Its code and reason are told, again and again; a second close does nothing."""
    server = Server()
    socket = await server.socket()
    server.put.send_nowait({"type": "websocket.receive", "text": "hello"})
    server.put.send_nowait({"type": "websocket.disconnect", "code": 1000, "reason": "done"})
    assert await socket.receive_text() == "hello"
    for _ in range(2):
        with pytest.raises(ConnectionLost) as caught:
            await socket.receive_text()
        assert (caught.value.code, caught.value.reason) == (1000, "done")
    await socket.aclose(1008)
    assert server.closed is None


async def test_bytes_are_not_for_this_protocol() -> None:
    """They end the connection with 1003."""
    server = Server()
    socket = await server.socket()
    server.put.send_nowait({"type": "websocket.receive", "bytes": b"x"})
    with pytest.raises(ConnectionLost) as caught:
        await socket.receive_text()
    assert caught.value.code == 1003
