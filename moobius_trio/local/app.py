"""The routes of the local platform, and nothing but the routes.

The protocol's are those of docs/protocol/generation-0.md section 2.2; those below ``/local/`` and
``/page/`` are the page's.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from moobius_trio.local.api import Api, Handler, answered, failure, param, signed_in
from moobius_trio.local.guard import OUTSIDE, Guard
from moobius_trio.local.http_faults import HttpFaults
from moobius_trio.local.page_api import PageApi
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.sockets import StarletteSocket
from moobius_trio.local.state import State
from moobius_trio.local.taping import TapeDesk
from moobius_trio.local.tools import Tools
from moobius_trio.local.uploads import Uploads

__all__ = ("make_app",)


def make_app(state: State, sessions: Sessions, page: PageApi, desk: TapeDesk) -> ASGIApp:
    """The whole platform as an ASGI application."""
    uploads = Uploads(state)
    tools = Tools(state, sessions, lambda: desk.recording)

    async def file_upload(request: Request) -> object:
        signed_in(state, request)
        return uploads.target(_origin(request), param(request, "extension"))

    async def protocol_socket(websocket: WebSocket) -> None:
        socket = StarletteSocket(websocket)  # before the answer: it looks at all frames
        await websocket.accept()
        await sessions.serve(socket)

    async def watch_socket(websocket: WebSocket) -> None:
        await websocket.accept()
        builds = OUTSIDE not in (websocket.scope.get("extensions") or {})
        await sessions.watch(StarletteSocket(websocket), builds=builds)

    async def inspect_socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await sessions.inspect(StarletteSocket(websocket))

    routes: list[BaseRoute] = [
        *_protocol_routes(Api(state, sessions)),
        _get("/file/upload", file_upload),
        _post("/bucket/{place}/", uploads.take),
        _get("/bucket/{key}", uploads.give),
        _get("/bucket/{place}/{key}", uploads.give),
        _get("/", page.index),
        _get("/page/{name:path}", page.file),
        _post("/local/guest", page.guest),
        _get("/local/bands", page.bands),
        _post("/local/bands", page.add_band),
        _get("/local/membership", page.membership),
        _get("/local/history", page.history),
        _get("/local/tapes", desk.status),
        _post("/local/tapes", desk.order),
        _post("/local/puppets", page.puppets),
        _get("/local/people", page.people),
        _get("/local/control", tools.show),
        _post("/local/control", tools.do),
        WebSocketRoute("/", protocol_socket),
        WebSocketRoute("/local/watch", watch_socket),
        WebSocketRoute("/local/inspect", inspect_socket),
    ]
    handlers = {HTTPException: _failure, Exception: _failure}
    app = Starlette(routes=routes, exception_handlers=handlers)
    behind = HttpFaults(app, state, sessions.faults)
    return Guard(behind, state.access, lambda: state.front_port, uploads.is_place)


def _protocol_routes(api: Api) -> list[BaseRoute]:
    return [
        _post("/auth/sign_in", api.sign_in),
        _post("/auth/refresh", api.refresh),
        _get("/user/info", api.user_info),
        _get("/service/list", api.service_list),
        _post("/service/create", api.service_create),
        _post("/service/bind", api.service_bind),
        _post("/service/unbind", api.service_unbind),
        _get("/channel/userlist", api.channel_userlist),
        _get("/channel/history_message", api.history),
        _post("/user/fetch_profile", api.fetch_profile),
        _post("/service/user/create", api.character_create),
        _get("/service/user/list", api.character_list),
        _post("/service/group/create", api.group_create),
        _get("/user/group", api.group_user),
    ]


def _origin(request: Request) -> str:
    """The platform's own address as the request names it, which the guard has looked at."""
    return f"{request.scope['scheme']}://{request.headers['host']}"


def _get(path: str, handler: Handler) -> Route:
    return Route(path, answered(handler), methods=["GET"])


def _post(path: str, handler: Handler) -> Route:
    return Route(path, answered(handler), methods=["POST"])


async def _failure(request: Request, exc: Exception) -> Response:
    """Starlette's own refusals (no such path, wrong method) and faults of ours in the envelope.

    Asynchronous only because Starlette would run it in a thread otherwise.
    """
    if isinstance(exc, HTTPException):
        return failure(exc.status_code, f"{request.method} {request.url.path}: {exc.detail}")
    return failure(500, "the platform failed; see its log")
