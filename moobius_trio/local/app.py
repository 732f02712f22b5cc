"""The routes of the local platform, and nothing but the routes.

The protocol's are those of section 2.2 of docs/protocol/generation-0.md and generation-1.md; those
below ``/local/`` and ``/page/`` are the page's.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from moobius_trio.codec.generations import Generation
from moobius_trio.local.accounts import Accounts
from moobius_trio.local.api import Api, Handler, answered, failure, param, signed_in, token_of
from moobius_trio.local.api1 import Api1
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
    calls, accounts = _Calls(state, sessions), Accounts(state, sessions)
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
        *_protocol_routes(
            calls, Api(state, sessions), Api1(state, sessions), accounts, file_upload
        ),
        calls.post("/bucket/{place}/", uploads.take),
        calls.get("/bucket/{key}", uploads.give),
        calls.get("/bucket/{place}/{key}", uploads.give),
        _get("/", page.index),
        _get("/page/{name:path}", page.file),
        _post("/local/guest", page.guest),
        _get("/local/bands", page.bands),
        _post("/local/bands", page.add_band),
        _get("/local/membership", page.membership),
        _get("/local/history", page.history),
        _get("/local/groups", page.groups),
        _post("/local/groups", page.add_group),
        _get("/local/agents", page.agents),
        _get("/local/codes", accounts.codes),
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


class _Calls:
    """The routes of the protocol: each call is counted, and tells which generation its client
    speaks where only one has it (docs/protocol/generation-1.md section 8)."""

    def __init__(self, state: State, sessions: Sessions) -> None:
        self._state = state
        self._sessions = sessions

    def get(self, path: str, handler: Handler, generation: Generation | None = None) -> Route:
        return _get(path, self._watched(f"GET {path}", handler, generation))

    def post(self, path: str, handler: Handler, generation: Generation | None = None) -> Route:
        return _post(path, self._watched(f"POST {path}", handler, generation))

    def _watched(self, name: str, handler: Handler, generation: Generation | None) -> Handler:
        async def watched(request: Request) -> object:
            self._state.calls[name] += 1
            token = token_of(request)
            if generation is not None and self._state.user_of(token) is not None:
                self._sessions.learn(token, generation)
            return await handler(request)

        return watched


def _protocol_routes(
    calls: _Calls, api: Api, api1: Api1, accounts: Accounts, file_upload: Handler
) -> list[BaseRoute]:
    get, post = calls.get, calls.post
    return [
        post("/auth/sign_in", accounts.sign_in),
        post("/auth/sign_up", accounts.sign_up),
        post("/auth/resend_confirmation", accounts.resend_confirmation),
        post("/auth/confirm_sign_up", accounts.confirm_sign_up),
        post("/auth/forgot_password", accounts.forgot_password),
        post("/auth/confirm_reset_password", accounts.reset_password),
        post("/auth/delete_account", accounts.delete_account),
        post("/auth/sign_out", accounts.sign_out, 1),
        post("/auth/refresh", accounts.refresh),
        get("/user/info", accounts.user_info),
        post("/user/info", accounts.update_user, 1),
        get("/service/list", api.service_list),
        post("/service/create", api.service_create),
        post("/service/bind", api.service_bind),
        post("/service/unbind", api.service_unbind),
        get("/channel/userlist", api.channel_userlist, 0),
        get("/channel/character_list", api1.member_ids, 1),
        post("/channel/create", api1.create_channel, 1),
        post("/channel/update", api1.update_channel, 1),
        get("/channel/popular", api1.popular, 1),
        get("/channel/list", api1.channels, 1),
        get("/channel/history_message", api1.history),
        post("/user/fetch_profile", api.fetch_profile, 0),
        post("/character/fetch_profile", api1.profiles, 1),
        post("/service/user/create", api.character_create, 0),
        get("/service/user/list", api.character_list, 0),
        post("/service/character/create", api1.create_agent, 1),
        post("/service/character/update", api1.update_agent, 1),
        get("/service/character/list", api1.agents, 1),
        post("/service/group/create", api1.create_group),
        get("/service/group", api1.service_group, 1),
        get("/user/group", api1.user_group),
        get("/user/group/list", api1.channel_groups, 1),
        get("/user/group/temp", api1.temporary_groups, 1),
        post("/user/group/create", api1.create_channel_group, 1),
        get("/file/upload", file_upload),
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
