"""Uploads of generation 1: once for each content, and without the file's own name."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from moobius_trio.errors import ApiError
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.http.uploaded import Uploaded
from moobius_trio.types import Secret

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


class Bucket:
    """Gives places with running numbers and takes files with one status."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = itertools.chain(statuses, itertools.repeat(204))
        self.posted: list[bytes] = []
        self.places = 0
        self.url = "https://bucket.example/"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            tokens = {"AuthenticationResult": {"AccessToken": "a", "RefreshToken": "r"}}
            return httpx.Response(200, json={"code": 10000, "data": tokens})
        if request.url.path == "/file/upload":
            self.places += 1
            key = f"{self.places}.{request.url.params['extension']}"
            data = {"url": self.url, "fields": {"key": key}}
            return httpx.Response(200, json={"code": 10000, "data": data})
        self.posted.append(request.content)
        return httpx.Response(next(self.statuses))


@asynccontextmanager
async def uploading(bucket: Bucket) -> AsyncIterator[HttpApi]:
    """An API of generation 1 that has signed in."""
    async with open_http_api(
        "https://host.example",
        email="e",
        password=Secret("p"),
        run_sync=inline,
        transport=httpx.MockTransport(bucket),
        protocol="1.8",
    ) as api:
        await api.authenticate()
        yield api


async def test_a_content_is_posted_once(tmp_path: Path) -> None:
    """The same bytes under another path are the same file; other bytes or endings are not."""
    for name, content in {"a.png": b"x", "b.png": b"x", "c.png": b"y", "d.jpg": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    bucket = Bucket()
    async with uploading(bucket) as api:
        first = await api.upload_file(tmp_path / "a.png")
        assert await api.upload_file(str(tmp_path / "b.png")) == first
        assert await api.upload_file(tmp_path / "c.png") != first
        assert (await api.upload_file(tmp_path / "d.jpg")).endswith(".jpg")
        (tmp_path / "a.png").write_bytes(b"z")
        assert await api.upload_file(tmp_path / "a.png") != first
    assert len(bucket.posted) == bucket.places == 4


async def test_a_place_that_is_no_address_is_an_error_of_the_call(tmp_path: Path) -> None:
    """Also where that shows only when it is to be asked."""
    (tmp_path / "a.png").write_bytes(b"x")
    bucket = Bucket()
    bucket.url = "https://xn--/"
    async with uploading(bucket) as api:
        with pytest.raises(ApiError, match="none"):
            await api.upload_file(tmp_path / "a.png")
    assert bucket.posted == []


async def test_the_files_own_name_stays_at_home(tmp_path: Path) -> None:
    """The part is called ``file`` and so is the file in it."""
    (tmp_path / "my-holiday.png").write_bytes(b"x")
    bucket = Bucket()
    async with uploading(bucket) as api:
        await api.upload_file(tmp_path / "my-holiday.png")
    assert b'name="file"; filename="file"' in bucket.posted[0]
    assert b"holiday" not in bucket.posted[0]


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_a_bucket_may_say_yes_in_three_ways(tmp_path: Path, status: int) -> None:
    """Buckets of this generation answer a file that they took with one of three statuses."""
    (tmp_path / "a.png").write_bytes(b"x")
    async with uploading(Bucket(status)) as api:
        assert await api.upload_file(tmp_path / "a.png") == "https://bucket.example/1.png"


@pytest.mark.parametrize("status", [202, 302, 403])
async def test_a_failed_upload_is_an_error_and_is_not_remembered(
    tmp_path: Path, status: int
) -> None:
    """A file that was not taken has no address; asked again it is posted again."""
    (tmp_path / "a.png").write_bytes(b"x")
    bucket = Bucket(status)
    async with uploading(bucket) as api:
        with pytest.raises(ApiError):
            await api.upload_file(tmp_path / "a.png")
        assert await api.upload_file(tmp_path / "a.png") == "https://bucket.example/2.png"
    assert len(bucket.posted) == 2


async def test_the_same_file_at_the_same_time_is_one_upload(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Whoever needs a file that is on its way waits for it; after a cancelled one the next posts
    it."""
    posted = 0
    known = Uploaded()
    results: list[str] = []

    async def upload() -> str:
        nonlocal posted
        posted += 1
        await trio.sleep(1)
        return f"address {posted}"

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            results.append(await known.once("key", upload))

    first = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, first)
        await wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(ask, trio.CancelScope())
        await wait_all_tasks_blocked()
        first.cancel()
    assert results == ["address 2"] * 3
    assert posted == 2


async def test_what_is_remembered_is_bounded() -> None:
    """Of three contents the one that was not asked for longest is forgotten."""
    known = Uploaded(2)
    posted: list[str] = []

    async def ask(key: str) -> None:
        async def upload() -> str:
            await trio.lowlevel.checkpoint()
            posted.append(key)
            return key

        assert await known.once(key, upload) == key

    for key in ("a", "b", "a", "c", "a", "b"):
        await ask(key)
    assert posted == ["a", "b", "c", "b"]
    assert known._uploading == {}
