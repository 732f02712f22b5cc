"""What the kit promises about its calls: when they return, and what they raise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import (
    Band,
    HandlerTimedOut,
    MessageUp,
    MoobiusService,
    NeverAwaited,
    ServiceHandle,
    container,
    every,
    stored,
)
from moobius_trio.testing import SERVICE, Actor, Local, open_local


class Echo(MoobiusService):
    """Passes on what it hears, after `pause` seconds."""

    pause = 0.0

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "boom":
            raise ValueError("nope")
        await trio.sleep(self.pause)
        await self.send(self.msg_up_to_msg_down(msg_up))


@stored
@attrs.define
class State:
    """Something that can be changed inside."""

    hats: int = 0


class HatBand(Band):
    """A room where hats are counted."""

    states = container(State, factory=State)


class Hats(MoobiusService[HatBand]):
    """Counts hats, and keeps a reference that it should not keep."""

    kept: State | None = None

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.kept = self.bands[msg_up.channel_id].states[msg_up.sender]
        self.kept.hats += 1


def simulated() -> trio.testing.MockClock:
    """The clock the kit wants in memory."""
    return trio.testing.MockClock(autojump_threshold=0)


def line_at(where: str) -> str:
    """The line that ``file:line`` names."""
    file, _, line = where.rpartition(":")
    return Path(file).read_text().splitlines()[int(line) - 1]


async def alone(local: Local, service: MoobiusService[Any]) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(service)).join("Alice")
    return alice


async def test_a_call_returns_after_hours_of_simulated_time(local: Local) -> None:
    """A handler that sleeps for three hours is waited for, at once."""
    service = Echo()
    service.pause = 3 * 3600
    [alice] = await (await local.start(service, handler_seconds=None)).join("Alice")
    began = trio.current_time()
    await alice.say("late")
    assert alice.last.text == "late"
    assert trio.current_time() - began >= 3 * 3600


async def test_tasks_of_start_soon_are_not_waited_for(local: Local) -> None:
    """A call returns beside them; `until` waits for what they do, and `skip` lets them go on."""

    class Later(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.start_soon(self.answer, msg_up)

        async def answer(self, msg_up: MessageUp) -> None:
            await trio.sleep(10)
            await self.reply(msg_up, "first")
            await trio.sleep(600)
            await self.reply(msg_up, "second")

    alice = await alone(local, Later())
    await alice.say("go", to=SERVICE)
    assert alice.messages == []
    await local.until(lambda: alice.last.text == "first")
    assert len(alice.messages) == 1
    await local.skip(minutes=10)
    assert alice.texts == ["first", "second"]


async def test_people_may_talk_at_the_same_time(local: Local) -> None:
    """Calls of several actors, and several of one, can run side by side."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(alice.say, f"a{number}")
            nursery.start_soon(bob.say, f"b{number}")
    assert len(alice.texts) == len(bob.texts) == 20
    assert alice.texts == bob.texts


async def test_a_handler_that_never_ends_fails_the_test(local: Local) -> None:
    """With the usual limit it times out; without one the kit gives up and names it."""

    class Stuck(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep_forever()

    alice = await alone(local, Stuck())
    with pytest.raises(HandlerTimedOut):
        await alice.say("hello")
    await local.stop()
    [bob] = await (await local.start(Stuck(), handler_seconds=None)).join("Bob")
    with pytest.raises(AssertionError, match=r"not idle after 86,400 s.*Stuck\.on_msg_up"):
        await bob.say("hello")


async def test_a_stop_ends_the_wait_for_what_will_not_happen(local: Local) -> None:
    """Spells that a service leaves undone when it stops hold up nobody."""

    class Slow(MoobiusService):
        async def on_spell(self, spell: object) -> None:
            await trio.sleep(5)

    await local.start(Slow())
    began = trio.current_time()
    for number in range(3):
        local.handle().spell(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(local.settle)
        await trio.sleep(1)
        await local.handle().stop()
    assert trio.current_time() - began < 60


async def test_skip_runs_jobs_in_their_order(local: Local) -> None:
    """Jobs that fall due in the time skipped have all run, the sooner ones first."""

    class Bells(MoobiusService):
        rung: list[str]

        @every(minutes=20)
        async def small(self) -> None:
            self.rung.append(f"small {self.now():%H:%M}")

        @every(minutes=30)
        async def large(self) -> None:
            self.rung.append(f"large {self.now():%H:%M}")

    service = Bells()
    service.rung = []
    await local.start(service)
    await local.skip(minutes=61)
    assert service.rung == [
        "small 12:20",
        "large 12:30",
        "small 12:40",
        *sorted(["small 13:00", "large 13:00"], key=service.rung.index),
    ]


async def test_until_says_what_did_not_become_true(local: Local) -> None:
    """The condition's place is named, and what it raised is the cause."""
    alice = await alone(local, Echo())
    with pytest.raises(AssertionError, match=r"not true after 5 s \(.*test_kit\.py:\d+\)") as info:
        await local.until(lambda: alice.last.text == "never said", seconds=5)
    assert "has been sent no message" in str(info.value.__cause__)


async def test_a_failing_handler_fails_the_call(local: Local) -> None:
    """Its own exception comes out of the call that caused it, once."""
    alice = await alone(local, Echo())
    with pytest.raises(ValueError, match="nope"):
        await alice.say("boom")
    await alice.say("fine")
    assert alice.last.text == "fine"


async def test_several_failures_come_as_a_group(local: Local) -> None:
    """Two bands that fail in one call are both shown."""

    class Failing(MoobiusService):
        @every(minutes=1)
        async def job(self, band: Band) -> None:
            raise ValueError(band.channel_id)

    await local.start(Failing(), bands=["one", "two"])
    one, two = (pytest.RaisesExc(ValueError, match=band) for band in ("local-one", "local-two"))
    with pytest.RaisesGroup(one, two):
        await local.skip(minutes=1)


async def test_failures_can_be_kept(local: Local) -> None:
    """A test about failing handlers looks at them itself, with the event each was about."""
    alice = await alone(local, Echo())
    local.keep_failures = True
    await alice.say("boom")
    ((event, exc),) = local.failures
    assert isinstance(event, MessageUp)
    assert event.text == "boom"
    assert isinstance(exc, ValueError)


def test_a_failure_that_no_call_raised_comes_at_the_end() -> None:
    """What fails behind the last call still fails the test."""

    async def main() -> None:
        async with open_local() as local:
            alice = await alone(local, Echo())
            await alice.say("boom", settle=False)

    with pytest.raises(ValueError, match="nope"):
        trio.run(main, clock=simulated())


async def test_a_failing_start_fails_start(local: Local) -> None:
    """What `on_start` raises comes out of `start`, as it is, and the band is free again."""

    class NoStart(MoobiusService):
        async def on_start(self) -> None:
            raise ValueError("cannot")

    with pytest.raises(ValueError, match="cannot"):
        await local.start(NoStart())
    with pytest.raises(AssertionError, match="nothing was started"):
        local.handle()


async def test_a_service_that_breaks_down_fails_the_next_call(local: Local) -> None:
    """An error that ends the whole service is raised in the test, not around it."""

    class Doomed(Echo):
        async def serve(
            self, *, task_status: trio.TaskStatus[ServiceHandle] = trio.TASK_STATUS_IGNORED
        ) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fall)
                await super().serve(task_status=task_status)

        async def fall(self) -> None:
            await trio.sleep(30)
            raise ValueError("broken down")

    alice = await alone(local, Doomed())
    await alice.say("fine")
    with pytest.raises(ValueError, match="broken down"):
        await local.skip(minutes=1)
    assert not local.handle().running


async def test_a_call_nobody_awaited_is_named(local: Local) -> None:
    """A forgotten `await` fails the call, with the handler and the line."""

    class Forgetful(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.reply(msg_up, "lost")  # type: ignore[unused-coroutine]

    alice = await alone(local, Forgetful())
    with pytest.raises(NeverAwaited) as info:
        await alice.say("hello")
    assert info.value.handler == "Forgetful.on_msg_up"
    assert info.value.call.endswith("reply")
    assert "self.reply(msg_up" in line_at(info.value.where)


async def test_a_change_outside_any_unit_fails_the_call(local: Local) -> None:
    """A record changed through a kept reference is named with its container and key."""
    service = Hats()
    alice = await alone(local, service)
    await alice.say("hello", to=SERVICE)
    assert service.kept is not None
    service.kept.hats = 7
    with pytest.raises(AssertionError, match=rf"states of band local-demo.*{alice.user_id}"):
        await local.settle()
    await alice.say("hello", to=SERVICE)
    assert service.kept.hats == 8


async def test_a_change_that_the_timed_sweep_finds_fails_the_call(local: Local) -> None:
    """Half a minute passes in the call, so that storage finds the change before the kit does."""
    service = Hats()
    alice = await alone(local, service)
    await alice.say("hello", to=SERVICE)
    assert service.kept is not None
    service.kept.hats = 7
    with pytest.raises(AssertionError, match="outside any unit of work"):
        await local.skip(minutes=1)
