"""What every request passes before it reaches a route, and every reply after it.

A page somewhere on the web must not be able to speak to the platform through the browser of the
person at this machine: hence Host and Origin (docs/architecture.md section 8). No route and no
rule of the platform here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moobius_trio.local.api import failure

__all__ = ("Guard",)

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST: Final = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?")

_log = structlog.get_logger()


class Guard:
    """ASGI middleware, the outermost one.

    Args:
        front_port: gives the port that clients are to use when another program listens for the
            platform, and then no other one is accepted; None for the platform's own.
    """

    def __init__(self, app: ASGIApp, front_port: Callable[[], int | None] = lambda: None) -> None:
        self._app = app
        self._front_port = front_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # Clients of the original glue "/auth/sign_in" to a base that ends with "/"
        # (docs/protocol/generation-0.md section 2.1).
        path = re.sub("/{2,}", "/", scope["path"])
        scope = {**scope, "path": path, "raw_path": path.encode()}
        server = scope.get("server") or ("", None)
        problem = _problem(scope, self._front_port() or server[1] or 80)
        reply = _Reply(scope, send, trusted=not problem)
        if problem:
            _log.warning("request refused", path=path, reason=problem)
            await reply.refuse(problem, receive)
            return
        try:
            await self._app(scope, receive, reply.send)
        except Exception as exc:
            # A named boundary: a fault of ours is one line for the client and all of it for the
            # log; it must never end the server.
            # The traceback as text: with exc_info a console may print all locals, tokens included.
            text = "".join(traceback.format_exception(exc))
            _log.error("request failed", path=path, error=repr(exc), traceback=text)
            await reply.fail(receive)


def _problem(scope: Scope, port: int) -> str:
    """Why the request is not answered; empty when it is."""
    headers = Headers(scope=scope)
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    host = hosts[0].lower() if len(hosts) == 1 else ""
    parts = _HOST.fullmatch(host)
    # A Host does not name the port when it is the usual one.
    if not parts or parts[1] not in _LOOPBACK or int(parts[2] or 80) != port:
        return "the Host of the request is not this machine's loopback address with our port"
    if any(origin.lower() != f"http://{host}" for origin in origins):
        return "the request comes from a page of another origin"
    return ""


class _Reply:
    """What goes back: everything with the same headers, and something even after a fault."""

    def __init__(self, scope: Scope, send: Send, *, trusted: bool) -> None:
        self._scope = scope
        self._trusted = trusted
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            self._started = True
        if message["type"] == "http.response.start":
            self._add_headers(MutableHeaders(scope=message))
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("Content-Security-Policy", self._content_policy())
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"

    def _content_policy(self) -> str:
        host = Headers(scope=self._scope).get("host", "")
        socket = f"ws://{host}" if self._trusted else ""
        return (
            "default-src 'self'; img-src 'self'; media-src 'self'; object-src 'none'; "
            f"connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    async def refuse(self, problem: str, receive: Receive) -> None:
        """HTTP 403, for a WebSocket too: it has not been accepted."""
        if self._scope["type"] == "websocket":
            await self._send({"type": "websocket.close", "code": 1008, "reason": problem})
        else:
            await failure(403, problem)(self._scope, receive, self.send)

    async def fail(self, receive: Receive) -> None:
        """HTTP 500, or a WebSocket's 1011, if nothing has been answered yet."""
        if self._scope["type"] == "websocket":
            if not self._started:
                await self._send({"type": "websocket.close", "code": 1011, "reason": ""})
        elif not self._started:
            await failure(500, "the platform failed; see its log")(self._scope, receive, self.send)
