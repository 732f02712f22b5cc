"""The end: in order, bounded at every step, and with nothing lost that was accepted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import structlog.testing
import trio
import trio.testing

from moobius_trio import (
    Band,
    ChannelId,
    Content,
    LoginRejected,
    MessageUp,
    MoobiusService,
    ServiceHandle,
    ServiceStopped,
    UserId,
    container,
    every,
)
from moobius_trio.core.environment import Environment
from moobius_trio.local import Knobs
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import SERVICE, Local, open_local
from moobius_trio.testing.core_rig import (
    FakeSignals,
    changed_environment,
    deliver,
    place,
    runtime_of,
)
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import MessageDown

ALICE = UserId("alice")
BAND = ChannelId("local-demo")


class Counted(Band):
    counts = container(int)


class Ending(MoobiusService[Counted]):
    """A message says how many seconds its handler takes; what happens when is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.errors: list[BaseException] = []
        self.began = trio.current_time()

    def note(self, what: str) -> None:
        self.log.append(f"{trio.current_time() - self.began:g} {what}")

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        word = msg_up.text or "0"
        try:
            await trio.sleep(float(word))
            self.note(f"handled {word}")
        except trio.Cancelled:
            self.note(f"cancelled {word}")
            raise

    async def on_stop(self) -> None:
        self.note("on_stop")

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append(exc)

    def say(self, *words: str, band: str = BAND) -> None:
        """Let messages arrive."""
        for word in words:
            deliver(
                self,
                MessageUp(channel_id=ChannelId(band), sender=ALICE, content=Content(text=word)),
            )


async def begin(local: Local, service: Ending, *bands: str) -> ServiceHandle:
    """Start it; its clock counts from then."""
    await local.start(service, bands=bands or ("local-demo",), handler_seconds=None)
    service.began = trio.current_time()
    return local.handle(service)


@asynccontextmanager
async def scripted(
    local: Local, service: Ending, platform: ScriptedPlatform
) -> AsyncIterator[ServiceHandle]:
    """A service whose socket ends at a scripted platform."""
    place(local, service)
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        service._environment = attrs.evolve(service._environment, connect=connect)
        handle: ServiceHandle = await nursery.start(service.serve)
        service.began = trio.current_time()
        yield handle
        await handle.stop()


# In order


async def test_what_was_accepted_is_handled_first(local: Local) -> None:
    """Handlers end, waiting events are handled, then `on_stop`; later events are not taken."""
    service = Ending()
    handle = await begin(local, service)
    service.say("3", "2")
    await trio.testing.wait_all_tasks_blocked()
    handle.request_stop()
    await trio.sleep(1)
    service.say("1")
    await handle.wait_stopped()
    assert service.log == ["3 handled 3", "5 handled 2", "5 on_stop"]
    statistics = handle.statistics().lanes
    assert (statistics.late, statistics.shed, statistics.waiting) == (1, 0, 0)


async def test_late_events_are_no_overflow(local: Local) -> None:
    """What comes after the stop has begun is nobody's fault: no warning, no `on_overflow`."""
    service = Ending()
    handle = await begin(local, service)
    service.say("3")
    await trio.testing.wait_all_tasks_blocked()
    with structlog.testing.capture_logs() as logs:
        handle.request_stop()
        await trio.sleep(1)
        service.say("1", "1")
        await handle.wait_stopped()
    assert [entry for entry in logs if entry["log_level"] in ("warning", "error")] == []


async def test_a_running_job_ends_and_no_other_begins(local: Local) -> None:
    """Jobs stop with the first step, spells too; what runs of them may end."""

    class Service(Ending):
        @every(seconds=10)
        async def outside(self) -> None:
            self.note("job")
            await trio.sleep(8)
            self.note("job ended")

        @every(seconds=10)
        async def inside(self, band: Counted) -> None:
            await trio.sleep(4)
            self.note("band job ended")

        async def on_spell(self, spell: object) -> object:
            await trio.sleep(6)
            self.note("spell ended")
            return None

    service = Service()
    handle = await begin(local, service)
    await trio.sleep(10)
    handle.spell("x")
    await trio.testing.wait_all_tasks_blocked()
    await handle.stop()
    times = [entry.partition(" ")[2] for entry in service.log]
    assert times == ["job", "band job ended", "spell ended", "job ended", "on_stop"]


async def test_a_job_that_waits_for_its_lane_still_runs(local: Local) -> None:
    """A run that was begun is done, behind the events before it."""

    class Service(Ending):
        @every(seconds=10)
        async def inside(self, band: Counted) -> None:
            self.note("band job")

    service = Service()
    handle = await begin(local, service)
    await trio.sleep(8)
    service.say("5")
    await trio.sleep(3)
    await handle.stop()
    assert [entry.partition(" ")[2] for entry in service.log] == [
        "handled 5",
        "band job",
        "on_stop",
    ]


async def test_on_stop_can_still_speak_and_store(local: Local, tmp_path: Path) -> None:
    """The outbox is open and the stores are: what it says arrives, what it changes is kept."""

    class Service(Ending):
        async def on_stop(self) -> None:
            band = self.bands[BAND]
            band.counts[ALICE] = band.counts.get(ALICE, 0) + 1
            await band.create_message(f"goodbye {band.counts[ALICE]}", band.members)

    [alice] = await local.band("local-demo").join("Alice")
    for _ in range(2):
        service = Service()
        await local.start(service, state=tmp_path)
        await local.handle(service).stop()
    assert alice.texts == ["goodbye 1", "goodbye 2"]


async def test_the_connection_is_closed_last(local: Local) -> None:
    """What was said in the last moment is confirmed, then the socket closes with 1000."""

    class Service(Ending):
        async def on_stop(self) -> None:
            self.receipt = await self.create_message(BAND, "goodbye", ALICE)

    platform, service = ScriptedPlatform(), Service()
    async with scripted(local, service, platform):
        pass
    assert [message.text for message in platform.taken] == ["goodbye"]
    assert service.receipt.state == "confirmed"
    assert [lost.code for lost in platform.ends] == [1000]


async def test_on_stop_that_fails_is_reported(local: Local) -> None:
    """`on_error` hears of it, and the service ends well."""

    class Service(Ending):
        async def on_stop(self) -> None:
            raise LookupError("in on_stop")

    local.keep_failures = True
    service = Service()
    await (await begin(local, service)).stop()
    assert [str(exc) for exc in service.errors] == ["in on_stop"]


async def test_tasks_are_there_until_handlers_have_ended(local: Local) -> None:
    """A `start_soon` task may serve handlers to the last one, and is then cancelled."""

    class Service(Ending):
        async def on_start(self) -> None:
            self.start_soon(self.tick)

        async def tick(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                self.note("task ended")

    service = Service()
    handle = await begin(local, service)
    service.say("3")
    await trio.testing.wait_all_tasks_blocked()
    await handle.stop()
    assert service.log == ["3 handled 3", "3 on_stop", "3 task ended"]


# Bounded


async def test_a_stuck_handler_is_cancelled_after_ten_seconds(local: Local) -> None:
    """The log names it, what waits behind it is counted, and `on_stop` runs all the same."""
    service = Ending()
    handle = await begin(local, service, "red", "blue")
    service.say("3600", "1", "1", band="local-red")
    service.say("2", band="local-blue")
    await trio.testing.wait_all_tasks_blocked()
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    assert service.log == ["2 handled 2", "10 cancelled 3600", "10 on_stop"]
    said = {entry["event"]: entry for entry in logs}
    assert said["handlers are cancelled: they did not end"]["handlers"] == ["Ending.on_msg_up"]
    assert said["events are not handled: the service ends"]["events"] == 2


async def test_a_stuck_job_and_a_stuck_spell_are_cancelled_too(local: Local) -> None:
    """Both are named; the ten seconds are for all of them together."""

    class Service(Ending):
        @every(seconds=1)
        async def forever(self) -> None:
            await trio.sleep_forever()

        async def on_spell(self, spell: object) -> object:
            await trio.sleep_forever()

    service = Service()
    handle = await begin(local, service)
    handle.spell("x")
    await trio.sleep(1.5)
    start = trio.current_time()
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    assert trio.current_time() - start == 10
    [entry] = [entry for entry in logs if entry["event"].startswith("handlers are cancelled")]
    assert entry["handlers"] == ["Service.on_spell", "forever"]


async def test_on_stop_has_five_seconds(local: Local) -> None:
    """Then it is cancelled, and the log says so."""

    class Service(Ending):
        async def on_stop(self) -> None:
            await super().on_stop()
            await trio.sleep_forever()

    service = Service()
    handle = await begin(local, service)
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    assert service.log == ["0 on_stop"]
    assert trio.current_time() - service.began == 5
    assert "on_stop is cancelled: it did not end" in [entry["event"] for entry in logs]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("handler", "Service.on_msg_up"),
        ("on_stop", "Service.on_stop"),
        ("task", "Service.shield"),
        ("job", "tick"),
        ("spell", "Service.on_spell"),
    ],
)
async def test_code_that_shields_itself_keeps_nothing_else(
    local: Local, where: str, name: str
) -> None:
    """Frames leave and the connection closes within their bounds; the log names the guilty one."""

    class Service(Ending):
        async def shield(self) -> None:
            if not self.shielded:
                self.shielded = True
                with trio.CancelScope(shield=True):
                    await trio.sleep(1000)

        shielded = False

        async def on_start(self) -> None:
            if where == "task":
                self.start_soon(self.shield)

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await self.create_message(BAND, "before", ALICE)
            if where == "handler":
                await self.shield()

        async def on_spell(self, spell: object) -> object:
            if where == "spell":
                await self.shield()
            return None

        @every(seconds=1)
        async def tick(self) -> None:
            if where == "job":
                await self.shield()

        async def on_stop(self) -> None:
            await self.create_message(BAND, "goodbye", ALICE)
            if where == "on_stop":
                await self.shield()

    platform, service = ScriptedPlatform(), Service()
    async with scripted(local, service, platform) as handle:
        handle.spell("x")
        service.say("x")
        await trio.sleep(1.5)
        stopped_at = trio.current_time()
        with structlog.testing.capture_logs() as logs:
            handle.request_stop()
            await trio.sleep(25)
            assert [message.text for message in platform.taken] == ["before", "goodbye"]
            assert [lost.code for lost in platform.ends] == [1000]
            assert not handle.running
        await handle.wait_stopped()
        assert trio.current_time() - stopped_at < 1001
    [entry] = [entry for entry in logs if entry["event"].startswith("handlers do not end")]
    [place] = entry["handlers"]
    assert re.fullmatch(rf"{name} \({re.escape(__file__)}:\d+\)", place)
    assert "trio.Cancelled" in entry["remedy"]


@pytest.mark.local(sockets=True)
async def test_a_handler_that_swallows_every_cancellation_keeps_nothing_else(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled again and again and goes on; the connection is closed without it."""
    for name in ("LANES", "ON_STOP", "CANCELLED"):
        monkeypatch.setattr(f"moobius_trio.core.ending.{name}_SECONDS", 0.05)

    class Service(Ending):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            while runtime.link.statistics().state != "stopped":
                with contextlib.suppress(trio.Cancelled):
                    await trio.sleep(10)
            self.note("given up")

    service = Service()
    handle = await begin(local, service)
    runtime = runtime_of(service)
    service.say("x")
    await trio.testing.wait_all_tasks_blocked()
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    assert [entry.partition(" ")[2] for entry in service.log] == ["on_stop", "given up"]
    [entry] = [entry for entry in logs if "do not end" in entry["event"]]
    assert entry["handlers"][0].startswith(f"Service.on_msg_up ({__file__}:")


async def test_frames_without_an_answer_have_five_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A platform that confirms nothing does not keep the service; the frames are counted."""
    async with open_local(knobs=Knobs(copies_echo_id="absent")) as local:
        service = Ending()
        handle = await begin(local, service)
        await service.create_message(BAND, "hello", ALICE)
        start = trio.current_time()
        with structlog.testing.capture_logs() as logs:
            await handle.stop()
        assert trio.current_time() - start == 5
        [entry] = [entry for entry in logs if entry["event"] == "frames left"]
        assert (entry["unconfirmed"], entry["unsent"]) == (1, 0)


async def test_people_who_come_in_the_last_seconds_disturb_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While the last frames leave nobody handles events any more: a join ends nothing."""
    async with open_local(knobs=Knobs(copies_echo_id="absent")) as local:
        service = Ending()
        handle = await begin(local, service)
        runtime = runtime_of(service)
        await service.create_message(BAND, "hello", ALICE)
        handle.request_stop()
        await trio.sleep(1)
        assert runtime.closed
        before = runtime.link.statistics().received
        async with trio.open_nursery() as nursery:
            nursery.start_soon(local.band("local-demo").join, "Bob")
            await trio.sleep(1)
            assert runtime.link.statistics().received > before
            await handle.wait_stopped()


async def test_a_disk_that_hangs_does_not_keep_the_service(local: Local) -> None:
    """Frames that wait for it are dropped, and the stores give up within their bound."""
    local.keep_unheard = True  # the ids are made up

    class Service(Ending):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.bands[BAND].counts[ALICE] = 1
            self.receipt = await self.create_message(BAND, "counted", ALICE)

    disk, service = FaultyDisk(), Service()

    def change(environment: Environment) -> Environment:
        return attrs.evolve(environment, engines=disk.engines, default_engine="faulty")

    with changed_environment(change):
        handle = await begin(local, service)
    disk.hang()
    service.say("x")
    await trio.testing.wait_all_tasks_blocked()
    start = trio.current_time()
    with structlog.testing.capture_logs() as logs:
        await handle.stop()
    assert trio.current_time() - start <= 5 + 5 + 10 + 5
    assert service.receipt.state == "dropped"
    assert "the stores were not flushed in time" in [entry["event"] for entry in logs]


# Cancelled from outside


async def test_a_cancelled_service_closes_and_keeps(local: Local, tmp_path: Path) -> None:
    """No handler is waited for and no `on_stop` called; what was changed is stored."""

    class Service(Ending):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.bands[BAND].counts[ALICE] = 7
            await trio.sleep_forever()

    platform, service = ScriptedPlatform(), Service()
    place(local, service, state=tmp_path)
    async with trio.open_nursery() as outer:
        connect = memory_connector(outer, platform.serve)
        service._environment = attrs.evolve(service._environment, connect=connect)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                handle = await nursery.start(service.serve)
                service.say("x")
                await trio.testing.wait_all_tasks_blocked()
                start = trio.current_time()
                nursery.cancel_scope.cancel()
        assert not scope.cancelled_caught
        assert trio.current_time() - start < 2
    assert service.log == []
    assert [lost.code for lost in platform.ends] == [1000]
    assert not handle.running
    await handle.wait_stopped()
    again = Ending()
    place(local, again, state=tmp_path, service_id=handle.service_id)
    async with trio.open_nursery() as nursery:
        second = await nursery.start(again.serve)
        assert again.bands[BAND].counts == {ALICE: 7}
        await second.stop()


async def test_cancelled_while_it_drains(local: Local) -> None:
    """An orderly stop can be cut short: nothing more is waited for, and nothing is flushed."""
    service = Ending()
    place(local, service)
    with trio.move_on_after(3):
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(service.serve)
            service.say("3600")
            await trio.testing.wait_all_tasks_blocked()
            await handle.stop()
    assert service.log == ["3 cancelled 3600"]


async def test_a_cancelled_service_with_a_shielded_handler_closes_without_it(
    local: Local,
) -> None:
    """Two seconds after the cancellation the connection is closed; `serve` waits for the rest."""

    class Service(Ending):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(1000)

    platform, service = ScriptedPlatform(), Service()
    place(local, service)
    async with trio.open_nursery() as outer:
        connect = memory_connector(outer, platform.serve)
        service._environment = attrs.evolve(service._environment, connect=connect)
        async with trio.open_nursery() as nursery:
            await nursery.start(service.serve)
            service.say("x")
            await trio.testing.wait_all_tasks_blocked()
            outer.start_soon(_note_ends, platform)
            nursery.cancel_scope.cancel()
    assert [lost.code for lost in platform.ends] == [1000]


async def _note_ends(platform: ScriptedPlatform) -> None:
    await trio.sleep(5)
    assert platform.open_now == 0


async def test_a_broken_disk_does_not_spoil_a_cancelled_end(local: Local) -> None:
    """A store that fails when nobody is left to be told of it fails quietly, but for the log."""

    class Service(Ending):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.bands[BAND].counts[ALICE] = 7
            await trio.sleep_forever()

    disk, service = FaultyDisk(), Service()
    place(local, service)
    service._environment = attrs.evolve(
        service._environment, engines=disk.engines, default_engine="faulty"
    )

    async def fail_later() -> None:
        await trio.sleep(1)
        disk.full = True
        disk.go_on()

    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
            handle = await nursery.start(service.serve)
            disk.hang()
            service.say("x")
            await trio.testing.wait_all_tasks_blocked()
            outer.start_soon(fail_later)
            nursery.cancel_scope.cancel()
    assert not handle.running
    [entry] = [entry for entry in logs if entry["event"] == "storage"]
    assert "no space left on device" in entry["problem"]
    assert service.errors == []


# Signals


async def test_two_services_of_one_nursery_drain_together(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At one signal both end in good order, each with its own handlers."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    one, two = Ending(), Ending()
    place(local, one, bands=["red"])
    place(local, two, bands=["blue"], email="other@example.org")
    async with trio.open_nursery() as nursery:
        for service in (one, two):
            await nursery.start(service.serve)
            service.began = trio.current_time()
        one.say("3", band="local-red")
        two.say("5", band="local-blue")
        await trio.testing.wait_all_tasks_blocked()
        signals.send()
    assert one.log == ["3 handled 3", "3 on_stop"]
    assert two.log == ["5 handled 5", "5 on_stop"]


async def test_a_second_signal_cancels(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler is waited for any more, and the exit code is 130."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    service = Ending()
    place(local, service)

    async def program() -> None:
        with unwrapped():
            async with trio.open_nursery() as nursery:
                await nursery.start(service.serve)
                service.began = trio.current_time()
                service.say("3600")
                await trio.testing.wait_all_tasks_blocked()
                signals.send()
                await trio.sleep(3)
                signals.send()

    with pytest.raises(SystemExit) as info:
        await program()
    assert info.value.code == 130
    assert service.log == ["3 cancelled 3600"]


async def test_a_second_signal_gives_up_the_last_frames(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While frames wait for their answers it ends the wait at once."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    async with open_local(knobs=Knobs(copies_echo_id="absent")) as local:
        service = Ending()
        place(local, service)

        async def program() -> None:
            with unwrapped():
                async with trio.open_nursery() as nursery:
                    await nursery.start(service.serve)
                    await service.create_message(BAND, "hello", ALICE)
                    service.began = trio.current_time()
                    signals.send()
                    await trio.sleep(2)
                    signals.send()

        with pytest.raises(SystemExit) as info:
            await program()
        assert trio.current_time() - service.began == 2
        assert info.value.code == 130


# Again


async def test_a_service_can_be_served_again(local: Local) -> None:
    """Members, jobs, spells and lanes begin anew; a job of `on_start` is there once."""
    ticks: list[str] = []

    class Service(Ending):
        async def on_start(self) -> None:
            self.jobs.add(self.tick, every=60)

        async def tick(self) -> None:
            ticks.append("tick")

    service = Service()
    for _ in range(3):
        handle = await begin(local, service)
        [alice] = await local.band("local-demo").join("Alice")
        await alice.say("0", to=SERVICE)
        assert service.log[-1].endswith("handled 0")
        await trio.sleep(90)
        assert [name for name, _ in handle.statistics().jobs] == ["tick"]
        await handle.stop()
    assert ticks == ["tick"] * 3


async def test_a_cancelled_or_failed_service_can_be_served_again(local: Local) -> None:
    """However the run before has ended, the next one has its jobs, its bands and its lanes."""
    ticks: list[float] = []

    class Service(Ending):
        fails = True

        async def on_start(self) -> None:
            if self.fails:
                self.fails = False
                raise LookupError("the first time")

        @every(minutes=1)
        async def tick(self, band: Counted) -> None:
            ticks.append(trio.current_time())

    service = Service()
    place(local, service)
    with pytest.raises(LookupError):
        await service.serve()
    for _ in range(2):
        known = local.platform.bands()[0].service_id
        place(local, service, service_id=known)
        async with trio.open_nursery() as nursery:
            await nursery.start(service.serve)
            service.say("0")
            await trio.sleep(90)
            nursery.cancel_scope.cancel()
    assert len(ticks) == 2
    assert [entry.partition(" ")[2] for entry in service.log] == ["handled 0"] * 2


async def test_a_running_service_is_not_served_twice(local: Local) -> None:
    """The second call is refused and leaves the first one alone."""
    service = Ending()
    handle = await begin(local, service)
    with pytest.raises(RuntimeError, match="Ending runs already; make a second object of it"):
        await service.serve()
    assert handle.running
    service.say("0")
    await local.settle()
    assert service.log == ["0 handled 0"]


async def test_a_stopped_handle_keeps_its_figures(local: Local) -> None:
    """Its statistics are the last ones; calls that need the service say that it has stopped."""
    service = Ending()
    handle = await begin(local, service)
    service.say("0", "0")
    await local.settle()
    await handle.stop()
    await handle.stop()
    assert handle.statistics().link.state == "stopped"
    assert repr(handle) == "<ServiceHandle ending stopped>"
    with pytest.raises(ServiceStopped):
        service.statistics()
    with pytest.raises(ServiceStopped):
        await service.create_message(BAND, "late", ALICE)


async def test_a_link_that_gives_up_ends_the_service(local: Local) -> None:
    """Its error comes out of `serve` alone, and handlers are cancelled."""
    platform, service = ScriptedPlatform(), Ending()
    place(local, service, handler_seconds=None)
    async with trio.open_nursery() as outer:
        connect = memory_connector(outer, platform.serve)
        service._environment = attrs.evolve(service._environment, connect=connect)

        async def serve() -> None:
            with pytest.raises(LoginRejected):
                await service.serve()
            service.note("ended")

        outer.start_soon(serve)
        await trio.sleep(1)
        service.say("1000000")
        await trio.testing.wait_all_tasks_blocked()
        platform.refuses = lambda frame: not isinstance(frame.command, MessageDown)
        await platform.cut()
    assert [entry.partition(" ")[2] for entry in service.log] == ["cancelled 1000000", "ended"]
