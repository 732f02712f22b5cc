"""One suite over all kinds of connection: in memory, and each driver over loopback and TLS."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias

import pytest
import trio
import trio.testing
import trustme
from trio_websocket import ConnectionClosed, WebSocketConnection, serve_websocket
from trio_websocket import WebSocketRequest as Request

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.direct import direct_connector
from moobius_trio.network.memory import MemoryFrameStream, memory_connector, memory_stream_pair
from moobius_trio.network.streams import Connector, FrameStream, StartsAtOnce
from moobius_trio.network.websocket import websocket_connector


class ServerEnd:
    """The server's end of a real connection, with the methods that the suite uses."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    async def send_text(self, text: str) -> None:
        await self._connection.send_message(text)

    async def receive_text(self) -> str:
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            code = closed.reason.code if closed.reason is not None else None
            raise ConnectionLost(code, "") from None
        return str(message)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.aclose(code, reason)


FarEnd: TypeAlias = ServerEnd | MemoryFrameStream
Pair: TypeAlias = tuple[FrameStream, FarEnd]
OpenPair: TypeAlias = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def open_memory_pair() -> AsyncIterator[Pair]:
    ends: list[MemoryFrameStream] = []
    accepted = trio.Event()

    async def serve(end: MemoryFrameStream) -> None:
        ends.append(end)
        accepted.set()

    async with trio.open_nursery() as nursery, memory_connector(nursery, serve)() as stream:
        await accepted.wait()
        yield stream, ends[0]


Driver: TypeAlias = Callable[..., Connector]


@asynccontextmanager
async def open_loopback_pair(
    driver: Driver, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None
) -> AsyncIterator[Pair]:
    server_tls, client_tls = tls or (None, None)
    ends: list[ServerEnd] = []
    accepted, done = trio.Event(), trio.Event()

    async def handle(request: Request) -> None:
        ends.append(ServerEnd(await request.accept()))
        accepted.set()
        await done.wait()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            partial(serve_websocket, handle, "127.0.0.1", 0, server_tls, disconnect_timeout=1)
        )
        try:
            scheme = "ws" if tls is None else "wss"
            connect = driver(f"{scheme}://127.0.0.1:{server.port}/", tls=client_tls)
            async with connect() as stream:
                await accepted.wait()
                yield stream, ends[0]
        finally:
            done.set()
            nursery.cancel_scope.cancel()


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and that of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.fixture(params=["memory", "public", "direct", "public, TLS", "direct, TLS"])
def open_pair(
    request: pytest.FixtureRequest, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> OpenPair:
    kind, _, secured = request.param.partition(", ")
    if kind == "memory":
        return open_memory_pair
    driver: Driver = websocket_connector if kind == "public" else direct_connector
    return partial(open_loopback_pair, driver, tls if secured else None)


@pytest.fixture(params=["direct", "direct, TLS"])
def open_quick_pair(
    request: pytest.FixtureRequest, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> OpenPair:
    """Of those that can begin a write without waiting."""
    secured = request.param.endswith("TLS")
    return partial(open_loopback_pair, direct_connector, tls if secured else None)


@pytest.mark.parametrize("writes_on", ["send_texts", "ping"])
async def test_what_is_begun_without_waiting_arrives_before_all_that_is_sent_later(
    open_quick_pair: OpenPair, writes_on: str
) -> None:
    """At once if the transport takes it all; else with the next write, whoever writes."""
    many = [str(number) + "∞" * 30_000 for number in range(100)]
    async with open_quick_pair() as (near, far), trio.open_nursery() as nursery:
        assert isinstance(near, StartsAtOnce)
        assert near.start_sending(["one", "two"])
        assert [await far.receive_text() for _ in range(2)] == ["one", "two"]
        assert not near.start_sending(many)
        assert not near.start_sending(["behind them"])
        nursery.start_soon(near.receive_text)  # which takes the ping's answer
        if writes_on == "ping":
            nursery.start_soon(near.ping)
        else:
            nursery.start_soon(near.send_texts, ())
        received = [await far.receive_text() for _ in range(101)]
        assert received == [*many, "behind them"]
        await near.send_text("last")
        assert await far.receive_text() == "last"
        await far.send_text("enough")


async def test_what_is_begun_while_another_task_writes_leaves_behind_it(
    open_quick_pair: OpenPair,
) -> None:
    """The writer takes it along."""
    many = ["∞" * 30_000 for _ in range(100)]
    async with open_quick_pair() as (near, far), trio.open_nursery() as nursery:
        assert isinstance(near, StartsAtOnce)
        nursery.start_soon(near.send_texts, many)
        await trio.testing.wait_all_tasks_blocked()
        assert not near.start_sending(["behind them"])
        assert [await far.receive_text() for _ in range(101)] == [*many, "behind them"]


async def test_nothing_can_be_begun_on_a_closed_connection(open_quick_pair: OpenPair) -> None:
    """Whether it was closed before, or breaks meanwhile."""
    async with open_quick_pair() as (near, _):
        assert isinstance(near, StartsAtOnce)
        await near.aclose()
        with pytest.raises(ConnectionLost):
            near.start_sending(["too late"])


async def test_nothing_leaves_behind_our_own_goodbye(open_quick_pair: OpenPair) -> None:
    """Also before the peer has answered it."""
    async with open_quick_pair() as (near, _), trio.open_nursery() as nursery:
        assert isinstance(near, StartsAtOnce)
        nursery.start_soon(near.aclose)
        for _ in range(2):  # in the first turn it may come behind us; the answer takes a third
            await trio.lowlevel.checkpoint()
        with pytest.raises(ConnectionLost):
            near.start_sending(["too late"])
        with pytest.raises(ConnectionLost):
            await near.send_text("too late")


async def test_texts_arrive_whole_and_in_order(open_pair: OpenPair) -> None:
    """Both ways, of any size and any letters."""
    texts = ["", "hello", "∞ é 😀", "x" * 100_000, '{"a": 1}']
    async with open_pair() as (near, far), trio.open_nursery() as nursery:
        for sender, receiver in ((near, far), (far, near)):

            async def send(sender: FrameStream | FarEnd = sender) -> None:
                for text in texts:
                    await sender.send_text(text)

            async def receive(receiver: FrameStream | FarEnd = receiver) -> None:
                assert [await receiver.receive_text() for _ in texts] == texts

            nursery.start_soon(send)
            nursery.start_soon(receive)


async def test_texts_sent_together_arrive_one_by_one(open_pair: OpenPair) -> None:
    """Several in one go are several messages in their order, with others' before or behind them."""
    texts = ["one", "", "∞" * 20_000, "last"]
    async with open_pair() as (near, far), trio.open_nursery() as nursery:
        nursery.start_soon(near.send_texts, texts)
        nursery.start_soon(near.send_text, "of another task")
        got = [await far.receive_text() for _ in range(5)]
        assert [text for text in got if text != "of another task"] == texts
        assert len({*got} - {*texts}) == 1
        await near.send_texts(())
        await near.send_texts(["then"])
        assert await far.receive_text() == "then"


async def test_texts_sent_together_on_a_closed_connection_are_an_error(
    open_pair: OpenPair,
) -> None:
    """As with a single one."""
    async with open_pair() as (near, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.aclose, 1001, "")
            with pytest.raises(ConnectionLost):
                await near.receive_text()
        with pytest.raises(ConnectionLost):
            await near.send_texts(["too", "late"])


async def test_several_tasks_may_send(open_pair: OpenPair) -> None:
    """Frames of one task keep their order, and none is mixed with another."""
    async with open_pair() as (near, far):
        got: list[str] = []
        async with trio.open_nursery() as nursery:

            async def send(name: str) -> None:
                for number in range(50):
                    await near.send_text(f"{name}{number}")

            for name in "abcd":
                nursery.start_soon(send, name)
            for _ in range(200):
                got.append(await far.receive_text())
        for name in "abcd":
            assert [one for one in got if one[0] == name] == [f"{name}{n}" for n in range(50)]


async def test_a_close_of_the_peer_comes_after_its_last_text(open_pair: OpenPair) -> None:
    """What was sent before the close is received; then code and reason are told, each time."""
    async with open_pair() as (near, far):
        await far.send_text("last")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.aclose, 1001, "going away")
            assert await near.receive_text() == "last"
            for _ in range(2):
                with pytest.raises(ConnectionLost) as caught:
                    await near.receive_text()
                assert (caught.value.code, caught.value.reason) == (1001, "going away")
        with pytest.raises(ConnectionLost):
            await near.send_text("too late")
        with pytest.raises(ConnectionLost):
            await near.ping()


async def test_a_close_from_here_reaches_the_peer(open_pair: OpenPair) -> None:
    """It gets what was sent before, then the code; here nothing more can be done, twice is fine."""
    async with open_pair() as (near, far):
        await near.send_text("last")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.aclose, 1000)
            assert await far.receive_text() == "last"
            with pytest.raises(ConnectionLost) as caught:
                await far.receive_text()
            assert caught.value.code == 1000
        await near.aclose()
        with pytest.raises(ConnectionLost):
            await near.receive_text()
        with pytest.raises(ConnectionLost):
            await near.send_text("too late")


async def test_the_end_of_the_block_says_goodbye(open_pair: OpenPair) -> None:
    """The peer sees 1000."""
    async with open_pair() as (_, far):
        pass
    with pytest.raises(ConnectionLost) as caught:
        await far.receive_text()
    assert caught.value.code == 1000


async def test_a_ping_returns_with_its_pong_and_is_a_sign_of_life(open_pair: OpenPair) -> None:
    """Texts and pongs both count."""
    async with open_pair() as (near, far):
        heard = near.heard
        await near.ping()
        assert near.heard > heard
        heard = near.heard
        await far.send_text("x")
        await near.receive_text()
        assert near.heard > heard


async def test_a_cancelled_receive_loses_no_text(open_pair: OpenPair) -> None:
    """Whatever the moment of the cancellation."""
    source = random.Random(3)
    async with open_pair() as (near, far), trio.open_nursery() as nursery:

        async def send() -> None:
            for number in range(100):
                await far.send_text(str(number))

        nursery.start_soon(send)
        got: list[str] = []
        while len(got) < 100:
            scope = trio.CancelScope()
            nursery.start_soon(cancel_soon, scope, source.randrange(3))
            with scope:
                got.append(await near.receive_text())
    assert got == [str(number) for number in range(100)]


async def cancel_soon(scope: trio.CancelScope, turns: int) -> None:
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_after_a_cancelled_write_the_connection_has_ended(open_pair: OpenPair) -> None:
    """Nothing can be written behind what may be half a frame; the peer sees an end, no garbage."""
    async with open_pair() as (near, far):
        with trio.CancelScope() as scope:
            scope.cancel()
            await near.send_text("x")
        if isinstance(near, MemoryFrameStream):
            return  # cancelled before it began: in memory that is certain, on a socket it is not
        with pytest.raises(ConnectionLost):
            await near.send_text("y")
        with pytest.raises(ConnectionLost):
            await far.receive_text()


async def test_an_error_in_the_block_comes_out_as_itself(open_pair: OpenPair) -> None:
    """Never as a group, also if the connection ended with it."""
    for error in (ValueError("mine"), ConnectionLost(None, "mine")):
        with pytest.RaisesGroup(type(error)) as caught:  # that of the pair's own nursery
            async with open_pair():
                raise error
        assert caught.value.exceptions == (error,)


async def test_in_memory_a_cut_ends_both_ends_and_loses_what_was_on_the_way() -> None:
    """As a reset does."""
    near, far = memory_stream_pair()
    await near.send_text("on the way")
    near.cut()
    for end in (near, far):
        with pytest.raises(ConnectionLost) as caught:
            await end.receive_text()
        assert caught.value.code is None


async def test_in_memory_a_full_peer_makes_send_wait() -> None:
    """And a write cancelled while it waits has ended the connection."""
    near, far = memory_stream_pair(room=1)
    await near.send_text("1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.send_text, "2")
        await trio.testing.wait_all_tasks_blocked()
        assert far.pending == 1
        assert await far.receive_text() == "1"
    with trio.move_on_after(0.01) as scope:
        await near.send_text("3")
    assert scope.cancelled_caught
    with pytest.raises(ConnectionLost):
        await near.send_text("4")


async def test_in_memory_a_silent_end_is_not_heard() -> None:
    """A black hole: texts vanish, nothing raises."""
    near, far = memory_stream_pair()
    near.silent = True
    await near.send_text("gone")
    assert (far.pending, far.heard) == (0, 0)
