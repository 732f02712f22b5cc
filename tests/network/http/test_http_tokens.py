"""Tokens: sign-in, the 401 flow, one renewal for all who ask, and forty days of keeping fresh."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import httpx
import pytest
import trio
from trio.testing import MockClock

from moobius_trio.errors import ApiError, MoobiusError, SignInRefused, Unreachable
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.types import Secret, ServiceId

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

HOUR = 3600.0
DAY = 24 * HOUR


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


def failed(status: int, code: int, words: str) -> httpx.Response:
    """An answer that is a refusal."""
    return httpx.Response(status, json={"code": code, "msg": words, "data": None})


class Platform:
    """Gives tokens that live for a day and refresh tokens that live for thirty."""

    def __init__(self) -> None:
        self.password = "hunter2"
        self.tokens: dict[str, float] = {}
        self.refreshes: dict[str, float] = {}
        self.sign_ins = 0
        self.refreshed = 0
        self.refused_calls = 0
        self.calls: list[str] = []
        self.refresh_answer: Callable[[], httpx.Response | None] = lambda: None
        self.sign_in_answer: Callable[[], httpx.Response | None] = lambda: None
        self.slow = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self.slow)
        if request.url.path == "/auth/sign_in":
            return self._sign_in(json.loads(request.content))
        if request.url.path == "/auth/refresh":
            return self._refresh(json.loads(request.content))
        token = request.headers["authorization"].removeprefix("Bearer ")
        if self.tokens.get(token, 0) <= trio.current_time():
            self.refused_calls += 1
            return failed(401, 40100, "token expired")
        self.calls.append(request.url.path)
        data: object = {"service_id": "s-1"} if request.method == "POST" else []
        return httpx.Response(200, json={"code": 10000, "msg": "", "data": data})

    def _sign_in(self, body: dict[str, str]) -> httpx.Response:
        self.sign_ins += 1
        answer = self.sign_in_answer()
        if answer is not None:
            return answer
        if body["password"] != self.password:
            return failed(400, 40001, "wrong password")
        refresh = f"refresh-{self.sign_ins}"
        self.refreshes[refresh] = trio.current_time() + 30 * DAY
        return self._tokens({"RefreshToken": refresh})

    def _refresh(self, body: dict[str, str]) -> httpx.Response:
        self.refreshed += 1
        answer = self.refresh_answer()
        if answer is not None:
            return answer
        if self.refreshes.get(body["refresh_token"], 0) <= trio.current_time():
            return failed(400, 40002, "refresh token expired")
        return self._tokens({})

    def _tokens(self, more: dict[str, str]) -> httpx.Response:
        token = f"access-{self.sign_ins}-{self.refreshed}"
        self.tokens[token] = trio.current_time() + DAY
        result = {"AccessToken": token, **more}
        return httpx.Response(
            200, json={"code": 10000, "msg": "", "data": {"AuthenticationResult": result}}
        )


@asynccontextmanager
async def opened(platform: Platform, password: str = "hunter2") -> AsyncIterator[HttpApi]:
    """An API at ``platform`` that has not signed in."""
    async with open_http_api(
        "https://host.example/",
        email="alice@example.org",
        password=Secret(password),
        run_sync=inline,
        transport=httpx.MockTransport(platform),
        random=random.Random(5),
    ) as api:
        yield api


async def test_a_wrong_password_is_a_refusal_with_the_platforms_words() -> None:
    """The platform is asked once, and the error names the account and no password."""
    platform = Platform()
    async with opened(platform, "wrong-hunter") as api:
        with pytest.raises(SignInRefused) as caught:
            await api.authenticate()
    assert caught.value.email == "alice@example.org"
    assert caught.value.reason == "wrong password"
    assert "wrong-hunter" not in str(caught.value)
    assert platform.sign_ins == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(401, 40100, "no"), SignInRefused),
        (failed(200, 40100, "no"), SignInRefused),
        (httpx.Response(401), SignInRefused),
        (httpx.Response(403, text="<html>"), SignInRefused),
        (httpx.Response(404, text="<html>"), ApiError),
        (httpx.Response(200, json={"code": 10000, "data": {}}), ApiError),
        (failed(503, 50300, "resting"), ApiError),
        (failed(429, 42900, "slow down"), ApiError),
    ],
    ids=lambda value: getattr(value, "status_code", None) or value.__name__,
)
async def test_a_no_is_told_from_a_platform_that_cannot_answer(
    answer: httpx.Response, error: type[MoobiusError], autojump_clock: MockClock
) -> None:
    """Only words about the account are a refusal; anything else leaves the password blameless."""
    platform = Platform()
    platform.sign_in_answer = lambda: answer
    async with opened(platform) as api:
        with pytest.raises(error):
            await api.authenticate()


async def test_a_platform_that_is_away_is_unreachable(autojump_clock: MockClock) -> None:
    """A sign-in without any answer names the address, the attempts and the reason."""

    def away() -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    platform = Platform()
    platform.sign_in_answer = away
    async with opened(platform) as api:
        with pytest.raises(Unreachable) as caught:
            await api.authenticate()
    assert caught.value.address == "https://host.example"
    assert caught.value.attempts == platform.sign_ins == 4
    assert "connection refused" in caught.value.reason


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "caf\u00e9", "\x00"])
async def test_a_token_that_no_header_can_hold_is_refused_when_it_comes(token: str) -> None:
    """It does not wait for the first call to break, or to show it in an error."""
    platform = Platform()
    result = {"AuthenticationResult": {"AccessToken": token, "RefreshToken": "r"}}
    platform.sign_in_answer = lambda: httpx.Response(200, json={"code": 10000, "data": result})
    async with opened(platform) as api:
        with pytest.raises(ApiError, match="header"):
            await api.authenticate()
        with pytest.raises(RuntimeError, match="authenticate"):
            _ = api.access_token


async def test_a_spent_token_is_refreshed_and_the_call_made_again() -> None:
    """HTTP 401 means not done, so any call is repeated once, with the new token."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        assert await api.create_service("a demo") == ServiceId("s-1")
    assert platform.calls == ["/service/create"]
    assert (platform.refreshed, platform.sign_ins, platform.refused_calls) == (1, 1, 1)


async def test_a_spent_refresh_token_leads_to_a_sign_in() -> None:
    """When the refresh is refused the password is used, once, and the call made again."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        platform.refreshes.clear()
        assert await api.get_service_list() == ()
    assert (platform.refreshed, platform.sign_ins) == (1, 2)


async def test_a_call_that_stays_unauthorised_is_repeated_only_once() -> None:
    """A platform that answers 401 to a fresh token too is believed."""
    platform = Platform()
    platform.tokens = _Never()
    async with opened(platform) as api:
        await api.authenticate()
        with pytest.raises(ApiError, match="token expired") as caught:
            await api.get_service_list()
    assert caught.value.status == 401
    assert platform.refused_calls == 2


class _Never(dict[str, float]):
    """Tokens that are never valid."""

    def get(self, key: str, default: object = None) -> float:
        return 0


async def test_ten_calls_with_one_spent_token_cause_one_refresh(autojump_clock: MockClock) -> None:
    """Renewal is single flight: nine wait for the first one's token (F23)."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        platform.slow = 1
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(api.get_service_list)
    assert platform.refused_calls == 10
    assert (platform.refreshed, platform.sign_ins) == (1, 1)
    assert len(platform.calls) == 10


async def test_a_late_401_of_an_old_token_causes_no_second_refresh(
    autojump_clock: MockClock,
) -> None:
    """A call that was under way during a renewal takes the new token instead of renewing it."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        async with trio.open_nursery() as nursery:
            platform.slow = 5
            nursery.start_soon(api.get_service_list)
            await trio.testing.wait_all_tasks_blocked()
            platform.slow = 0
            await api.renew()
    assert platform.refused_calls == 1
    assert platform.refreshed == 1


async def test_renewed_again_so_soon_is_a_sign_in(autojump_clock: MockClock) -> None:
    """A login that is refused with refreshed tokens too gets those of a full sign-in next."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        await api.renew()
        assert (platform.refreshed, platform.sign_ins) == (1, 1)
        await api.renew()
        assert (platform.refreshed, platform.sign_ins) == (1, 2)
        await trio.sleep(3600)
        await api.renew()
        assert (platform.refreshed, platform.sign_ins) == (2, 2)


async def test_ten_callers_share_a_failed_renewal(autojump_clock: MockClock) -> None:
    """A changed password is tried once for all who wait, not ten times; later askers try anew."""
    platform = Platform()
    caught: list[MoobiusError] = []
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        platform.refreshes.clear()
        platform.password = "changed"
        platform.slow = 1

        async def call() -> None:
            try:
                await api.get_service_list()
            except SignInRefused as error:
                caught.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(call)
        assert len(caught) == 10
        assert (platform.refreshed, platform.sign_ins) == (1, 2)
        with pytest.raises(SignInRefused):
            await api.renew()
    assert platform.sign_ins == 3


async def test_a_cancelled_renewal_is_done_by_the_next_in_line(autojump_clock: MockClock) -> None:
    """Who waits for a renewal whose task is cancelled does it, and gets its token."""
    platform = Platform()
    async with opened(platform) as api:
        await api.authenticate()
        platform.tokens.clear()
        platform.slow = 10
        async with trio.open_nursery() as nursery:
            impatient = trio.CancelScope()

            async def first() -> None:
                with impatient:
                    await api.renew()

            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(api.renew)
            await trio.testing.wait_all_tasks_blocked()
            impatient.cancel()
    assert api.access_token.reveal() in platform.tokens
    assert platform.refreshed == 1


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
async def test_forty_days_without_an_expired_token(rate: float, autojump_clock: MockClock) -> None:
    """With failing refreshes no call ever carries an expired token, and sign-ins stay rare.

    (F23)
    """
    platform = Platform()
    chance = random.Random(3)
    platform.refresh_answer = lambda: failed(400, 1, "unlucky") if chance.random() < rate else None
    async with opened(platform) as api, trio.open_nursery() as nursery:
        await api.authenticate()
        await nursery.start(lambda *, task_status: api.keep_tokens_fresh(task_status=task_status))
        for _ in range(40 * 24):
            await trio.sleep(HOUR)
            await api.get_service_list()
        nursery.cancel_scope.cancel()
    assert platform.refused_calls == 0
    periods = 40 * 4 - 1
    if rate == 0:
        assert platform.sign_ins == 1 + 40 // 7
        assert platform.refreshed == periods - 40 // 7
    elif rate == 1:
        assert platform.sign_ins == 1 + periods
    else:
        assert 6 < platform.sign_ins < 0.4 * periods


async def test_a_platform_that_is_away_for_a_day_costs_no_task(autojump_clock: MockClock) -> None:
    """Failures are tried again within the hour, end with the first success, and raise nothing."""
    platform = Platform()
    away = [httpx.Response(503), failed(400, 1, "no"), httpx.Response(200, text="<html>")]

    def answer() -> httpx.Response | None:
        return away[platform.sign_ins % 3] if DAY < trio.current_time() - begun < 2 * DAY else None

    begun = trio.current_time()
    async with opened(platform) as api, trio.open_nursery() as nursery:
        await api.authenticate()
        platform.refresh_answer = platform.sign_in_answer = answer
        await nursery.start(api.keep_tokens_fresh)
        await trio.sleep(DAY + 60)
        before = api.access_token
        await trio.sleep(DAY - 120)
        assert api.access_token == before
        tried = platform.refreshed
        assert tried > 20
        await trio.sleep(HOUR + 300)
        assert api.access_token != before
        renewed = platform.refreshed
        await trio.sleep(5 * HOUR)
        assert platform.refreshed == renewed
        nursery.cancel_scope.cancel()


async def test_a_changed_password_costs_nothing_while_refreshes_work(
    autojump_clock: MockClock,
) -> None:
    """When the weekly sign-in is refused the refresh token goes on until it ends itself."""
    platform = Platform()
    async with opened(platform) as api, trio.open_nursery() as nursery:
        await api.authenticate()
        platform.password = "changed"
        await nursery.start(api.keep_tokens_fresh)
        for _ in range(29 * 24):
            await trio.sleep(HOUR)
            await api.get_service_list()
        nursery.cancel_scope.cancel()
    assert platform.refused_calls == 0
