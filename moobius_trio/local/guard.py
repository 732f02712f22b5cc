"""What every request passes before it reaches a route, and every reply after it.

A page somewhere on the web must not be able to speak to the platform through the browser of the
person at this machine, hence Host, Origin and Sec-Fetch-Site; whoever comes from another machine
needs a token, and has no business with the builder's tools (docs/architecture.md section 8). No
route and no rule of the platform here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Final

import attrs
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moobius_trio.local.access import ENTER_PATH, Access
from moobius_trio.local.api import failure
from moobius_trio.local.often import Often

__all__ = ("OUTSIDE", "Guard")

OUTSIDE: Final = "moobius_trio.outside"
"""The key of ``scope["extensions"]`` that is there for whoever comes from another machine."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST: Final = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?")
_SECURE: Final = frozenset({"https", "wss"})
_FETCHED_BY_US: Final = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of our own page, and of an address that somebody has typed."""

_LOCAL: Final = "/local/"
_FOR_GUESTS: Final = frozenset(
    f"{_LOCAL}{name}"
    for name in (
        *("guest", "bands", "membership", "history", "groups", "agents", "puppets", "watch"),
    )
)
"""The page's calls that whoever comes from another machine may use. What else is there, and what
is to come, shows everybody's frames or turns the service over: it is for this machine alone."""

_WRONG_HOST: Final = "the Host of the request is not an address of this platform"
_WRONG_ORIGIN: Final = "the request comes from a page of another origin"
_NO_TOKEN: Final = "the request has neither the token of this platform nor its cookie"  # noqa: S105
_NOT_FOR_GUESTS: Final = "this is for the machine on which the platform runs"

_log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class _Request:
    """What of a request is asked for here.

    Attributes:
        here: where it came in, and on which port.
        secure: it came through TLS.
        outside: it comes from another machine, or asks for an address that others can reach.
        token: what it gave as the platform's token in its path.
    """

    scope: Scope
    path: str
    here: tuple[str, int]
    secure: bool
    outside: bool
    token: str = attrs.field(repr=False)

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)


class Guard:
    """ASGI middleware, the outermost one.

    Args:
        access: what lets others than this machine in.
        front_port: gives the port that clients are to use when another program listens for the
            platform, and then no other one is accepted; None for the platform's own.
        is_place: whether a path is a place that was given to somebody to post one file to.

    Attributes:
        app: what it guards.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        front_port: Callable[[], int | None] = lambda: None,
        is_place: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self.app = app
        self._access = access
        self._front_port = front_port
        self._is_place = is_place
        self._refusals: dict[str, Often] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = self._read(scope)
        # The token has done its work: nothing behind this sees it, and no log line.
        scope = {**scope, "path": request.path, "raw_path": request.path.encode()}
        if request.outside:
            scope["extensions"] = {**(scope.get("extensions") or {}), OUTSIDE: {}}
        problem = self._problem(request)
        reply = _Reply(scope, send, trusted=not problem)
        if problem:
            self._note(request.path, problem)
            await reply.refuse(problem, self._door(request, problem), receive)
            return
        if request.outside and request.path == ENTER_PATH and scope["type"] == "http":
            await reply.give(self._access.enter(scope) or failure(403, _NO_TOKEN), receive)
            return
        try:
            await self.app(scope, receive, reply.send)
        except Exception as exc:
            # A named boundary: a fault of ours is one line for the client and all of it for the
            # log; it must never end the server.
            # The traceback as text: with exc_info a console may print all locals, tokens included.
            text = "".join(traceback.format_exception(exc))
            _log.error("request failed", path=request.path, error=repr(exc), traceback=text)
            await reply.fail(receive)

    def _read(self, scope: Scope) -> _Request:
        # Clients of the original glue "/auth/sign_in" to a base that ends with "/"
        # (docs/protocol/generation-0.md section 2.1).
        path, token = self._access.split(re.sub("/{2,}", "/", scope["path"]))
        name, port = scope.get("server") or ("", None)
        peer, _ = scope.get("client") or ("", 0)
        secure = scope.get("scheme") in _SECURE
        return _Request(
            scope=scope,
            path=path,
            here=(name, self._front_port() or port or _usual_port(secure)),
            secure=secure,
            outside=not {name, peer} <= _LOOPBACK,
            token=token,
        )

    def _problem(self, request: _Request) -> str:
        """Why the request is not answered; empty when it is."""
        if problem := _foreign(request):
            return problem
        if not request.outside:
            return ""
        path, scope = request.path, request.scope
        if path == ENTER_PATH and scope["type"] == "http" and scope["method"] == "POST":
            return ""
        posts = scope["type"] == "http" and scope["method"] == "POST"
        if not (self._access.admits(scope, request.token) or (posts and self._is_place(path))):
            return _NO_TOKEN
        return _NOT_FOR_GUESTS if path.startswith(_LOCAL) and path not in _FOR_GUESTS else ""

    def _door(self, request: _Request, problem: str) -> Response | None:
        asks = request.scope["type"] == "http" and request.scope["method"] == "GET"
        if problem == _NO_TOKEN and asks and request.path == "/":
            return self._access.door(request.headers["host"])
        return None

    def _note(self, path: str, problem: str) -> None:
        if problem not in self._refusals:
            self._refusals[problem] = Often(
                lambda count: _log.warning(
                    "request refused", path=path, reason=problem, times=count
                )
            )
        self._refusals[problem].happened()


def _foreign(request: _Request) -> str:
    """Whether a page of somewhere else asks, or one that reached us by a name which is not ours."""
    headers = request.headers
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    host = hosts[0].lower() if len(hosts) == 1 else ""
    parts = _HOST.fullmatch(host)
    name, port = request.here
    names = {*_LOOPBACK, name} if request.outside else _LOOPBACK
    # A Host does not name the port when it is the usual one.
    given = int(parts[2] or _usual_port(request.secure)) if parts else 0
    if not parts or parts[1].strip("[]") not in names or given != port:
        return _WRONG_HOST
    scheme = "https" if request.secure else "http"
    if any(origin.lower() != f"{scheme}://{host}" for origin in origins):
        return _WRONG_ORIGIN
    # Requests that change nothing have no Origin. A link to the page is good, a picture of ours in
    # another page is not: it would tell that page that we are here.
    site = headers.get("sec-fetch-site", "none")
    goes = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == (
        "navigate",
        "document",
    )
    return "" if site in _FETCHED_BY_US or goes else _WRONG_ORIGIN


def _usual_port(secure: bool) -> int:
    return 443 if secure else 80


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

    async def give(self, response: Response, receive: Receive) -> None:
        """An answer of the guard's own."""
        await response(self._scope, receive, self.send)

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("Content-Security-Policy", self._content_policy())
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if OUTSIDE not in (self._scope.get("extensions") or {}):
            # Elsewhere than on loopback browsers ignore it without TLS, with an error on the
            # console.
            headers["Cross-Origin-Opener-Policy"] = "same-origin"

    def _content_policy(self) -> str:
        host = Headers(scope=self._scope).get("host", "")
        scheme = "wss" if self._scope.get("scheme") in _SECURE else "ws"
        socket = f"{scheme}://{host}" if self._trusted else ""
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"media-src 'self'; connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )

    async def refuse(self, problem: str, door: Response | None, receive: Receive) -> None:
        """HTTP 403, for a WebSocket too: it has not been accepted."""
        if self._scope["type"] == "websocket":
            await self._send({"type": "websocket.close", "code": 1008, "reason": problem})
        else:
            await self.give(door or failure(403, problem), receive)

    async def fail(self, receive: Receive) -> None:
        """HTTP 500, or a WebSocket's 1011, if nothing has been answered yet."""
        if self._scope["type"] == "websocket":
            if not self._started:
                await self._send({"type": "websocket.close", "code": 1011, "reason": ""})
        elif not self._started:
            await self.give(failure(500, "the platform failed; see its log"), receive)
