"""The page's own calls: guests, bands, membership, history, files, and the watched list."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from moobius_trio.codec.generation0 import encode_from_service, encode_from_user
from moobius_trio.local import DEFAULT_BAND, Guest, Platform, open_platform, page_api
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import (
    ChannelId,
    Content,
    MessageDown,
    RequestId,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UserAction,
    UserCommand,
    UserLogin,
    UserMessage,
)

BASE = "http://127.0.0.1:8000"
BAND = ChannelId(DEFAULT_BAND)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=lambda: 5_000.0, random=random.Random(1)
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


async def bound_service(http: httpx.AsyncClient) -> tuple[ServiceId, str]:
    body = {"username": "dev@x", "password": "p"}
    reply = (await http.post("/auth/sign_in", json=body)).json()
    token = reply["data"]["AuthenticationResult"]["AccessToken"]
    auth = {"Authorization": f"Bearer {token}"}
    made = await http.post("/service/create", json={"description": "Demo"}, headers=auth)
    service_id = ServiceId(made.json()["data"]["service_id"])
    binding = {"service_id": service_id, "channel_id": BAND}
    await http.post("/service/bind", json=binding, headers=auth)
    return service_id, token


async def as_user(stream: MemoryFrameStream, guest: Guest, command: UserCommand) -> dict[str, Any]:
    """Send one frame and give the next that comes."""
    text = encode_from_user(
        command, request_id=RequestId("r"), client_id=guest.user_id, timestamp=1
    )
    await stream.send_text(text)
    frame: dict[str, Any] = json.loads(await stream.receive_text())
    return frame


async def test_a_guest_is_made_at_first_and_found_again(http: httpx.AsyncClient) -> None:
    """The same name is the same user, with tokens that work for uploads and sockets."""
    first = (await http.post("/local/guest", json={"name": "alice"})).json()["data"]
    again = (await http.post("/local/guest", json={"name": "ALICE"})).json()["data"]
    other = (await http.post("/local/guest", json={"name": "bob"})).json()["data"]
    assert first["user_id"] == again["user_id"] != other["user_id"]
    assert first["nickname"] == again["nickname"] == "Alice"
    assert set(first["AuthenticationResult"]) == {"AccessToken", "RefreshToken"}
    auth = {"Authorization": f"Bearer {first['AuthenticationResult']['AccessToken']}"}
    info = (await http.get("/user/info", headers=auth)).json()["data"]
    assert info["sub"] == info["user_id"] == first["user_id"]


@pytest.mark.parametrize("body", [b"{}", b'{"name": 1}', b'{"name": " "}', b"nonsense"])
@pytest.mark.parametrize("path", ["/local/guest", "/local/bands"])
async def test_a_name_that_is_none_is_a_400(
    http: httpx.AsyncClient, path: str, body: bytes
) -> None:
    """With words that can be shown."""
    reply = await http.post(path, content=body)
    assert reply.status_code == 400
    assert reply.json()["msg"]


async def test_nobody_signs_in_as_a_guest_with_a_password(http: httpx.AsyncClient) -> None:
    """A guest's account is opened through the page only."""
    await http.post("/local/guest", json={"name": "alice"})
    from moobius_trio.local.rules_http import guest_login

    for password in ("", "p"):
        body = {"username": guest_login("alice"), "password": password}
        assert (await http.post("/auth/sign_in", json=body)).status_code in (400, 401)


async def test_bands_are_made_and_listed(http: httpx.AsyncClient) -> None:
    """A band from the start, one made here, and who holds which."""
    service_id, _ = await bound_service(http)
    made = await http.post("/local/bands", json={"name": "My room"})
    assert made.json()["data"] == {"channel_id": "local-my-room"}
    demo, room = (await http.get("/local/bands")).json()["data"]
    assert demo == {
        "channel_id": DEFAULT_BAND,
        "name": DEFAULT_BAND,
        "service_id": service_id,
        "service_name": "Demo",
        "online": False,
        "state": "offline",
        "session": 5_000,
        "reset": 0,
    }
    assert room == {
        "channel_id": "local-my-room",
        "name": "My room",
        "service_id": None,
        "service_name": None,
        "online": False,
        "state": "none",
        "session": 0,
        "reset": 0,
    }


async def test_membership_and_history_of_a_user(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    """What they sent and what they were sent, oldest first, each told apart by its type."""
    service_id, token = await bound_service(http)
    alice, bob = platform.sign_in_guest("alice"), platform.sign_in_guest("bob")
    auth = {"Authorization": f"Bearer {alice.tokens.access.reveal()}"}
    query = {"channel_id": BAND}

    async def get(path: str) -> Any:
        return (await http.get(path, params=query, headers=auth)).json()["data"]

    assert await get("/local/membership") == {"member": False}
    async with trio.open_nursery() as nursery:
        near, far = memory_stream_pair()
        nursery.start_soon(platform.serve_socket, far)
        await as_user(near, alice, UserLogin(access_token=alice.tokens.access.reveal()))
        await as_user(near, alice, UserAction(subtype="join_channel", channel_id=BAND))
        assert await get("/local/membership") == {"member": True}
        said = UserMessage(
            channel_id=BAND, content=Content(text="hi"), recipients=[bob.user_id, alice.user_id]
        )
        await as_user(near, alice, said)
        service, far = memory_stream_pair()
        nursery.start_soon(platform.serve_socket, far)
        commands: list[ServiceCommand] = [
            ServiceLogin(service_id=service_id, access_token=token),
            MessageDown(channel_id=BAND, content="to bob", recipients=[bob.user_id]),
            MessageDown(
                channel_id=BAND,
                content=Content(path="http://x/k.png"),
                subtype="image",
                recipients=[alice.user_id],
                sender=bob.user_id,
            ),
        ]
        for number, command in enumerate(commands):
            text = encode_from_service(
                command, request_id=RequestId(str(number)), client_id=service_id, timestamp=7
            )
            await service.send_text(text)
            await service.receive_text()
        up, down = await get("/local/history")
        await near.aclose()
        await service.aclose()
    assert (up["type"], up["body"]["content"]) == ("msg_up", {"text": "hi"})
    assert up["body"]["context"]["sender"] == alice.user_id
    assert up["body"]["recipients"] == [bob.user_id, alice.user_id]
    assert (down["type"], down["body"]["subtype"]) == ("msg_down", "image")
    assert down["body"]["content"] == {"path": "http://x/k.png"}
    assert (down["body"]["sender"], down["body"]["timestamp"]) == (bob.user_id, 7)


async def test_a_page_that_watches_gets_the_list_at_once_and_after_every_change(
    platform: Platform,
) -> None:
    """A service that logs in raises the session number; one that goes is offline."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
            websocket_connector(url.replace("http", "ws") + "/local/watch")() as watch,
        ):

            async def bands() -> list[dict[str, Any]]:
                listed: list[dict[str, Any]] = json.loads(await watch.receive_text())["bands"]
                return listed

            (first,) = await bands()
            assert first["service_id"] is None
            service_id, token = await bound_service(http)
            (bound,) = await bands()
            assert (bound["service_id"], bound["online"]) == (service_id, False)
            numbers = [bound["session"]]
            for _ in range(2):
                async with websocket_connector(url.replace("http", "ws") + "/")() as service:
                    login = ServiceLogin(service_id=service_id, access_token=token)
                    text = encode_from_service(
                        login, request_id=RequestId("r"), client_id=service_id, timestamp=1
                    )
                    await service.send_text(text)
                    (online,) = await bands()
                    assert online["online"] is True
                    numbers.append(online["session"])
                (offline,) = await bands()
                assert offline["online"] is False
            assert numbers == sorted(set(numbers))
            await http.post("/local/bands", json={"name": "second"})
            assert [band["name"] for band in await bands()] == [DEFAULT_BAND, "second"]
        nursery.cancel_scope.cancel()


async def test_the_pages_files_are_served_from_a_fixed_list(http: httpx.AsyncClient) -> None:
    """What is not on it is not looked for, however it is spelt."""
    index = await http.get("/?as=alice&band=local-demo")
    assert index.status_code == 200
    assert index.headers["content-type"].startswith("text/html")
    script = await http.get("/page/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "no-cache"
    for name in ("../page_api.py", "..%2fpage_api.py", "%2e%2e/page_api.py", "/etc/passwd", ""):
        assert (await http.get(f"/page/{name}")).status_code == 404, name


async def test_a_file_that_has_gone_is_a_404(
    platform: Platform, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is being edited does not break the platform."""

    def gone(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert (await http.get("/")).status_code == 404


def test_the_list_of_files_holds_only_what_a_page_is_made_of() -> None:
    """Its names are relative and have no dots in them but one."""
    names = page_api.page_files()
    assert "index.html" in names
    for name in names:
        assert ".." not in name
        assert not name.startswith("/")


async def test_the_page_hears_which_characters_are_puppets(http: httpx.AsyncClient) -> None:
    """Those that a service made, out of those it asks about; ids that nobody has are none."""
    service_id, token = await bound_service(http)
    auth = {"Authorization": f"Bearer {token}"}
    context = {"nickname": "Mickey", "avatar": "", "description": ""}
    body = {"service_id": service_id, "username": "mickey", "context": context}
    made = await http.post("/service/user/create", json=body, headers=auth)
    mickey = made.json()["data"]["user_id"]
    guest = (await http.post("/local/guest", json={"name": "alice"})).json()["data"]
    asked = {"user_ids": [guest["user_id"], mickey, "nobody", 7]}
    reply = await http.post("/local/puppets", json=asked, headers=auth)
    assert reply.json()["data"] == {"puppets": [mickey]}
    assert (
        await http.post("/local/puppets", json={"user_ids": "x"}, headers=auth)
    ).status_code == 400
    assert (await http.post("/local/puppets", json=asked)).status_code == 401
