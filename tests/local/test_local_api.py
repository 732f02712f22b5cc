"""The HTTP calls through the ASGI application, in memory and simulated time."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, MutableMapping

import anyio.to_thread
import attrs
import httpx
import pytest
import trio
import trio.testing

from moobius_trio.local import DEFAULT_BAND, Knobs, Platform, open_platform
from moobius_trio.testing.inline import run_inline

BASE = "http://127.0.0.1:8000"


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    """A platform in memory, where a thread would be a defect."""

    async def no_thread(*args: object, **kwargs: object) -> None:
        raise AssertionError("a thread under simulated time")

    monkeypatch.setattr(trio.to_thread, "run_sync", no_thread)
    monkeypatch.setattr(anyio.to_thread, "run_sync", no_thread)
    async with open_platform(
        state=None,
        run_sync=run_inline,
        wall_clock=lambda: 1_700_000_000.0 + trio.current_time(),
        random=random.Random(1),
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


async def sign_in(http: httpx.AsyncClient, email: str = "a@x.org") -> dict[str, str]:
    """The header that carries the account's token."""
    reply = await http.post("/auth/sign_in", json={"username": email, "password": "secret"})
    token = reply.json()["data"]["AuthenticationResult"]["AccessToken"]
    return {"Authorization": f"Bearer {token}"}


async def create_service(http: httpx.AsyncClient, auth: dict[str, str]) -> str:
    reply = await http.post("/service/create", json={"description": "Demo"}, headers=auth)
    service_id: str = reply.json()["data"]["service_id"]
    return service_id


async def test_the_first_sign_in_makes_the_account_and_later_ones_must_match(
    http: httpx.AsyncClient,
) -> None:
    """Another password is refused in the envelope, with words in both places clients look."""
    body = {"username": "a@x.org", "password": "secret"}
    first = (await http.post("/auth/sign_in", json=body)).json()
    second = (await http.post("/auth/sign_in", json=body)).json()
    assert first["code"] == second["code"] == 10000
    assert set(first["data"]["AuthenticationResult"]) == {"AccessToken", "RefreshToken"}
    wrong = await http.post("/auth/sign_in", json={**body, "password": "other"})
    assert wrong.status_code == 401
    assert wrong.json()["code"] != 10000
    assert wrong.json()["msg"] == wrong.json()["message"]
    assert "another password" in wrong.json()["msg"]


async def test_two_first_sign_ins_at_once_make_one_account(http: httpx.AsyncClient) -> None:
    """The slower one is the second, and has to match."""
    ids: list[str] = []

    async def one() -> None:
        auth = await sign_in(http)
        ids.append((await http.get("/user/info", headers=auth)).json()["data"]["sub"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert ids[0].startswith("local-")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/user/info"),
        ("GET", "/service/list"),
        ("POST", "/service/create"),
        ("POST", "/service/bind"),
        ("POST", "/service/unbind"),
        ("GET", "/channel/userlist?channel_id=a&service_id=b"),
        ("POST", "/user/fetch_profile"),
        ("POST", "/service/user/create"),
        ("GET", "/service/user/list?service_id=a"),
        ("POST", "/service/group/create"),
        ("GET", "/user/group?user_id=a&channel_id=b&group_id=c"),
        ("GET", "/file/upload?extension=png"),
        ("GET", "/local/membership?channel_id=a"),
        ("GET", "/local/history?channel_id=a"),
    ],
)
async def test_without_a_good_token_every_call_is_401_with_an_envelope(
    http: httpx.AsyncClient, method: str, path: str, header: dict[str, str]
) -> None:
    """No token, an empty one and a wrong one are the same."""
    reply = await http.request(method, path, headers=header)
    assert reply.status_code == 401
    assert reply.json()["code"] == 40100


async def test_tokens_expire_and_a_refresh_gives_a_new_one(
    http: httpx.AsyncClient, autojump_clock: trio.testing.MockClock
) -> None:
    """An access token is good for a day, a refresh token for thirty."""
    body = {"username": "a@x.org", "password": "secret"}
    tokens = (await http.post("/auth/sign_in", json=body)).json()["data"]["AuthenticationResult"]
    auth = {"Authorization": f"Bearer {tokens['AccessToken']}"}
    refresh = {"username": "a@x.org", "refresh_token": tokens["RefreshToken"]}
    await trio.sleep(24 * 3600 - 1)
    assert (await http.get("/service/list", headers=auth)).status_code == 200
    await trio.sleep(2)
    assert (await http.get("/service/list", headers=auth)).status_code == 401
    data = (await http.post("/auth/refresh", json=refresh)).json()["data"]["AuthenticationResult"]
    assert set(data) == {"AccessToken"}
    auth = {"Authorization": f"Bearer {data['AccessToken']}"}
    assert (await http.get("/service/list", headers=auth)).status_code == 200
    foreign = {**refresh, "username": "b@x.org"}
    assert (await http.post("/auth/refresh", json=foreign)).status_code == 401
    await trio.sleep(30 * 24 * 3600)
    assert (await http.post("/auth/refresh", json=refresh)).status_code == 401


async def test_the_life_of_tokens_is_a_knob(
    http: httpx.AsyncClient, platform: Platform, autojump_clock: trio.testing.MockClock
) -> None:
    """A test of expiry need not wait a day."""
    platform.knobs = Knobs(access_seconds=5)
    auth = await sign_in(http)
    await trio.sleep(6)
    assert (await http.get("/service/list", headers=auth)).status_code == 401


async def test_a_service_is_made_bound_listed_and_unbound(http: httpx.AsyncClient) -> None:
    """The list names the band while it is held."""
    auth = await sign_in(http)
    service_id = await create_service(http, auth)
    binding = {"service_id": service_id, "channel_id": DEFAULT_BAND}
    for _ in range(2):  # a service that starts again binds what it holds already
        bound = await http.post("/service/bind", json=binding, headers=auth)
        assert bound.json()["code"] == 10000
    listed = (await http.get("/service/list", headers=auth)).json()["data"]
    assert listed == [{"service_id": service_id, "channel_ids": [DEFAULT_BAND]}]
    await http.post("/service/unbind", json=binding, headers=auth)
    listed = (await http.get("/service/list", headers=auth)).json()["data"]
    assert listed == [{"service_id": service_id, "channel_ids": []}]


async def test_a_band_held_by_another_service_refuses_bind_until_unbound(
    http: httpx.AsyncClient,
) -> None:
    """The refusal names the holder."""
    mine, theirs = await sign_in(http), await sign_in(http, "b@x.org")
    holder, other = await create_service(http, mine), await create_service(http, theirs)
    held = {"service_id": holder, "channel_id": DEFAULT_BAND}
    wanted = {"service_id": other, "channel_id": DEFAULT_BAND}
    await http.post("/service/bind", json=held, headers=mine)
    refused = await http.post("/service/bind", json=wanted, headers=theirs)
    assert refused.status_code == 409
    assert holder in refused.json()["msg"]
    assert "a@x.org" in refused.json()["msg"]
    await http.post("/service/unbind", json=held, headers=mine)
    bound = await http.post("/service/bind", json=wanted, headers=theirs)
    assert bound.json()["code"] == 10000


async def test_characters_profiles_and_lists_have_the_wire_forms(http: httpx.AsyncClient) -> None:
    """A created character carries its profile under another key than was sent; a profile is keyed
    by its id; the service's list is a bare list, the band's an object."""
    auth = await sign_in(http)
    service_id = await create_service(http, auth)
    profile = {"nickname": "Mickey 0", "avatar": "http://x/k.png", "description": "d"}
    body = {"service_id": service_id, "username": "Mickey", "context": profile}
    made = (await http.post("/service/user/create", json=body, headers=auth)).json()["data"]
    assert made == {"user_id": made["user_id"], "username": "Mickey", "user_context": profile}
    query = {"service_id": service_id}
    listed = await http.get("/service/user/list", params=query, headers=auth)
    assert listed.json()["data"] == [made]
    asked = {"userlist": [made["user_id"]]}
    found = await http.post("/user/fetch_profile", json=asked, headers=auth)
    assert found.json()["data"] == {
        made["user_id"]: {"username": "Mickey", "user_context": profile}
    }
    binding = {"service_id": service_id, "channel_id": DEFAULT_BAND}
    await http.post("/service/bind", json=binding, headers=auth)
    people = await http.get("/channel/userlist", params=binding, headers=auth)
    assert people.json()["data"] == {"userlist": []}


async def test_a_group_is_answered_with_its_bare_id(http: httpx.AsyncClient) -> None:
    """As the live platform was seen to do; a member of it is found by it."""
    auth = await sign_in(http)
    user_id = (await http.get("/user/info", headers=auth)).json()["data"]["sub"]
    body = {"group_id": "g1", "members": [user_id]}
    made = await http.post("/service/group/create", json=body, headers=auth)
    assert made.json()["data"] == "g1"
    query = {"user_id": user_id, "channel_id": DEFAULT_BAND, "group_id": "g1"}
    member = await http.get("/user/group", params=query, headers=auth)
    assert member.json()["data"]["user_id"] == user_id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"username": 1, "password": "p"}',
        b'{"username": "a@x", "password": null}',
        b'{"username": "a@x", "password": ""}',
        b'{"username": "", "password": "p"}',
        b'{"username": NaN, "password": "p"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_a_body_that_is_wrong_is_a_400_with_words(
    http: httpx.AsyncClient, body: bytes
) -> None:
    """Never a 500, and never an account."""
    reply = await http.post("/auth/sign_in", content=body)
    assert reply.status_code == 400
    assert reply.json()["code"] == 40000
    assert reply.json()["msg"]


async def test_a_body_that_is_too_large_is_a_413(http: httpx.AsyncClient) -> None:
    """The client hears it also when it has sent everything."""
    body = b'{"username": "' + b"x" * 1_000_000 + b'", "password": "p"}'
    reply = await http.post("/auth/sign_in", content=body)
    assert (reply.status_code, reply.json()["code"]) == (413, 41300)


async def test_a_request_that_never_ends_is_cut_off(platform: Platform) -> None:
    """Its bytes are thrown away, and after a while not even read."""
    received = 0
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        nonlocal received
        await trio.lowlevel.checkpoint()
        received += 1024**2
        return {"type": "http.request", "body": bytes(1024**2), "more_body": True}

    async def send(message: MutableMapping[str, object]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(dict(message))

    token = platform.sign_in_guest("alice").tokens.access.reveal()
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        auth = {"Authorization": f"Bearer {token}"}
        asked = await http.get("/file/upload", params={"extension": "png"}, headers=auth)
        place = httpx.URL(asked.json()["data"]["url"]).path
    for path in ("/auth/sign_in", place):
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
            "headers": [
                (b"host", b"127.0.0.1:8000"),
                (b"content-type", b"multipart/form-data; boundary=b"),
            ],
        }
        received = 0
        await platform.app(scope, receive, send)
        assert received < 200 * 1024**2
    assert [message["status"] for message in sent if "status" in message] == [413, 413]


async def test_a_client_that_goes_away_is_no_fault_of_ours(platform: Platform) -> None:
    """A request that ends before its body does is answered to nobody, and not with a 500."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await trio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, object]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/auth/sign_in",
        "query_string": b"",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1:8000")],
    }
    await platform.app(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_a_missing_parameter_is_named(http: httpx.AsyncClient) -> None:
    """It is the caller's fault and says which."""
    auth = await sign_in(http)
    reply = await http.get("/channel/userlist?channel_id=x", headers=auth)
    assert reply.status_code == 400
    assert "service_id" in reply.json()["msg"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/auth/sign_in", 405), ("DELETE", "/", 405)],
)
async def test_an_address_that_is_none_has_an_envelope(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Starlette's own refusals look like ours."""
    reply = await http.request(method, path)
    assert reply.status_code == status
    assert reply.json()["code"] == status * 100


async def test_slashes_may_be_doubled(platform: Platform) -> None:
    """The original's base address ends with one and its paths begin with one."""
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport) as client:
        body = {"username": "a@x.org", "password": "secret"}
        reply = await client.post(f"{BASE}//auth/sign_in", json=body)
    assert reply.json()["code"] == 10000


async def test_a_fault_of_the_platform_is_a_500_without_a_word_of_its_code(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a path nor a traceback leaves the machine; the next call is answered (S24)."""
    from moobius_trio.local import rules_http

    def broken(*args: object) -> None:
        raise ZeroDivisionError("at /some/path.py")

    auth = await sign_in(http)
    monkeypatch.setattr(rules_http, "services_of", broken)
    reply = await http.get("/service/list", headers=auth)
    assert reply.status_code == 500
    assert reply.json()["code"] == 50000
    for word in ("Traceback", "path.py", "ZeroDivision", "/"):
        assert word not in reply.text
    monkeypatch.undo()
    assert (await http.get("/service/list", headers=auth)).status_code == 200


async def test_secrets_are_in_no_repr_of_what_is_kept(http: httpx.AsyncClient) -> None:
    """A record or token that gets into a log says nothing."""
    from moobius_trio.local.records import Account
    from moobius_trio.types import Character, UserId

    account = Account(
        person=Character(user_id=UserId("a")), login="a@x", password_hash="canary-hash"
    )
    assert "canary" not in repr(account)
    assert "canary" not in repr(attrs.evolve(account, login="b@x"))


async def test_replies_are_json_and_are_not_kept_by_a_browser(http: httpx.AsyncClient) -> None:
    """Tokens are in them."""
    reply = await http.post("/auth/sign_in", json={"username": "a@x", "password": "p"})
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert json.loads(reply.content)["data"]
