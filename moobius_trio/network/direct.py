"""WebSocket connections through wsproto on a trio stream, as frame streams: the quick driver.

wsproto is the protocol core of trio-websocket; without the library's own task, channel and locks
a message costs a fraction of the turns of the loop. Only tests and benchmarks use it for now. No
frame format, no login and no reconnecting here. Facts: docs/protocol/generation-0.md section 3.1.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import trio
from wsproto import WSConnection
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import FrameProtocol
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from moobius_trio.errors import ConnectionLost
from moobius_trio.network import reaching
from moobius_trio.network.address import WebSocketAddress, parse_websocket_address
from moobius_trio.network.byte_streams import RECEIVE_BYTES, TcpStream, TlsStream
from moobius_trio.network.reaching import reach, refusal
from moobius_trio.network.streams import TOO_LARGE, Connector, CouldNotConnect, FrameStream

__all__ = ("FRAGMENT_BYTES", "direct_connector")

FRAGMENT_BYTES: Final = 31_000
"""The most that is put into one WebSocket frame: hosts are known to take 32 KiB in one, and more
in several (docs/protocol/generation-0.md section 4.4)."""

INVALID: Final = 1002
"""The close code towards a peer that broke the protocol, where wsproto names none."""


def direct_connector(
    url: str, *, max_message_bytes: int = 2**20, tls: ssl.SSLContext | None = None
) -> Connector:
    """Connections to ``url`` through wsproto alone; otherwise as ``websocket_connector``.

    A message of the platform that is larger than ``max_message_bytes`` closes the connection
    with 1009. Certificates are always checked: by ``tls``, or with the system's authorities.

    Raises:
        ConfigError: as ``websocket_connector``.
    """
    address = parse_websocket_address(url)
    if address.secure and tls is None:
        tls = ssl.create_default_context()
    return partial(_open, address, tls if address.secure else None, max_message_bytes)


@asynccontextmanager
async def _open(
    address: WebSocketAddress, tls: ssl.SSLContext | None, max_message_bytes: int
) -> AsyncIterator[FrameStream]:
    try:
        with trio.fail_after(reaching.CONNECT_SECONDS):
            transport = await reach(address, tls)
            stream = _DirectStream(transport, max_message_bytes)
            try:
                await stream.shake_hands(address)
            except BaseException:
                await trio.aclose_forcefully(transport)
                raise
    except trio.TooSlowError:
        raise CouldNotConnect(f"no connection within {reaching.CONNECT_SECONDS:g} s") from None
    gone = False
    try:
        yield stream
    except ConnectionLost:
        gone = True  # nobody is there to say goodbye to
        raise
    finally:
        if not gone:
            with trio.move_on_after(reaching.CLOSE_SECONDS, shield=True):
                await stream.aclose()
        await trio.aclose_forcefully(transport)


class _DirectStream:
    """A connection of wsproto as a ``FrameStream``. Whoever receives also answers pings."""

    def __init__(self, transport: TcpStream | TlsStream, max_message_bytes: int) -> None:
        self._transport = transport
        self._most = max_message_bytes
        self._protocol: WSConnection | Connection = WSConnection(ConnectionType.CLIENT)
        self._texts = FrameProtocol(client=True, extensions=[])
        """Makes frames of what is sent, without an event for each; the rest is the above's."""
        self._inbox: deque[str] = deque()
        self._parts: list[str] = []
        self._part_bytes = 0
        self._out: list[bytes | bytearray] = []
        self._out_done = trio.lowlevel.ParkingLot()
        self._writing = False
        self._begun = False
        """The transport has something that has not left."""
        self._reading = False
        self._read = trio.lowlevel.ParkingLot()
        self._pings: dict[bytes, trio.Event] = {}
        self._ping_number = 0
        self._lost: ConnectionLost | None = None
        self._answer: AcceptConnection | RejectConnection | None = None
        self.heard = 0

    @property
    def closed(self) -> bool:
        return self._lost is not None

    async def shake_hands(self, address: WebSocketAddress) -> None:
        """Ask for a WebSocket and wait for the answer.

        Raises:
            CouldNotConnect: the answer is another one, or none came.
        """
        request = Request(host=address.host_header, target=address.resource)
        try:
            await self._transport.send_all(self._protocol.send(request))
            while self._answer is None:
                data = await self._transport.receive_some(RECEIVE_BYTES)
                if not data:
                    raise CouldNotConnect("the connection was closed during the handshake")
                self._protocol.receive_data(data)
                self._take_events()
            if isinstance(self._protocol, WSConnection) and self._protocol.connection is not None:
                self._protocol = self._protocol.connection  # without the detour by the handshake
            if self._out:  # a ping came along with the answer
                await self._flush(closing=True)
        except trio.BrokenResourceError:
            raise CouldNotConnect("the connection was closed during the handshake") from None
        except RemoteProtocolError as error:
            reason = f"what came was no WebSocket: {type(error).__name__}: {error}"
            raise CouldNotConnect(reason) from None
        if isinstance(self._answer, RejectConnection):
            raise refusal(self._answer.status_code, self._answer.headers)

    async def send_text(self, text: str) -> None:
        await self.send_texts((text,))

    async def send_texts(self, texts: Sequence[str]) -> None:
        self._check_sendable()
        for text in texts:
            self._encode(text)
        await self._flush()

    def start_sending(self, texts: Sequence[str]) -> bool:
        self._check_sendable()
        for text in texts:
            self._encode(text)
        if self._writing:
            return False  # who writes takes it along, and whoever waits for that sees the end
        data, self._out = b"".join(self._out), []
        try:
            self._begun = not self._transport.start_sending(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end(ConnectionLost(None, "the connection broke"))
            self._check_open()
        return not self._begun

    async def receive_text(self) -> str:
        while not self._inbox:
            self._check_open()
            await self._receive()
        return self._inbox.popleft()

    async def ping(self) -> None:
        self._check_open()
        self._ping_number += 1
        payload = self._ping_number.to_bytes(4, "big")
        answered = self._pings[payload] = trio.Event()
        try:
            self._put(Ping(payload=payload))
            await self._flush()
            await self._until(answered)
        finally:
            self._pings.pop(payload, None)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        try:
            with trio.move_on_after(reaching.CLOSE_SECONDS):
                if self._lost is None:
                    self._put(CloseConnection(code=code, reason=reason or None))
                    await self._flush(closing=True)
                while self._lost is None:
                    await self._receive()
        except ConnectionLost:
            pass  # that is what was wanted
        finally:
            self._inbox.clear()
            self._end(ConnectionLost(code, reason or "closed here"))
            await trio.aclose_forcefully(self._transport)

    async def _until(self, answered: trio.Event) -> None:
        """Wait for the event, and read meanwhile if nobody else does."""
        while not answered.is_set():
            self._check_open()
            await self._receive()

    async def _receive(self) -> None:
        """One read of the socket, by this task or by the one that is at it already."""
        if self._reading:
            await self._read.park()
            return
        self._reading = True
        try:
            data = await self._transport.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end(ConnectionLost(None, "the connection broke"))
            return
        finally:
            self._reading = False
            if self._read:
                self._read.unpark_all()
        self.heard += 1
        if not data:
            self._end(ConnectionLost(None, "the connection broke"))
            return
        try:
            self._protocol.receive_data(data)
            self._take_events()
        except RemoteProtocolError as error:
            self._break_off(error)
        if self._out and not self._writing:  # who writes takes it along; what was begun is theirs
            await self._flush(closing=True)

    def _take_events(self) -> None:
        for event in self._protocol.events():
            if type(event) is TextMessage:  # nearly all of them, and nearly all of those are whole
                text, finished = event.data, event.message_finished
                if finished and not self._parts and len(text) <= self._most and self._lost is None:
                    self._inbox.append(text)
                else:
                    self._take_part(text, len(text), finished)
            else:
                self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case BytesMessage(data=data):
                text = bytes(data).decode("utf-8", "replace")
                self._take_part(text, len(data), event.message_finished)
            case Ping():
                with suppress(LocalProtocolError):  # behind our goodbye nothing is answered
                    self._put(event.response())
            case Pong(payload=payload):
                if (answered := self._pings.get(bytes(payload))) is not None:
                    answered.set()
            case CloseConnection():
                if self._lost is None:
                    self._put_goodbye(event)
                    self._end(ConnectionLost(_code_of(event), event.reason or ""))
            case AcceptConnection() | RejectConnection():
                self._answer = event

    def _take_part(self, text: str, size: int, finished: bool) -> None:
        if self._lost is not None:
            return
        self._part_bytes += size
        if self._part_bytes > self._most:
            words = f"a message has more than {self._most} bytes"
            self._put(CloseConnection(code=TOO_LARGE, reason=words))
            self._end(ConnectionLost(TOO_LARGE, words))
            return
        if not finished:
            self._parts.append(text)
            return
        if self._parts:
            text = "".join((*self._parts, text))
            self._parts.clear()
        self._inbox.append(text)
        self._part_bytes = 0

    def _put_goodbye(self, event: CloseConnection) -> None:
        with suppress(LocalProtocolError):  # the goodbye was ours, and this is its answer
            self._put(event.response())

    def _break_off(self, error: RemoteProtocolError) -> None:
        hint = error.event_hint
        code = hint.code if isinstance(hint, CloseConnection) else INVALID
        with suppress(LocalProtocolError):  # said goodbye already
            self._put(CloseConnection(code=code, reason=str(error)[:100]))
        self._end(ConnectionLost(None, f"what came was no WebSocket: {error}"))

    def _encode(self, text: str) -> None:
        most = FRAGMENT_BYTES if text.isascii() else FRAGMENT_BYTES // 4
        if len(text) <= most:
            self._out.append(self._texts.send_data(text))
            return
        for start in range(0, len(text), most):
            part, finished = text[start : start + most], start + most >= len(text)
            self._out.append(self._texts.send_data(part, finished))

    def _put(self, event: Event) -> None:
        self._out.append(self._protocol.send(event))

    async def _flush(self, *, closing: bool = False) -> None:
        """Hand over to the transport what is to be written; one task does it for all.

        Cancelled, the connection has ended: what has left of the frame is unknown, so that nothing
        may be written behind it.
        """
        try:
            while self._writing:
                await self._out_done.park()
                if not closing:
                    self._check_open()
            if self._out or self._begun:
                await self._write()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end(ConnectionLost(None, "the connection broke"))
            if not closing:
                self._check_open()
        except trio.Cancelled:
            self._end(ConnectionLost(None, "a write was cancelled"))
            with trio.CancelScope(shield=True):  # it does not wait
                await trio.aclose_forcefully(self._transport)
            raise

    async def _write(self) -> None:
        self._writing = True
        try:
            while self._out or self._begun:
                data, self._out = b"".join(self._out), []
                self._begun = False
                await self._transport.send_all(data)
        finally:
            self._writing = False
            if self._out_done:
                self._out_done.unpark_all()

    def _end(self, lost: ConnectionLost) -> None:
        if self._lost is None:
            self._lost = lost
        self._read.unpark_all()

    def _check_open(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(self._lost.code, self._lost.reason)  # each its own traceback

    def _check_sendable(self) -> None:
        self._check_open()
        if self._protocol.state is not ConnectionState.OPEN:
            raise ConnectionLost(None, "it is being closed here")


def _code_of(event: CloseConnection) -> int | None:
    """1005 and 1006 never travel: they stand for a close frame without a code, and for none."""
    return None if event.code in (1005, 1006) else int(event.code)
