"""The way to a WebSocket's address: TCP, TLS, and what an answer means that is no WebSocket.

What both drivers share; nothing of the protocol itself. Facts: docs/protocol/generation-0.md
section 3.1.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Final

import trio

from moobius_trio.network.address import WebSocketAddress
from moobius_trio.network.byte_streams import TcpStream, TlsStream
from moobius_trio.network.streams import CouldNotConnect

__all__ = ("CLOSE_SECONDS", "CONNECT_SECONDS", "reach", "refusal")

CONNECT_SECONDS: Final = 15.0
"""From the look-up of the name to the end of the WebSocket handshake."""

CLOSE_SECONDS: Final = 1.0
"""How long a peer has to answer a close frame before its connection is dropped."""


async def reach(address: WebSocketAddress, tls: ssl.SSLContext | None) -> TcpStream | TlsStream:
    """A TCP connection, with TLS where a context is given; nothing stays open if it fails.

    Raises:
        CouldNotConnect: nobody is there, or the certificate is not trusted.
    """
    try:
        stream = TcpStream(await trio.open_tcp_stream(address.host, address.port))
    except OSError as error:
        raise CouldNotConnect(_words(error)) from None
    if tls is None:
        return stream
    try:
        connection = TlsStream(stream, tls, address.host)
        await connection.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        cause = error.__cause__
        fatal = isinstance(cause, ssl.SSLCertVerificationError)
        raise CouldNotConnect(f"TLS handshake failed: {cause or error}", fatal=fatal) from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return connection


def refusal(status: int, headers: Iterable[tuple[bytes, bytes]]) -> CouldNotConnect:
    """Which answers are worth another try: those that speak of now, not of the address."""
    wait = dict(headers).get(b"retry-after", b"").decode("latin-1")
    return CouldNotConnect(
        f"the address answered HTTP {status} instead of a WebSocket",
        fatal=status not in (408, 425, 429) and status < 500,
        retry_after=float(wait) if wait.isdecimal() and len(wait) < 6 else None,
    )


def _words(error: OSError) -> str:
    """What went wrong; trio's own text names the address only, the cause says the rest."""
    cause: BaseException = error.__cause__ or error
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    match cause:
        case ConnectionRefusedError():
            return "nobody listens there (connection refused)"
        case socket.gaierror():
            return f"the name is not known here ({cause.strerror})"
        case OSError(strerror=str(words)) if words:
            return words
    return str(cause) or type(cause).__name__
