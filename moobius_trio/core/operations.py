"""The operations port: ``/healthz``, ``/readyz`` and ``/metrics``, for this machine alone.

GET only, no secrets, no ids of users. What the figures are is decided in `statistics`, how they
are written in `metrics` (docs/architecture.md section 10).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
import trio

from moobius_trio.core.metrics import CONTENT_TYPE, metrics_text
from moobius_trio.core.process import Process
from moobius_trio.errors import ConfigError, UsageError
from moobius_trio.logs import redact
from moobius_trio.network.groups import unwrapped
from moobius_trio.serving import serve_app

__all__ = ("operations_app", "serve_operations")

log = structlog.get_logger()

_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
_PLAIN: Final = "text/plain; charset=utf-8"


async def serve_operations(
    process: Process,
    port: int,
    where: str,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the port until cancelled, as one of several services that want it.

    The first serves for all; when it ends, the next in line opens the port anew. ``started()``
    once it is served, by whomever.

    Args:
        where: what asks for the port, for errors.

    Raises:
        ConfigError: the port is taken by somebody else.
    """
    turn = process.turn(("operations port", port))
    try:
        turn.acquire_nowait()
    except trio.WouldBlock:
        task_status.started()
        await turn.acquire()
        task_status = trio.TASK_STATUS_IGNORED
        in_line = True
    else:
        in_line = False
    try:
        await _serve(process, port, task_status)
    except UsageError as exc:
        if not in_line:
            raise ConfigError(where, str(exc)) from None
        log.error("the operations port is lost", problem=str(exc))  # the service goes on
    finally:
        turn.release()


async def _serve(process: Process, port: int, task_status: trio.TaskStatus[None]) -> None:
    app = operations_app(process)
    remedy = "Stop what uses it, or set another ops_port, or null"
    with unwrapped():
        async with trio.open_nursery() as nursery:
            address = await nursery.start(partial(serve_app, app, port=port, remedy=remedy))
            log.info("operations port", address=address)
            task_status.started()


def operations_app(process: Process) -> Any:
    """The application, for any server of ASGI 3."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        status, kind, text = _answer(process, scope)
        body = redact(text).encode("utf-8", "backslashreplace")
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _answer(process: Process, scope: Any) -> tuple[int, str, str]:
    """Status, content type and text of the answer to one request."""
    if not _is_local(scope["headers"]):
        return 403, _PLAIN, "This port is for this machine; call it by 127.0.0.1.\n"
    if scope["method"] != "GET":
        return 405, _PLAIN, "GET only.\n"
    match scope["path"]:
        case "/healthz":
            return 200, _PLAIN, "The process lives and its event loop turns.\n"
        case "/readyz":
            problems = process.problems()
            if problems:
                return 503, _PLAIN, "".join(f"{problem}\n" for problem in problems)
            return 200, _PLAIN, "Every service is connected and its stores take changes.\n"
        case "/metrics":
            runtimes = [service.runtime() for service in process.services]
            services = [runtime.statistics() for runtime in runtimes if runtime is not None]
            return 200, CONTENT_TYPE, metrics_text(services, len(process.problems()))
        case _:
            return 404, _PLAIN, "There are /healthz, /readyz and /metrics.\n"


def _is_local(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the request names this machine: a page of another site, led here, names its own."""
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    try:
        return len(hosts) == 1 and urlsplit(f"//{hosts[0]}").hostname in _HOSTS
    except ValueError:
        return False
