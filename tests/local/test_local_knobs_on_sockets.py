"""What the knobs do to the bytes of real connections: handshakes, frames, pongs, resets."""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest
import trio

from moobius_trio.codec.generation0 import encode_from_service, encode_from_user
from moobius_trio.errors import ConnectionLost
from moobius_trio.local import DEFAULT_BAND, Knobs, Platform, open_platform
from moobius_trio.local.frame_sizes import FrameSizes
from moobius_trio.network.websocket import CouldNotConnect, FrameStream, websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.relay import open_relay
from moobius_trio.types import (
    ChannelId,
    RequestId,
    ServiceId,
    ServiceLogin,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
)

BAND = ChannelId(DEFAULT_BAND)
HANG = 20.0


@attrs.frozen
class Served:
    """A platform on a port, and a service on it that holds the band."""

    platform: Platform
    url: str
    http: httpx.AsyncClient
    service_id: str
    token: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """Ready."""
    async with (
        open_platform(
            state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        url: str = await nursery.start(serve_app, platform.app)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            body = {"username": "dev@x", "password": "p"}
            reply = (await http.post("/auth/sign_in", json=body)).json()
            token = reply["data"]["AuthenticationResult"]["AccessToken"]
            http.headers["Authorization"] = f"Bearer {token}"
            made = (await http.post("/service/create", json={"description": "d"})).json()
            service_id = made["data"]["service_id"]
            binding = {"service_id": service_id, "channel_id": DEFAULT_BAND}
            await http.post("/service/bind", json=binding)
            yield Served(platform, url, http, service_id, token)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def raw_socket(port: int, *, host: str = "") -> AsyncIterator[trio.SocketStream]:
    """A WebSocket of our own making, so that its bytes can be seen."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        key = base64.b64encode(b"0123456789abcdef").decode()
        await stream.send_all(
            f"GET / HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await read(stream, 1)
        assert head.startswith(b"HTTP/1.1 101 ")
        yield stream


async def read(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    with trio.fail_after(HANG):
        while len(data) < size:
            piece = await stream.receive_some(size - len(data))
            if not piece:
                raise EOFError(data)
            data += piece
    return data


async def read_frame(stream: trio.SocketStream) -> tuple[int, bytes]:
    """The next frame's operation code and content."""
    first, size = await read(stream, 2)
    if size >= 126:
        size = int.from_bytes(await read(stream, 2 if size == 126 else 8), "big")
    return first & 0x0F, await read(stream, size)


def frame(payload: bytes, *, code: int = 1, last: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    first = bytes((code | (0x80 if last else 0),))
    if size < 126:
        head = bytes((0x80 | size,))
    elif size < 65_536:
        head = bytes((0x80 | 126,)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | 127,)) + size.to_bytes(8, "big")
    return first + head + bytes(4) + payload


def login(one: Served) -> bytes:
    command = ServiceLogin(service_id=ServiceId(one.service_id), access_token=one.token)
    text = encode_from_service(
        command, request_id=RequestId("l"), client_id=ServiceId(one.service_id), timestamp=1
    )
    return frame(text.encode())


async def as_user(stream: FrameStream, command: UserCommand) -> None:
    await stream.send_text(
        encode_from_user(command, request_id=RequestId("u"), client_id=UserId(""), timestamp=1)
    )


PING = b'{"type":"ping","request_id":"r"}'


@pytest.mark.parametrize("answers", [True, False])
async def test_a_ping_gets_its_pong_or_nothing_at_all(answers: bool) -> None:
    """What comes next on the wire is the pong, or the answer to what was said after it (F5)."""
    async with served() as one, raw_socket(one.port) as stream:
        await stream.send_all(login(one))
        await read_frame(stream)
        one.platform.knobs = Knobs(answer_socket_pings=answers)
        await stream.send_all(frame(b"hi", code=9) + frame(PING))
        code, content = await read_frame(stream)
        assert (code, content) == (10, b"hi") if answers else code == 1


async def test_bytes_that_are_no_utf8_arrive_as_a_text() -> None:
    """Before the event that they go with (F13, F22)."""
    async with served() as one, raw_socket(one.port) as stream:
        await stream.send_all(login(one))
        await read_frame(stream)
        one.platform.knobs = Knobs(garbage=("not_utf8", "oversized"))
        guest = one.platform.sign_in_guest("Alice")
        ws = one.url.replace("http", "ws", 1)
        async with websocket_connector(ws)() as alice:
            await as_user(alice, UserLogin(access_token=guest.tokens.access.reveal()))
            for subtype in ("join_channel", "fetch_features"):
                await as_user(alice, UserAction(subtype=subtype, channel_id=BAND))
            code, content = await read_frame(stream)
            assert code == 1
            with pytest.raises(UnicodeDecodeError):
                content.decode()
            assert b"join_channel" in (await read_frame(stream))[1]
            assert len((await read_frame(stream))[1]) > 2**21
            assert b"fetch_features" in (await read_frame(stream))[1]


@pytest.mark.parametrize(("size", "closed"), [(1000, False), (1001, True)])
async def test_the_limit_of_a_frame_counts_frames_and_not_messages(size: int, closed: bool) -> None:
    """A message of three frames may be larger than each of them (F9)."""
    async with served() as one, raw_socket(one.port) as stream:
        await stream.send_all(login(one))
        await read_frame(stream)
        one.platform.knobs = Knobs(frame_limit=1000)
        whole = PING.replace(b"}", b',"x":"' + b"x" * 2000 + b'"}')
        first, rest = whole[:size], whole[size:]
        await stream.send_all(
            frame(first, last=False)
            + frame(rest[:500], code=0, last=False)
            + frame(b"between", code=9)
            + frame(rest[500:], code=0)
        )
        frames = [await read_frame(stream), await read_frame(stream)]
        assert frames[0] == (10, b"between")
        assert frames[1][0] == (8 if closed else 1)
        if closed:
            assert frames[1][1][:2] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100_000])
def test_sizes_of_frames_are_read_from_pieces_of_any_size(step: int) -> None:
    """Short, middle and long lengths, control frames between, several messages (F7)."""
    data = (
        frame(b"")
        + frame(b"x" * 125)
        + frame(b"x" * 126, last=False)
        + frame(b"ping", code=9)
        + frame(b"x" * 70_000, code=0)
        + frame(b"x" * 300, last=False)
        + frame(b"x" * 10, code=0)
    )
    sizes = FrameSizes()
    for start in range(0, len(data), step):
        sizes.feed(data[start : start + step])
    assert [sizes.take_message() for _ in range(5)] == [0, 125, 70_000, 300, None]


@pytest.mark.parametrize(("status", "fatal"), [(503, False), (429, False), (403, True)])
async def test_a_handshake_may_be_refused_with_a_status(status: int, fatal: bool) -> None:
    """With Retry-After where it belongs; the page's own socket is let in (F11)."""
    async with served() as one:
        one.platform.knobs = Knobs(handshake_status=status, http_retry_after=9)
        ws = one.url.replace("http", "ws", 1)
        with pytest.raises(CouldNotConnect) as caught:
            async with websocket_connector(ws)():
                pass
        assert str(status) in caught.value.reason
        assert caught.value.fatal == fatal
        assert caught.value.retry_after == (None if fatal else 9)
        async with websocket_connector(f"{ws}/local/watch")() as watching:
            await watching.receive_text()


async def test_a_call_may_be_carried_out_without_an_answer() -> None:
    """The connection ends; the service is there all the same, once (F26)."""
    async with served() as one:
        knobs = Knobs(http_fault="drop", http_fault_path="/service/create")
        one.platform.knobs = knobs
        with pytest.raises(httpx.RemoteProtocolError):
            await one.http.post("/service/create", json={"description": "d"})
        listed = (await one.http.get("/service/list")).json()["data"]
        assert len(listed) == 2


async def test_behind_a_relay_its_port_is_let_in_and_no_other() -> None:
    """Host and Origin, on HTTP and WebSocket, and the page's policy names that port."""
    async with served() as one, open_relay(("127.0.0.1", one.port)) as relay:
        relayed = f"http://127.0.0.1:{relay.port}"

        async def status(base: str, **headers: str) -> int:
            return (await one.http.get(f"{base}/", headers=headers)).status_code

        assert await status(relayed) == 403
        one.platform.front_port = relay.port
        assert await status(relayed) == 200
        assert await status(relayed, Origin=relayed) == 200
        assert await status(relayed, Host=f"127.0.0.1:{one.port}") == 403
        assert await status(one.url) == 403
        for origin, expected in ((relayed, 200), (one.url, 403), ("http://evil.example", 403)):
            reply = await one.http.post(
                f"{relayed}/local/guest", headers={"Origin": origin}, json={"name": "Bob"}
            )
            assert reply.status_code == expected
        page = await one.http.get(f"{relayed}/")
        assert f"ws://127.0.0.1:{relay.port};" in page.headers["Content-Security-Policy"]
        async with raw_socket(relay.port):
            pass
        with pytest.raises(AssertionError):
            async with raw_socket(relay.port, host=f"127.0.0.1:{one.port}"):
                pass


async def test_a_reset_by_the_relay_is_an_end_without_a_code() -> None:
    """A client hears nothing from the platform, and may come again at once (F2)."""
    async with served() as one, open_relay(("127.0.0.1", one.port)) as relay:
        one.platform.front_port = relay.port
        for _ in range(2):
            async with websocket_connector(f"ws://127.0.0.1:{relay.port}/")() as stream:
                await stream.send_text(PING.decode())
                await stream.receive_text()
                relay.reset()
                with pytest.raises(ConnectionLost) as caught:
                    await stream.receive_text()
                assert caught.value.code is None
