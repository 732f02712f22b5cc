"""Downloads: where they land, what is refused, and what a failure leaves behind."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.errors import AddressRefused, ApiError
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.http.calls import ProtocolName
from moobius_trio.network.http.downloads import _target
from moobius_trio.types import Secret

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PICTURE = "https://files.example/a/hat.png"
NAME = re.compile(r"[0-9a-f]{32}(\.[a-z0-9]{1,8})?")


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


def gives(content: bytes, status: int = 200, **headers: str) -> httpx.Response:
    """A reply of a file server."""
    return httpx.Response(status, content=content, headers=headers)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


@asynccontextmanager
async def api_with(
    answer: Callable[[httpx.Request], httpx.Response], protocol: ProtocolName = "1.8"
) -> AsyncIterator[HttpApi]:
    """An API that nobody has signed in to: downloads need no account."""
    async with open_http_api(
        "https://host.example",
        email="e",
        password=Secret("p"),
        run_sync=inline,
        transport=httpx.MockTransport(answer),
        protocol=protocol,
    ) as api:
        yield api


@pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
async def test_a_download_gets_a_name_of_its_own(protocol: ProtocolName, tmp_path: Path) -> None:
    """In a folder, made where it is missing, each download has a new name that nobody chose."""
    folder = tmp_path / "new" / "folder"
    async with api_with(lambda request: gives(b"content"), protocol) as api:
        first = await api.download(PICTURE, folder)
        second = await api.download(PICTURE, str(folder))
    assert first != second
    assert sorted(folder.iterdir()) == sorted([first, second])
    for path in (first, second):
        assert path.read_bytes() == b"content"
        assert NAME.fullmatch(path.name)
        assert path.suffix == ".png"
        assert path.stat().st_mode & 0o777 == 0o600


async def test_without_a_folder_it_is_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder ``downloads`` of the working directory stands in."""
    monkeypatch.chdir(tmp_path)
    async with api_with(lambda request: gives(b"content")) as api:
        path = await api.download(PICTURE)
    assert path.parent == Path("downloads")
    assert (tmp_path / path).read_bytes() == b"content"


@given(st.text(max_size=40), st.sampled_from(["/", "?", "#", "%2F", "%00", "\\", ".."]))
def test_no_address_chooses_where_it_is_saved(text: str, sign: str) -> None:
    """Whatever stands in an address, the file lands in the folder under a plain random name."""
    for address in (f"https://h/{text}", f"https://h/a{sign}{text}", text, f"https://h/x.{text}"):
        target = _target(address, "folder", None)
        assert target.parent == Path("folder")
        assert NAME.fullmatch(target.name)


async def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """Without ``overwrite`` nothing is asked; with it the new content takes the place at once."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return gives(b"new")

    target = tmp_path / "hat.png"
    target.write_bytes(b"old")
    async with api_with(answer) as api:
        with pytest.raises(FileExistsError, match="overwrite=True"):
            await api.download(PICTURE, file=target)
        assert asked == []
        assert target.read_bytes() == b"old"
        assert await api.download(PICTURE, file=target, overwrite=True) == target
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["hat.png"]


async def test_a_file_that_came_meanwhile_is_not_touched_either(tmp_path: Path) -> None:
    """What appears while the download runs stays, and the download leaves nothing behind."""
    target = tmp_path / "hat.png"

    def answer(request: httpx.Request) -> httpx.Response:
        target.write_bytes(b"faster")
        return gives(b"new")

    async with api_with(answer) as api:
        with pytest.raises(FileExistsError, match="overwrite=True"):
            await api.download(PICTURE, file=target)
    assert target.read_bytes() == b"faster"
    assert names(tmp_path) == ["hat.png"]


async def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    """A link that leads nowhere yet is a name that is taken; nothing is written where it leads."""
    target, elsewhere = tmp_path / "hat.png", tmp_path / "elsewhere"
    target.symlink_to(elsewhere)
    async with api_with(lambda request: gives(b"new")) as api:
        with pytest.raises(FileExistsError, match="overwrite=True"):
            await api.download(PICTURE, file=target)
        await api.download(PICTURE, file=target, overwrite=True)
    assert not elsewhere.exists()
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """When the content cannot be made durable, there is no file and no remainder of one."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    async with api_with(lambda request: gives(b"new")) as api:
        with pytest.raises(OSError, match="No space"):
            await api.download(PICTURE, file=tmp_path / "hat.png", overwrite=overwrite)
    assert names(tmp_path) == []


async def test_a_file_system_without_links_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no hard link can be made, the name is taken first and then given to the content."""

    def refused(source: str, target: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    async with api_with(lambda request: gives(b"new")) as api:
        path = await api.download(PICTURE, file=tmp_path / "hat.png")
        assert path.read_bytes() == b"new"
        with pytest.raises(FileExistsError, match="overwrite=True"):
            await api.download(PICTURE, file=path)
    assert names(tmp_path) == ["hat.png"]


async def test_a_folder_and_a_file_are_one_too_many(tmp_path: Path) -> None:
    """Which of the two was meant cannot be told."""
    async with api_with(lambda request: gives(b"x")) as api:
        with pytest.raises(TypeError, match="not both"):
            await api.download(PICTURE, tmp_path, file=tmp_path / "a")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (gives(b"", 404), "no file to be had"),
        (gives(b"x", 206), "no file to be had"),
        (gives(b"", 302, location="https://127.0.0.1/"), "redirect"),
        (gives(b"12345"), "larger than 4 bytes"),
    ],
)
async def test_anything_but_a_file_of_allowed_size_is_refused(
    tmp_path: Path, reply: httpx.Response, words: str
) -> None:
    """Only HTTP 200 with so many bytes is a download; redirects are not followed."""
    async with api_with(lambda request: reply) as api:
        with pytest.raises(ApiError, match=words):
            await api.download(PICTURE, tmp_path, max_bytes=4)
    assert names(tmp_path) == []


async def test_a_compressed_file_is_not_inflated(tmp_path: Path) -> None:
    """A small reply can hold any amount; nobody asked for it to be compressed."""
    async with api_with(lambda request: gives(b"", **{"content-encoding": "gzip"})) as api:
        with pytest.raises(ApiError, match="compressed"):
            await api.download(PICTURE, tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        *("http://files.example/a", "https://10.0.0.1/a", "a.png"),
        *("https://xn--/a", "https://[v1.x]/a", f"https://files.example/{'a' * 70_000}"),
    ],
    ids=["http", "inner", "path", "no name", "no number", "long"],
)
async def test_a_forbidden_address_is_not_asked(tmp_path: Path, address: str) -> None:
    """Neither the file nor its size is asked for where the address is not allowed."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with api_with(never) as api:
        with pytest.raises(AddressRefused):
            await api.download(address, tmp_path)
        with pytest.raises(AddressRefused):
            await api.download_bytes(address)
        with pytest.raises(AddressRefused):
            await api.fetch_size(address)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("headers", "size"),
    [({"content-length": "70000000"}, 70_000_000), ({}, None), ({"content-length": "-1"}, None)],
)
async def test_a_size_is_what_the_server_says(headers: dict[str, str], size: int | None) -> None:
    """The size of a file of any size is asked for by HEAD, and None is a server that does not
    say."""
    methods: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        methods.append(request.method)
        return httpx.Response(200, headers=headers)

    async with api_with(answer) as api:
        assert await api.fetch_size(PICTURE) == size
    assert methods == ["HEAD"]


async def test_no_signature_is_told_in_an_error(tmp_path: Path) -> None:
    """What stands behind the question mark may open the file to anybody who reads the log."""
    async with api_with(lambda request: gives(b"", 403)) as api:
        with pytest.raises(ApiError) as caught:
            await api.download(PICTURE + "?signature=s3cret#frag", tmp_path)
    assert caught.value.path == PICTURE
    assert "s3cret" not in str(caught.value)
