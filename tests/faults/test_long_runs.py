"""A service for days and weeks: nothing lost, nothing left, no spent token (F1, F23-F25, F55).

The whole service in simulated time, on the local platform's HTTP half. With
MOOBIUS_TRIO_MESSAGES=10000 they last seven and forty days, otherwise three and ten.
"""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import attrs
import httpx
import trio

import moobius_trio
from moobius_trio import MessageUp, MoobiusService, Receipt, every
from moobius_trio.core.environment import Environment
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import changed_environment
from moobius_trio.testing.scoreboard import messages, note
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.types import ChannelId, Content, MessageId, UserId

HOUR = 3600.0
DAY = 24 * HOUR
CALM = 0.75 * HOUR + 20
FULL = messages(500) >= 10_000
DAYS, WEEKS_OF_DAYS = (7, 40) if FULL else (3, 10)
BAND, ALICE = ChannelId("local-demo"), UserId("alice")
PACKAGE = Path(moobius_trio.__file__).parent
NOT_OURS = (PACKAGE / "testing", PACKAGE / "local")


@attrs.frozen
class Held:
    """What the process holds at one moment."""

    tasks: int
    descriptors: int
    ours: int
    """Of what belongs to the package without its test kit and platform: blocks of memory while
    allocations are traced, objects otherwise."""

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        if not tracemalloc.is_tracing():
            return cls(*cls._common(), sum(map(_is_ours, gc.get_objects())))
        ours = [tracemalloc.Filter(True, f"{PACKAGE}/*")]
        others = [tracemalloc.Filter(False, f"{folder}/*") for folder in NOT_OURS]
        snapshot = tracemalloc.take_snapshot().filter_traces([*ours, *others])
        return cls(*cls._common(), len(snapshot.traces))

    @staticmethod
    def _common() -> tuple[int, int]:
        tasks = trio.lowlevel.current_statistics().tasks_living
        return tasks, len(list(Path("/proc/self/fd").iterdir()))

    def holds_more_than(self, other: Held) -> bool:
        return (
            self.tasks > other.tasks + 2
            or self.descriptors > other.descriptors
            or self.ours > other.ours + 50
        )


def _is_ours(thing: object) -> bool:
    module = str(type(thing).__module__)  # of a proxy's class it may be anything
    return module.startswith("moobius_trio.") and not module.startswith(
        ("moobius_trio.testing", "moobius_trio.local")
    )


class Clock(MoobiusService):
    """Says something once a minute, and counts what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.said = 0
        self.heard = 0
        self.open: list[Receipt] = []
        self.ends: dict[str, int] = {}

    @every(minutes=1)
    async def say(self) -> None:
        self.open.append(await self.create_message(BAND, f"minute {self.said}", ALICE))
        self.said += 1
        for receipt in [one for one in self.open if one.state not in ("queued", "written")]:
            self.open.remove(receipt)
            self.ends[receipt.state] = self.ends.get(receipt.state, 0) + 1

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.heard += 1


def untraced(environment: Environment) -> Environment:
    """The kit keeps each frame that was written, and here each is for no member; not over weeks."""
    return attrs.evolve(environment, trace=None, on_unheard=lambda unheard: None)


class Weekly(ScriptedPlatform):
    """Forgets what it has seen, so that it does not grow itself."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes: list[int] = []
        self.doubled = self.told = 0

    def forget(self) -> None:
        self.minutes += [int((one.text or "").removeprefix("minute ")) for one in self.taken]
        self.doubled += self.repeated
        self.repeated = 0
        for kept in (self.received, self.taken, self.ends, self._seen):
            kept.clear()

    async def speak(self) -> None:
        while True:
            await trio.sleep(57)
            self.told += 1
            event = MessageUp(
                channel_id=BAND,
                sender=ALICE,
                content=Content(text="hello"),
                timestamp=self.told,
                msg_id=MessageId(f"{self.told}"),
            )
            with suppress(ConnectionLost):  # who is being cut off does not hear it
                await self.tell(event)

    async def cut_every_two_hours(self) -> None:
        while True:
            await trio.sleep(2 * HOUR)
            await self.cut()


async def test_days_with_a_cut_every_two_hours_and_as_many_rotations(local: Local) -> None:
    """Nothing lost or doubled, each gap reported; the last day holds what the second held (F1)."""
    platform, service, begun = Weekly(), Clock(), time.process_time()
    held: list[Held] = []
    if FULL:  # before anything is made: what is made anew later is then no growth
        tracemalloc.start()
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        with changed_environment(lambda one: attrs.evolve(untraced(one), connect=connect)):
            await local.start(service)
        nursery.start_soon(platform.speak)
        nursery.start_soon(platform.cut_every_two_hours)
        # A day ends here between a cut and a rotation, with the connection of the same age each
        # time: at the very moment of a cut it is by chance what stands half made or half closed.
        await trio.sleep(CALM)
        for day in range(1, DAYS + 1):
            await trio.sleep(DAY)
            platform.forget()
            if day in (2, DAYS):
                held.append(Held.now())
        tracemalloc.stop()
        await trio.sleep(90)
        platform.forget()
        link = local.handle().statistics().link
        missed = platform.told - service.heard
        await local.stop()
        nursery.cancel_scope.cancel()
    note(
        f"{DAYS} days, cut every two hours",
        {
            "cuts": platform.cuts,
            "rotations": link.rotations,
            "lost": service.said - len(set(platform.minutes)),
            "doubled": platform.doubled,
            "gaps reported": link.gaps,
            "events missed in them": missed,
            "day 2 and the last": [attrs.asdict(one) for one in held],
            "seconds of computing": round(time.process_time() - begun),
        },
    )
    assert platform.cuts == 12 * DAYS
    assert platform.minutes == list(range(service.said))
    assert service.said >= DAYS * 24 * 60
    assert platform.doubled == 0
    assert set(service.ends) == {"confirmed"}
    assert link.rotations >= 11 * DAYS
    assert link.gaps == link.connections - 1 == platform.cuts + link.rotations
    assert platform.most_open == 1
    assert 0 <= missed <= link.gaps
    assert not held[1].holds_more_than(held[0]), held


@attrs.define(eq=False)
class Failing(httpx.AsyncBaseTransport):
    """Every fifth call or so fails, in one of the ways in which a platform's HTTP side fails."""

    inner: httpx.AsyncBaseTransport
    source: random.Random = attrs.field(factory=lambda: random.Random(3))
    failing: bool = False
    calls: int = 0
    failed: int = 0
    spent_tokens: int = 0
    sign_ins: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        self.sign_ins += request.url.path.endswith("/auth/sign_in")
        if self.failing and self.source.random() < 0.2:
            self.failed += 1
            return await self.fail(request)
        response = await self.inner.handle_async_request(request)
        self.spent_tokens += response.status_code == 401
        return response

    async def fail(self, request: httpx.Request) -> httpx.Response:
        match self.source.randrange(7):
            case 0:
                raise httpx.ConnectError("no route to host", request=request)
            case 1:
                await trio.sleep(60)  # it hangs
                raise httpx.ReadTimeout("too late", request=request)
            case 2:
                return httpx.Response(500, text="<html>oops</html>", request=request)
            case 3:
                return httpx.Response(429, headers={"Retry-After": "20"}, request=request)
            case 4:
                return httpx.Response(200, text="<html>maintenance</html>", request=request)
            case 5:
                return httpx.Response(200, json={"code": 50000, "msg": "busy"}, request=request)
            case _:
                return httpx.Response(200, content=b"", request=request)


async def test_weeks_of_failing_http_and_expiring_tokens(local: Local) -> None:
    """Tokens live for a day: no call and no login with a spent one; nothing is left (F23-F25)."""
    transport: list[Failing] = []
    held: list[Held] = []
    begun = time.process_time()

    def change(environment: Environment) -> Environment:
        assert environment.transport is not None
        transport.append(Failing(environment.transport))
        return attrs.evolve(untraced(environment), transport=transport[0])

    service: MoobiusService = MoobiusService()
    with changed_environment(change):
        await local.start(service)
    [http] = transport
    http.failing = True
    for days in (2, WEEKS_OF_DAYS - 2):
        await trio.sleep(days * DAY)
        held.append(Held.now())
    link = local.handle().statistics().link
    http.failing = False
    await local.stop()
    note(
        f"{WEEKS_OF_DAYS} days of failing HTTP",
        {
            "calls": http.calls,
            "failed": http.failed,
            "with a spent token": http.spent_tokens + link.refused_logins,
            "sign-ins": http.sign_ins,
            "logins": link.logins,
            "day 2 and the last": [attrs.asdict(one) for one in held],
            "seconds of computing": round(time.process_time() - begun),
        },
    )
    assert http.failed > 2 * WEEKS_OF_DAYS
    assert http.spent_tokens == link.refused_logins == 0
    assert link.rotations > 12 * WEEKS_OF_DAYS
    assert link.logins == link.connections == link.rotations + 1
    assert not held[1].holds_more_than(held[0]), held
