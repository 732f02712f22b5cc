"""Floods on the real stack: nothing grows, nothing is silent, nobody waits (F30, F34, F35).

Frames come over streams in memory as fast as they are read; handlers take simulated time.
"""

from __future__ import annotations

import gc
import itertools
import os
import time
import tracemalloc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import (
    Action,
    ChannelId,
    Content,
    FeatureCall,
    MessageUp,
    MoobiusService,
    Overflow,
    UserId,
)
from moobius_trio.codec import generation0
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import faulty_api, place
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.types import MessageId, ServiceEvent

MIB = 2**20
FLOOD = int(os.environ.get("MOOBIUS_TRIO_FLOOD") or 20_000)
SENDERS = int(os.environ.get("MOOBIUS_TRIO_SENDERS") or 4_000)
BATCH = 500
ROOM = 100
"""Frames on their way in a connection; whoever sends more waits until they are read."""


@asynccontextmanager
async def served(
    local: Local, service: MoobiusService, *bands: str, lanes: str = "channel"
) -> AsyncIterator[tuple[ScriptedPlatform, ServiceHandle]]:
    """The service on a platform that says whatever a test has it say."""
    platform = ScriptedPlatform()
    place(local, service, bands=bands, handler_seconds=None, lanes=lanes)
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve, room=ROOM)
        service._environment = attrs.evolve(service._environment, connect=connect, trace=None)
        handle = await nursery.start(service.serve)
        yield platform, handle
        await handle.stop()


def resident() -> int:
    """What the process has in memory, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def measured() -> Iterator[list[int]]:
    """The highest growth of memory in the block, in bytes."""
    gc.collect()
    growth: list[int] = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield growth
        _, most = tracemalloc.get_traced_memory()
        growth.append(most - before)
    finally:
        tracemalloc.stop()


_numbers = itertools.count()


TEMPLATE = generation0.encode_for_service(
    MessageUp(
        channel_id=ChannelId("local-BAND"),
        sender=UserId("SENDER"),
        content=Content(text="TEXT"),
        msg_id=MessageId("MSG_ID"),
    )
)


def said(band: str, text: str, sender: str = "alice") -> str:
    """A frame with a message that has an id of its own."""
    frame = TEMPLATE.replace("BAND", band).replace("SENDER", sender).replace("TEXT", text)
    return frame.replace("MSG_ID", f"id-{next(_numbers)}")


class Slow(MoobiusService):
    """Ten milliseconds for each message; keeps what it was told of those that were shed."""

    def __init__(self) -> None:
        super().__init__()
        self.handled: Counter[ChannelId] = Counter()
        self.reported: Counter[ChannelId | None] = Counter()

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await trio.sleep(0.01)
        self.handled[msg_up.channel_id] += 1

    async def on_overflow(self, overflow: Overflow) -> None:
        self.reported[overflow.channel_id] += overflow.shed


@pytest.mark.soak
async def test_a_flood_at_full_speed(local: Local) -> None:
    """Memory stays within 100 MiB, each event is handled or reported, receipts come meanwhile."""
    service = Slow()
    red, flooding = ChannelId("local-red"), True
    waits: list[float] = []
    real_waits: list[float] = []
    during = 0

    async def speak() -> None:
        """What a service says in the midst of it, and how long its receipt takes."""
        nonlocal during
        while flooding:
            asked, really_asked = trio.current_time(), time.perf_counter()
            receipt = await service.create_message(red, "still here", UserId("alice"))
            assert (await receipt.outcome()).state == "confirmed"
            waits.append(trio.current_time() - asked)
            real_waits.append(time.perf_counter() - really_asked)
            during += flooding
            await trio.sleep(0.02)

    gc.collect()
    before = most = resident()  # tracing each allocation would take longer than all the rest
    async with served(local, service, "red") as (platform, handle):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speak)
            for _ in range(FLOOD // BATCH):
                for _ in range(BATCH):
                    await platform.send_raw(said("red", "x" * 2_000))
                await trio.sleep(0.005)
                most = max(most, resident())
            flooding = False
        await handle._runtime.wait_idle()
        lanes = handle.statistics().lanes
        assert handle.statistics().link.connections == 1
    growth = most - before
    assert service.handled[red] + lanes.shed == FLOOD
    assert lanes.shed == lanes.shed_reported == service.reported[red]
    assert lanes.shed > FLOOD * 0.9
    assert during > FLOOD // BATCH // 8
    assert max(waits) < 1
    assert growth < 100 * MIB
    what = f"{FLOOD} messages of 2 kB to a handler of 10 ms"
    note(f"{what}: memory growth in MiB", round(growth / MIB, 1))
    note(f"{what}: shed", lanes.shed)
    note(f"{what}: reported", service.reported[red])
    note(f"{what}: receipts during it", during)
    note(f"{what}: slowest receipt in s of real time", round(max(real_waits), 3))


class Passing(MoobiusService):
    """Handles what anybody says at once."""

    handled = 0

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await trio.lowlevel.checkpoint()
        self.handled += 1


def visit(number: int) -> Iterator[ServiceEvent]:
    """What one person does who comes, asks, presses a key, and goes."""
    who, where = UserId(f"user-{number}"), ChannelId("local-red")
    if number % 20 == 0:
        yield Action(subtype="join_channel", channel_id=where, sender=who)
    yield Action(subtype="fetch_features", channel_id=where, sender=who)
    yield FeatureCall(feature_id="key", channel_id=where, sender=who)
    if number % 20 == 0:
        yield Action(subtype="leave_channel", channel_id=where, sender=who)


@pytest.mark.soak
@pytest.mark.parametrize("lanes", ["channel", "sender"])
async def test_every_sender_is_another_one(
    local: Local, lanes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many people pass through, what is kept of them does not grow with their number (S17).

    What is meant to be remembered of the last ones is little here, so that half of them fill it.
    """
    monkeypatch.setattr("moobius_trio.core.members.KNOWN_LIMIT", 50)
    monkeypatch.setattr("moobius_trio.network.duplicates.REMEMBER_IN_A_BAND", 500)
    service, sizes = Passing(), list[int]()
    with faulty_api() as api, measured():
        api.failing["/user/fetch_profile"] = 404
        async with served(local, service, "red", lanes=lanes) as (platform, handle):
            for number in range(SENDERS):
                await platform.send_raw(said("red", "hello", sender=f"user-{number}"))
                for event in visit(number):
                    await platform.tell(event)
                if number % 50 == 49:
                    await trio.sleep(0.1)
                if number in (SENDERS // 2, SENDERS - 1):
                    await handle._runtime.wait_idle()
                    api.requests.clear()
                    platform.received.clear()
                    platform.taken.clear()
                    await let_trio_forget()
                    gc.collect()
                    sizes.append(tracemalloc.get_traced_memory()[0])
            statistics = handle.statistics().lanes
    assert service.handled == SENDERS
    assert (statistics.lanes, statistics.shed, statistics.bytes) == (0, 0, 0)
    growth = sizes[1] - sizes[0]
    note(f"{SENDERS // 2} more senders (lanes: {lanes}): memory growth in bytes", growth)
    assert growth < 64 * 1024


async def let_trio_forget() -> None:
    """trio keeps the deadlines of scopes that are over, up to a thousand, and then drops all."""
    with trio.move_on_after(3600) as scope:
        await trio.lowlevel.checkpoint()
    kept = weakref.ref(scope)
    del scope
    while kept() is not None:
        with trio.move_on_after(3600):
            await trio.lowlevel.checkpoint()


class Timed(MoobiusService):
    """Notes how long each message to a calm band took, from the socket to its handler's end."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.channel_id == "local-bad":
            await self.misbehave(str(msg_up.text))
        else:
            await trio.sleep(0.1)
            self.delays.append(trio.current_time() - float(str(msg_up.text)))

    async def misbehave(self, how: str) -> None:
        if how == "stuck":
            await trio.sleep_forever()
        if how == "raising":
            raise ValueError("no")
        if how == "raising all":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.misbehave, "raising")
                nursery.start_soon(self.misbehave, "raising")
        await trio.sleep(0.01)

    async def on_join_channel(self, action: Action) -> None:
        await trio.sleep(0.01)

    async def on_fetch_features(self, action: Action) -> None:
        await trio.sleep(0.01)

    async def on_error(self, event: object, exc: BaseException) -> None:
        await trio.sleep(0.01)


def trouble(kind: str, number: int) -> list[str]:
    """What comes in the bad band in one hundredth of a second."""
    where = ChannelId("local-bad")
    if kind == "calm":
        return []
    if kind == "stuck":
        return [said("bad", "stuck")]
    if kind in ("raising", "raising all"):
        return [said("bad", kind)]
    if kind == "flooding":
        return [said("bad", "flood") for _ in range(100)]
    if kind == "large":
        return [said("bad", "x" * 50_000) for _ in range(10)]
    subtype = {"joining": "join_channel", "reloading": "fetch_features"}[kind]
    return [
        generation0.encode_for_service(
            Action(subtype=subtype, channel_id=where, sender=UserId(f"user-{number}-{one}"))
        )
        for one in range(10 if kind == "joining" else 50)
    ]


KINDS = ("stuck", "raising", "raising all", "flooding", "large", "joining", "reloading")


@pytest.mark.parametrize("lanes", ["channel", "sender"])
@pytest.mark.parametrize("kind", KINDS)
async def test_one_bad_band_costs_the_others_nothing(local: Local, kind: str, lanes: str) -> None:
    """While it is stuck, raises or floods, the others' messages take as long as without it."""
    local.keep_failures = True
    service = Timed()
    calm = [f"calm-{number}" for number in range(9)]
    async with served(local, service, "bad", *calm, lanes=lanes) as (platform, handle):
        for number in range(300):
            for frame in trouble(kind, number):
                await platform.send_raw(frame)
            if number % 20 == 0:
                for band in calm:
                    await platform.send_raw(said(band, repr(trio.current_time())))
            await trio.sleep(0.01)
        await trio.sleep(1)
        statistics = handle.statistics()
        assert (statistics.link.connections, len(service.delays)) == (1, 15 * 9)
        assert service.delays == pytest.approx([0.1] * len(service.delays), abs=1e-6)
        handle._runtime.dispatcher.end()
