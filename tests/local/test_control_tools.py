"""What a builder can do to a running service and its band from the page, by ``/local/control``."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from moobius_trio import Action, Band, MessageUp, MoobiusService
from moobius_trio.errors import UsageError
from moobius_trio.local import JobRow, Platform, Problem, ServiceState, open_platform
from moobius_trio.local.session import Session
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.actors import SERVICE
from moobius_trio.testing.harness import Local
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import UserAction

BASE = "http://127.0.0.1:8000"
BAND = "local-demo"


class Service(MoobiusService[Band]):
    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, f"to {msg_up.text}")

    async def on_leave_channel(self, action: Action) -> None:
        self.left.append(action.sender)


class Program:
    """What runs a service, in as far as the platform sees it."""

    def __init__(self) -> None:
        self.now = ServiceState(name="echo", state="running")
        self.told: list[Callable[[], None]] = []
        self.done: list[str] = []
        self.offset = 0.0

    def become(self, state: ServiceState) -> None:
        self.now = state
        for tell in self.told:
            tell()

    def state(self) -> ServiceState:
        return self.now

    def on_change(self, tell: Callable[[], None]) -> None:
        self.told.append(tell)

    async def restart(self) -> None:
        self.done.append("restart")

    async def jobs(self) -> tuple[JobRow, ...]:
        return (JobRow(name="strike", next_at="2024-01-01T13:00:00+00:00", runs=2, running=False),)

    async def run_job(self, name: str) -> None:
        if name != "strike":
            raise UsageError(f"there is no job {name!r}.")
        self.done.append(name)

    async def advance(self, seconds: float) -> float:
        self.offset += seconds
        return self.offset


async def call(platform: Platform, body: object = None, token: str = "") -> Any:
    """GET without a body, POST with one; gives the data, or status and words of a refusal."""
    transport = httpx.ASGITransport(app=platform.app)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
        if body is None:
            reply = await http.get("/local/control")
        else:
            reply = await http.post("/local/control", json=body)
    answer = reply.json()
    return answer["data"] if reply.status_code == 200 else (reply.status_code, answer["msg"])


async def test_without_a_program_only_what_the_platform_can_do_is_offered(local: Local) -> None:
    """The rest is refused in words that name what can do it."""
    shown = await call(local.platform)
    assert shown["can"] == ["drop_socket", "slow", "expire_token", "reset_band", "rename"]
    assert (shown["jobs"], shown["offset_seconds"], shown["slow_seconds"]) == ([], 0, 0)
    for body in (
        {"do": "restart"},
        {"do": "run_job", "name": "x"},
        {"do": "advance", "seconds": 1},
    ):
        status, words = await call(local.platform, body)
        assert status == 400
        assert "moobius-trio dev" in words


async def test_a_program_lends_its_jobs_its_clock_and_its_restart(local: Local) -> None:
    """Each is asked of it, and what it refuses is told in its words."""
    local.platform.control = program = Program()
    shown = await call(local.platform)
    assert shown["can"][:4] == ["jobs", "restart", "run_job", "advance"]
    assert [(job["name"], job["runs"], job["running"]) for job in shown["jobs"]] == [
        ("strike", 2, False)
    ]
    assert await call(local.platform, {"do": "restart"}) == {}
    assert await call(local.platform, {"do": "run_job", "name": "strike"}) == {}
    assert program.done == ["restart", "strike"]
    assert await call(local.platform, {"do": "run_job", "name": "x"}) == (
        400,
        "there is no job 'x'.",
    )
    for _ in range(2):
        assert await call(local.platform, {"do": "advance", "seconds": 60}) == {}
    assert (await call(local.platform))["offset_seconds"] == 120


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"do": "explode"},
        {"do": 1},
        {"do": "slow"},
        {"do": "slow", "seconds": "1"},
        {"do": "slow", "seconds": True},
        {"do": "slow", "seconds": -1},
        {"do": "slow", "seconds": 11},
        {"do": "advance", "seconds": -1},
        {"do": "reset_band"},
        {"do": "reset_band", "band": "local-nowhere"},
        [],
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused_in_a_sentence(local: Local, body: object) -> None:
    """With 400, and nothing is done."""
    status, words = await call(local.platform, body)
    assert status == 400
    assert words
    assert (await call(local.platform))["slow_seconds"] == 0


async def drop(local: Local) -> None:
    """Cut the service's connection and wait until it has a new one."""

    def session() -> int:
        return int(local.platform._sessions.board.rows()[0]["session"] or 0)

    before = session()
    assert await call(local.platform, {"do": "drop_socket"}) == {}
    await local.until(lambda: session() > before)


async def test_a_dropped_socket_comes_back_and_the_service_goes_on(local: Local) -> None:
    """People hear nothing of it."""
    [alice] = await (await local.start(Service())).join("Alice")
    await drop(local)
    await alice.say("hi", to=SERVICE)
    assert alice.last.text == "to hi"


async def test_slow_delays_what_the_service_says_and_keeps_its_order(local: Local) -> None:
    """Also while it is turned off again: nothing overtakes what is on its way."""
    [alice] = await (await local.start(Service())).join("Alice")
    assert await call(local.platform, {"do": "slow", "seconds": 5}) == {}
    assert (await call(local.platform))["slow_seconds"] == 5
    began = trio.current_time()
    for text in ("1", "2"):
        await alice.say(text, to=SERVICE, settle=False)
    await trio.testing.wait_all_tasks_blocked()
    await call(local.platform, {"do": "slow", "seconds": 0})
    await alice.say("3", to=SERVICE, settle=False)
    await trio.testing.wait_all_tasks_blocked()
    assert alice.texts == []
    await local.until(lambda: len(alice.texts) == 3)
    assert alice.texts == ["to 1", "to 2", "to 3"]
    assert trio.current_time() - began == pytest.approx(5)


def service_sessions(local: Local) -> list[Session]:
    return [each for each in local.platform._sessions._all if each.service_id is not None]


async def test_an_expired_token_is_the_services_alone(local: Local) -> None:
    """People stay signed in; the service signs in again and goes on."""
    [alice] = await (await local.start(Service())).join("Alice")
    guest = local.platform.sign_in_guest("alice")
    token = guest.tokens.access.reveal()
    state, [session] = local.platform._state, service_sessions(local)
    assert await call(local.platform, {"do": "expire_token"}) == {}
    assert state.user_of(session.access_token) is None
    assert await call(local.platform, {"do": "rename", "name": "Al"}, token) == {}
    await drop(local)
    await alice.say("hi", to=SERVICE)
    assert alice.last.text == "to hi"


async def test_a_reset_lets_everybody_leave_in_order_and_forgets_what_was_said(
    local: Local,
) -> None:
    """The service hears it as of people who leave; then everybody can join anew."""
    service = Service()
    alice, bob = await (await local.start(service)).join("Alice", "Bob")
    await alice.say("hi", to=SERVICE)
    assert await call(local.platform, {"do": "reset_band", "band": BAND}) == {}
    await local.until(lambda: len(service.left) == 2)
    assert service.left == [alice.user_id, bob.user_id]
    assert list(service.bands[alice.channel_id].members) == []
    assert await history(local.platform, "alice") == (False, [])
    await bob.act(UserAction(subtype="join_channel", channel_id=alice.channel_id))
    assert list(service.bands[alice.channel_id].members) == [bob.user_id]


async def history(platform: Platform, name: str) -> tuple[bool, list[Any]]:
    """Whether this guest is a member of the band, and what was kept for them."""
    token = platform.sign_in_guest(name).tokens.access.reveal()
    transport = httpx.ASGITransport(app=platform.app)
    headers = {"Authorization": f"Bearer {token}"}
    query = {"channel_id": BAND}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
        member = (await http.get("/local/membership", params=query)).json()["data"]["member"]
        return member, (await http.get("/local/history", params=query)).json()["data"]


async def test_a_reset_band_is_empty_after_the_platform_starts_again_too(tmp_path: Path) -> None:
    """Members and messages are gone from the disk; other bands are not."""

    def opened() -> Any:
        return open_platform(
            state=tmp_path,
            bands=["other"],
            run_sync=run_inline,
            wall_clock=lambda: 1.0,
            random=random.Random(1),
        )

    async with opened() as platform, trio.open_nursery() as nursery:
        alice = platform.sign_in_guest("alice")
        near = serve(platform, nursery)
        await near.send_text(
            json.dumps(
                {
                    "type": "user_login",
                    "request_id": "0",
                    "auth_origin": "cognito",
                    "access_token": alice.tokens.access.reveal(),
                }
            )
        )
        for band in (BAND, "local-other"):
            for kind, body in (
                ("action", {"subtype": "join_channel"}),
                ("msg_up", {"subtype": "text", "content": {"text": "hi"}, "recipients": []}),
            ):
                frame = {"type": kind, "request_id": "1", "client_id": alice.user_id}
                await near.send_text(json.dumps({**frame, "body": {**body, "channel_id": band}}))
        await trio.testing.wait_all_tasks_blocked()
        assert (await history(platform, "alice"))[0] is True
        assert await call(platform, {"do": "reset_band", "band": BAND}) == {}
        nursery.cancel_scope.cancel()
    async with opened() as platform:
        assert await history(platform, "alice") == (False, [])
        assert platform._state.world.is_member("local-other", alice.user_id)
        assert len(platform._state.world.history["local-other"]) == 1


def serve(platform: Platform, nursery: trio.Nursery) -> MemoryFrameStream:
    near, far = memory_stream_pair(room=None)
    nursery.start_soon(platform.serve_socket, far)
    return near


async def watched(platform: Platform, nursery: trio.Nursery) -> Callable[[], Any]:
    """A page that watches; gives what reads its next message."""
    near, far = memory_stream_pair(room=None)
    nursery.start_soon(platform._sessions.watch, far)

    async def read() -> Any:
        with trio.fail_after(10):
            return json.loads(await near.receive_text())

    return read


async def test_pages_are_told_how_the_service_runs(local: Local, nursery: trio.Nursery) -> None:
    """Each change at once, with its problem; the rows of its bands say it too."""
    read = await watched(local.platform, nursery)
    first = await read()
    assert first["service"] is None
    assert [row["state"] for row in first["bands"]] == ["none"]
    local.platform.control = program = Program()
    assert (await read())["service"] == {
        "name": "echo",
        "state": "running",
        "problem": None,
        "restarts": 0,
        "restart_seconds": None,
    }
    problem = Problem(text="Traceback", file="service.py", line=3, summary="SyntaxError: x")
    program.become(ServiceState(name="", state="crashed", problem=problem))
    told = await read()
    assert told["service"]["problem"] == attrs.asdict(problem)
    assert [row["state"] for row in told["bands"]] == ["crashed"]
    service = Service()
    await local.start(service)
    assert [row["state"] for row in local.platform._sessions.board.rows()] == ["online"]
    await local.stop(service)
    assert [row["state"] for row in local.platform._sessions.board.rows()] == ["crashed"]
    program.become(ServiceState(name="echo", state="running"))
    assert [row["state"] for row in local.platform._sessions.board.rows()] == ["offline"]


async def test_pages_are_told_of_a_reset_once(local: Local, nursery: trio.Nursery) -> None:
    """By a number that rises in the row of that band, and in no other."""
    local.platform.add_band("other")
    read = await watched(local.platform, nursery)
    assert [row["reset"] for row in (await read())["bands"]] == [0, 0]
    await call(local.platform, {"do": "reset_band", "band": BAND})
    first, other = [row["reset"] for row in (await read())["bands"]]
    assert first > 0
    assert other == 0
    await call(local.platform, {"do": "reset_band", "band": BAND})
    assert (await read())["bands"][0]["reset"] > first


async def test_a_guest_renames_nobody_but_themselves(local: Local) -> None:
    """The login stays what it was; the service sees it when it asks for the profile."""
    await local.start(Service())
    token = local.platform.sign_in_guest("alice").tokens.access.reveal()
    assert (await call(local.platform, {"do": "rename", "name": "Al"}))[0] == 401
    for wrong in ("", " ", "x" * 41, "a\nb"):
        assert (await call(local.platform, {"do": "rename", "name": wrong}, token))[0] == 400
    assert await call(local.platform, {"do": "rename", "name": " Al "}, token) == {}
    again = local.platform.sign_in_guest("ALICE")
    assert again.nickname == "Al"
    transport = httpx.ASGITransport(app=local.platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        people = (await http.get("/local/people")).json()["data"]
    assert people == [{"name": "alice", "user_id": again.user_id, "nickname": "Al"}]
