"""Uploads: where to post, what is taken, and how it is given back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest
import trio
import trio.testing

from moobius_trio.local import Platform, open_platform
from moobius_trio.local.rules_http import MAX_UPLOAD_BYTES
from moobius_trio.testing.inline import run_inline

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\r\n--\xff" * 50
BASE = "http://127.0.0.1:8000"


@pytest.fixture(params=["memory", "folder"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(
        state=tmp_path / "state" if request.param == "folder" else None,
        run_sync=run_inline,
        wall_clock=trio.current_time,
        random=random.Random(1),
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client signed in as a guest."""
    token = platform.sign_in_guest("alice").tokens.access.reveal()
    transport = httpx.ASGITransport(app=platform.app)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


async def target(http: httpx.AsyncClient, extension: str = "png") -> tuple[str, dict[str, str]]:
    reply = await http.get("/file/upload", params={"extension": extension})
    data = reply.json()["data"]
    return data["url"], data["fields"]


async def upload(
    http: httpx.AsyncClient, content: bytes, *, name: str = "x.png", extension: str = "png"
) -> str:
    url, fields = await target(http, extension)
    reply = await http.post(url, data=fields, files={"file": (name, content)})
    assert (reply.status_code, reply.content) == (204, b"")
    return url + fields["key"]


async def test_a_file_comes_back_from_the_joined_address(http: httpx.AsyncClient) -> None:
    """The address is the url and the key; the bytes are the same, shown in place."""
    address = await upload(http, PNG)
    assert address.startswith(f"{BASE}/bucket/")
    reply = await http.get(address)
    assert reply.content == PNG
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in reply.headers


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.html", b"<!doctype html><script>alert(1)</script>"),
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("x.png", b"<html>not a picture"),
        ("x.pdf", b"%PDF-1.7"),
        ("x", b""),
    ],
)
async def test_what_is_no_picture_is_only_for_saving(
    http: httpx.AsyncClient, name: str, content: bytes
) -> None:
    """Whatever it is called, a browser does not run it."""
    reply = await http.get(await upload(http, content, name=name, extension=name.partition(".")[2]))
    assert reply.content == content
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["content-security-policy"]


@pytest.mark.parametrize("extension", ["../../x", "a/b", "", "x" * 300, "p\0ng", "é", "html;x"])
async def test_an_extension_is_never_part_of_a_path(
    http: httpx.AsyncClient, extension: str, tmp_path: Path
) -> None:
    """The original sends whole paths as the extension of files without one."""
    address = await upload(http, PNG, name="../../etc/passwd", extension=extension)
    key = address.removeprefix(f"{BASE}/bucket/")
    assert key.endswith(".bin")
    assert "/" not in key
    assert await run_inline(_strangers, tmp_path) == []


def _strangers(folder: Path) -> list[str]:
    """Files that are neither the database's nor among the uploads."""
    files = (path for path in folder.rglob("*") if path.is_file())
    known = (folder / "state" / "uploads", folder / "state")
    return [
        str(path)
        for path in files
        if path.parent not in known or (path.parent == known[1] and path.stem != "platform")
    ]


@pytest.mark.parametrize("key", ["nothing", "..%2Fplatform.sqlite3", "../platform.sqlite3", "%00"])
async def test_only_what_was_uploaded_is_given(http: httpx.AsyncClient, key: str) -> None:
    """A name that is no key is not looked for on the disk."""
    assert (await http.get(f"{BASE}/bucket/{key}")).status_code == 404


async def test_a_place_is_for_one_file_and_one_hour(
    http: httpx.AsyncClient, autojump_clock: trio.testing.MockClock
) -> None:
    """A second post to it, one that comes late, and a key of the client's own are refused."""
    url, fields = await target(http)
    files = {"file": ("x.png", PNG)}
    assert (await http.post(url, data=fields, files=files)).status_code == 204
    assert (await http.post(url, data=fields, files=files)).status_code == 403
    assert (await http.post(url, data={"key": "mine.png"}, files=files)).status_code == 403
    url, fields = await target(http)
    await trio.sleep(3601)
    assert (await http.post(url, data=fields, files=files)).status_code == 403


async def test_a_large_file_needs_no_thread(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under simulated time a thread would let the clock jump."""

    async def no_thread(*args: object, **kwargs: object) -> None:
        raise AssertionError("a thread under simulated time")

    monkeypatch.setattr(anyio.to_thread, "run_sync", no_thread)
    await upload(http, b"\0" * 5_000_000)


async def test_a_file_that_is_too_large_is_refused_with_words(http: httpx.AsyncClient) -> None:
    """The largest is taken; one byte more is a 413, and the place stays good."""
    url, fields = await target(http)
    files = {"file": ("x.png", b"\0" * (MAX_UPLOAD_BYTES + 1))}
    reply = await http.post(url, data=fields, files=files)
    assert (reply.status_code, reply.json()["code"]) == (413, 41300)
    files = {"file": ("x.png", b"\0" * MAX_UPLOAD_BYTES)}
    assert (await http.post(url, data=fields, files=files)).status_code == 204


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: x\r\n\r\n1\r\n--b--"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n',
        ),
    ],
)
async def test_a_form_that_is_wrong_is_a_400(
    http: httpx.AsyncClient, content_type: str, body: bytes
) -> None:
    """Never a 500."""
    reply = await http.post("/bucket/", content=body, headers={"Content-Type": content_type})
    assert reply.status_code == 400
    assert reply.json()["msg"]


async def test_uploads_are_there_after_a_restart(tmp_path: Path) -> None:
    """With their type."""

    async def client_of(platform: Platform) -> httpx.AsyncClient:
        token = platform.sign_in_guest("alice").tokens.access.reveal()
        transport = httpx.ASGITransport(app=platform.app)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    address = ""
    for _ in range(2):
        async with (
            open_platform(
                state=tmp_path,
                run_sync=run_inline,
                wall_clock=trio.current_time,
                random=random.Random(1),
            ) as platform,
            await client_of(platform) as http,
        ):
            address = address or await upload(http, PNG)
            reply = await http.get(address)
            assert (reply.content, reply.headers["content-type"]) == (PNG, "image/png")
