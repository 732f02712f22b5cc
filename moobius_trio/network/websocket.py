"""WebSocket connections through trio-websocket, as frame streams.

The only module that imports trio-websocket, and only its public API. No frame format, no login
and no reconnecting here. Facts: docs/protocol/generation-0.md section 3.1.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Final, NoReturn, TypeVar, cast

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from moobius_trio.errors import ConnectionLost
from moobius_trio.network import reaching
from moobius_trio.network.address import WebSocketAddress, parse_websocket_address
from moobius_trio.network.byte_streams import RECEIVE_BYTES
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.reaching import reach, refusal
from moobius_trio.network.streams import Connector, CouldNotConnect, FrameStream

__all__ = ("Connector", "CouldNotConnect", "FrameStream", "websocket_connector")

T = TypeVar("T")

INBOX: Final = 64
"""So many messages of one read are kept here at most, for whoever receives."""
HANDING_SECONDS: Final = 0.1
"""For as long at most."""


def websocket_connector(
    url: str, *, max_message_bytes: int = 2**20, tls: ssl.SSLContext | None = None
) -> Connector:
    """Connections to ``url`` through trio-websocket.

    A message of the platform that is larger than ``max_message_bytes`` closes the connection
    with 1009. Certificates are always checked; there is no switch for it. ``tls`` says by whose
    word, such as ``trusting`` gives it; None: by that of whom the machine trusts.

    Raises:
        ConfigError: ``url`` is no WebSocket address, or is ``ws://`` to another machine: the
            access token would cross the network in clear.
    """
    address = parse_websocket_address(url)
    checked = (tls or ssl.create_default_context()) if address.secure else None
    return partial(_open, address, checked, max_message_bytes)


@asynccontextmanager
async def _open(
    address: WebSocketAddress, tls: ssl.SSLContext | None, max_message_bytes: int
) -> AsyncIterator[FrameStream]:
    deadline = trio.current_time() + reaching.CONNECT_SECONDS
    try:
        with trio.fail_at(deadline):
            transport = _Transport(await reach(address, tls))
    except trio.TooSlowError:
        raise CouldNotConnect(f"no connection within {reaching.CONNECT_SECONDS:g} s") from None
    shaken = block_failed = False
    try:
        with unwrapped(CouldNotConnect, ConnectionLost):
            async with trio.open_nursery() as nursery:
                library = await nursery.start(_shielded_nursery)
                try:
                    stream = await _shake_hands(
                        library, transport, address, max_message_bytes, deadline
                    )
                    shaken = True
                    gone = False
                    try:
                        yield stream
                    except ConnectionLost:
                        gone = True  # nobody is there to say goodbye to
                        raise
                    except BaseException as error:
                        block_failed = not isinstance(error, trio.Cancelled)
                        raise
                    finally:
                        if not gone:
                            with trio.move_on_after(reaching.CLOSE_SECONDS, shield=True):
                                await stream.aclose()
                finally:
                    library.cancel_scope.cancel()
    except ConnectionRejected as rejected:
        raise refusal(rejected.status_code, rejected.headers) from None
    except Exception as error:
        # boundary: what a peer can make the library's reader raise is not documented, and seen
        # were errors of wsproto and of h11; whatever it is, the connection has ended with it
        if block_failed or isinstance(error, CouldNotConnect | ConnectionLost):
            raise
        reason = f"what came was no WebSocket: {type(error).__name__}: {error}"
        raise (ConnectionLost(None, reason) if shaken else CouldNotConnect(reason)) from error
    finally:
        await trio.aclose_forcefully(transport)


async def _shielded_nursery(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Where the library's reader runs: a goodbye needs it also when everything is cancelled."""
    async with trio.open_nursery() as nursery:
        task_status.started(nursery)
        # Cancelled before this line ran, it was not handed over; behind a shield it would stay.
        await trio.lowlevel.checkpoint_if_cancelled()
        nursery.cancel_scope.shield = True
        await trio.sleep_forever()


async def _shake_hands(
    nursery: trio.Nursery,
    transport: _Transport,
    address: WebSocketAddress,
    max_message_bytes: int,
    deadline: float,
) -> _WebSocketStream:
    try:
        with trio.fail_at(deadline):
            connection = await wrap_client_stream(
                nursery,
                # any trio stream will do; the library's annotation names the two it makes itself
                cast(trio.SocketStream, transport),
                address.host_header,
                address.resource,
                max_message_size=max_message_bytes,
                receive_buffer_size=RECEIVE_BYTES,
            )
    except trio.TooSlowError:
        raise CouldNotConnect(f"no WebSocket within {reaching.CONNECT_SECONDS:g} s") from None
    transport.shaken = True
    return _WebSocketStream(connection, transport)


class _Transport(trio.abc.Stream):
    """The byte stream below: counts signs of life and ends a handshake that was cut.

    (The library would wait for the rest of that handshake until a time-out.)
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._kept: list[bytes] | None = None
        self._until_read: trio.CancelScope | None = None
        self.reading = False
        self.shaken = False
        self.heard = 0

    def keep(self) -> None:
        """What is sent from now on stays here; for one task at a time, which always lets go."""
        self._kept = []

    async def send_kept(self) -> None:
        """Let all that was kept leave with one write."""
        while self._kept:  # others, such as answers to pings, may add to it meanwhile
            data, self._kept = b"".join(self._kept), []
            await self._stream.send_all(data)

    def let_go(self) -> None:
        """What is sent from now on leaves at once, what is still kept never."""
        self._kept = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._kept is not None:
            self._kept.append(bytes(data))
            return
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._check_shaken()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    @contextmanager
    def until_read(self) -> Iterator[None]:
        """Cancelled by the next read: the library has handed over what the last one brought.

        Before that it may have to answer a ping, and wait for a peer that takes nothing.
        """
        with trio.move_on_after(HANDING_SECONDS) as self._until_read:
            yield
        self._until_read = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._until_read is not None:
            self._until_read.cancel()
        self.reading = True
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._check_shaken()
            raise
        finally:
            self.reading = False
        self.heard += 1
        if not data:
            self._check_shaken()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _check_shaken(self) -> None:
        if not self.shaken:
            raise CouldNotConnect("the connection was closed during the handshake") from None


@attrs.define(eq=False)
class _WebSocketStream:
    """A connection of trio-websocket as a ``FrameStream``."""

    _connection: WebSocketConnection
    _transport: _Transport
    _ended: str = ""
    """Why nothing may be written any more, if that was decided here."""
    _inbox: deque[str] = attrs.field(factory=deque)
    _read_before: int = 0
    """Which read brought the message before."""

    @property
    def heard(self) -> int:
        return self._transport.heard

    @property
    def closed(self) -> bool:
        return bool(self._ended) or self._connection.closed is not None

    async def send_text(self, text: str) -> None:
        await self._send(self._connection.send_message, text)

    async def send_texts(self, texts: Sequence[str]) -> None:
        if len(texts) == 1:
            await self._send(self._connection.send_message, texts[0])
        else:
            await self._send(self._send_together, texts)

    async def _send_together(self, texts: Sequence[str]) -> None:
        """For one task at a time; what others send meanwhile leaves with it."""
        self._transport.keep()
        try:
            for text in texts:
                await self._connection.send_message(text)
            await self._transport.send_kept()
        finally:
            self._transport.let_go()

    async def _send(self, send: Callable[[T], Awaitable[None]], what: T) -> None:
        if self._ended:
            raise ConnectionLost(None, self._ended)
        try:
            await send(what)
        except (ConnectionClosed, ProtocolError) as error:
            self._raise_lost(error)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ConnectionLost(None, "the connection broke") from None
        except trio.Cancelled:
            with trio.move_on_after(reaching.CLOSE_SECONDS, shield=True):
                await self._abort("a write was cancelled")
            raise

    async def receive_text(self) -> str:
        if not self._inbox:
            self._inbox.append(await self._get())
            several, self._read_before = self.heard == self._read_before, self.heard
            if several and not self._transport.reading:
                await self._take_the_rest()
        return self._inbox.popleft()

    async def _take_the_rest(self) -> None:
        """Of a read that brought several messages take all, from the second one on.

        The library hands one over in a turn of the loop: whoever handles them would else be woken
        for each.
        """
        with self._transport.until_read(), suppress(ConnectionLost):  # told by the next call
            while len(self._inbox) < INBOX:
                self._inbox.append(await self._get())

    async def _get(self) -> str:
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as error:
            self._raise_lost(error)
        return message if isinstance(message, str) else message.decode("utf-8", "replace")

    async def ping(self) -> None:
        if self._ended:
            raise ConnectionLost(None, self._ended)
        try:
            await self._connection.ping()
        except (ConnectionClosed, ProtocolError) as error:
            self._raise_lost(error)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        try:
            with trio.move_on_after(reaching.CLOSE_SECONDS):
                await self._connection.aclose(code, reason or None)
        except ProtocolError:
            pass  # the frames are broken already; what is left is to close
        finally:
            self._inbox.clear()
            with trio.move_on_after(reaching.CLOSE_SECONDS, shield=True):
                await self._abort("closed")

    async def _abort(self, why: str) -> None:
        self._ended = self._ended or why
        await trio.aclose_forcefully(self._transport)

    def _raise_lost(self, error: ConnectionClosed | ProtocolError) -> NoReturn:
        reason = error.reason if isinstance(error, ConnectionClosed) else None
        if self._ended or reason is None:
            raise ConnectionLost(None, self._ended or "the connection broke") from None
        # 1006 never travels: it is the library's word for "without a close frame"
        code = reason.code if reason.code != 1006 else None
        raise ConnectionLost(code, reason.reason or reason.name.lower()) from None
