"""What goes wrong on the way: which error the caller gets, how often it was tried, how long."""

from __future__ import annotations

import gzip
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio
from trio.testing import MockClock

from moobius_trio.errors import ApiError
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.http.calls import NoReply
from moobius_trio.network.http.retry import full_jitter, read_retry_after
from moobius_trio.testing.scoreboard import note
from moobius_trio.types import ChannelId, Secret, ServiceId

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Answer = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]

SIGNED_IN = {"AuthenticationResult": {"AccessToken": "access-1", "RefreshToken": "refresh-1"}}


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


def good(data: object) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json={"code": 10000, "msg": "ok", "data": data})


class Script:
    """A platform that answers its calls, except the sign-in, one by one from a list."""

    def __init__(self, *answers: httpx.Response | Exception | Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/sign_in":
            return good(SIGNED_IN)
        self.requests.append(request)
        self.times.append(trio.current_time())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else await answer(request)


class Longest(random.Random):
    """Every pause is as long as it can be."""

    def uniform(self, a: float, b: float) -> float:
        return b


@asynccontextmanager
async def signed_in(platform: Answer) -> AsyncIterator[HttpApi]:
    """An API that has signed in at ``platform``."""
    async with open_http_api(
        "https://host.example/",
        email="alice@example.org",
        password=Secret("hunter2"),
        run_sync=inline,
        transport=httpx.MockTransport(platform),
        random=Longest(),
    ) as api:
        await api.authenticate()
        yield api


async def hang(request: httpx.Request) -> httpx.Response:
    """Never answer."""
    await trio.sleep_forever()
    raise AssertionError


class Body(httpx.AsyncByteStream):
    """A body that comes in pieces, one each ``seconds``, and counts those that were taken."""

    def __init__(self, pieces: Iterable[bytes], seconds: float = 0) -> None:
        self.pieces = iter(pieces)
        self.seconds = seconds
        self.taken = 0
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.sleep(self.seconds)
        for piece in self.pieces:
            self.taken += 1
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("response", "code", "status", "words"),
    [
        pytest.param(
            httpx.Response(200, json={"code": 40001, "msg": "no such band", "data": None}),
            40001,
            200,
            "no such band",
            id="refused",
        ),
        pytest.param(
            httpx.Response(403, json={"code": 40003, "msg": "not yours"}),
            40003,
            403,
            "not yours",
            id="refused with a status",
        ),
        pytest.param(
            httpx.Response(200, text="<html><body>hello"), None, 200, "malformed reply", id="html"
        ),
        pytest.param(httpx.Response(200), None, 200, "malformed reply", id="empty"),
        pytest.param(httpx.Response(204), None, 204, "malformed reply", id="no content"),
        pytest.param(httpx.Response(200, json=[1]), None, 200, "malformed reply", id="no object"),
        pytest.param(httpx.Response(200, json={"data": []}), None, 200, "envelope", id="no code"),
        pytest.param(
            httpx.Response(200, content=b'{"code": 10000, "data": "\xff"}'),
            None,
            200,
            "malformed",
            id="not utf-8",
        ),
        pytest.param(good(None), None, 200, "malformed service list", id="no data"),
        pytest.param(good([{"service_id": 7}]), None, 200, "malformed service list", id="shape"),
        pytest.param(httpx.Response(404, text="not found"), None, 404, "malformed", id="404"),
        pytest.param(
            httpx.Response(302, headers={"Location": "https://trap.example/"}),
            None,
            302,
            "redirect",
            id="redirect",
        ),
    ],
)
async def test_every_answer_that_is_not_good_is_an_api_error(
    response: httpx.Response, code: int | None, status: int, words: str
) -> None:
    """Path, code, status and the platform's words are told, at the first attempt (F25)."""
    platform = Script(response)
    async with signed_in(platform) as api:
        with pytest.raises(ApiError, match=words) as caught:
            await api.get_service_list()
    assert caught.value.path == "/service/list"
    assert caught.value.code == code
    assert caught.value.status == status
    assert not caught.value.unreachable
    assert len(platform.requests) == 1


async def test_a_redirect_is_not_followed_and_the_token_stays() -> None:
    """A redirect to another origin causes no request there (S4)."""
    platform = Script(
        httpx.Response(307, headers={"Location": "https://trap.example/service/list"}), good([])
    )
    async with signed_in(platform) as api:
        with pytest.raises(ApiError, match="redirect"):
            await api.get_service_list()
        assert await api.get_service_list() == ()
    assert {request.url.host for request in platform.requests} == {"host.example"}


async def test_a_compressed_reply_is_refused_unread() -> None:
    """Not a byte of a body with a content encoding is read, so that none can blow up (F61, S7)."""
    body = Body([gzip.compress(b"0" * 1_000_000)])
    platform = Script(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=body))
    async with signed_in(platform) as api:
        with pytest.raises(ApiError, match="compressed"):
            await api.get_service_list()
    note("bytes read of a compressed reply", body.taken)
    assert body.taken == 0
    assert body.closed


async def test_a_huge_reply_is_cut_off() -> None:
    """No more than a mebibyte and one piece of a reply are taken (F61, S7)."""
    body = Body(b"x" * 65_536 for _ in range(1_000))
    async with signed_in(Script(httpx.Response(200, stream=body))) as api:
        with pytest.raises(ApiError, match="larger than 1,048,576 bytes"):
            await api.get_service_list()
    assert body.taken == 17
    assert body.closed


async def test_no_cookie_is_kept() -> None:
    """What a reply wants to be remembered is not sent back."""
    wanting = good([])
    wanting.headers["Set-Cookie"] = "a=b; Path=/"
    platform = Script(wanting, good([]))
    async with signed_in(platform) as api:
        await api.get_service_list()
        await api.get_service_list()
    assert "cookie" not in platform.requests[1].headers


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(503, text="<html>"),
        httpx.Response(429, json={"code": 42900, "msg": "slow down"}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout(""),
        httpx.RemoteProtocolError("no reply"),
    ],
    ids=lambda failure: getattr(failure, "status_code", None) or type(failure).__name__,
)
async def test_a_call_that_only_reads_survives_three_failures(
    failure: httpx.Response | Exception, autojump_clock: MockClock
) -> None:
    """The fourth attempt counts, after pauses that double."""
    platform = Script(failure, failure, failure, good([]))
    async with signed_in(platform) as api:
        assert await api.get_service_list() == ()
    assert [time - platform.times[0] for time in platform.times] == pytest.approx(
        [0, 0.5, 1.5, 3.5]
    )


async def test_there_is_no_fifth_attempt(autojump_clock: MockClock) -> None:
    """After four failures the last one is what the caller gets."""
    platform = Script(
        httpx.ReadError("reset"),
        httpx.ReadError("reset"),
        httpx.ReadError("reset"),
        httpx.Response(503, json={"code": 50300, "msg": "resting"}),
        good([]),
    )
    async with signed_in(platform) as api:
        with pytest.raises(ApiError, match="resting") as caught:
            await api.get_service_list()
        assert caught.value.status == 503
        assert caught.value.code == 50300
        platform.answers = [httpx.ReadError("reset")] * 4
        with pytest.raises(NoReply, match=r"no reply in 4 attempts \(ReadError: reset\)") as lost:
            await api.get_service_list()
    assert lost.value.unreachable
    assert len(platform.requests) == 8


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(503),
        httpx.Response(429, headers={"Retry-After": "1"}),
        httpx.ReadError("reset"),
        httpx.ReadTimeout(""),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("no reply"),
    ],
    ids=lambda failure: getattr(failure, "status_code", None) or type(failure).__name__,
)
async def test_what_must_not_be_done_twice_is_sent_once(
    failure: httpx.Response | Exception, autojump_clock: MockClock
) -> None:
    """A call that makes something is not made again once it may have been written (F26)."""
    platform = Script(failure, good({"service_id": "s-1"}))
    async with signed_in(platform) as api:
        with pytest.raises(ApiError):
            await api.create_service("a demo")
        assert len(platform.requests) == 1
        platform.answers = [hang, good({"service_id": "s-1"})]
        with pytest.raises(ApiError, match="30 s"):
            await api.create_service("a demo")
    assert len(platform.requests) == 2


async def test_what_was_never_written_is_sent_again(autojump_clock: MockClock) -> None:
    """A connection that was not made cannot have done anything, so the call is made again."""
    platform = Script(
        httpx.ConnectError("refused"), httpx.ConnectTimeout(""), good({"service_id": "s-1"})
    )
    async with signed_in(platform) as api:
        assert await api.create_service("a demo") == ServiceId("s-1")
    assert len(platform.requests) == 3


async def test_states_may_be_set_twice(autojump_clock: MockClock) -> None:
    """Binding is made again after a lost answer, since twice bound is bound."""
    platform = Script(httpx.ReadError("reset"), good(None))
    async with signed_in(platform) as api:
        assert await api.bind_service_to_channel(ServiceId("s-1"), ChannelId("b-1"))


async def test_a_hanging_platform_is_given_up_within_46_seconds(autojump_clock: MockClock) -> None:
    """30 s for an attempt and 45 s for all of them, whatever hangs (F24)."""
    platform = Script(hang, hang, hang, hang)
    async with signed_in(platform) as api:
        begun = trio.current_time()
        with pytest.raises(ApiError, match="no reply in 2 attempts") as caught:
            await api.get_service_list()
    assert caught.value.unreachable
    assert platform.times == pytest.approx([begun, begun + 30.5])
    assert trio.current_time() - begun == pytest.approx(45)


async def test_a_trickling_reply_counts_as_hanging(autojump_clock: MockClock) -> None:
    """A byte a second is life for the socket but not for the call."""
    bodies = [Body((b" " for _ in range(1_000)), seconds=1) for _ in range(2)]
    platform = Script(*(httpx.Response(200, stream=body) for body in bodies))
    async with signed_in(platform) as api:
        begun = trio.current_time()
        with pytest.raises(ApiError, match="not complete"):
            await api.get_service_list()
    assert trio.current_time() - begun == pytest.approx(45)
    assert all(body.closed for body in bodies)


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "60"}, 60),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:20 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            20,
        ),
        ({"Retry-After": "soon"}, 0.5),
    ],
)
async def test_the_platform_may_ask_for_a_pause(
    headers: dict[str, str], waited: float, autojump_clock: MockClock
) -> None:
    """``Retry-After`` up to a minute is kept in both its forms, and not counted as our time."""
    platform = Script(httpx.Response(429, headers=headers), good([]))
    async with signed_in(platform) as api:
        await api.get_service_list()
    assert platform.times[1] - platform.times[0] == pytest.approx(waited)


async def test_a_longer_pause_than_a_minute_is_the_callers_to_take(
    autojump_clock: MockClock,
) -> None:
    """A platform that wants to be left alone for longer gets no second attempt."""
    platform = Script(httpx.Response(429, headers={"Retry-After": "61"}), good([]))
    async with signed_in(platform) as api:
        with pytest.raises(ApiError) as caught:
            await api.get_service_list()
    assert caught.value.status == 429
    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("0", None, 0),
        ("120", None, 120),
        ("-1", None, None),
        ("1e9", None, None),
        ("²", None, None),
        ("9" * 5_000, None, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:29:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:27:00", None),
    ],
)
def test_retry_after_is_read_in_both_forms(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Seconds, or a time measured against the reply's own date; nonsense is no pause."""
    assert read_retry_after(value, date) == seconds


def test_pauses_are_spread_over_the_whole_width() -> None:
    """A pause lies between nothing and a bound that doubles up to its limit."""
    source = random.Random(7)
    for failures, bound in [(1, 0.5), (2, 1), (3, 2), (5, 8), (6, 8), (10_000, 8)]:
        pauses = [full_jitter(source, failures, first=0.5, longest=8) for _ in range(200)]
        assert 0 <= min(pauses) < 0.1 * bound
        assert 0.9 * bound < max(pauses) <= bound


async def test_cancelling_a_call_leaves_the_api_usable() -> None:
    """A call that its caller gives up is over at once, and the next one works."""
    platform = Script(hang, good([]))
    async with signed_in(platform) as api:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(api.get_service_list)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert await api.get_service_list() == ()
