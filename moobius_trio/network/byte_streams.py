"""Streams of bytes over TCP and TLS that take a turn of the event loop only when they wait.

trio's own give way also after a write that the kernel took at once, and their TLS takes a lock
with a turn of its own for each read and each write: with one message on its way a third of its
turns. Whoever uses these waits for something else anyway. No WebSocket and no address here.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

import trio

__all__ = ("RECEIVE_BYTES", "TcpStream", "TlsStream")

RECEIVE_BYTES: Final = 262_144
"""One read. At trio-websocket's 4 KiB a message of 8 KiB takes two turns; at 256 KiB one turn
takes many of them."""

RECORD_BYTES: Final = 16_384
"""No record of TLS holds more (RFC 8446 section 5.1), and one read of the library gives one record:
to ask it for more only sets memory aside, which can cost more than to decrypt."""


class TcpStream(trio.abc.Stream):
    """A connected socket. One task may receive, and one send, at a time.

    ``send_all`` returns without a turn of the event loop if the kernel took all at once;
    ``receive_some`` always takes one.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        """Takes over the socket; ``stream`` is good for nothing any more."""
        self._socket = socket.socket(fileno=stream.socket.detach())
        self._socket.setblocking(False)
        self._sending = False
        self._begun = b""
        """What `start_sending` has taken, and the kernel not yet."""

    def start_sending(self, data: bytes) -> bool:
        """Take it, and hand over to the kernel what it takes without waiting.

        True if that was all of it; else the rest leaves before all that is sent later, and
        ``send_all(b"")`` sends it. Never while another task is sending.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: as `send_all`.
        """
        if not self._begun:
            sent = self._send(data)
            if sent == len(data):
                return True
            data = data[sent:]
        self._begun += data
        return False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hand all of it to the kernel. Cancelled, a part of it may have left.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
            trio.BusyResourceError: another task is sending.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this connection")
        if self._begun:
            data, self._begun = self._begun + data, b""
        sent = self._send(data)
        if sent == len(data):
            return
        self._sending = True
        try:
            with memoryview(data) as whole:
                while sent < len(whole):
                    await trio.lowlevel.wait_writable(self._open_socket)
                    with whole[sent:] as rest:
                        sent += self._send(rest)
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes something."""
        await trio.lowlevel.wait_writable(self._open_socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come, at least one byte; nothing at the end. Cancelled, nothing is lost.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
            trio.BusyResourceError: another task is receiving.
        """
        while True:
            await trio.lowlevel.wait_readable(self._open_socket)
            try:
                return self._open_socket.recv(max_bytes or RECEIVE_BYTES)
            except BlockingIOError:
                pass  # woken for nothing
            except OSError as error:
                raise trio.BrokenResourceError(f"receiving failed: {error}") from error

    async def aclose(self) -> None:
        """Close it; those who wait on it get ``ClosedResourceError``."""
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()

    @property
    def _open_socket(self) -> socket.socket:
        if self._socket.fileno() == -1:
            raise trio.ClosedResourceError("the connection was closed here")
        return self._socket

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._open_socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError(f"sending failed: {error}") from error


class TlsStream(trio.abc.Stream):
    """A client's end of TLS on another stream. One task may receive, and one send, at a time.

    The end of the bytes below counts as the end of the data, with a goodbye of TLS or without:
    what is carried here, a WebSocket, says goodbye itself.
    """

    def __init__(self, below: trio.abc.Stream, context: ssl.SSLContext, host: str) -> None:
        """To be begun by `do_handshake`. The context, which may serve others too, stays as it
        was; whether ``host`` is who it says it is, is checked as the context has it."""
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        usual = context.options
        # so that a write never has to wait for something to be read
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        finally:
            context.options = usual
        self._sending = False
        self._ended = False
        self._broken = ""

    async def do_handshake(self) -> None:
        """Make the connection secure; to be done before all else. Cancelled, it is broken.

        Raises:
            trio.BrokenResourceError: the connection is broken, or the other end not trusted: then
                the cause is an ``ssl.SSLCertVerificationError``.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._feed()
            except ssl.SSLError as error:
                raise trio.BrokenResourceError("the TLS handshake failed") from error
            else:
                return await self._flush()

    def start_sending(self, data: bytes) -> bool:
        """Encrypt it, and hand over to the kernel what it takes without waiting.

        True if that was all of it; else the rest leaves before all that is sent later, and
        ``send_all(b"")`` sends it. Never while another task is sending.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: as `send_all`.
        """
        self._encrypt(data)
        if self._sending or not isinstance(self._below, TcpStream):
            return False
        return self._below.start_sending(self._outgoing.read())

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send. Cancelled, the connection is broken.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
            trio.BusyResourceError: another task is sending.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this connection")
        self._encrypt(data)
        await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until something can be sent."""
        await self._below.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come, from as many records as it came in; nothing at the end.

        A platform that writes each message into a record of its own would else cost a turn of the
        event loop for each. What fails behind some data is raised by the next call. Cancelled,
        nothing is lost.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
            trio.BusyResourceError: another task is receiving.
        """
        if self._may_have_more:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await self._feed()
        while (data := self._decrypt(max_bytes or RECEIVE_BYTES)) is None:
            await self._feed()
        return data

    async def aclose(self) -> None:
        """Close it, without a goodbye of TLS."""
        await self._below.aclose()

    def _encrypt(self, data: bytes | bytearray | memoryview) -> None:
        self._check()
        if data:
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                self._broken = f"TLS failed: {error}"
                raise trio.BrokenResourceError(self._broken) from error

    @property
    def _may_have_more(self) -> bool:
        """False if a look for more of what has come would give an error, which is not cheap."""
        return bool(self._incoming.pending or self._tls.pending() or self._ended or self._broken)

    def _decrypt(self, most: int) -> bytes | None:
        """What the records hold that have come whole; None if that is nothing yet."""
        self._check()
        parts: list[bytes] = []
        try:
            while most and (part := self._tls.read(min(most, RECORD_BYTES))):
                parts.append(part)
                most -= len(part)
                if not self._may_have_more:
                    break
            else:
                self._ended = most > 0
        except ssl.SSLWantReadError:
            if not parts:
                return None
        except ssl.SSLEOFError:
            self._ended = True
        except ssl.SSLError as error:
            self._broken = f"TLS failed: {error}"
            if not parts:
                raise trio.BrokenResourceError(self._broken) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _feed(self) -> None:
        """Wait for bytes of the other end; before that, what it may wait for has to leave."""
        if self._outgoing.pending and not self._sending:
            await self._flush()
        if data := await self._below.receive_some(RECEIVE_BYTES):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        self._sending = True
        whole = False
        try:
            await self._below.send_all(self._outgoing.read())
            while self._outgoing.pending:  # who receives has added an answer meanwhile
                await self._below.send_all(self._outgoing.read())
            whole = True
        finally:
            self._sending = False
            if not whole:
                self._broken = "a write did not end"  # nothing can be sent behind it

    def _check(self) -> None:
        if self._broken:
            raise trio.BrokenResourceError(self._broken)
