"""A fault of the platform's own: one sentence for the client, all of it for the log."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from moobius_trio.errors import StorageError
from moobius_trio.local import Platform, open_platform
from moobius_trio.local.state import State
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline

BASE = "http://127.0.0.1:8000"
CANARY = "/home/canary/project/secret.py"


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=platform.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


def routes_of(platform: Platform) -> list[Any]:
    app: Any = platform.app
    while not isinstance(app, Starlette):
        app = app.app
    return app.routes


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands in a route's place."""
    raise RuntimeError(f"{CANARY}: no such thing")


def tells_nothing(text: str) -> bool:
    """Whether an answer has neither a path nor code of this machine in it."""
    return not re.search(r"canary|Traceback|\.py|File \"|RuntimeError|/home|site-packages", text)


async def test_a_fault_in_any_route_is_one_sentence(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    """HTTP 500 in the platform's envelope; the log has the traceback."""
    routes = [route for route in routes_of(platform) if isinstance(route, Route)]
    assert len(routes) > 20
    for route in routes:
        route.app = broken
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        with capture_logs() as lines:
            reply = await http.request(min((route.methods or set()) - {"HEAD"}), path)
        assert (reply.status_code, reply.json()["code"]) == (500, 50_000), path
        assert tells_nothing(reply.text + str(reply.headers)), path
        assert any(CANARY in line.get("traceback", "") for line in lines)


async def test_a_fault_in_any_socket_closes_it_without_words(platform: Platform) -> None:
    """Before it is accepted, and afterwards."""

    async def broken_later(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise RuntimeError(f"{CANARY}: no such thing")

    routes = [route for route in routes_of(platform) if isinstance(route, WebSocketRoute)]
    assert len(routes) > 1
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(serve_app, platform.app)
        for route in routes:
            for app in (broken, broken_later):
                route.app = app
                assert tells_nothing(await all_of(url, route.path))
        nursery.cancel_scope.cancel()


async def all_of(url: str, path: str) -> str:
    """Everything that a WebSocket is answered, as text."""
    asked = httpx.URL(url)
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {asked.netloc.decode()}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    got = b""
    async with await trio.open_tcp_stream(asked.host, asked.port or 80) as stream:
        await stream.send_all(head.encode())
        while more := await stream.receive_some():
            got += more
            if b"\x88\x02" in got:  # a close without words: ours is to follow
                break
    assert got
    return got.decode("latin-1")


async def test_a_disk_that_fails_is_told_without_its_path(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP 503 from calls that promise to have kept something."""

    async def fails(self: State) -> None:
        raise StorageError(CANARY, "cannot be written (disk full)")

    monkeypatch.setattr(State, "saved", fails)
    for path, body in (
        ("/local/guest", {"name": "alice"}),
        ("/local/bands", {"name": "new"}),
        ("/auth/sign_in", {"username": "dev@example.org", "password": "pw"}),
    ):
        reply = await http.post(path, json=body)
        assert reply.status_code == 503
        assert tells_nothing(reply.text)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/page/../guard.py", b""),
        ("GET", "/page/%2e%2e/%2e%2e/platform.py", b""),
        ("GET", "/page//etc/passwd", b""),
        ("POST", "/auth/sign_in", b"\xff\xfe"),
        ("POST", "/auth/sign_in", b"[" * 10_000),
        ("POST", "/local/guest", b'{"name": {"a": 1}}'),
        ("POST", "/local/bands", b"{}"),
        ("PUT", "/local/bands", b""),
        ("GET", "/bucket/%00", b""),
    ],
)
async def test_wrong_requests_are_told_nothing_of_this_machine(
    http: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    """A 4xx in words about the request alone."""
    reply = await http.request(method, path, content=body)
    assert 400 <= reply.status_code < 500
    said = reply.text.replace("guard.py", "").replace("platform.py", "")  # what was asked for
    assert tells_nothing(said)
