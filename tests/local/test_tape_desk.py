"""Tapes on the page: started, stopped, played and checked over ``/local/tapes``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from moobius_trio import MessageUp, MoobiusService
from moobius_trio.errors import UsageError
from moobius_trio.tapes import Tape, read_tape, write_tape
from moobius_trio.testing import Local
from moobius_trio.types import JsonValue


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))


class Noted:
    """What a program would do with a tape."""

    def __init__(self) -> None:
        self.played: list[Tape] = []

    async def play(self, tape: Tape) -> None:
        self.played.append(tape)

    async def check(self, text: str) -> Mapping[str, JsonValue]:
        raise UsageError("the service does not start")


async def call(
    local: Local, body: Mapping[str, Any] | None = None, path: str = "/local/tapes"
) -> tuple[int, Any, str]:
    """HTTP status, data and message."""
    transport = httpx.ASGITransport(app=local.platform.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as http:
        method = "GET" if body is None else "POST"
        reply = await http.request(method, path, json=body)
    told = reply.json()
    return reply.status_code, told["data"], told["msg"]


async def test_a_tape_is_recorded_between_start_and_stop(local: Local) -> None:
    """Whoever was there stands in its head; what was said before and after does not."""
    band = await local.start(Echo())
    [alice] = await band.join("Alice")
    await alice.say("before")
    assert (await call(local))[1]["recording"] is False
    assert (await call(local, {"do": "start"}))[0] == 200
    await alice.say("hello")
    assert (await call(local))[1]["recording"] is True
    assert (await call(local, path="/local/control"))[1]["recording"] is True
    status, data, _ = await call(local, {"do": "stop"})
    await alice.say("after")
    assert status == 200
    tape = read_tape(data["tape"], data["name"])
    assert data["name"] == "tape-2024-01-01-120000.jsonl"
    assert (data["ups"], data["downs"], data["left_out"]) == (1, 1, 0)
    assert tape.members == {"local-demo": ("Alice",)}
    assert [event.frame["type"] for event in tape.events] == ["msg_up", "msg_down"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"do": "stop"}, "no tape is being recorded"),
        ({"do": "dance"}, "do is one of start and stop, or play and check with a tape"),
        ({"do": "play"}, "do is one of"),
        ({"do": "play", "tape": "?"}, "the tape: this is no tape"),
        ({"do": "play", "tape": write_tape(Tape())}, "this platform runs no service"),
        ({"do": "check", "tape": write_tape(Tape())}, "this platform runs no service"),
    ],
)
async def test_what_cannot_be_done_is_said(local: Local, body: dict[str, str], said: str) -> None:
    """HTTP 400 and one sentence."""
    status, _, message = await call(local, body)
    assert status == 400
    assert said in message


async def test_a_second_recording_is_refused(local: Local) -> None:
    """The first one goes on."""
    await call(local, {"do": "start"})
    status, _, message = await call(local, {"do": "start"})
    assert (status, message) == (400, "a tape is being recorded already; stop it first")
    assert (await call(local, {"do": "stop"}))[0] == 200


async def test_playing_and_checking_are_the_programs(local: Local) -> None:
    """It gets the tape; what it refuses is told in its words."""
    tools = local.platform.tape_tools = Noted()
    tape = Tape(service="echo")
    assert (await call(local, {"do": "play", "tape": write_tape(tape)}))[0] == 200
    assert tools.played == [tape]
    status, _, message = await call(local, {"do": "check", "tape": write_tape(tape)})
    assert (status, message) == (400, "the service does not start")
