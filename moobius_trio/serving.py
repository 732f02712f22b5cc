"""An ASGI application on Hypercorn's trio protocol stack, as one task that ends when told to.

Used for the local platform and for a service's operations port. Nothing of either is known here.

The listeners and connections are held here and not by Hypercorn's own ``serve``, because its
writes are shielded from cancellation: a peer that has stopped reading would keep the server from
ending for ever. Here its socket is closed instead.
"""

from __future__ import annotations

import errno
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final, TypeAlias

import h11
import structlog
import trio
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import wrap_app

from moobius_trio.errors import UsageError

__all__ = (
    "ABORT",
    "GRACE_SECONDS",
    "MAX_MESSAGE_BYTES",
    "WIRE",
    "Wire",
    "open_listeners",
    "serve_app",
)

ABORT: Final = "moobius_trio.abort"
"""The key of ``scope["extensions"]`` under which an application finds a call without arguments
that drops the connection below, whatever waits on it."""

WIRE: Final = "moobius_trio.wire"
"""The key of the same under which it finds the connection's ``Wire``."""

_PONG: Final = b"\x8a"
"""The first byte of a pong that a server sends (RFC 6455)."""

HANDSHAKE_SECONDS: Final = 10.0
"""How long a client has to agree on TLS."""

GRACE_SECONDS: Final = 1.7
"""How long connections have for their close at the end; then they are dropped."""

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Of one WebSocket message; a longer one is closed with 1009. Applications have smaller limits."""

ANOTHER_PORT: Final = "Stop what uses it, or use --port 0 for any free one"
"""What to do about a port in use, as a rule."""

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_EVERY: Final = "0.0.0.0"  # noqa: S104 - the name of it; who may listen there is asked for below

Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application, whatever its framework calls the types of the three."""

_log = structlog.get_logger()


async def serve_app(
    app: Application,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    exposed: bool = False,
    tls: ssl.SSLContext | None = None,
    remedy: str = ANOTHER_PORT,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` until cancelled; ``task_status.started`` gives its URL, without a slash.

    It speaks HTTP/1.1, and WebSocket without compression: a compressed frame of 300 KB may be
    300 MB, and would be inflated before its size could be looked at.

    Args:
        app: an ASGI 3 application; it gets no lifespan events.
        host: the number of an address of this machine, or ``localhost``.
        port: 0 takes any that is free.
        exposed: the application keeps strangers out by itself, so that an address which others
            can reach may be used; then it is served on loopback too, and that is the URL given.
        tls: the certificate to speak ``https`` and ``wss`` with, and nothing else on this port.
        remedy: what to do about a port that is in use, without a full stop.

    Cancelled, it cancels what runs in the application, which closes its WebSockets (1001), and
    returns within two seconds even if a peer does not read.

    Raises:
        UsageError: the port is in use or may not be taken, or the host cannot be listened on.
    """
    if host in _LOOPBACK:
        name = f"[{host}]" if ":" in host else host
        listeners = await open_listeners(host, port, remedy)
    elif exposed:
        name = "127.0.0.1"
        listeners = await _open_for_others(host, port, remedy)
    else:
        raise UsageError(
            f"{host} is not a loopback address: without a sign-in of its own the server listens "
            "on this machine only. Use 127.0.0.1."
        )
    bound = listeners[0].socket.getsockname()[1]
    server = _Server(app, tls)
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for listener in listeners:
            await stack.enter_async_context(listener)
        connections = await nursery.start(server.hold_connections)
        task_status.started(f"{'https' if tls else 'http'}://{name}:{bound}")
        try:
            await trio.serve_listeners(server.serve, listeners, handler_nursery=connections)
        finally:
            with trio.CancelScope(shield=True):  # bounded by itself
                await server.end()


async def open_listeners(
    host: str, port: int, remedy: str = ANOTHER_PORT
) -> list[trio.SocketListener]:
    """Listen on an address of this machine; 0 takes any port that is free. The caller closes them.

    ``remedy`` is what to do about a port that is in use.

    Raises:
        UsageError: the port is in use or may not be taken; one line.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"{port} is no port; use 0 to 65535.")
    # "localhost" may be two addresses; with any free port they would get two different ones.
    address = "127.0.0.1" if host == "localhost" else host
    try:
        return await trio.open_tcp_listeners(port, host=address)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            problem = f"port {port} is in use. {remedy}."
        elif exc.errno == errno.EACCES:
            problem = f"port {port} may not be used by this account. Use one above 1023."
        else:
            problem = f"cannot listen on {address} port {port}: {exc.strerror or exc}."
        raise UsageError(problem) from None


async def _open_for_others(host: str, port: int, remedy: str) -> list[trio.SocketListener]:
    """Listen on this address and on loopback, on the same port."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(
            f"{host!r} is no number of an address. Use one such as 192.168.1.20, or {_EVERY} for "
            "all that this machine has."
        ) from None
    if host == _EVERY:
        return await open_listeners(host, port, remedy)
    own = await open_listeners("127.0.0.1", port, remedy)
    try:
        return own + await open_listeners(host, own[0].socket.getsockname()[1], remedy)
    except BaseException:
        for listener in own:
            listener.socket.close()
        raise


def _quiet_config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    return config


class Wire:
    """A connection's bytes, for an application that must see or do what its framework hides.

    Only what plays a platform that goes wrong has a use for it.

    Attributes:
        socket: the one below, also of TLS.
        secure: its bytes go through TLS; here they are always in clear.
        on_received: told all bytes that come, before the protocol stack is.
        answers_pings: False drops the pongs of a WebSocket.
    """

    def __init__(
        self, stream: trio.SocketStream, secured: trio.SSLStream[trio.SocketStream] | None
    ) -> None:
        self._stream = secured or stream
        self._sending = trio.Lock()
        self.socket = stream.socket
        self.secure = secured is not None
        self.on_received: Callable[[bytes], None] = lambda data: None
        self.answers_pings = True

    async def send_all(self, data: bytes) -> None:
        """Write bytes as they are, between the writes of the protocol stack.

        Raises:
            BrokenResourceError, ClosedResourceError: the connection has ended.
        """
        async with self._sending:
            if self.answers_pings or not data.startswith(_PONG):
                await self._stream.send_all(data)

    async def receive_some(self, max_bytes: int) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.on_received(data)
        return data

    async def send_eof(self) -> None:
        if isinstance(self._stream, trio.SocketStream):  # TLS has nothing like it
            await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Connection(TCPServer):
    """Hypercorn's connection with HTTP/1.1 alone, whatever the client would like."""

    def __init__(self, app: AppWrapper, config: Config, context: WorkerContext, wire: Wire) -> None:
        # Hypercorn's annotation names the stream of its TLS listeners only.
        super().__init__(app, config, context, ConnectionState({}), wire)  # type: ignore[arg-type]
        self._secure = wire.secure

    async def _read_data(self) -> None:
        # Hypercorn would go over to HTTP/2 on request, where Wire and ABORT mean nothing.
        self.protocol = _PlainProtocol(  # type: ignore[assignment]
            *(self.app, self.config, self.context, self._task_group, self.protocol.state),
            *(self._secure, self.protocol.client, self.protocol.server, self.protocol_send),
        )
        await super()._read_data()


class _PlainProtocol(H11Protocol):
    """HTTP/1.1 without going over to HTTP/2, and WebSockets without extensions."""

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _create_stream(self, request: h11.Request) -> None:
        asked = [pair for pair in request.headers if pair[0] != b"sec-websocket-extensions"]
        plain = h11.Request(
            method=request.method,
            target=request.target,
            headers=asked,
            http_version=request.http_version,
        )
        await super()._create_stream(plain)


class _NoTls(Exception):
    """A client has not agreed on TLS; its reason as text."""


class _Server:
    """The open connections, and what of the application runs on them.

    The two end one after the other: the application first, while its goodbyes can still be sent
    and answered, then the connections.
    """

    def __init__(self, app: Application, tls: ssl.SSLContext | None) -> None:
        self._app = app
        self._tls = tls
        self._without_tls = 0
        self._config = _quiet_config()
        self._context = WorkerContext(None)
        self._streams: set[trio.SocketStream] = set()
        self._running: set[trio.CancelScope] = set()
        self._one_done = trio.Event()
        self._scope = trio.CancelScope()

    async def hold_connections(self, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Keep the nursery of the connections open until ``end``, also through a cancellation."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                # Cancelled before, it will not be handed over; behind a shield it would stay.
                await trio.lowlevel.checkpoint_if_cancelled()
                self._scope.shield = True
                task_status.started(nursery)
                await trio.sleep_forever()

    async def end(self) -> None:
        """End the application's tasks, give them their time, and drop the connections."""
        for scope in self._running:
            scope.cancel()
        with trio.move_on_after(GRACE_SECONDS):
            while self._running:
                self._one_done = trio.Event()
                await self._one_done.wait()
        for stream in self._streams:
            stream.socket.close()
        self._scope.cancel()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from its first byte to its last."""
        self._streams.add(stream)
        try:
            wire = Wire(stream, await self._secured(stream))
            app = wrap_app(self._application_on(wire), 0, "asgi")
            await _Connection(app, self._config, self._context, wire)
        except _NoTls as exc:
            self._without_tls += 1
            if self._without_tls.bit_count() == 1:  # 1, 2, 4, …: some clients try without a pause
                times = self._without_tls
                _log.info("a client did not agree on TLS", reason=str(exc), times=times)
            await trio.aclose_forcefully(stream)
        except Exception as exc:
            # A named boundary: what one connection does to the protocol stack must not end the
            # server. The application's own errors do not come this far.
            _log.warning("connection failed", error=repr(exc))
        finally:
            self._streams.discard(stream)

    async def _secured(self, stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream] | None:
        """The TLS on top of a connection, agreed on; None where there is to be none."""
        if self._tls is None:
            return None
        secured = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                await secured.do_handshake()
        except trio.TooSlowError:
            raise _NoTls(f"not within {HANDSHAKE_SECONDS:g} s") from None
        except trio.BrokenResourceError as exc:
            cause = exc.__cause__
            raise _NoTls(getattr(cause, "reason", None) or repr(cause)) from None
        return secured

    def _application_on(self, wire: Wire) -> Application:
        """The application, in a scope of its own and with the way to drop this connection."""

        async def application(scope: Any, receive: Any, send: Any) -> None:
            extensions = scope.setdefault("extensions", {})
            extensions[ABORT] = wire.socket.close
            extensions[WIRE] = wire
            with trio.CancelScope() as cancel_scope:
                self._running.add(cancel_scope)
                try:
                    await self._app(scope, receive, send)
                finally:
                    self._running.discard(cancel_scope)
                    self._one_done.set()

        return application
