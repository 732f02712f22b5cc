"""History page by page, against platforms that page in different ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.errors import ApiError, NotInGeneration
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.types import ChannelId, MessageId, Secret

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
BAND = ChannelId("b-1")


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


class Archive:
    """A band with messages m-0 … m-n, given page by page.

    Args:
        total: how many messages there are.
        oldest_first: the order inside a page.
        inclusive: whether ``before`` names the first message of the page itself.
        stamps: the time of each; equal ones are possible.
    """

    def __init__(
        self,
        total: int,
        *,
        oldest_first: bool = True,
        inclusive: bool = False,
        stamps: Callable[[int], int] = lambda number: number,
        deaf: bool = False,
    ) -> None:
        self.numbers = range(total)
        self.oldest_first = oldest_first
        self.inclusive = inclusive
        self.stamps = stamps
        self.deaf = deaf
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            tokens = {"AuthenticationResult": {"AccessToken": "a", "RefreshToken": "r"}}
            return httpx.Response(200, json={"code": 10000, "data": tokens})
        query = request.url.params
        self.asked.append((query["limit"], query["before"]))
        end = len(self.numbers)
        if query["before"] != "null" and not self.deaf:
            end = int(query["before"].removeprefix("m-")) + self.inclusive
        page = list(self.numbers[max(0, end - int(query["limit"])) : end])
        rows = [
            {
                "subtype": "text",
                "content": {"text": str(number)},
                "sender": "u",
                "message_id": f"m-{number}",
                "timestamp": self.stamps(number),
            }
            for number in (page if self.oldest_first else reversed(page))
        ]
        return httpx.Response(200, json={"code": 10000, "data": rows})


@asynccontextmanager
async def reading(
    platform: Callable[[httpx.Request], httpx.Response],
) -> AsyncIterator[HttpApi]:
    """An API of generation 1 that has signed in."""
    async with open_http_api(
        "https://host.example",
        email="e",
        password=Secret("p"),
        run_sync=inline,
        transport=httpx.MockTransport(platform),
        protocol="1.8",
    ) as api:
        await api.authenticate()
        yield api


async def texts(api: HttpApi, page: int) -> list[str | None]:
    """Everything, as it is iterated."""
    return [message.text async for message in api.iterate_message_history(BAND, page)]


def newest_first(total: int) -> list[str]:
    """What is there, the newest first."""
    return [str(number) for number in reversed(range(total))]


async def test_pages_follow_each_other() -> None:
    """Seven messages in pages of three are asked for with the oldest id that was seen."""
    archive = Archive(7)
    async with reading(archive) as api:
        assert await texts(api, 3) == newest_first(7)
    assert archive.asked == [("3", "null"), ("3", "m-4"), ("3", "m-1")]


async def test_messages_without_ids_end_the_reading() -> None:
    """Where no message has an id, none can be named as the next page's end: one page it is."""
    asked: list[httpx.Request] = []

    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            return Archive(0)(request)
        asked.append(request)
        row = {"subtype": "text", "content": {"text": "hi"}}
        return httpx.Response(200, json={"code": 10000, "data": [row] * 3})

    async with reading(platform) as api:
        assert await texts(api, 3) == ["hi"] * 3
    assert len(asked) == 1


async def test_leaving_early_asks_no_more() -> None:
    """Pages are asked for when they are needed; a loop may simply be left."""
    archive = Archive(100)
    async with reading(archive) as api:
        async for message in api.iterate_message_history(BAND, 10):
            if message.text == "95":
                break
    assert len(archive.asked) == 1


async def test_a_platform_that_does_not_page_is_read_once() -> None:
    """Where ``before`` is not heeded, the same page twice is the end and not an endless loop."""
    archive = Archive(7, deaf=True)
    async with reading(archive) as api:
        assert await texts(api, 3) == ["6", "5", "4"]
    assert len(archive.asked) == 2


@given(
    total=st.integers(0, 12),
    page=st.integers(2, 5),
    oldest_first=st.booleans(),
    inclusive=st.booleans(),
    every=st.integers(1, 4),
)
def test_every_message_comes_once(
    total: int, page: int, oldest_first: bool, inclusive: bool, every: int
) -> None:
    """Whatever the order of a page, whether ``before`` is in it, and with equal stamps inside the
    pages: each message once, the newest first."""
    archive = Archive(
        total,
        oldest_first=oldest_first,
        inclusive=inclusive,
        stamps=(lambda number: number // every) if oldest_first else (lambda number: number),
    )

    async def read() -> list[str | None]:
        async with reading(archive) as api:
            return await texts(api, page)

    assert trio.run(read) == newest_first(total)


async def test_a_page_may_be_larger_than_other_replies() -> None:
    """A hundred messages of 40 KB are read; a page has a limit of its own."""

    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            return Archive(0)(request)
        row = {"subtype": "text", "content": {"text": "x" * 40_000}}
        return httpx.Response(200, json={"code": 10000, "data": [row] * 100})

    async with reading(platform) as api:
        assert len(await api.fetch_message_history(BAND, 100, MessageId("m-9"))) == 100


@pytest.mark.parametrize("limit", [0, -1, 101])
async def test_a_limit_has_limits(limit: int) -> None:
    """A limit that no platform means is refused before it is asked."""
    archive = Archive(3)
    async with reading(archive) as api:
        with pytest.raises(ValueError, match="1 to 100"):
            await api.fetch_message_history(BAND, limit)
    assert archive.asked == []


async def test_a_refused_page_is_an_error_in_the_loop() -> None:
    """A refusal is no empty page."""

    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            return Archive(0)(request)
        return httpx.Response(200, json={"code": 10403, "message": "not yours"})

    async with reading(platform) as api:
        with pytest.raises(ApiError, match="not yours"):
            await texts(api, 3)


async def test_generation_0_refuses_before_the_loop() -> None:
    """What cannot be asked is said where it is called, not at the first message."""
    async with open_http_api(
        "https://host.example", email="e", password=Secret("p"), run_sync=inline
    ) as api:
        with pytest.raises(NotInGeneration, match="iterate_message_history"):
            api.iterate_message_history(BAND)
