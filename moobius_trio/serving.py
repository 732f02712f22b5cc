"""An ASGI application on Hypercorn's trio protocol stack, as one task that ends when told to.

Used for the local platform and for a service's operations port. Nothing of either is known here.

The listeners and connections are held here and not by Hypercorn's own ``serve``, because its
writes are shielded from cancellation: a peer that has stopped reading would keep the server from
ending for ever. Here its socket is closed instead.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from moobius_trio.errors import UsageError

__all__ = ("ABORT", "GRACE_SECONDS", "serve_app")

ABORT: Final = "moobius_trio.abort"
"""The key of ``scope["extensions"]`` under which an application finds a call without arguments
that drops the connection below, whatever waits on it."""

GRACE_SECONDS: Final = 1.7
"""How long connections have for their close at the end; then they are dropped."""

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application, whatever its framework calls the types of the three."""

_log = structlog.get_logger()


async def serve_app(
    app: Application,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` until cancelled; ``task_status.started`` gives its URL, without a slash.

    Args:
        app: an ASGI 3 application; it gets no lifespan events.
        host: an address of this machine's own; others are refused for now.
        port: 0 takes any that is free.

    Cancelled, it cancels what runs in the application, which closes its WebSockets (1001), and
    returns within two seconds even if a peer does not read.

    Raises:
        UsageError: the port is in use or may not be taken, or the host is not this machine's own.
    """
    if host not in _LOOPBACK:
        raise UsageError(
            f"{host} is not a loopback address: without a sign-in of its own the server listens "
            "on this machine only. Use 127.0.0.1."
        )
    listeners = await _listen(host, port)
    bound = listeners[0].socket.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    connections = _Connections(app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.drop_at_end)
        task_status.started(f"http://{name}:{bound}")
        await trio.serve_listeners(connections.serve, listeners)


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    # "localhost" may be two addresses; with any free port they would get two different ones.
    address = "127.0.0.1" if host == "localhost" else host
    try:
        return await trio.open_tcp_listeners(port, host=address)
    except OverflowError:
        raise UsageError(f"{port} is no port; use 0 to 65535.") from None
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            problem = f"port {port} is in use. Stop what uses it, or use --port 0 for any free one."
        elif exc.errno == errno.EACCES:
            problem = f"port {port} may not be used by this account. Use one above 1023."
        else:
            problem = f"cannot listen on {address} port {port}: {exc.strerror or exc}."
        raise UsageError(problem) from None


def _quiet_config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.websocket_max_message_size = 1024 * 1024  # the application has its own, smaller limit
    return config


class _Connections:
    """The open connections of one server."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._config = _quiet_config()
        self._context = WorkerContext(None)
        self._open: set[trio.SocketStream] = set()
        self._none_open = trio.Event()
        self._none_open.set()

    async def serve(self, stream: trio.SocketStream) -> None:
        self._open.add(stream)
        if self._none_open.is_set():
            self._none_open = trio.Event()
        app = wrap_app(_with_abort(self._app, stream.socket.close), 0, "asgi")
        state = ConnectionState({})
        try:
            # Hypercorn's annotation names the stream of its TLS listeners only.
            await TCPServer(app, self._config, self._context, state, stream)  # type: ignore[arg-type]
        except Exception as exc:
            # A named boundary: what one connection does to the protocol stack must not end the
            # server. The application's own errors do not come this far.
            _log.warning("connection failed", error=repr(exc))
        finally:
            self._open.discard(stream)
            if not self._open:
                self._none_open.set()

    async def drop_at_end(self) -> None:
        """Wait for the cancellation of the server, then see to it that it can end."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(GRACE_SECONDS, shield=True):
                await self._none_open.wait()
            for stream in self._open:
                stream.socket.close()


def _with_abort(app: Application, abort: Callable[[], None]) -> Application:
    """The application, with the way to drop this very connection in its scope."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("extensions", {})[ABORT] = abort
        await app(scope, receive, send)

    return application
