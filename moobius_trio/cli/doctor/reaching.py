"""Whether the platform's two addresses can be reached, each within seconds and in words.

No token and no password goes out from here, but for `sign_in_finding`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

import httpx
import trio

from moobius_trio.cli.doctor.findings import Finding, good, wrong
from moobius_trio.config import Settings
from moobius_trio.config.settings import is_loopback
from moobius_trio.core.threads import run_in_thread
from moobius_trio.errors import (
    ApiError,
    ConfigError,
    ConnectionLost,
    LoginRejected,
    SignInRefused,
    Unreachable,
)
from moobius_trio.network.groups import leaves
from moobius_trio.network.http.api import open_http_api
from moobius_trio.network.streams import CouldNotConnect
from moobius_trio.network.websocket import websocket_connector

__all__ = ("answers_as_platform", "http_finding", "sign_in_finding", "socket_finding")

AREA: Final = "platform"
SECONDS: Final = 8.0
SIGN_IN_SECONDS: Final = 20.0


async def http_finding(settings: Settings, tls: ssl.SSLContext | None = None) -> Finding:
    """Name, connection, TLS and any answer at all of ``http_server_uri``; ``tls`` says whose
    certificates are good, here and below, None: the usual ones."""
    uri = settings.http_server_uri
    with trio.move_on_after(SECONDS):
        try:
            await _connect(uri, tls)
            async with httpx.AsyncClient(timeout=SECONDS, verify=tls or True) as http:
                reply = await http.get(uri)
        except (OSError, trio.BrokenResourceError, httpx.HTTPError) as exc:
            return _wrong(f"{uri}: {_words(exc)}", _remedy(uri))
        return good(AREA, f"{uri} answers (HTTP {reply.status_code})")
    return _wrong(f"{uri}: no answer within {SECONDS:g} s", _remedy(uri))


async def socket_finding(settings: Settings, tls: ssl.SSLContext | None = None) -> Finding:
    """Whether ``ws_server_uri`` takes a WebSocket."""
    uri = settings.ws_server_uri
    with trio.move_on_after(SECONDS):
        try:
            async with websocket_connector(uri, tls=tls)():
                return good(AREA, f"{uri} takes WebSockets")
        except (CouldNotConnect, ConnectionLost) as exc:
            return _wrong(f"{uri}: {exc.reason}", _remedy(uri))
    return _wrong(f"{uri}: no answer within {SECONDS:g} s", _remedy(uri))


async def sign_in_finding(settings: Settings, tls: ssl.SSLContext | None = None) -> Finding:
    """Whether the platform takes e-mail and password; they are sent."""
    with trio.move_on_after(SIGN_IN_SECONDS):
        try:
            async with open_http_api(
                settings.http_server_uri,
                email=settings.email,
                password=settings.password,
                run_sync=run_in_thread,
                tls=tls,
                protocol=settings.protocol,
            ) as api:
                await api.authenticate()
        except (SignInRefused, LoginRejected) as exc:
            return _wrong(str(exc), "Correct the e-mail or the password.")
        except (ApiError, Unreachable, ConfigError) as exc:
            return _wrong(f"signing in failed: {exc}", _remedy(settings.http_server_uri))
        return good(AREA, f"signed in as {settings.email}")
    said = f"signing in: no answer within {SIGN_IN_SECONDS:g} s"
    return _wrong(said, _remedy(settings.http_server_uri))


def _wrong(said: str, remedy: str) -> Finding:
    """`dev` and tests have a platform of their own."""
    return wrong(AREA, said, remedy, run_only=True)


async def answers_as_platform(port: int, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a local platform listens on this port of this machine, also one with TLS that
    ``tls`` trusts."""
    async with httpx.AsyncClient(timeout=2, verify=tls or True, trust_env=False) as http:
        for scheme in ("http", "https") if tls is not None else ("http",):
            with contextlib.suppress(httpx.HTTPError):
                reply = await http.get(f"{scheme}://127.0.0.1:{port}/local/bands")
                return '"code":10000' in reply.text.replace(" ", "")
    return False


async def _connect(uri: str, tls: ssl.SSLContext | None) -> None:
    """A connection, with TLS where the address asks for it; it is closed at once."""
    parts = urlsplit(uri)
    secure = parts.scheme in ("https", "wss")
    host = parts.hostname or ""
    stream: trio.abc.Stream = await trio.open_tcp_stream(
        host, parts.port or (443 if secure else 80)
    )
    try:
        if secure:
            context = tls or ssl.create_default_context()
            secured = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
            await secured.do_handshake()
    finally:
        await trio.aclose_forcefully(stream)


def _words(error: BaseException) -> str:
    """What went wrong, as far down as it is known."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes += leaves(cause)[:1]
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not good ({cause.verify_message})"
            case ssl.SSLError():
                return f"no TLS connection came about ({cause.reason or cause})"
            case socket.gaierror():
                return f"the name is not known here ({cause.strerror})"
            case ConnectionRefusedError():
                return "nobody listens there (connection refused)"
    return str(error) or type(error).__name__


def _remedy(uri: str) -> str:
    if is_loopback(uri):
        return "Start `moobius-trio local` for a platform of your own, or correct the address."
    return "Check the address, and this machine's network and time."
