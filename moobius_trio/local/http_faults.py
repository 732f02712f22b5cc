"""Calls of the protocol that the knobs let fail, and handshakes that they refuse.

ASGI middleware behind the guard. No route and no rule here; the page's own calls always work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import trio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moobius_trio.codec import http0
from moobius_trio.local.faults import Faults
from moobius_trio.local.knobs import HttpFault
from moobius_trio.local.state import State
from moobius_trio.serving import ABORT

__all__ = ("HttpFaults",)

_PROTOCOL: Final = (
    *("/auth/", "/user/", "/service/", "/channel/", "/character/", "/file/", "/bucket/"),
)
_HOST_ERROR: Final = b'{"message": "Internal server error"}'
_HTML: Final = b"<html><body><h1>Bad gateway</h1></body></html>"
_TRICKLE: Final = 600
"""Bytes, and so seconds, of an answer that comes byte by byte."""

_BODIES: Final[Mapping[HttpFault, tuple[int, bytes, str]]] = MappingProxyType(
    {
        "500": (500, _HOST_ERROR, "application/json"),
        "502": (502, _HTML, "text/html"),
        "503": (503, _HOST_ERROR, "application/json"),
        "429": (429, _HOST_ERROR, "application/json"),
        "html": (200, _HTML, "text/html"),
        "empty": (200, b"", "application/json"),
        "code": (200, http0.encode_failure(50_000, "told to fail"), "application/json"),
    }
)


class HttpFaults:
    """Between the guard and the routes, which are its attribute ``app``."""

    def __init__(self, app: ASGIApp, state: State, faults: Faults) -> None:
        self.app = app
        self._state = state
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["type"] == "websocket":
            status = self._state.knobs.handshake_status
            if status is None or path != "/":
                await self.app(scope, receive, send)
            else:
                await self._refuse_handshake(status, scope, send)
            return
        fault = self._faults.http(path) if path.startswith(_PROTOCOL) else "none"
        match fault:
            case "none":
                await self.app(scope, receive, send)
            case "drop":
                await self.app(scope, receive, _swallow)
                await _end(scope, receive)
            case "hang":
                await _gone(receive)
            case "trickle":
                await _read(receive)
                await _trickle(send)
            case _:
                await _read(receive)
                status, body, media_type = _BODIES[fault]
                reply = Response(body, status, self._headers(status), media_type)
                await reply(scope, receive, send)

    def _headers(self, status: int) -> dict[str, str]:
        seconds = self._state.knobs.http_retry_after
        return {} if seconds is None or status not in (429, 503) else {"Retry-After": str(seconds)}

    async def _refuse_handshake(self, status: int, scope: Scope, send: Send) -> None:
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # that is a 403
            return
        headers = [(b"content-length", str(len(_HOST_ERROR)).encode())]
        for name, value in self._headers(status).items():
            headers.append((name.lower().encode(), value.encode()))
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": _HOST_ERROR})


async def _swallow(message: Message) -> None:
    await trio.lowlevel.checkpoint()


async def _read(receive: Receive) -> None:
    """Take the whole request: answered before, a client would see a broken connection."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _gone(receive: Receive) -> None:
    """Wait until the client gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(scope: Scope, receive: Receive) -> None:
    """End the connection without an answer; one that cannot be ended is left without one."""
    abort: Callable[[], None] | None = (scope.get("extensions") or {}).get(ABORT)
    if abort is None:
        await _gone(receive)
    else:
        abort()


async def _trickle(send: Send) -> None:
    headers = [(b"content-length", str(_TRICKLE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(_TRICKLE):
        await send({"type": "http.response.body", "body": b" ", "more_body": number < _TRICKLE - 1})
        await trio.sleep(1)
