"""Messages through forced disconnects of each kind, on a platform of each kind (F1, F2, F4-F6).

For each setting of what is unknown of the platform: nothing is lost silently, nothing is doubled
where that can be told, at most one connection. MOOBIUS_TRIO_MESSAGES=10000 gives the full size:
10,000 messages and 200 disconnects in each run (docs/architecture.md section 5).
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock

from moobius_trio.codec import generation0
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.network.receipts import Receipt
from moobius_trio.network.streams import Connector, FrameStream
from moobius_trio.testing.link_rig import LinkRig, make_link, message
from moobius_trio.testing.scoreboard import messages, note
from moobius_trio.types import Copy, MessageDown, RequestId

MESSAGES = messages(500)
CUTS_WANTED = MESSAGES // 50
EVERY = 20
"""Effects from the login to the cut; up to thirty messages more may be gone with a connection."""
CHANNELS = 4
COPY_SECONDS = 0.02
TICK = 0.005
DAY = 86_400.0

Cut: TypeAlias = Literal["1001", "reset", "hole to", "hole from", "hole", "stuck"]
CUTS: tuple[Cut, ...] = ("1001", "reset", "hole to", "hole from", "hole", "stuck")


@attrs.frozen
class Setting:
    """What is unknown of the platform, and how the service sends."""

    copies: Literal["own", "foreign", "absent"]
    dedupes: bool = False
    concurrent: bool = False
    ordering: Literal["pipelined", "strict"] = "pipelined"

    def __str__(self) -> str:
        words = [self.copies, "dedupe" if self.dedupes else "no dedupe"]
        return " ".join([*words, "concurrent" if self.concurrent else "fifo", self.ordering])


SETTINGS = (
    Setting("own"),
    Setting("own", dedupes=True),
    Setting("own", dedupes=True, concurrent=True),
    Setting("own", concurrent=True),
    Setting("own", dedupes=True, concurrent=True, ordering="strict"),
    Setting("own", concurrent=True, ordering="strict"),
    Setting("foreign"),
    Setting("foreign", concurrent=True),
    Setting("absent"),
)


@attrs.define(eq=False)
class CuttingPlatform:
    """Takes a millisecond or more for a frame, answers 20 ms later, cuts after every twentieth."""

    setting: Setting
    cut: Cut
    left: int
    """Cuts to come."""
    source: random.Random = attrs.field(factory=lambda: random.Random(7))
    shown: Counter[str] = attrs.field(factory=Counter)
    """How often each message took effect, by its text."""
    order: list[tuple[str, int]] = attrs.field(factory=list)
    """First effects: channel and number."""
    cuts: int = 0
    before_login: int = 0
    _known: set[RequestId] = attrs.field(factory=set)

    async def serve(self, stream: MemoryFrameStream) -> None:
        await _Connection(self, stream).serve()

    def take(self, frame: generation0.ClientFrame) -> None:
        command = frame.command
        assert isinstance(command, MessageDown)
        if frame.request_id in self._known and self.setting.dedupes:
            return
        if frame.request_id not in self._known:
            self._known.add(frame.request_id)
            self.order.append((command.channel_id, int(command.text or "")))
        self.shown[command.text or ""] += 1


@attrs.define(eq=False)
class _Connection:
    """The platform's end of one connection: a reader, and what it has yet to do, by time."""

    platform: CuttingPlatform
    stream: MemoryFrameStream
    due: list[tuple[float, int, bool, generation0.ClientFrame]] = attrs.field(factory=list)
    more: trio.Event = attrs.field(factory=trio.Event)
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)
    effects: int = 0
    last: float = 0.0
    stuck: bool = False

    async def serve(self) -> None:
        with suppress(ConnectionLost), unwrapped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.read, nursery.cancel_scope)
                await self.work()
        pending = [frame for _, _, copy, frame in sorted(self.due) if not copy]
        taken = self.platform.source.randint(0, len(pending))  # by workers that had them already
        for frame in pending[:taken]:
            self.platform.take(frame)

    async def read(self, scope: trio.CancelScope) -> None:
        platform, now, logged_in = self.platform, trio.current_time, False
        try:
            while not self.stuck:
                frame = generation0.decode_from_client(await self.stream.receive_text())
                if not isinstance(frame.command, MessageDown):
                    logged_in = True
                    self.plan(now(), True, frame)
                    continue
                platform.before_login += not logged_in
                delay = platform.source.uniform(0.001, 0.04) if platform.setting.concurrent else 0
                self.last = max(now(), self.last) + 0.001
                self.plan(now() + delay if delay else self.last, False, frame)
        except ConnectionLost:
            scope.cancel()

    def plan(self, at: float, copy: bool, frame: generation0.ClientFrame) -> None:
        at = math.ceil(at / TICK) * TICK  # few moments, so that few of them have to be simulated
        heapq.heappush(self.due, (at, next(self.numbers), copy, frame))
        self.more.set()

    async def work(self) -> None:
        while True:
            if not self.due:
                self.more = trio.Event()
                await self.more.wait()
            at = self.due[0][0]
            if at > trio.current_time():
                await trio.sleep_until(at)
                continue
            _, _, copy, frame = heapq.heappop(self.due)
            if copy:
                await self.say(frame)
                continue
            self.platform.take(frame)
            self.plan(at + COPY_SECONDS, True, frame)
            self.effects += 1
            if self.effects == EVERY and self.platform.left:
                self.platform.left -= 1
                self.platform.cuts += 1
                await self.end()

    async def say(self, frame: generation0.ClientFrame) -> None:
        copies = self.platform.setting.copies
        if copies != "absent":
            own = copies == "own"
            request_id = frame.request_id if own else RequestId(f"theirs-{next(self.numbers)}")
            copy = Copy(request_id=request_id, origin_type=frame.origin_type, status=True)
            await self.stream.send_text(generation0.encode_for_service(copy))

    async def end(self) -> None:
        """The fault. One of those that nobody is told of goes on with what has come already."""
        stream = self.stream
        match self.platform.cut:
            case "1001":
                await stream.aclose(1001, "cut")
                raise ConnectionLost(1001, "cut")
            case "reset":
                stream.cut()
                raise ConnectionLost(None, "cut")
            case "stuck":
                self.stuck = True  # and answers no pings: it would have to read them
                stream.answers_pings = False
            case hole:
                stream.deaf = hole != "hole from"
                stream.silent = hole != "hole to"


@attrs.define
class Run:
    """What came of a run."""

    platform: CuttingPlatform
    receipts: dict[str, Receipt] = attrs.field(factory=dict)
    ends: Counter[str] = attrs.field(factory=Counter)
    most_open: int = 0
    connections: int = 0
    rotations: int = 0
    written_again: int = 0

    @property
    def inversions(self) -> int:
        latest: dict[str, int] = {}
        count = 0
        for channel, number in self.platform.order:
            count += number < latest.get(channel, -1)
            latest[channel] = number
        return count

    @property
    def lost_silently(self) -> int:
        """Messages without an effect whose receipt does not say that this may be so."""
        return sum(
            not self.platform.shown[text] and receipt.state == "confirmed"
            for text, receipt in self.receipts.items()
        ) + (MESSAGES - sum(self.ends.values()))

    @property
    def doubled(self) -> int:
        return sum(self.platform.shown.values()) - len(self.platform.shown)


def counted(connect: Connector, run: Run) -> Connector:
    """Count connections, and how many there are at a time, at the service's end."""
    open_now = 0

    @asynccontextmanager
    async def counting() -> AsyncIterator[FrameStream]:
        nonlocal open_now
        async with connect() as stream:
            run.connections += 1
            open_now += 1
            run.most_open = max(run.most_open, open_now)
            try:
                yield stream
            finally:
                open_now -= 1

    return counting


async def send_all(rig: LinkRig, run: Run, pause: float) -> None:
    """Numbered messages in four channels, each channel by a task of its own."""

    async def send(channel: int) -> None:
        for number in range(channel, MESSAGES, CHANNELS):
            command = message(f"{number}", channel=f"band-{channel}")
            run.receipts[f"{number}"] = await rig.outbox.put(command)
            if not pause:
                await trio.sleep(0.02 if number % 16 == channel else 0)
            else:
                await trio.sleep(pause)

    async with trio.open_nursery() as nursery:
        for channel in range(CHANNELS):
            nursery.start_soon(send, channel)


async def measure(setting: Setting, cut: Cut) -> Run:
    """One run to the end of its last receipt."""
    platform = CuttingPlatform(setting, cut, CUTS_WANTED)
    run = Run(platform)
    sent_again = setting.copies == "own"
    # what falls into a hole must not be more than thirty messages where it is gone for good
    pause = 0.0 if sent_again else 8.0 if "hole" in cut else 0.02
    answered = cut in ("hole to", "stuck")  # what had come is answered as if nothing were wrong
    limit = 10 if not sent_again else 28 if answered else 64
    async with trio.open_nursery() as nursery:
        serve: Callable[[MemoryFrameStream], Awaitable[object]] = platform.serve
        connect = memory_connector(nursery, serve, room=8 if cut == "stuck" else None)
        rig = make_link(
            counted(connect, run),
            ordering=setting.ordering,
            limit_items=limit,
            send_timeout=1e9,
        )
        await nursery.start(rig.link.serve)
        await send_all(rig, run, pause)
        with trio.fail_after(DAY):
            for receipt in run.receipts.values():
                run.ends[(await receipt.outcome()).state] += 1
        run.rotations = rig.link.statistics().rotations
        run.written_again = rig.outbox.statistics().written_again
        await rig.link.stop()
        nursery.cancel_scope.cancel()
    return run


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("cut", CUTS)
def test_nothing_is_lost_silently(cut: Cut, setting: Setting) -> None:
    """And nothing doubled, disordered or sent beside the one connection where it can be helped.

    (F1, F2, F4-F6, F14, F18)
    """
    run = trio.run(measure, setting, cut, clock=MockClock(autojump_threshold=0))
    platform = run.platform
    note(
        f"{MESSAGES} messages, {cut}, {setting}",
        {
            "cuts": platform.cuts,
            "lost silently": run.lost_silently,
            "doubled": run.doubled,
            "in flight at the cuts": run.written_again,
            "inversions": run.inversions,
            "connections at once": run.most_open,
            "connections for each cut": round((run.connections - run.rotations) / platform.cuts, 2),
            **run.ends,
        },
    )
    assert run.lost_silently == 0
    assert run.most_open == 1
    assert platform.before_login == 0
    assert platform.cuts == CUTS_WANTED
    assert run.connections - run.rotations in (platform.cuts, platform.cuts + 1)
    if setting.copies == "own":
        assert run.ends == {"confirmed": MESSAGES}
        assert run.doubled <= (0 if setting.dedupes else run.written_again)
    else:
        assert run.ends == {"unconfirmed": MESSAGES}
        assert run.doubled == 0
    if not setting.concurrent or setting.ordering == "strict":
        assert run.inversions == 0
