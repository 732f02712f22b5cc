"""Small figures of the scoreboard: outages, order, a platform that hangs, what data may do."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from moobius_trio import Content, MessageUp, MoobiusService
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.local import Knobs
from moobius_trio.network.memory import memory_connector
from moobius_trio.network.websocket import CouldNotConnect, FrameStream
from moobius_trio.testing import SERVICE, Local, run_inline
from moobius_trio.testing.core_rig import faulty_api
from moobius_trio.testing.link_rig import make_link, message
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.testing.storage_data import HOSTILE_KEYS
from moobius_trio.types import ChannelId, ServiceId

MESSAGES = 2_000


async def away_for(seconds: float) -> tuple[int, int]:
    """Messages that were lost while the platform was away, and attempts to connect."""
    platform = ScriptedPlatform()
    attempts, back = 0, 0.0
    async with trio.open_nursery() as nursery:
        reach = memory_connector(nursery, platform.serve)

        @asynccontextmanager
        async def connect() -> AsyncIterator[FrameStream]:
            nonlocal attempts
            await trio.lowlevel.checkpoint()
            attempts += 1
            if trio.current_time() < back:
                raise CouldNotConnect("refused")
            async with reach() as stream:
                yield stream

        rig = make_link(connect)
        await nursery.start(rig.link.serve)
        await trio.sleep(20)
        attempts, back = 0, trio.current_time() + seconds
        await platform.cut()
        receipts = [await rig.outbox.put(message(f"{n}")) for n in range(MESSAGES)]
        ends = [(await receipt.outcome()).state for receipt in receipts]
        await rig.link.stop()
    return sum(end != "confirmed" for end in ends), attempts


async def test_a_platform_that_is_away_for_a_moment_costs_nothing(
    autojump_clock: MockClock,
) -> None:
    """0.3 s without it: all that was said meanwhile arrives (F3)."""
    lost, _ = await away_for(0.3)
    note("outage of 0.3 s, lost of 2,000", lost)
    assert lost == 0


async def test_a_platform_that_is_away_is_not_pestered(autojump_clock: MockClock) -> None:
    """An hour without it: few attempts, ever farther apart (F3, F10)."""
    lost, attempts = await away_for(3_600)
    note("attempts in each second of an hour's outage", round(attempts / 3_600, 3))
    assert lost == 0
    assert attempts < 200


class Slow(MoobiusService):
    """Takes its time with each message, another time for each."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.ticks = 0

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "ask":
            self.start_soon(self.tick)
            await self.http_api.get_service_list()
            return
        await trio.sleep(random.Random(msg_up.text).random())
        self.seen.append(int(msg_up.text or 0))

    async def tick(self) -> None:
        while True:
            await trio.sleep(0.001)
            self.ticks += 1


async def test_two_hundred_messages_are_handled_in_order(local: Local) -> None:
    """However long each handler takes (F32)."""
    service = Slow()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    for number in range(200):
        await alice.say(str(number), to=SERVICE, settle=False)
    await local.settle()
    inversions = sum(one > other for one, other in itertools.pairwise(service.seen))
    note("inversions in 200 messages with slow handlers", inversions)
    assert service.seen == list(range(200))


async def test_a_platform_that_hangs_does_not_hold_up_the_loop(local: Local) -> None:
    """While a handler waits for HTTP everything else goes on (F24)."""
    service = Slow()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    local.platform.knobs = Knobs(http_fault="hang")
    await alice.say("ask", to=SERVICE, settle=False)
    await trio.sleep(8)
    local.platform.knobs = Knobs()
    note("turns of a 1 ms ticker in 8 s of a hanging call", service.ticks)
    assert service.ticks > 7_900
    await local.stop()


PATHS = (
    *("/etc/passwd", "config/service.json", "service.json", "../service.json", "..\\service.json"),
    *("file:///etc/passwd", "~/.netrc", "link", "data:text/plain,x", "http://127.0.0.1/x", "a\0b"),
)
"""What an address in a message may be, apart from one."""


class Relaying(MoobiusService):
    """Says again whatever it is told, with its address."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))
        await self.create_message(msg_up.channel_id, msg_up.content, msg_up.recipients)


async def test_a_path_in_a_message_uploads_no_file(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said again with it is a text like any other: nothing is read, nothing sent.

    (F62, S8)
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "service.json").write_text("a secret")
    (tmp_path / "link").symlink_to(tmp_path / "service.json")
    with faulty_api() as api:
        band = await local.start(Relaying())
        [alice] = await band.join("Alice")
        for path in PATHS:
            await alice.send(Content(path=path), subtype="file", to=[alice])
        seen = [message.content.path for message in alice.messages]
        await local.stop()
    uploads = [one for one in api.requests if "upload" in one]
    note("files uploaded because a message names them", len(uploads))
    assert seen == [path for path in PATHS for _ in range(2)]
    assert uploads == []


async def test_stored_data_runs_nothing_and_stays_in_its_folder(tmp_path: Path) -> None:
    """Hostile keys have files of their own inside; a file that names a program is set aside.

    (F46, F63, S5, S9)
    """
    folder = tmp_path / "store"
    folder.mkdir()
    canary = tmp_path / "canary"
    planted = folder / "service_s" / "band_b" / "box"
    planted.mkdir(parents=True)
    command = f'{{"a": {{"command": "touch {canary}"}}, "_type": "os.system"}}'
    (planted / "a.json").write_text(command)
    problems: list[Exception] = []
    async with open_stores(
        [ContainerSpec(name="box", implementation="json")],
        service_id=ServiceId("s"),
        folder=folder,
        run_sync=run_inline,
        on_problem=problems.append,
    ) as stores:
        box = (await stores.storage(ChannelId("b"), {})).container("box")
        for key in HOSTILE_KEYS:
            box[key] = 1
        await stores.flush()
    outside = [name for name in next(os.walk(tmp_path))[1:] if name not in (["store"], [])]
    note("files outside the folder, programs run by stored data", [outside, canary.exists()])
    assert outside == []
    assert len(problems) == 1
