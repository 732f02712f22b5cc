"""A service for days and weeks: nothing lost, nothing left, no spent token (F1, F23-F25, F55).

The whole service in simulated time, on the local platform's HTTP half.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import attrs
import httpx
import pytest
import trio

import moobius_trio
from moobius_trio import MessageUp, MoobiusService, Receipt, every
from moobius_trio.core.environment import Environment
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import changed_environment
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.types import ChannelId, Content, MessageId, UserId

HOUR = 3600.0
DAY = 24 * HOUR
BAND, ALICE = ChannelId("local-demo"), UserId("alice")
PACKAGE = Path(moobius_trio.__file__).parent
NOT_OURS = (PACKAGE / "testing", PACKAGE / "local")


@attrs.frozen
class Held:
    """What the process holds at one moment."""

    tasks: int
    descriptors: int
    blocks: int
    """Of memory, allocated by the package without its test kit and platform."""

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        ours = [tracemalloc.Filter(True, f"{PACKAGE}/*")]
        others = [tracemalloc.Filter(False, f"{folder}/*") for folder in NOT_OURS]
        snapshot = tracemalloc.take_snapshot().filter_traces([*ours, *others])
        return cls(
            trio.lowlevel.current_statistics().tasks_living,
            len(list(Path("/proc/self/fd").iterdir())),
            len(snapshot.traces),
        )

    def holds_more_than(self, other: Held) -> bool:
        return (
            self.tasks > other.tasks + 2
            or self.descriptors > other.descriptors
            or self.blocks > other.blocks + 50
        )


@pytest.fixture
def traced() -> Iterator[None]:
    """Allocations are traced while the test runs."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


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
    """The kit keeps each frame that was written; not over weeks."""
    return attrs.evolve(environment, trace=None)


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
            if self.open_now:
                self.told += 1
                await self.tell(
                    MessageUp(
                        channel_id=BAND,
                        sender=ALICE,
                        content=Content(text="hello"),
                        timestamp=self.told,
                        msg_id=MessageId(f"{self.told}"),
                    )
                )

    async def cut_every_two_hours(self) -> None:
        while True:
            await trio.sleep(2 * HOUR)
            await self.cut()


async def test_seven_days_with_84_cuts_and_as_many_rotations(local: Local, traced: None) -> None:
    """Nothing lost or doubled, each gap reported; day seven holds what day two held (F1, F55)."""
    platform, service = Weekly(), Clock()
    held: list[Held] = []
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        with changed_environment(lambda one: attrs.evolve(untraced(one), connect=connect)):
            await local.start(service)
        nursery.start_soon(platform.speak)
        nursery.start_soon(platform.cut_every_two_hours)
        for _ in range(7):
            await trio.sleep(DAY)
            platform.forget()
            held.append(Held.now())
        await trio.sleep(90)
        platform.forget()
        link = local.handle().statistics().link
        missed = platform.told - service.heard
        await local.stop()
        nursery.cancel_scope.cancel()
    note(
        "seven days, cut every two hours",
        {
            "cuts": platform.cuts,
            "rotations": link.rotations,
            "lost": service.said - len(set(platform.minutes)),
            "doubled": platform.doubled,
            "gaps reported": link.gaps,
            "events missed in them": missed,
            "memory blocks, day 2 and day 7": [held[1].blocks, held[6].blocks],
        },
    )
    assert platform.cuts == 84
    assert platform.minutes == list(range(service.said))
    assert service.said >= 7 * 24 * 60
    assert platform.doubled == 0
    assert set(service.ends) == {"confirmed"}
    assert link.rotations >= 80
    assert link.gaps == link.connections - 1 == platform.cuts + link.rotations
    assert platform.most_open == 1
    assert 0 <= missed <= link.gaps
    assert not held[6].holds_more_than(held[1]), held


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


async def test_forty_days_of_failing_http_and_expiring_tokens(local: Local, traced: None) -> None:
    """Tokens live for a day: no call and no login with a spent one; nothing is left (F23-F25)."""
    transport: list[Failing] = []
    held: list[Held] = []

    def change(environment: Environment) -> Environment:
        assert environment.transport is not None
        transport.append(Failing(environment.transport))
        return attrs.evolve(untraced(environment), transport=transport[0])

    service: MoobiusService = MoobiusService()
    with changed_environment(change):
        await local.start(service)
    [http] = transport
    http.failing = True
    for _ in range(40):
        await trio.sleep(DAY)
        held.append(Held.now())
    link = local.handle().statistics().link
    http.failing = False
    await local.stop()
    note(
        "forty days of failing HTTP",
        {
            "calls": http.calls,
            "failed": http.failed,
            "with a spent token": http.spent_tokens + link.refused_logins,
            "sign-ins": http.sign_ins,
            "logins": link.logins,
            "memory blocks, day 2 and day 40": [held[1].blocks, held[39].blocks],
        },
    )
    assert http.failed > 100
    assert http.spent_tokens == link.refused_logins == 0
    assert link.rotations > 500
    assert link.logins == link.connections == link.rotations + 1
    assert not held[39].holds_more_than(held[1]), held
