"""Host, Origin and headers: what keeps other pages and other machines out."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import httpx
import pytest
import trio
import trio.testing

from moobius_trio.local import Platform, open_platform
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline

BASE = "http://127.0.0.1:8000"

ROUTES = [
    ("GET", "/"),
    ("GET", "/page/app.js"),
    ("GET", "/nowhere"),
    ("POST", "/auth/sign_in"),
    ("POST", "/service/create"),
    ("GET", "/file/upload"),
    ("POST", "/bucket/"),
    ("GET", "/bucket/x"),
    ("POST", "/local/guest"),
    ("GET", "/local/bands"),
    ("POST", "/local/bands"),
]


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
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_foreign_host_is_403_on_every_route(
    http: httpx.AsyncClient, method: str, path: str, host: str
) -> None:
    """A name that an attacker's DNS points here is not ours."""
    reply = await http.request(method, path, headers={"Host": host})
    assert (reply.status_code, reply.json()["code"]) == (403, 40300)


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
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_foreign_origin_is_403_on_every_route(
    http: httpx.AsyncClient, method: str, path: str, origin: str
) -> None:
    """Another port or name of this machine is another origin."""
    reply = await http.request(method, path, headers={"Origin": origin})
    assert (reply.status_code, reply.json()["code"]) == (403, 40300)


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
        assert "default-src 'self'" in policy
        assert "evil" not in policy


async def test_the_pages_policy_lets_it_speak_to_its_own_platform_only(
    http: httpx.AsyncClient,
) -> None:
    """Pictures come from here, sockets go here."""
    policy = (await http.get("/")).headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["img-src"] == "'self'"
    assert directives["connect-src"].split() == ["'self'", "ws://127.0.0.1:8000"]
    assert directives["frame-ancestors"] == "'none'"


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize("path", ["/", "/local/watch", "//"])
@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}],
    ids=str,
)
async def test_a_socket_for_a_foreign_page_is_refused(
    platform: Platform, path: str, header: dict[str, str]
) -> None:
    """The handshake itself fails with 403; without the header it succeeds."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.get(url + path, headers=UPGRADE | header)
            assert reply.status_code == 403
        async with websocket_connector(url.replace("http", "ws") + path)():
            pass
        nursery.cancel_scope.cancel()
