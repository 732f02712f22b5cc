"""Both drivers behind the adapter, over real sockets: what they open, refuse and survive."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import pytest
import trio
import trustme
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    serve_websocket,
    wrap_server_stream,
)
from trio_websocket import WebSocketRequest as Request
from wsproto.utilities import LocalProtocolError

from moobius_trio.errors import ConfigError, ConnectionLost
from moobius_trio.network import direct, reaching, websocket
from moobius_trio.network.address import parse_websocket_address
from moobius_trio.network.direct import FRAGMENT_BYTES, direct_connector
from moobius_trio.network.streams import Connector, CouldNotConnect, FrameStream, StartsAtOnce
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.link_rig import make_link, message
from moobius_trio.testing.scripted_platform import ScriptedPlatform

Driver: TypeAlias = Callable[..., Connector]


@pytest.fixture(params=[websocket_connector, direct_connector], ids=["public", "direct"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


@asynccontextmanager
async def websocket_server(
    handle: Callable[[Request], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A WebSocket server on loopback for the length of the block; gives its port."""
    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, handle, "127.0.0.1", 0, tls, disconnect_timeout=0.1)
        server = await nursery.start(serve)
        yield server.port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def tcp_server(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """A TCP server on loopback for the length of the block; gives its port."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def echo(request: Request) -> None:
    connection = await request.accept()
    try:
        while True:
            await connection.send_message(await connection.get_message())
    except ConnectionClosed:
        pass


async def enter(driver: Driver, url: str) -> CouldNotConnect:
    """Open a connection that must fail, and give the error."""
    with pytest.raises(CouldNotConnect) as caught:
        async with driver(url)():
            pass
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "ws://platform.test/",
        "ws://192.168.0.7:8080/",
        "ws://127.0.0.1.evil.test/",
        "http://localhost/",
        "platform.test",
        "",
        "wss://",
        "wss://user:canary@platform.test/",
        "wss://platform.test:port/",
        "ws://[::1/",
    ],
)
def test_an_address_that_must_not_be_used_is_a_config_error(driver: Driver, url: str) -> None:
    """It names the key, never repeats a password, and no token crosses a network in clear (S3)."""
    with pytest.raises(ConfigError) as caught:
        driver(url)
    assert "ws_server_uri" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host_header", "port", "resource"),
    [
        ("ws://localhost:8000", "localhost:8000", 8000, "/"),
        ("ws://127.3.2.1/a/b?c=d", "127.3.2.1", 80, "/a/b?c=d"),
        ("ws://[::1]:99/", "[::1]:99", 99, "/"),
        ("wss://platform.test/", "platform.test", 443, "/"),
        ("wss://platform.test:80", "platform.test:80", 80, "/"),
    ],
)
def test_an_address_is_taken_apart(url: str, host_header: str, port: int, resource: str) -> None:
    """Path and query are asked for; the host is named as a browser names it."""
    address = parse_websocket_address(url)
    assert (address.host_header, address.port, address.resource) == (host_header, port, resource)


async def test_a_refused_port_is_worth_another_try(driver: Driver) -> None:
    """With the system's words for it."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    error = await enter(driver, f"ws://127.0.0.1:{port}/")
    assert not error.fatal
    assert "refused" in error.reason


@pytest.mark.parametrize(
    ("status", "headers", "fatal", "retry_after"),
    [
        (401, [], True, None),
        (403, [], True, None),
        (404, [], True, None),
        (302, [], True, None),
        (408, [], False, None),
        (429, [(b"retry-after", b"7")], False, 7.0),
        (429, [(b"retry-after", b"soon")], False, None),
        (500, [], False, None),
        (503, [(b"retry-after", b"120")], False, 120.0),
    ],
)
async def test_an_answer_that_is_no_websocket_is_judged_by_its_status(
    driver: Driver,
    status: int,
    headers: list[tuple[bytes, bytes]],
    fatal: bool,
    retry_after: float | None,
) -> None:
    """What speaks of the address is fatal, what speaks of the moment is not (F11)."""

    async def reject(request: Request) -> None:
        await request.reject(status, extra_headers=headers, body=b"no")

    async with websocket_server(reject) as port:
        error = await enter(driver, f"ws://127.0.0.1:{port}/")
    assert (error.fatal, error.retry_after) == (fatal, retry_after)
    assert str(status) in error.reason


async def test_a_server_that_closes_in_the_handshake_is_noticed_at_once(driver: Driver) -> None:
    """Not after a time-out, as the library by itself would."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with tcp_server(hang_up) as port:
        with trio.fail_after(reaching.CONNECT_SECONDS / 3):
            error = await enter(driver, f"ws://127.0.0.1:{port}/")
    assert "during the handshake" in error.reason
    assert not error.fatal


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"\x00\xff garbage\r\n\r\n"])
async def test_a_handshake_without_an_end_is_given_up(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """Whatever comes instead of an answer, or nothing: by time, or because it is no answer."""
    monkeypatch.setattr(reaching, "CONNECT_SECONDS", 0.1)

    async def mumble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await trio.sleep_forever()

    async with tcp_server(mumble) as port:
        error = await enter(driver, f"ws://127.0.0.1:{port}/")
    assert not error.fatal


async def test_an_unknown_name_is_worth_another_try(driver: Driver) -> None:
    """A name server may be away for a while."""
    assert not (await enter(driver, "wss://name.invalid/")).fatal


async def test_tls_is_checked(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate nobody vouches for, or of another name, is fatal; a good one is not.

    (F11, S3)
    """
    authority = trustme.CA()
    good = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(good)
    wrong_name = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(wrong_name)

    async with websocket_server(echo, good) as port:
        error = await enter(driver, f"wss://127.0.0.1:{port}/")
        assert error.fatal
        assert "certificate" in error.reason.lower()

    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    async with websocket_server(echo, wrong_name) as port:
        assert (await enter(driver, f"wss://127.0.0.1:{port}/")).fatal
    async with (
        websocket_server(echo, good) as port,
        driver(f"wss://127.0.0.1:{port}/")() as stream,
    ):
        await stream.send_text("hello")
        assert await stream.receive_text() == "hello"


async def test_tls_to_a_server_without_it_is_worth_another_try(driver: Driver) -> None:
    """It may be a proxy in trouble."""
    async with websocket_server(echo) as port:
        assert not (await enter(driver, f"wss://127.0.0.1:{port}/")).fatal


async def test_a_message_larger_than_the_limit_ends_the_connection(driver: Driver) -> None:
    """With 1009, and without taking the memory (S7)."""

    async def flood(request: Request) -> None:
        connection = await request.accept()
        await connection.send_message("x" * 5000)
        await trio.sleep_forever()

    async with websocket_server(flood) as port:
        connect = driver(f"ws://127.0.0.1:{port}/", max_message_bytes=4000)
        async with connect() as stream:
            with pytest.raises(ConnectionLost) as caught:
                await stream.receive_text()
    assert caught.value.code == 1009


async def test_a_goodbye_to_a_dead_peer_takes_a_second(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither answers nor reads, and the block ends all the same."""
    monkeypatch.setattr(reaching, "CLOSE_SECONDS", 0.1)

    async def shake_then_sleep(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await trio.sleep_forever()

    async with tcp_server(shake_then_sleep) as port:
        with trio.fail_after(5):
            async with driver(f"ws://127.0.0.1:{port}/")() as stream:
                await stream.send_text("x")


async def answer_handshake(stream: trio.SocketStream) -> None:
    """Accept a WebSocket by hand, to be able to do wrong what comes next."""
    request = bytes(await stream.receive_some())
    lines = request.split(b"\r\n")
    key = next(one for one in lines if one.lower().startswith(b"sec-websocket-key")).split()[1]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
    await stream.send_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x83\x00",  # a reserved opcode
        b"\x81\x02\xc3\x28",  # a text that is no UTF-8
        b"\xc1\x01a",  # compressed, though nothing was agreed
        b"\x88\x01x",  # a close frame of one byte
    ],
)
async def test_broken_frames_end_the_connection_and_nothing_else(
    driver: Driver, rubbish: bytes
) -> None:
    """As a lost connection, from reading and writing alike."""

    async def misbehave(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.send_all(rubbish)
        await trio.sleep_forever()

    async with tcp_server(misbehave) as port:
        connect = driver(f"ws://127.0.0.1:{port}/")
        with trio.fail_after(5):
            async with connect() as stream:
                with pytest.raises(ConnectionLost):
                    await stream.receive_text()
                with pytest.raises(ConnectionLost):
                    await stream.send_text("x")


async def test_a_reset_is_a_lost_connection_without_a_code(driver: Driver) -> None:
    """No close frame came, so there is none to tell."""

    async def reset(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.aclose()

    async with tcp_server(reset) as port:
        with pytest.raises(ConnectionLost) as caught:
            async with driver(f"ws://127.0.0.1:{port}/")() as stream:
                await stream.receive_text()
    assert caught.value.code is None


async def test_a_write_cut_by_cancellation_is_never_followed_by_another(driver: Driver) -> None:
    """The peer that reads on sees the end of the connection, and no garbage behind half a frame.

    (F12)
    """
    seen: list[object] = []
    go_on, done = trio.Event(), trio.Event()

    async def read_late(request: Request) -> None:
        connection = await request.accept()
        await go_on.wait()
        try:
            while True:
                seen.append(await connection.get_message())
        except ConnectionClosed as closed:
            seen.append(closed.reason.code if closed.reason is not None else None)
        done.set()

    async with trio.open_nursery() as nursery:
        serve = partial(
            serve_websocket, read_late, "127.0.0.1", 0, None, max_message_size=64 * 2**20
        )
        server = await nursery.start(serve)
        connect = driver(f"ws://127.0.0.1:{server.port}/")
        async with connect() as stream:
            with trio.move_on_after(0.2) as scope:
                await stream.send_text("A" * (24 * 2**20))
            assert scope.cancelled_caught
            assert stream.closed
            with pytest.raises(ConnectionLost):
                await stream.send_text("after")
        go_on.set()
        await done.wait()
        nursery.cancel_scope.cancel()
    assert seen == [1006]


async def test_a_link_lives_on_real_sockets(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log in, a hundred messages with a cut every ten, stop: all confirmed, each seen once.

    The goodbye is answered by a peer that is alive; it does not wait for the end of its time.
    """
    monkeypatch.setattr(reaching, "CLOSE_SECONDS", 60)
    platform = ScriptedPlatform(cut_after=lambda number: 10 if number <= 9 else None)
    stopped = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with trio.open_nursery() as library:
                request = await wrap_server_stream(library, stream)
                await platform.serve(ServerStream(await request.accept()))
        except* LocalProtocolError:
            pass  # trio-websocket answers a ping that comes behind its own goodbye, and fails

    async with tcp_server(serve) as port, trio.open_nursery() as nursery:
        rig = make_link(driver(f"ws://127.0.0.1:{port}/"))
        rig.link._backoff.next_delay = lambda *args: 0.0  # type: ignore[method-assign]

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await rig.link.serve(task_status=task_status)
            stopped.set()

        await nursery.start(run)
        receipts = [await rig.outbox.put(message(str(number))) for number in range(100)]
        assert {(await receipt.outcome()).state for receipt in receipts} == {"confirmed"}
        with trio.fail_after(3):
            await rig.link.stop()
            await stopped.wait()
    assert [one.text for one in platform.taken] == [str(number) for number in range(100)]
    assert platform.connections == platform.cuts + 1
    assert platform.most_open == 1
    assert [end.code for end in platform.ends][-1] == 1000


class ServerStream:
    """The server's end of a real connection as a frame stream."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self.heard = 0

    @property
    def closed(self) -> bool:
        return self._connection.closed is not None

    async def send_text(self, text: str) -> None:
        try:
            await self._connection.send_message(text)
        except ConnectionClosed as closed:
            raise self._lost(closed) from None

    async def receive_text(self) -> str:
        try:
            return str(await self._connection.get_message())
        except ConnectionClosed as closed:
            raise self._lost(closed) from None

    async def ping(self) -> None:
        await self._connection.ping()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.aclose(code, reason)

    def _lost(self, closed: ConnectionClosed) -> ConnectionLost:
        reason = closed.reason
        return ConnectionLost(reason.code if reason is not None else None, "")


async def test_a_cancellation_between_connection_and_handshake_ends_it(
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the very step in which the library's tasks would begin: none stays behind its shield."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    scope = trio.CancelScope()
    reach = reaching.reach

    async def reach_and_cancel(*args: Any) -> Any:
        transport = await reach(*args)
        scope.cancel()
        return transport

    for module in (websocket, direct):
        monkeypatch.setattr(module, "reach", reach_and_cancel)
    with scope:
        async with driver(f"ws://127.0.0.1:{port}")():
            raise AssertionError("not reached")
    assert scope.cancelled_caught
    await listener.aclose()


def frame(opcode: int, payload: bytes, *, last: bool = True) -> bytes:
    """A frame of a server, written by hand."""
    return bytes([opcode | 0x80 * last, len(payload)]) + payload


TEXT, MORE, PING, PONG, CLOSE = 1, 0, 9, 10, 8


async def test_a_message_in_pieces_is_one_text(driver: Driver) -> None:
    """Also with a ping between them, and a letter cut in two (RFC 6455 section 5.4)."""
    letter = "😀".encode()
    seen = bytearray()
    done = trio.Event()

    async def in_pieces(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.send_all(
            frame(TEXT, b"one " + letter[:2], last=False)
            + frame(PING, b"there?")
            + frame(MORE, letter[2:] + b" text", last=False)
            + frame(MORE, b"")
            + frame(TEXT, b"next")
        )
        while len(seen) < 12:  # a header, a mask, and what the ping said
            seen.extend(await stream.receive_some())
        done.set()
        await trio.sleep_forever()

    async with (
        tcp_server(in_pieces) as port,
        driver(f"ws://127.0.0.1:{port}/")() as stream,
        trio.open_nursery() as nursery,
    ):
        assert await stream.receive_text() == "one 😀 text"
        assert await stream.receive_text() == "next"
        with trio.fail_after(5):
            nursery.start_soon(expect_nothing, stream)  # what reads also answers pings
            await done.wait()
        nursery.cancel_scope.cancel()
    assert seen[0] == 0x80 | PONG
    mask, masked = seen[2:6], seen[6:12]
    assert bytes(one ^ mask[place % 4] for place, one in enumerate(masked)) == b"there?"


async def expect_nothing(stream: FrameStream) -> None:
    raise AssertionError(await stream.receive_text())


async def test_what_one_read_has_brought_takes_few_turns_of_the_loop(driver: Driver) -> None:
    """From the second text on; the last ones do not wait for what comes later."""
    texts = [str(number) for number in range(10)]
    turns = 0

    class Turns(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            nonlocal turns
            turns += 1

    async def all_at_once(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        for _ in range(2):
            await stream.send_all(b"".join(frame(TEXT, text.encode()) for text in texts))
            await stream.receive_some()
        await trio.sleep_forever()

    trio.lowlevel.add_instrument(Turns())
    async with tcp_server(all_at_once) as port, driver(f"ws://127.0.0.1:{port}/")() as stream:
        with trio.fail_after(5):
            for _ in range(2):
                got = [await stream.receive_text(), await stream.receive_text()]
                turns = 0
                got += [await stream.receive_text() for _ in range(8)]
                assert got == texts
                assert turns <= 1  # where who runs first in a turn leaves the last one out
                await stream.send_text("more, please")


async def test_an_answer_that_cannot_leave_holds_up_no_text(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a peer takes nothing and asks for a pong, what came before that is still given."""
    monkeypatch.setattr(websocket, "HANDING_SECONDS", 0.01)

    async def takes_nothing(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.send_all(frame(TEXT, b"x") * 3 + frame(PING, b"") + frame(TEXT, b"y") * 3)
        await trio.sleep_forever()

    async with (
        tcp_server(takes_nothing) as port,
        driver(f"ws://127.0.0.1:{port}/")() as stream,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(stream.send_text, "z" * 20_000_000)
        await trio.lowlevel.checkpoint()  # it has begun
        with trio.fail_after(5):
            assert [await stream.receive_text() for _ in range(3)] == ["x"] * 3
        nursery.cancel_scope.cancel()


async def test_what_was_begun_at_once_holds_up_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a peer takes nothing, the rest waits for the writer, and the reader reads on."""
    monkeypatch.setattr(reaching, "CLOSE_SECONDS", 0.01)
    taken = trio.Event()

    async def takes_nothing(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await taken.wait()
        await stream.send_all(frame(TEXT, b"x") * 3)
        await trio.sleep_forever()

    async with (
        tcp_server(takes_nothing) as port,
        direct_connector(f"ws://127.0.0.1:{port}/")() as stream,
    ):
        assert isinstance(stream, StartsAtOnce)
        assert not stream.start_sending(["z" * 20_000_000])
        taken.set()
        with trio.fail_after(5):
            assert [await stream.receive_text() for _ in range(3)] == ["x"] * 3


async def test_a_ping_without_a_pong_ends_with_the_connection() -> None:
    """Whoever asked is not told that the peer had answered. (trio-websocket's waits on.)"""

    async def say_goodbye_instead(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.receive_some()
        await stream.aclose()

    async with tcp_server(say_goodbye_instead) as port:
        connect = direct_connector(f"ws://127.0.0.1:{port}/")
        with trio.fail_after(5):
            async with connect() as stream, trio.open_nursery() as nursery:
                nursery.start_soon(expect_end, stream)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(ConnectionLost):
                    await stream.ping()


async def expect_end(stream: FrameStream) -> None:
    with pytest.raises(ConnectionLost):
        await stream.receive_text()


async def test_an_end_behind_several_texts_is_told_after_the_last(driver: Driver) -> None:
    """All that came with one read; of what is left when the end is made here, nothing is given."""

    async def say_much_and_leave(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        goodbye = frame(CLOSE, (1001).to_bytes(2, "big"))
        await stream.send_all(frame(TEXT, b"x") * 5 + goodbye)
        await trio.sleep_forever()

    async with tcp_server(say_much_and_leave) as port:
        with trio.fail_after(5), pytest.raises(ConnectionLost) as caught:
            async with driver(f"ws://127.0.0.1:{port}/")() as stream:
                assert [await stream.receive_text() for _ in range(5)] == ["x"] * 5
                await stream.receive_text()
        assert caught.value.code == 1001
        async with driver(f"ws://127.0.0.1:{port}/")() as stream:
            assert [await stream.receive_text() for _ in range(2)] == ["x"] * 2
            await stream.aclose()
            with pytest.raises(ConnectionLost):
                await stream.receive_text()


async def test_a_peer_that_writes_no_more_has_gone(driver: Driver) -> None:
    """Half a connection is none: what came before is taken first."""

    async def half_close(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.send_all(frame(TEXT, b"last"))
        await stream.send_eof()
        await trio.sleep_forever()

    async with tcp_server(half_close) as port:
        with trio.fail_after(5), pytest.raises(ConnectionLost) as caught:
            async with driver(f"ws://127.0.0.1:{port}/")() as stream:
                assert await stream.receive_text() == "last"
                await stream.receive_text()
    assert caught.value.code is None


async def test_a_close_of_the_peer_is_answered(driver: Driver) -> None:
    """With the code that it gave; so it need not wait for us."""
    answer = bytearray()
    done = trio.Event()

    async def say_goodbye(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        await stream.send_all(frame(CLOSE, (4001).to_bytes(2, "big") + b"enough"))
        while chunk := await stream.receive_some():
            answer.extend(chunk)
        done.set()

    async with tcp_server(say_goodbye) as port:
        with trio.fail_after(5), pytest.raises(ConnectionLost) as caught:
            async with driver(f"ws://127.0.0.1:{port}/")() as stream:
                await stream.receive_text()
        await done.wait()
    assert (caught.value.code, caught.value.reason) == (4001, "enough")
    assert answer[0] == 0x80 | CLOSE
    mask = answer[2:6]
    assert bytes(one ^ mask[place % 4] for place, one in enumerate(answer[6:8])) == b"\x0f\xa1"


@pytest.mark.parametrize("letter", ["x", "∞"])
async def test_the_direct_driver_writes_large_texts_in_pieces(letter: str) -> None:
    """Each frame fits what a host takes in one; the text arrives whole."""
    sizes: list[int] = []
    text = letter * 50_000

    async def look(request: Request) -> None:
        connection = await request.accept()
        assert await connection.get_message() == text
        await connection.send_message("whole")
        await trio.sleep_forever()

    async def measure(stream: trio.SocketStream) -> None:
        await answer_handshake(stream)
        data = bytearray()
        while not (data and data[0] & 0x80 and len(data) >= length(data)):
            data += await stream.receive_some()
            while len(data) > 10 and len(data) >= length(data) and not data[0] & 0x80:
                sizes.append(length(data))
                del data[: length(data)]
        sizes.append(length(data))
        await stream.send_all(frame(TEXT, b"seen"))
        await trio.sleep_forever()

    async with tcp_server(measure) as port, websocket_server(look) as other:
        for place in (port, other):
            async with direct_connector(f"ws://127.0.0.1:{place}/")() as stream:
                await stream.send_text(text)
                await stream.receive_text()
    assert len(sizes) > 1
    assert max(sizes) <= FRAGMENT_BYTES + 8


def length(data: bytearray) -> int:
    """The bytes of a client's first frame, of which at least four have come."""
    size = data[1] & 0x7F
    return 6 + size if size < 126 else 8 + int.from_bytes(data[2:4], "big")
