"""Every call of the API: what goes out on the wire, and what the caller gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio

from moobius_trio.errors import ApiError, MalformedPayload
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupId,
    Secret,
    ServiceId,
    ServiceInfo,
    UserId,
    UserInfo,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BAND, SERVICE, ALICE, GROUP = ChannelId("b-1"), ServiceId("s-1"), UserId("u-1"), GroupId("g-1")
WIRE_ALICE = {
    "user_id": "u-1",
    "username": "alice",
    "user_context": {"nickname": "Alice", "description": "d", "avatar": "https://a/p.png"},
}
CHARACTER = Character(
    user_id=ALICE, username="alice", nickname="Alice", avatar="https://a/p.png", description="d"
)
SIGNED_IN = {"AuthenticationResult": {"AccessToken": "access-1", "RefreshToken": "refresh-1"}}


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


def good(data: object) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json={"code": 10000, "msg": "ok", "data": data})


@asynccontextmanager
async def signed_in(
    answer: Callable[[httpx.Request], httpx.Response], base: str = "https://host.example/"
) -> AsyncIterator[HttpApi]:
    """An API that has signed in at a platform whose other answers are given by ``answer``."""

    def handle(request: httpx.Request) -> httpx.Response:
        return good(SIGNED_IN) if request.url.path == "/auth/sign_in" else answer(request)

    async with open_http_api(
        base,
        email="alice@example.org",
        password=Secret("hunter2"),
        run_sync=inline,
        transport=httpx.MockTransport(handle),
    ) as api:
        await api.authenticate()
        yield api


@pytest.mark.parametrize(
    ("call", "method", "target", "body", "data", "result"),
    [
        pytest.param(
            lambda api: api.get_service_list(),
            "GET",
            "/service/list",
            None,
            [
                {"service_id": "s-2", "channel_ids": ["b-2", "b-1"]},
                {"service_id": "s-1", "channel_ids": []},
            ],
            (
                ServiceInfo(
                    service_id=ServiceId("s-2"), channel_ids=[ChannelId("b-2"), ChannelId("b-1")]
                ),
                ServiceInfo(service_id=SERVICE),
            ),
            id="get_service_list",
        ),
        pytest.param(
            lambda api: api.create_service("a demo"),
            "POST",
            "/service/create",
            {"description": "a demo"},
            {"service_id": "s-1"},
            SERVICE,
            id="create_service",
        ),
        pytest.param(
            lambda api: api.bind_service_to_channel(SERVICE, BAND),
            "POST",
            "/service/bind",
            {"channel_id": "b-1", "service_id": "s-1"},
            None,
            True,
            id="bind_service_to_channel",
        ),
        pytest.param(
            lambda api: api.unbind_service_from_channel(SERVICE, BAND),
            "POST",
            "/service/unbind",
            {"channel_id": "b-1", "service_id": "s-1"},
            {"anything": 1},
            None,
            id="unbind_service_from_channel",
        ),
        pytest.param(
            lambda api: api.get_channel_user_list(BAND, SERVICE),
            "GET",
            "/channel/userlist?channel_id=b-1&service_id=s-1",
            None,
            {"userlist": [WIRE_ALICE]},
            (CHARACTER,),
            id="get_channel_user_list",
        ),
        pytest.param(
            lambda api: api.fetch_real_characters(BAND, SERVICE),
            "GET",
            "/channel/userlist?channel_id=b-1&service_id=s-1",
            None,
            {"userlist": []},
            (),
            id="fetch_real_characters",
        ),
        pytest.param(
            lambda api: api.fetch_user_profile(ALICE),
            "POST",
            "/user/fetch_profile",
            {"userlist": ["u-1"]},
            {"u-1": {"username": "alice", "user_context": WIRE_ALICE["user_context"]}},
            CHARACTER,
            id="fetch_user_profile",
        ),
        pytest.param(
            lambda api: api.create_service_user(SERVICE, "alice", "Alice", "https://a/p.png", "d"),
            "POST",
            "/service/user/create",
            {
                "service_id": "s-1",
                "username": "alice",
                "context": {"nickname": "Alice", "avatar": "https://a/p.png", "description": "d"},
            },
            WIRE_ALICE,
            CHARACTER,
            id="create_service_user",
        ),
        pytest.param(
            lambda api: api.get_service_user_list(SERVICE),
            "GET",
            "/service/user/list?service_id=s-1",
            None,
            [WIRE_ALICE],
            (CHARACTER,),
            id="get_service_user_list",
        ),
        pytest.param(
            lambda api: api.create_service_group(GROUP, [ALICE, UserId("u-2")]),
            "POST",
            "/service/group/create",
            {"group_id": "g-1", "members": ["u-1", "u-2"]},
            "g-9",
            GroupId("g-9"),
            id="create_service_group",
        ),
        pytest.param(
            lambda api: api.fetch_user_from_group(ALICE, BAND, GROUP),
            "GET",
            "/user/group?user_id=u-1&channel_id=b-1&group_id=g-1",
            None,
            WIRE_ALICE,
            CHARACTER,
            id="fetch_user_from_group",
        ),
        pytest.param(
            lambda api: api.fetch_user_info(),
            "GET",
            "/user/info",
            None,
            {"sub": "u-1"},
            UserInfo(user_id=ALICE),
            id="fetch_user_info",
        ),
        pytest.param(
            lambda api: api.upload_with_extension("png"),
            "GET",
            "/file/upload?extension=png",
            None,
            {"url": "https://bucket.example/", "fields": {"key": "k.png", "policy": "p"}},
            ("https://bucket.example/", {"key": "k.png", "policy": "p"}),
            id="upload_with_extension",
        ),
    ],
)
async def test_each_call_sends_its_request_and_gives_its_value(
    call: Callable[[HttpApi], Awaitable[object]],
    method: str,
    target: str,
    body: object,
    data: object,
    result: object,
) -> None:
    """Method, path, query, headers and body are those of the protocol, and data becomes values."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return good(data)

    async with signed_in(answer) as api:
        assert await call(api) == result
    (request,) = seen
    assert request.method == method
    assert str(request.url) == "https://host.example" + target
    assert request.headers["authorization"] == "Bearer access-1"
    assert request.headers["auth-origin"] == "cognito"
    assert request.headers["accept-encoding"] == "identity"
    assert request.extensions["timeout"] == {"connect": 5, "read": 15, "write": 15, "pool": 30}
    if body is None:
        assert request.content == b""
    else:
        assert json.loads(request.content) == body
        assert request.headers["content-type"] == "application/json"


async def test_ids_are_escaped_in_a_query() -> None:
    """An id with signs of its own stays one value of the query."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return good([])

    async with signed_in(answer) as api:
        await api.get_service_user_list(ServiceId("a&b=c/d #é"))
    assert seen[0].url.params["service_id"] == "a&b=c/d #é"
    assert seen[0].url.path == "/service/user/list"


async def test_sign_in_and_refresh_carry_no_token() -> None:
    """The two calls that get tokens have no auth headers, and both tokens are kept."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/auth/sign_in":
            return good(SIGNED_IN)
        return good({"AuthenticationResult": {"AccessToken": "access-2"}})

    async with open_http_api(
        "https://host.example",
        email="alice@example.org",
        password=Secret("hunter2"),
        run_sync=inline,
        transport=httpx.MockTransport(handle),
    ) as api:
        with pytest.raises(RuntimeError, match="authenticate"):
            _ = api.access_token
        with pytest.raises(RuntimeError, match="authenticate"):
            await api.get_service_list()
        assert seen == []
        await api.authenticate()
        assert api.access_token == Secret("access-1")
        await api.refresh()
        assert api.access_token == Secret("access-2")
        await api.refresh()
    assert [request.method + " " + request.url.path for request in seen] == [
        "POST /auth/sign_in",
        "POST /auth/refresh",
        "POST /auth/refresh",
    ]
    assert json.loads(seen[0].content) == {"username": "alice@example.org", "password": "hunter2"}
    again = {"username": "alice@example.org", "refresh_token": "refresh-1"}
    assert json.loads(seen[1].content) == json.loads(seen[2].content) == again
    for request in seen:
        assert "authorization" not in request.headers
        assert "auth-origin" not in request.headers


class Bucket:
    """Answers an upload: a place on another host, then the bucket itself."""

    def __init__(self, status: int = 204, url: str = "https://bucket.example/") -> None:
        self.status = status
        self.url = url
        self.posted: list[httpx.Request] = []
        self.extensions: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/file/upload":
            self.extensions.append(request.url.params["extension"])
            return good({"url": self.url, "fields": {"policy": "p", "key": "k.png", "x": "é"}})
        self.posted.append(request)
        return httpx.Response(self.status)


async def test_an_upload_is_a_form_with_the_file_last(tmp_path: Path) -> None:
    """Fields in order, then the file under its own name alone, and no token for the bucket."""
    picture = tmp_path / "hat.tall.png"
    picture.write_bytes(b"\x89PNG\r\n")
    bucket = Bucket()
    async with signed_in(bucket) as api:
        assert await api.upload_file(picture) == "https://bucket.example/k.png"
        assert await api.upload_file(str(picture)) == "https://bucket.example/k.png"
    assert bucket.extensions == ["png", "png"]
    request = bucket.posted[0]
    assert request.method == "POST"
    assert str(request.url) == "https://bucket.example/"
    assert "authorization" not in request.headers
    assert "auth-origin" not in request.headers
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = request.content.split(b"--" + boundary.encode())
    assert [part.partition(b"\r\n\r\n")[0].split(b"\r\n")[1] for part in parts[1:-1]] == [
        b'Content-Disposition: form-data; name="policy"',
        b'Content-Disposition: form-data; name="key"',
        b'Content-Disposition: form-data; name="x"',
        b'Content-Disposition: form-data; name="file"; filename="hat.tall.png"',
    ]
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        b"p\r\n",
        b"k.png\r\n",
        "é\r\n".encode(),
        b"\x89PNG\r\n\r\n",
    ]
    assert str(tmp_path).encode() not in request.content


@pytest.mark.parametrize(
    ("name", "extension"), [("a.tar.gz", "gz"), (".png", "png"), ("noext", "bin"), ("dot.", "bin")]
)
async def test_the_extension_is_what_follows_the_last_dot(
    tmp_path: Path, name: str, extension: str
) -> None:
    """A name without an extension asks for ``bin`` and does not send itself."""
    (tmp_path / name).write_bytes(b"x")
    bucket = Bucket()
    async with signed_in(bucket) as api:
        await api.upload_file(tmp_path / name)
    assert bucket.extensions == [extension]


@pytest.mark.parametrize("status", [200, 201, 302, 400, 403])
async def test_only_204_from_the_bucket_is_success(tmp_path: Path, status: int) -> None:
    """Every other status of the bucket is an error with that status, never a result."""
    (tmp_path / "a.png").write_bytes(b"x")
    bucket = Bucket(status)
    async with signed_in(bucket) as api:
        with pytest.raises(ApiError) as caught:
            await api.upload_file(tmp_path / "a.png")
    assert caught.value.status == status
    assert caught.value.path == "/file/upload"
    assert len(bucket.posted) == 1


async def test_a_place_over_plain_http_gets_no_file(tmp_path: Path) -> None:
    """An address that would show the file to the network is refused before anything is posted."""
    (tmp_path / "a.png").write_bytes(b"x")
    bucket = Bucket(url="http://bucket.example/")
    async with signed_in(bucket) as api:
        with pytest.raises(ApiError, match="https"):
            await api.upload_file(tmp_path / "a.png")
    assert bucket.posted == []


async def test_a_file_that_cannot_be_read_is_found_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or too large file, or what is no path at all, asks nothing of the platform."""
    monkeypatch.setattr("moobius_trio.network.http.files.MAX_FILE_BYTES", 4)
    (tmp_path / "large.png").write_bytes(b"12345")
    (tmp_path / "fits.png").write_bytes(b"1234")
    bucket = Bucket()
    async with signed_in(bucket) as api:
        with pytest.raises(FileNotFoundError):
            await api.upload_file(tmp_path / "missing.png")
        with pytest.raises(ValueError, match=r"large\.png has more than 4 bytes"):
            await api.upload_file(tmp_path / "large.png")
        with pytest.raises(TypeError, match="bytes"):
            await api.upload_file(b"a.png")  # type: ignore[arg-type]
        assert bucket.extensions == []
        await api.upload_file(tmp_path / "fits.png")


async def test_the_two_halves_of_an_upload_can_be_called_alone(tmp_path: Path) -> None:
    """The place from ``upload_with_extension`` is what ``do_upload_file`` takes, by position."""
    (tmp_path / "a.png").write_bytes(b"x")
    bucket = Bucket()
    async with signed_in(bucket) as api:
        url, fields = await api.upload_with_extension("png")
        assert await api.do_upload_file(url, fields, tmp_path / "a.png") == (
            "https://bucket.example/k.png"
        )
        with pytest.raises(MalformedPayload, match="key"):
            await api.do_upload_file(url, {"policy": "p"}, tmp_path / "a.png")
    assert len(bucket.posted) == 1
