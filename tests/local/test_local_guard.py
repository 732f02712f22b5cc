"""Host, Origin and headers: what keeps other pages and other machines out."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from structlog.testing import capture_logs

from moobius_trio.local import Platform, open_platform
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline

BASE = "http://127.0.0.1:8000"

Call = tuple[str, str]


def calls_of(platform: Platform) -> list[Call]:
    """Method and path of every route, whoever made it, and of one that there is not."""
    app: Any = platform.app
    while not isinstance(app, Starlette):
        app = app.app
    calls: list[Call] = [("GET", "/nowhere"), ("DELETE", "/")]
    for route in app.routes:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        if isinstance(route, Route):
            calls += [(method, path) for method in route.methods or ()]
    return calls


def sockets_of(platform: Platform) -> list[str]:
    """The path of every WebSocket."""
    app: Any = platform.app
    while not isinstance(app, Starlette):
        app = app.app
    return [route.path for route in app.routes if isinstance(route, WebSocketRoute)]


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example:8000",
        "127.0.0.1:8001",
        "127.0.0.1",
        "localhost:80",
        "[::2]:8000",
        "192.168.0.2:8000",
        "user@127.0.0.1:8000",
        "127.0.0.1:8000, 127.0.0.1:8000",
        "",
    ],
)
async def test_a_foreign_host_is_403_on_every_route(
    platform: Platform, http: httpx.AsyncClient, host: str
) -> None:
    """A name that an attacker's DNS points here is not ours (S12)."""
    for method, path in calls_of(platform):
        await is_refused(http, method, path, {"Host": host})


async def is_refused(
    http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    """With 403 and the platform's own words."""
    reply = await http.request(method, path, headers=headers)
    assert reply.status_code == 403, (method, path)
    if method != "HEAD":
        assert reply.json()["code"] == 40300


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8001",
        "http://localhost:8000",
        "",
    ],
)
async def test_a_foreign_origin_is_403_on_every_route(
    platform: Platform, http: httpx.AsyncClient, origin: str
) -> None:
    """Another port or name of this machine is another origin (S12)."""
    for method, path in calls_of(platform):
        await is_refused(http, method, path, {"Origin": origin})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "kind", [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe")]
)
async def test_another_pages_picture_script_or_frame_is_403_on_every_route(
    platform: Platform, http: httpx.AsyncClient, site: str, kind: tuple[str, str]
) -> None:
    """A browser sends no Origin with them, but says where they come from."""
    mode, dest = kind
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    for method, path in calls_of(platform):
        await is_refused(http, method, path, headers)


async def test_a_link_in_another_page_opens_ours(http: httpx.AsyncClient) -> None:
    """As does an address that is typed, and what our page fetches."""
    for site, mode, dest in (
        ("cross-site", "navigate", "document"),
        ("none", "navigate", "document"),
        ("same-origin", "cors", "empty"),
    ):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert (await http.get("/", headers=headers)).status_code == 200


async def test_the_routes_are_found(platform: Platform) -> None:
    """Those that the other tests ask: the protocol's, the page's, the builder's."""
    calls = calls_of(platform)
    assert {("POST", "/auth/sign_in"), ("GET", "/local/bands"), ("GET", "/bucket/x")} < set(calls)
    assert len(calls) > 20
    assert {"/", "/local/watch"} <= set(sockets_of(platform))


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"]
)
async def test_this_machines_names_and_the_own_origin_are_good(
    http: httpx.AsyncClient, host: str
) -> None:
    """With or without an Origin."""
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        reply = await http.post("/local/guest", json={"name": "alice"}, headers=headers)
        assert reply.status_code == 200


async def test_two_hosts_are_none(platform: Platform) -> None:
    """What stands between could read the one, and we the other."""
    headers = [("Host", "127.0.0.1:8000"), ("Host", "127.0.0.1:8000")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=platform.app)) as client:
        reply = await client.get(BASE + "/local/bands", headers=headers)
    assert reply.status_code == 403


@pytest.mark.parametrize("path", ["/", "/local/bands", "/nowhere", "/bucket/x"])
async def test_every_reply_has_the_headers_that_keep_a_browser_careful(
    http: httpx.AsyncClient, path: str
) -> None:
    """Refusals too."""
    for reply in (await http.get(path), await http.get(path, headers={"Host": "evil"})):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "evil" not in policy


async def test_the_pages_policy_lets_it_speak_to_its_own_platform_only(
    http: httpx.AsyncClient,
) -> None:
    """Pictures come from here, sockets go here."""
    policy = (await http.get("/")).headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    for kind in ("script", "style", "img", "media"):
        assert directives[f"{kind}-src"] == "'self'"
    assert directives["connect-src"].split() == ["'self'", "ws://127.0.0.1:8000"]
    assert directives["frame-ancestors"] == "'none'"


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}],
    ids=str,
)
async def test_a_socket_for_a_foreign_page_is_refused(
    platform: Platform, header: dict[str, str]
) -> None:
    """Each handshake itself fails with 403; without the header it succeeds (S12)."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        for path in (*sockets_of(platform), "//"):
            async with httpx.AsyncClient(trust_env=False) as client:
                reply = await client.get(url + path, headers=UPGRADE | header)
                assert reply.status_code == 403
            async with websocket_connector(url.replace("http", "ws") + path)():
                pass
        nursery.cancel_scope.cancel()


async def test_refusals_are_counted_in_the_log(
    http: httpx.AsyncClient, autojump_clock: trio.testing.MockClock
) -> None:
    """The first at once, more of its kind in one line ten seconds later."""
    with capture_logs() as lines:
        for _ in range(1_000):
            await http.get("/", headers={"Host": "evil.example"})
        await trio.sleep(11)
        await http.get("/", headers={"Host": "evil.example"})
    assert [line["times"] for line in lines if line["event"] == "request refused"] == [1, 1_000]
