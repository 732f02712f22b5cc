"""Other machines: a token in the link, a cookie for it, and nothing without either."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio.local import JobRow, Platform, Problem, ServiceState, open_platform
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline

HERE = "http://192.168.1.5:8765"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
PEER = ("192.168.1.9", 50_000)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(
        state=tmp_path / "state",
        run_sync=run_inline,
        wall_clock=trio.current_time,
        random=random.Random(1),
    ) as platform:
        yield platform


@asynccontextmanager
async def from_outside(
    platform: Platform, base: str = HERE, peer: tuple[str, int] = PEER
) -> AsyncIterator[httpx.AsyncClient]:
    """A client on another machine."""
    transport = httpx.ASGITransport(app=platform.app, client=peer)
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        yield client


@asynccontextmanager
async def guest_of(platform: Platform, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on another machine that has exchanged the token."""
    async with from_outside(platform) as http:
        reply = await http.post("/local/enter", headers={"X-Moobius-Token": token})
        assert (reply.status_code, reply.content) == (204, b"")
        yield http


async def test_nobody_else_comes_in_unless_others_are_let_in(platform: Platform) -> None:
    """Not even with an empty token, or an empty cookie."""
    async with from_outside(platform) as http:
        for headers in ({}, {"X-Moobius-Token": ""}, {"Cookie": "moobius_8765="}):
            assert (await http.get("/local/bands", headers=headers)).status_code == 403
            assert (await http.post("/local/enter", headers=headers)).status_code == 403
            assert (await http.get("/token//local/bands", headers=headers)).status_code == 403


async def test_the_token_is_exchanged_for_a_cookie_that_opens_the_page(platform: Platform) -> None:
    """One that no script can read and no other site sends; the token itself is in no answer."""
    token = platform.let_others_in().reveal()
    async with from_outside(platform) as http:
        reply = await http.post("/local/enter", headers={"X-Moobius-Token": token})
        cookie = reply.headers["set-cookie"]
        for word in ("moobius_8765=", "HttpOnly", "SameSite=strict", "Path=/"):
            assert word in cookie
        assert token not in cookie
        for path in ("/", "/page/app.js", "/local/bands"):
            assert (await http.get(path)).status_code == 200
        guest = await http.post("/local/guest", json={"name": "alice"}, headers={"Origin": HERE})
        assert guest.status_code == 200


@pytest.mark.parametrize(
    ("headers", "prefix"),
    [
        ({}, ""),
        ({"X-Moobius-Token": "wrong"}, ""),
        ({}, "/token/%C3%A9%FF"),
        ({"Cookie": "moobius_8765=wrong"}, ""),
        ({"Cookie": "moobius_8765="}, ""),
        ({}, "/token/wrong"),
        ({}, "/token/"),
    ],
)
async def test_a_wrong_token_is_none(
    platform: Platform, headers: dict[str, str], prefix: str
) -> None:
    """Wherever it stands."""
    platform.let_others_in()
    async with from_outside(platform) as http:
        for method, path in (("GET", "/local/bands"), ("POST", "/auth/sign_in")):
            assert (await http.request(method, prefix + path, headers=headers)).status_code == 403
        assert (await http.post("/local/enter", headers=headers)).status_code == 403


async def test_the_token_alone_opens_no_route_but_the_exchange(platform: Platform) -> None:
    """As a header it is for that; a cookie with it is none."""
    token = platform.let_others_in().reveal()
    async with from_outside(platform) as http:
        for headers in ({"X-Moobius-Token": token}, {"Cookie": f"moobius_8765={token}"}):
            assert (await http.get("/local/bands", headers=headers)).status_code == 403


async def test_a_new_token_ends_the_old_one_and_its_cookies(platform: Platform) -> None:
    """So that guests can be shown out."""
    old = platform.let_others_in().reveal()
    async with guest_of(platform, old) as http:
        assert (await http.get("/local/bands")).status_code == 200
        platform.let_others_in()
        assert (await http.get("/local/bands")).status_code == 403
        reply = await http.post("/local/enter", headers={"X-Moobius-Token": old})
        assert reply.status_code == 403


async def test_the_door_has_nothing_of_the_platform(platform: Platform) -> None:
    """A page with one script that its policy names, and words for people."""
    platform.let_others_in()
    async with from_outside(platform) as http:
        reply = await http.get("/?as=alice")
        assert reply.status_code == 403
        assert "the terminal of the platform shows" in reply.text
        policy = reply.headers["content-security-policy"]
        assert "script-src 'sha256-" in policy
        assert "unsafe" not in policy


async def test_a_program_has_the_token_in_its_two_addresses(platform: Platform) -> None:
    """Every client glues paths to them; the platform sees the path alone, and so does its log."""
    token = platform.let_others_in().reveal()
    body = {"username": "dev@example.org", "password": "secret"}
    with capture_logs() as lines:
        async with from_outside(platform, f"{HERE}/token/{token}/") as http:
            assert (await http.post("auth/sign_in", json=body)).status_code == 200
            assert (await http.post("/auth/sign_in", json=body)).status_code == 200
            assert (await http.get("nowhere")).status_code == 404
            body["password"] = "wrong"
            assert (await http.post("auth/sign_in", json=body)).status_code == 401
    assert lines
    assert token not in str(lines)


async def test_a_file_needs_only_the_place_that_was_given_for_it(platform: Platform) -> None:
    """Clients of the original post it without a token, and its address bears none."""
    token = platform.let_others_in().reveal()
    body = {"username": "dev@example.org", "password": "secret"}
    async with from_outside(platform, f"{HERE}/token/{token}/") as http:
        tokens = (await http.post("auth/sign_in", json=body)).json()["data"]
        access = tokens["AuthenticationResult"]["AccessToken"]
        auth = {"Authorization": f"Bearer {access}"}
        asked = await http.get("file/upload", params={"extension": "png"}, headers=auth)
        data = asked.json()["data"]
    assert token not in str(data)
    async with from_outside(platform) as http:
        file = {"file": ("x.png", b"GIF89a")}
        assert (
            await http.post(data["url"] + "x", data=data["fields"], files=file)
        ).status_code == 403
        assert (await http.post(data["url"], data=data["fields"], files=file)).status_code == 204
        assert (await http.post(data["url"], data=data["fields"], files=file)).status_code == 403
        address = data["url"] + data["fields"]["key"]
        assert (await http.get(address)).status_code == 403
    async with guest_of(platform, token) as http:
        assert (await http.get(address)).content == b"GIF89a"


@pytest.mark.parametrize("path", ["inspect", "control", "tapes", "codes", "whatever-is-to-come"])
async def test_guests_have_no_use_of_the_builders_tools(platform: Platform, path: str) -> None:
    """They show everybody's whispers and turn the service over."""
    token = platform.let_others_in().reveal()
    async with guest_of(platform, token) as http:
        for method in ("GET", "POST"):
            reply = await http.request(method, f"/local/{path}")
            assert reply.status_code == 403
            assert "the machine on which the platform runs" in reply.json()["msg"]


@pytest.mark.parametrize(
    ("base", "peer", "status"),
    [
        ("http://127.0.0.1:8765", ("127.0.0.1", 1), 200),
        ("http://127.0.0.1:8765", ("192.168.1.9", 1), 403),  # handed on by something in between
        ("http://192.168.1.5:8765", ("127.0.0.1", 1), 403),
        ("http://192.168.1.5:8765", ("192.168.1.5", 1), 403),
        ("http://127.0.0.2:8765", ("127.0.0.1", 1), 403),
    ],
)
async def test_loopback_alone_needs_no_token(
    platform: Platform, base: str, peer: tuple[str, int], status: int
) -> None:
    """Both ends of the connection have to be on it."""
    platform.let_others_in()
    async with from_outside(platform, base, peer) as http:
        assert (await http.get("/local/bands")).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.5:8765", 200),
        ("127.0.0.1:8765", 200),  # a port of this machine that leads to another one
        ("localhost:8765", 200),
        ("192.168.1.6:8765", 403),
        ("192.168.1.5:8766", 403),
        ("evil.example:8765", 403),
        ("192.168.1.5.evil.example:8765", 403),
    ],
)
async def test_a_name_that_is_not_ours_is_refused_with_the_token_too(
    platform: Platform, host: str, status: int
) -> None:
    """The address that the connection came to, or loopback's."""
    token = platform.let_others_in().reveal()
    async with from_outside(platform, f"{HERE}/token/{token}/") as http:
        assert (await http.get("local/bands", headers={"Host": host})).status_code == status


async def test_a_foreign_page_is_refused_with_the_cookie_too(platform: Platform) -> None:
    """Should a browser send it all the same."""
    token = platform.let_others_in().reveal()
    async with guest_of(platform, token) as http:
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await http.get("/local/bands", headers=headers)).status_code == 403


async def test_sockets_ask_for_the_token_like_all_else(platform: Platform) -> None:
    """On a real connection to an address that is not the loopback one."""
    token = platform.let_others_in().reveal()
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(
            partial(serve_app, platform.app, host="127.0.0.2", exposed=True)
        )
        outside = url.replace("127.0.0.1", "127.0.0.2")
        for path in ("/", "/local/watch"):
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(outside + path, headers=UPGRADE)).status_code == 403
            reply = await head_of(f"{outside}/token/{token}{path}", UPGRADE)
            assert reply.startswith(b"HTTP/1.1 101")
        nursery.cancel_scope.cancel()


class Crashed:
    """What runs a service that has crashed, in place of ``dev``."""

    def state(self) -> ServiceState:
        problem = Problem(text="Traceback of canary.py", summary="canary", file="canary.py", line=1)
        return ServiceState(name="own", state="crashed", problem=problem)

    def on_change(self, tell: Callable[[], None]) -> None:
        """Nothing changes."""

    async def restart(self) -> None:
        """Nothing is there to be started."""

    async def jobs(self) -> tuple[JobRow, ...]:
        return ()

    async def run_job(self, name: str) -> None:
        """There is no job."""

    async def advance(self, seconds: float) -> float:
        return 0.0


async def test_what_the_authors_code_says_is_for_this_machine_alone(platform: Platform) -> None:
    """A guest's page hears that the service has crashed, and not where and why."""
    platform.control = Crashed()
    token = platform.let_others_in().reveal()
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(
            partial(serve_app, platform.app, host="127.0.0.2", exposed=True)
        )
        outside = url.replace("127.0.0.1", "127.0.0.2")
        here = await head_of(f"{url}/local/watch", UPGRADE, b'"builds"')
        there = await head_of(f"{outside}/token/{token}/local/watch", UPGRADE, b'"builds"')
        nursery.cancel_scope.cancel()
    assert (b"canary.py" in here, b"canary" in there) == (True, False)
    assert b'"crashed"' in there
    assert b'"builds":false' in there.replace(b" ", b"")


async def head_of(url: str, headers: dict[str, str], end: bytes = b"\r\n\r\n") -> bytes:
    """The first bytes of the answer to a GET, up to these at least."""
    asked = httpx.URL(url)
    lines = [f"GET {asked.path} HTTP/1.1", f"Host: {asked.netloc.decode()}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with await trio.open_tcp_stream(asked.host, asked.port or 80) as stream:
        await stream.send_all("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        got = b""
        while end not in got and (more := await stream.receive_some()):
            got += more
        return got


async def test_secrets_are_in_no_file_and_no_log(platform: Platform, tmp_path: Path) -> None:
    """Neither the token and cookie for others, nor the tokens of those who sign in."""
    with capture_logs() as lines:
        token = platform.let_others_in().reveal()
        async with guest_of(platform, token) as http:
            cookie = http.cookies["moobius_8765"]
            guest = (await http.post("/local/guest", json={"name": "alice"})).json()["data"]
            access = guest["AuthenticationResult"]["AccessToken"]
            await http.get(f"/token/{token}/nowhere")
            await http.get("/user/info", headers={"Authorization": f"Bearer {access}x"})
    refresh = guest["AuthenticationResult"]["RefreshToken"]
    secrets = [token, cookie, access, access.partition(".")[2], refresh]
    kept = await run_inline(_all_bytes, tmp_path)
    assert kept
    for secret in secrets:
        assert secret.encode() not in kept
        assert secret not in str(lines)


def _all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
