"""The connections to a platform: how many there are, and that each is used again."""

from __future__ import annotations

import httpx
import pytest
import trio

from moobius_trio.network.http.connections import MOST, Connections

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Place:
    """A web server that answers when it may, and counts who came."""

    def __init__(self) -> None:
        self.connections = 0
        self.asked = 0
        self.may_answer = trio.Event()

    async def handle(self, stream: trio.SocketStream) -> None:
        """One connection."""
        self.connections += 1
        async with stream:
            while await stream.receive_some():
                self.asked += 1
                await self.may_answer.wait()
                await stream.send_all(REPLY)

    async def open(self, nursery: trio.Nursery) -> str:
        """Serve in the nursery; gives the address."""
        listeners = await nursery.start(trio.serve_tcp, self.handle, 0)
        return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


async def ask(connections: Connections, url: str) -> bytes:
    """One request and its reply's body."""
    response = await connections.handle_async_request(httpx.Request("GET", url))
    try:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return b"".join([piece async for piece in response.stream])
    finally:
        await response.aclose()
        await response.aclose()  # a second time changes nothing


async def test_a_connection_is_used_again() -> None:
    """Requests one after the other share one connection; as many as are under way have one each."""
    place = Place()
    async with trio.open_nursery() as nursery:
        url = await place.open(nursery)
        async with Connections(url) as connections:
            place.may_answer.set()
            for _ in range(3):
                assert await ask(connections, url) == b"ok"
            assert place.connections == 1
            place.may_answer = trio.Event()
            async with trio.open_nursery() as asking:
                for _ in range(5):
                    asking.start_soon(ask, connections, url)
                while place.asked < 8:  # noqa: ASYNC110
                    await trio.lowlevel.checkpoint()
                place.may_answer.set()
            assert await ask(connections, url) == b"ok"
            assert place.connections == 5
        nursery.cancel_scope.cancel()


async def test_a_request_given_up_leaves_room_for_the_next() -> None:
    """However many are cancelled on their way, later ones find a connection."""
    place = Place()
    async with trio.open_nursery() as nursery:
        url = await place.open(nursery)
        async with Connections(url) as connections:
            async with trio.open_nursery() as asking:
                for _ in range(MOST + 5):
                    asking.start_soon(ask, connections, url)
                while place.asked < MOST:  # noqa: ASYNC110
                    await trio.lowlevel.checkpoint()
                asking.cancel_scope.cancel()
            assert place.connections == MOST
            place.may_answer.set()
            assert await ask(connections, url) == b"ok"
        nursery.cancel_scope.cancel()


async def test_others_than_the_platform_are_asked_too() -> None:
    """An address of another host goes over connections of its own."""
    place, other = Place(), Place()
    place.may_answer.set()
    other.may_answer.set()
    async with trio.open_nursery() as nursery:
        url, elsewhere = await place.open(nursery), await other.open(nursery)
        async with Connections(url) as connections:
            assert await ask(connections, elsewhere) == b"ok"
            assert await ask(connections, url) == b"ok"
        assert (place.asked, other.asked) == (1, 1)
        nursery.cancel_scope.cancel()


async def test_plain_connections_read_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle of authorities is read for an address of https, and for no other."""
    made: list[bool] = []
    real = httpx.create_ssl_context
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **how: made.append(True) or real())
    place = Place()
    place.may_answer.set()
    async with trio.open_nursery() as nursery:
        url = await place.open(nursery)
        async with Connections(url) as connections:
            await ask(connections, url)
            assert not made
            secure = url.replace("http", "https")
            for _ in range(2):
                with pytest.raises(httpx.TransportError):  # it speaks no TLS
                    await ask(connections, secure)
            assert made == [True]
        nursery.cancel_scope.cancel()
