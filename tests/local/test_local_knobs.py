"""Each knob of the local platform as a client sees it on the wire."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing

from moobius_trio.codec.generation0 import encode_from_service, encode_from_user
from moobius_trio.errors import ConnectionLost
from moobius_trio.local import DEFAULT_BAND, Knobs, Platform, open_platform
from moobius_trio.local.faults import LATE_SECONDS
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import (
    ChannelId,
    Content,
    MessageDown,
    Ping,
    RawPayload,
    RequestId,
    Secret,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UserAction,
    UserId,
    UserLogin,
    UserMessage,
)

BAND = ChannelId(DEFAULT_BAND)
BASE = "http://127.0.0.1:8000"
HANG = 7200.0
"""Simulated seconds; what does not come fails the test."""


class Wire:
    """A raw connection of one client."""

    def __init__(self, stream: MemoryFrameStream) -> None:
        self.stream = stream

    async def get(self) -> dict[str, Any]:
        with trio.fail_after(HANG):
            frame: dict[str, Any] = json.loads(await self.stream.receive_text())
        return frame

    async def get_all(self) -> list[dict[str, Any]]:
        """Everything that has come."""
        await trio.testing.wait_all_tasks_blocked()
        return [await self.get() for _ in range(self.stream.pending)]

    async def end(self) -> ConnectionLost:
        """Read until the connection ends."""
        with trio.fail_after(HANG):
            try:
                while True:
                    await self.stream.receive_text()
            except ConnectionLost as lost:
                return lost


class Service(Wire):
    """A service's connection."""

    service_id = ServiceId("")
    token = ""
    reader = UserId("")

    async def put(self, command: ServiceCommand, request_id: str) -> None:
        await self.stream.send_text(
            encode_from_service(
                command, request_id=RequestId(request_id), client_id=self.service_id, timestamp=1
            )
        )

    async def log_in(self) -> None:
        login = ServiceLogin(service_id=self.service_id, access_token=self.token)
        await self.put(login, "login")

    async def say(self, text: str, request_id: str = "") -> None:
        message = MessageDown(
            channel_id=BAND, content=Content(text=text), recipients=(self.reader,)
        )
        await self.put(message, request_id or text)


@attrs.define
class Rig:
    """A platform, a service that holds the band, and Alice in it."""

    platform: Platform
    nursery: trio.Nursery
    http: httpx.AsyncClient
    service_id: ServiceId = ServiceId("")
    auth: dict[str, str] = attrs.field(factory=dict)

    def connect(self) -> Service:
        near, far = memory_stream_pair()
        self.nursery.start_soon(self.platform.serve_socket, far)
        service = Service(near)
        service.service_id = self.service_id
        service.reader = self.platform.sign_in_guest("Alice").user_id
        service.token = self.auth["Authorization"].removeprefix("Bearer ")
        return service

    async def logged_in(self) -> Service:
        service = self.connect()
        await service.log_in()
        await service.get_all()
        return service

    async def sign_in(self) -> None:
        body = {"username": "dev@x", "password": "p"}
        reply = (await self.http.post("/auth/sign_in", json=body)).json()
        token = reply["data"]["AuthenticationResult"]["AccessToken"]
        self.auth = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, **body: str) -> httpx.Response:
        sent = body or None
        return await self.http.request(method, path, json=sent, headers=self.auth)

    async def alice(self) -> Wire:
        guest = self.platform.sign_in_guest("Alice")
        near, far = memory_stream_pair()
        self.nursery.start_soon(self.platform.serve_socket, far)
        await _as_user(near, UserLogin(access_token=guest.tokens.access.reveal()))
        await _as_user(near, UserAction(subtype="join_channel", channel_id=BAND))
        alice = Wire(near)
        await alice.get_all()
        return alice


async def _as_user(stream: MemoryFrameStream, command: Any) -> None:
    await stream.send_text(
        encode_from_user(command, request_id=RequestId("u"), client_id=UserId(""), timestamp=1)
    )


async def speak(alice: Wire, *texts: str) -> None:
    for text in texts:
        message = UserMessage(
            channel_id=BAND, content=Content(text=text), recipients=(), subtype="text"
        )
        await _as_user(alice.stream, message)


@asynccontextmanager
async def open_rig(knobs: Knobs | None = None) -> AsyncIterator[Rig]:
    async with (
        open_platform(
            state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
        ) as platform,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=platform.app), base_url=BASE) as http,
        trio.open_nursery() as nursery,
    ):
        rig = Rig(platform, nursery, http)
        await rig.sign_in()
        made = await rig.call("POST", "/service/create", description="d")
        rig.service_id = made.json()["data"]["service_id"]
        await rig.call("POST", "/service/bind", service_id=rig.service_id, channel_id=BAND)
        if knobs is not None:
            platform.knobs = knobs
        yield rig
        nursery.cancel_scope.cancel()


def copies(frames: Sequence[dict[str, Any]]) -> list[tuple[str, bool]]:
    bodies = [frame["body"] for frame in frames if frame.get("type") == "copy_client"]
    return [(body["request_id"], body["status"]) for body in bodies]


def texts(frames: Sequence[dict[str, Any]]) -> list[str]:
    return [frame["body"]["content"]["text"] for frame in frames if "content" in frame["body"]]


# Receipts (F17)


async def test_receipts_may_come_twice(autojump_clock: trio.testing.MockClock) -> None:
    """The same frame, byte by byte (F17)."""
    async with open_rig(Knobs(copies_times=2)) as rig:
        service = rig.connect()
        await service.put(Ping(), "p")
        await trio.testing.wait_all_tasks_blocked()
        first, second = [await service.stream.receive_text() for _ in range(2)]
        assert first == second
        assert service.stream.pending == 0


async def test_receipts_may_come_late(autojump_clock: trio.testing.MockClock) -> None:
    """After so many seconds and not before, behind what else is said meanwhile (F17)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        await service.get_all()
        rig.platform.knobs = Knobs(copies_delay=3)
        began = trio.current_time()
        await service.say("hello")
        assert texts(await alice.get_all()) == ["hello"]
        assert copies([await service.get()]) == [("hello", True)]
        assert trio.current_time() - began == pytest.approx(3)


async def test_some_receipts_may_never_come(autojump_clock: trio.testing.MockClock) -> None:
    """Each third one (F17)."""
    async with open_rig() as rig:
        service = await rig.logged_in()
        rig.platform.knobs = Knobs(copies_lost_every=3)
        for number in range(6):
            await service.put(Ping(), str(number))
        got = [name for name, _ in copies(await service.get_all())]
        assert got == ["0", "1", "3", "4"]


@pytest.mark.parametrize("form", ["words", "bare", "gateway", "close", "silence"])
async def test_a_refusal_has_the_form_that_is_set(
    form: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Status false with words or without, an error of the host, a close with 1008, or nothing."""
    async with open_rig() as rig:
        service = await rig.logged_in()
        rig.platform.knobs = Knobs(refusal_form=form)
        await service.put(RawPayload(type="nonsense", body={}), "r")
        if form == "close":
            assert (await service.end()).code == 1008
            return
        frames = await service.get_all()
        if form == "silence":
            assert frames == []
        elif form == "gateway":
            assert sorted(frames[0]) == ["connectionId", "message", "requestId"]
        else:
            body = frames[0]["body"]
            assert (body["request_id"], body["status"]) == ("r", False)
            assert bool(body["context"]) == (form == "words")


async def test_a_page_is_refused_with_words_whatever_is_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The knobs are for services."""
    async with open_rig(Knobs(refusal_form="silence")) as rig:
        alice = await rig.alice()
        await _as_user(alice.stream, UserAction(subtype="join_channel", channel_id=ChannelId("?")))
        assert copies(await alice.get_all()) == [("u", False)]


@pytest.mark.parametrize("answers", [True, False])
async def test_pings_of_the_socket_get_their_pong_or_not(
    answers: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Also on connections that were open before (F5)."""
    async with open_rig() as rig:
        old = await rig.logged_in()
        rig.platform.knobs = Knobs(answer_socket_pings=answers, second_login="both")
        for service in (old, await rig.logged_in()):
            with trio.move_on_after(60) as scope:
                await service.stream.ping()
            assert scope.cancelled_caught != answers


# Frames of services


async def test_frames_may_take_effect_out_of_order_and_none_is_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Twenty arrive, not in the order in which they were sent (F18)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        rig.platform.knobs = Knobs(order="concurrent", order_seconds=1)
        sent = [f"{number:02}" for number in range(20)]
        for text in sent:
            await service.say(text)
        await trio.sleep(2)
        got = texts(await alice.get_all())
        assert got != sent
        assert sorted(got) == sent
        for text in sent:
            await service.say(f"{text}b")
        await trio.testing.wait_all_tasks_blocked()
        await service.stream.aclose()  # what was accepted takes effect all the same
        assert len(await alice.get_all()) == 20


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("refused", [("r", False)]), ("copied", [("r", True)]), ("ignored", [])],
)
async def test_roger_does_what_is_set(
    mode: Any, expected: list[tuple[str, bool]], autojump_clock: trio.testing.MockClock
) -> None:
    """Another unknown frame is refused in any case."""
    async with open_rig() as rig:
        service = await rig.logged_in()
        rig.platform.knobs = Knobs(roger=mode)
        await service.put(RawPayload(type="roger", body={"message_id": "m"}), "r")
        assert copies(await service.get_all()) == expected
        await service.put(RawPayload(type="rogers", body={}), "s")
        assert copies(await service.get_all()) == [("s", False)]


@pytest.mark.parametrize("again", [False, True])
async def test_each_third_message_is_refused_once_or_for_good(
    again: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """The same id comes through at its second try, or never (F16)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        await service.get_all()
        rig.platform.knobs = Knobs(refuse_every=3, refuse_again=again)
        for text in ("1", "2", "3", "3", "3"):
            await service.say(text)
        expected = [("1", True), ("2", True), ("3", False), ("3", not again), ("3", not again)]
        assert copies(await service.get_all()) == expected
        assert texts(await alice.get_all()) == ["1", "2"] + ([] if again else ["3"])


# Connections and logins


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [(1, 1, [0, 1, 1]), (2, None, [1, 0, 0]), (1, None, [0, 0, 0]), (2, 1, [1, 0, 1])],
)
async def test_logins_are_refused_once_from_the_nth_or_always(
    first: int,
    count: int | None,
    expected: list[int],
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Counted from when the knob is set (F15)."""
    async with open_rig() as rig:
        await rig.logged_in()
        rig.platform.knobs = Knobs(refuse_login_from=first, refuse_login_count=count)
        got = []
        for _ in expected:
            service = rig.connect()
            await service.log_in()
            got.extend(copies(await service.get_all()))
        assert [status for _, status in got] == [bool(each) for each in expected]


@pytest.mark.parametrize("mode", ["ignored", "refused", "closed"])
async def test_an_expired_token_on_a_live_connection(
    mode: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """It goes on, is refused until a new login, or is closed with 1008 (F23)."""
    async with open_rig() as rig:
        service = await rig.logged_in()
        rig.platform.knobs = Knobs(live_token=mode)
        await service.put(Ping(), "before")
        assert copies(await service.get_all()) == [("before", True)]
        rig.platform.expire_tokens()
        await service.put(Ping(), "after")
        if mode == "closed":
            assert (await service.end()).code == 1008
            return
        assert copies(await service.get_all()) == [("after", mode == "ignored")]
        await rig.sign_in()
        service.token = rig.auth["Authorization"].removeprefix("Bearer ")
        await service.log_in()
        await service.put(Ping(), "renewed")
        assert copies(await service.get_all()) == [("login", True), ("renewed", True)]


async def test_expired_tokens_open_nothing_and_refresh_tokens_last_unless_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """HTTP 401, and a refresh that works or does not (F23)."""
    async with open_rig() as rig:
        body = {"username": "dev@x", "password": "p"}
        tokens = (await rig.http.post("/auth/sign_in", json=body)).json()["data"]
        refresh = Secret(tokens["AuthenticationResult"]["RefreshToken"]).reveal()
        renewal = {"username": "dev@x", "refresh_token": refresh}
        rig.platform.expire_tokens()
        assert (await rig.call("GET", "/user/info")).status_code == 401
        assert (await rig.http.post("/auth/refresh", json=renewal)).status_code == 200
        rig.platform.expire_tokens(refresh=True)
        assert (await rig.http.post("/auth/refresh", json=renewal)).status_code == 401


@pytest.mark.parametrize("notice", [None, 5.0])
async def test_a_connection_is_cut_after_its_time_with_or_without_a_word(
    notice: float | None, autojump_clock: trio.testing.MockClock
) -> None:
    """With the code that is set (F1)."""
    async with open_rig(Knobs(connection_seconds=60, cut_code=1012, cut_notice=notice)) as rig:
        service, began = await rig.logged_in(), trio.current_time()
        if notice is not None:
            assert (await service.get())["message"] == "Going away"
            assert trio.current_time() - began == pytest.approx(60)
        assert (await service.end()).code == 1012
        assert trio.current_time() - began == pytest.approx(60 + (notice or 0))


async def test_a_connection_that_says_nothing_is_cut(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Counted from its last frame (F8)."""
    async with open_rig(Knobs(idle_seconds=60)) as rig:
        service, began = await rig.logged_in(), trio.current_time()
        for _ in range(3):
            await trio.sleep(50)
            await service.put(Ping(), "p")
        assert (await service.end()).code == 1001
        assert trio.current_time() - began == pytest.approx(210)


async def test_one_frame_may_be_limited_apart_from_the_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In memory a message is one frame (F9)."""
    async with open_rig(Knobs(frame_limit=1000)) as rig:
        service = await rig.logged_in()
        await service.say("x" * 1000)
        assert (await service.end()).code == 1009


# Events


async def test_each_second_event_may_come_twice(autojump_clock: trio.testing.MockClock) -> None:
    """Byte by byte the same, its id too (F20)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        await service.get_all()
        rig.platform.knobs = Knobs(duplicate_every=2)
        await speak(alice, "1", "2", "3")
        frames = await service.get_all()
        assert texts(frames) == ["1", "2", "2", "3"]
        assert frames[1] == frames[2]


async def test_the_last_events_may_come_again_after_a_login(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Behind the receipt for it (F20)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        rig.platform.knobs = Knobs(duplicate_after_login=2)
        await speak(alice, "1", "2", "3")
        await service.get_all()
        again = rig.connect()
        await again.log_in()
        assert copies([await again.get()]) == [("login", True)]
        assert texts([await again.get(), await again.get()]) == ["2", "3"]
        assert await again.get_all() == []


async def test_each_second_event_may_come_late(autojump_clock: trio.testing.MockClock) -> None:
    """Behind those after it, and none is lost (F18)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        await service.get_all()
        rig.platform.knobs = Knobs(reorder_every=2)
        await speak(alice, "1", "2", "3", "4", "5")
        await trio.sleep(2 * LATE_SECONDS)
        assert texts(await service.get_all()) == ["1", "3", "5", "2", "4"]


async def test_garbage_comes_among_the_events_in_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Before each second event a piece, and the events all the same (F21, F22)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        await service.get_all()
        rig.platform.knobs = Knobs(
            garbage=("bad_json", "deep", "untyped", "unknown", "oversized"), garbage_every=2
        )
        await speak(alice, *map(str, range(10)))
        await trio.testing.wait_all_tasks_blocked()
        got = [await service.stream.receive_text() for _ in range(service.stream.pending)]
        pieces = [text for number, text in enumerate(got) if number % 3 == 1]
        assert texts([json.loads(text) for text in got if text not in pieces]) == [
            str(number) for number in range(10)
        ]
        bad, deep, untyped, unknown, oversized = pieces
        with pytest.raises(ValueError, match="Unterminated"):
            json.loads(bad)
        assert deep.count("[") == deep.count("]") == 50_000
        assert "type" not in json.loads(untyped)
        assert json.loads(unknown)["type"] == "msg_sideways"
        assert len(oversized) > 2**20


async def test_bytes_that_are_no_text_end_a_connection_in_memory_with_1007(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """As a client of the protocol has to (F13)."""
    async with open_rig() as rig:
        service, alice = await rig.logged_in(), await rig.alice()
        rig.platform.knobs = Knobs(garbage=("not_utf8",))
        await speak(alice, "1")
        assert (await service.end()).code == 1007


# HTTP


async def test_the_history_is_absent_refused_or_given_to_the_holder(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a service may ask for is not known."""
    path = f"/channel/history_message?channel_id={BAND}&limit=2&before=null"
    async with open_rig() as rig:
        alice = await rig.alice()
        await speak(alice, "1", "2", "3")
        await alice.get_all()
        assert (await rig.call("GET", path)).status_code == 404
        rig.platform.knobs = Knobs(history="refused")
        assert (await rig.call("GET", path)).status_code == 403
        rig.platform.knobs = Knobs(history="open")
        assert texts((await rig.call("GET", path)).json()["data"]) == ["2", "3"]
        body = {"username": "other@x", "password": "p"}
        reply = (await rig.http.post("/auth/sign_in", json=body)).json()
        other = reply["data"]["AuthenticationResult"]["AccessToken"]
        rig.auth = {"Authorization": f"Bearer {other}"}
        assert (await rig.call("GET", path)).status_code == 403


@pytest.mark.parametrize(
    ("fault", "status", "content"),
    [
        ("500", 500, b'{"message": "Internal server error"}'),
        ("502", 502, b"<html><body><h1>Bad gateway</h1></body></html>"),
        ("503", 503, b'{"message": "Internal server error"}'),
        ("429", 429, b'{"message": "Internal server error"}'),
        ("html", 200, b"<html><body><h1>Bad gateway</h1></body></html>"),
        ("empty", 200, b""),
        ("code", 200, b"50000"),
    ],
)
async def test_a_call_gets_the_fault_instead_of_its_answer(
    fault: Any, status: int, content: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """Each second one below the path; others and the page's own are served (F24, F25)."""
    knobs = Knobs(
        http_fault=fault, http_fault_every=2, http_fault_path="/service/", http_retry_after=7
    )
    async with open_rig(knobs) as rig:
        assert (await rig.call("GET", "/service/list")).json()["code"] == 10000
        assert (await rig.call("GET", "/user/info")).json()["code"] == 10000
        assert (await rig.http.get("/local/bands")).status_code == 200
        reply = await rig.call("GET", "/service/list")
        assert reply.status_code == status
        assert content in reply.content
        assert bool(content) == bool(reply.content)
        assert reply.headers.get("Retry-After") == ("7" if status in (429, 503) else None)
        assert (await rig.call("GET", "/service/list")).json()["code"] == 10000


async def test_a_call_may_hang_or_come_a_byte_a_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """For ever, and for ten minutes (F24)."""
    async with open_rig(Knobs(http_fault="hang")) as rig:
        with trio.move_on_after(3600) as scope:
            await rig.call("GET", "/user/info")
        assert scope.cancelled_caught
        rig.platform.knobs = Knobs(http_fault="trickle")
        began = trio.current_time()
        assert (await rig.call("GET", "/user/info")).content == b" " * 600
        assert trio.current_time() - began == pytest.approx(600)


# The values themselves


@pytest.mark.parametrize(
    "knobs",
    [
        {"copies_times": 0},
        {"copies_times": True},
        {"copies_times": 1.5},
        {"copies_delay": -1},
        {"copies_delay": float("nan")},
        {"order": "random"},
        {"garbage": ("good",)},
        {"http_fault": "teapot"},
        {"cut_code": 70_000},
        {"handshake_status": 200},
    ],
)
def test_a_value_that_a_knob_does_not_have_is_refused(knobs: dict[str, Any]) -> None:
    """When it is set, not when it would matter."""
    with pytest.raises((ValueError, TypeError)):
        Knobs(**knobs)
