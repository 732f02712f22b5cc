"""Uploads: where to post, what is taken, and how it is given back."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest
import trio
import trio.testing

from moobius_trio.local import Platform, open_platform, rules_http
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
        ("x.js", b"window.__pwned = 1"),
        ("x.mkv", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska"),
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("x.png", b"<html>not a picture"),
        ("x.pdf", b"%PDF-1.7"),
        ("x", b""),
    ],
)
async def test_what_is_no_picture_is_only_for_saving(
    http: httpx.AsyncClient, name: str, content: bytes
) -> None:
    """Whatever it is called, a browser does not run it (S13)."""
    reply = await http.get(await upload(http, content, name=name, extension=name.partition(".")[2]))
    assert reply.content == content
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["content-security-policy"]


@pytest.mark.parametrize("extension", ["../../x", "a/b", "", "x" * 300, "p\0ng", "é", "html;x"])
async def test_an_extension_is_never_part_of_a_path(
    http: httpx.AsyncClient, extension: str, tmp_path: Path
) -> None:
    """The original sends whole paths as the extension of files without one (S13)."""
    address = await upload(http, PNG, name="../../etc/passwd", extension=extension)
    assert re.fullmatch(rf"{BASE}/bucket/([0-9a-f]{{32}}\.bin)/\1", address)
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
    mine = f"{BASE}/bucket/mine.png/"
    assert (await http.post(mine, data={"key": "mine.png"}, files=files)).status_code == 403
    url, fields = await target(http)
    assert (await http.post(url, data={"key": "mine.png"}, files=files)).status_code == 403
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
    """The largest is taken; one byte more is a 413, and the place stays good (S13)."""
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
    """Never a 500; the file itself can still be posted there."""
    url, fields = await target(http)
    reply = await http.post(url, content=body, headers={"Content-Type": content_type})
    assert reply.status_code == 400
    assert reply.json()["msg"]
    assert (await http.post(url, data=fields, files={"file": ("x", PNG)})).status_code == 204


async def test_files_that_come_side_by_side_are_counted_like_any_others(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room that is left is for one of them, however they overlap."""
    monkeypatch.setattr(rules_http, "MAX_UPLOAD_BYTES_IN_ALL", len(PNG) + 1)
    places = [await target(http) for _ in range(8)]
    statuses: list[int] = []

    async def post(url: str, fields: dict[str, str]) -> None:
        reply = await http.post(url, data=fields, files={"file": ("x.png", PNG)})
        statuses.append(reply.status_code)

    async with trio.open_nursery() as nursery:
        for place in places:
            nursery.start_soon(post, *place)
    assert sorted(statuses) == [204] + [507] * 7


async def test_a_place_is_one_posters_alone_while_the_file_comes(
    http: httpx.AsyncClient, autojump_clock: trio.testing.MockClock
) -> None:
    """A second one is refused at once, and a file that does not come gives the place back."""
    url, fields = await target(http)

    async def halves() -> AsyncIterator[bytes]:  # noqa: ASYNC900 - httpx takes nothing else
        yield b"--b\r\n"
        await trio.sleep_forever()

    statuses: list[int] = []

    async def post_slowly() -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = await http.post(url, content=halves(), headers=headers, timeout=None)
        statuses.append(reply.status_code)

    files = {"file": ("x.png", PNG)}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post_slowly)
        await trio.testing.wait_all_tasks_blocked()
        assert (await http.post(url, data=fields, files=files)).status_code == 403
    assert statuses == [408]
    assert (await http.post(url, data=fields, files=files)).status_code == 204


async def test_only_a_few_files_are_in_memory_at_once(http: httpx.AsyncClient) -> None:
    """The others wait for their turn, and come."""
    reading: set[int] = set()
    most = 0
    go_on = trio.Event()

    async def body(number: int, key: str) -> AsyncIterator[bytes]:  # noqa: ASYNC900 - as above
        nonlocal most
        reading.add(number)
        most = max(most, len(reading))
        head = f'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n{key}\r\n'
        yield head.encode()
        await go_on.wait()
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        yield b"x\r\n--b--\r\n"
        reading.discard(number)

    statuses: list[int] = []

    async def post(number: int) -> None:
        url, fields = await target(http)
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = await http.post(url, content=body(number, fields["key"]), headers=headers)
        statuses.append(reply.status_code)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(post, number)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
    assert statuses == [204] * 10
    assert most == 4


async def test_ten_thousand_places_are_not_kept(http: httpx.AsyncClient) -> None:
    """A thousand are; the oldest go."""
    first, fields = await target(http)
    for _ in range(1_000):
        last, last_fields = await target(http)
    files = {"file": ("x.png", PNG)}
    assert (await http.post(first, data=fields, files=files)).status_code == 403
    assert (await http.post(last, data=last_fields, files=files)).status_code == 204


async def test_there_are_only_so_many_files(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one too many is refused with words."""
    monkeypatch.setattr(rules_http, "MAX_UPLOADS", 2)
    for _ in range(2):
        await upload(http, PNG)
    url, fields = await target(http)
    reply = await http.post(url, data=fields, files={"file": ("x.png", PNG)})
    assert reply.status_code == 507
    assert "2 files" in reply.json()["msg"]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"ID3\x03rest", "audio/mpeg"),
        (b"\xff\xfb\x90rest", "audio/mpeg"),
        (b"\xff\xf1Prest", "audio/aac"),
        (b"OggSrest", "audio/ogg"),
        (b"fLaCrest", "audio/flac"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x20ftypM4A rest", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "audio/webm"),
        (b"GIF89arest", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
    ],
)
async def test_pictures_and_sounds_of_known_kinds_are_shown_in_place(
    http: httpx.AsyncClient, content: bytes, media_type: str
) -> None:
    """Told by their bytes: they were sent as a page."""
    reply = await http.get(await upload(http, content, name="x.html", extension="html"))
    assert reply.headers["content-type"] == media_type
    assert "content-disposition" not in reply.headers


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
