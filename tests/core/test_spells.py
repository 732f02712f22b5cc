"""Spells: one at a time, from this loop or another thread, and none goes astray."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import structlog.testing
import trio
import trio.testing

from moobius_trio import MoobiusService, ServiceHandle, ServiceStopped
from moobius_trio.testing import Local, open_local
from moobius_trio.testing.core_rig import runtime_of
from moobius_trio.testing.scoreboard import note


class Magic(MoobiusService):
    """Does what a spell says: sleep so many seconds, wait, raise, or be given back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.errors: list[tuple[object, BaseException]] = []
        self.running = 0

    async def on_spell(self, spell: object) -> object:
        self.running += 1
        assert self.running == 1
        try:
            if isinstance(spell, int):
                await trio.sleep(spell)
            if isinstance(spell, trio.Event):
                await spell.wait()
            if isinstance(spell, Exception):
                raise spell
            self.seen.append(spell)
        finally:
            self.running -= 1
        return ("cast", spell)

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


async def start(local: Local) -> tuple[Magic, ServiceHandle]:
    """A running service and its handle."""
    service = Magic()
    await local.start(service)
    return service, local.handle()


async def test_spells_run_in_order_one_at_a_time(local: Local) -> None:
    """However they are cast."""
    service, handle = await start(local)
    handle.spell(3)
    service.spells.send_nowait(2)
    await handle.aspell(1)
    handle.spells.send_nowait("last")
    await local.settle()
    assert service.seen == [3, 2, 1, "last"]


async def test_spells_run_beside_handlers_and_jobs(local: Local) -> None:
    """A spell that sleeps holds up no band."""
    service, handle = await start(local)
    handle.spell(50)
    [alice] = await local.band("local-demo").join("Alice")
    start_time = trio.current_time()
    await alice.fetch("fetch_features")
    assert trio.current_time() - start_time <= 50
    assert service.seen == [50]


async def test_a_spell_can_be_awaited(local: Local) -> None:
    """``wait=True`` gives what `on_spell` returned; without it the call returns when accepted."""
    service, handle = await start(local)
    begin = trio.current_time()
    assert await handle.aspell(5) is None
    assert trio.current_time() == begin
    assert await handle.aspell(5, wait=True) == ("cast", 5)
    assert trio.current_time() == begin + 10
    assert service.seen == [5, 5]


async def test_an_awaited_spell_raises_to_its_caster(local: Local) -> None:
    """The caster gets the error itself; `on_error` is not told of it, and the next one runs."""
    service, handle = await start(local)
    error = LookupError("no such wand")
    with pytest.raises(LookupError, match="no such wand") as info:
        await handle.aspell(error, wait=True)
    assert info.value is error
    assert service.errors == []
    assert await handle.aspell("next", wait=True) == ("cast", "next")


async def test_a_failing_spell_is_one_failure(local: Local) -> None:
    """Of a thousand spells the one that raises is reported with itself; 999 are cast."""
    local.keep_failures = True
    service, handle = await start(local)
    bad = ValueError("bad")
    for number in range(1000):
        await handle.aspell(bad if number == 500 else str(number))
    await local.settle()
    note("spells cast of 1,000 with a bad one", len(service.seen))
    assert len(service.seen) == 999
    assert service.errors == [(bad, bad)]


async def test_cancelling_the_wait_leaves_the_spell(local: Local) -> None:
    """A caster who no longer waits does not take the spell back."""
    service, handle = await start(local)
    with trio.move_on_after(2):
        await handle.aspell(10, wait=True)
    await local.settle()
    assert service.seen == [10]


async def test_there_is_room_for_a_hundred(local: Local) -> None:
    """The hundred-and-first is WouldBlock for `spell` and a wait for `aspell`."""
    service, handle = await start(local)
    handle.spell(10)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(100):
        handle.spell(str(number))
    with pytest.raises(trio.WouldBlock):
        handle.spell("too much")
    begin = trio.current_time()
    await handle.aspell("patient")
    assert trio.current_time() - begin == 10
    await local.settle()
    assert service.seen == [10, *(str(number) for number in range(100)), "patient"]


async def test_the_channel_is_the_services_own(local: Local) -> None:
    """Made in the constructor, the same one for the handle, and kept over restarts."""
    service = Magic()
    channel = service.spells
    channel.send_nowait("before the first start")
    await local.start(service)
    assert local.handle().spells is channel
    await local.stop()
    channel.send_nowait("between two starts")
    await local.start(service)
    assert service.spells is channel
    await local.settle()
    assert service.seen == ["before the first start", "between two starts"]


async def test_a_stopped_service_takes_no_spell(local: Local) -> None:
    """Every way of the handle says so, and nothing waits for a next start."""
    service, handle = await start(local)
    await handle.stop()
    with pytest.raises(ServiceStopped, match="service magic is not running"):
        handle.spell("late")
    for wait in (False, True):
        with pytest.raises(ServiceStopped):
            await handle.aspell("late", wait=wait)
    assert service.spells.statistics().current_buffer_used == 0


async def test_what_was_accepted_and_not_begun_is_counted(local: Local) -> None:
    """At the stop the running spell ends; the rest is in the log, and its casters are told."""
    service, handle = await start(local)
    outcomes: dict[object, object] = {}

    async def cast(spell: object) -> None:
        try:
            outcomes[spell] = await handle.aspell(spell, wait=True)
        except ServiceStopped as exc:
            outcomes[spell] = type(exc)

    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cast, 5)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(cast, "waits")
            await trio.testing.wait_all_tasks_blocked()
            handle.spell("forgotten")
            await handle.stop()
    assert outcomes == {5: ("cast", 5), "waits": ServiceStopped}
    assert service.seen == [5]
    [entry] = [entry for entry in logs if entry["event"].startswith("spells were accepted")]
    assert (entry["service"], entry["spells"]) == ("magic", 2)


async def test_one_who_waits_for_room_hears_of_the_stop(local: Local) -> None:
    """A spell that was never accepted raises ServiceStopped, also without ``wait``."""
    _, handle = await start(local)
    refused: list[object] = []

    async def cast(spell: object) -> None:
        with pytest.raises(ServiceStopped):
            await handle.aspell(spell)
        refused.append(spell)

    handle.spell(5)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(100):
        handle.spell(str(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast, "no room")
        await trio.testing.wait_all_tasks_blocked()
        await handle.stop()
    assert refused == ["no room"]


async def test_no_spell_begins_once_the_stop_has_begun(local: Local) -> None:
    """Also not one that goes into the channel itself while handlers still end."""
    service, handle = await start(local)
    stopping = trio.Event()

    class Slow(Magic):
        async def on_stop(self) -> None:
            stopping.set()
            await trio.sleep(3)

    slow = Slow()
    await local.start(slow, bands=["other"])
    slow_handle = local.handle()
    slow_handle.request_stop()
    await stopping.wait()
    slow.spells.send_nowait("into the channel")
    await slow_handle.wait_stopped()
    assert slow.seen == service.seen == []
    assert handle.running


async def test_a_spell_that_is_cancelled_at_the_stop_answers_its_caster(local: Local) -> None:
    """One that does not end in time is cancelled, and its caster gets ServiceStopped."""
    _, handle = await start(local)

    async def cast() -> None:
        with pytest.raises(ServiceStopped):
            await handle.aspell(3600, wait=True)

    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast)
        await trio.testing.wait_all_tasks_blocked()
        await handle.stop()
    assert 10 <= trio.current_time() - begin < 11


async def test_idle_counts_a_spell_that_is_just_handed_over(local: Local) -> None:
    """A spell is on its way from the moment it is cast."""
    service, handle = await start(local)
    runtime = runtime_of(service)
    assert runtime.idle
    handle.spell("now")
    assert not runtime.idle
    await runtime.wait_idle()
    assert service.seen == ["now"]


# From another thread: real time, since a thread under a clock that jumps would be outrun


def in_thread(fn: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run it in a thread that trio knows nothing of; what it gives or raises goes to the list."""
    results: list[object] = []

    def work() -> None:
        try:
            results.append(fn())
        except (trio.WouldBlock, trio.TooSlowError, ServiceStopped) as exc:
            results.append(type(exc))

    thread = threading.Thread(target=work)
    thread.start()
    return thread, results


async def join(thread: threading.Thread) -> None:
    """Wait for a thread without holding up the loop."""
    await trio.to_thread.run_sync(thread.join)


@pytest.mark.local(sockets=True)
async def test_a_spell_from_another_thread(local: Local) -> None:
    """It returns when the loop has accepted the spell."""
    service, handle = await start(local)
    thread, results = in_thread(lambda: handle.spell("from afar"))
    await join(thread)
    await local.settle()
    assert (results, service.seen) == ([None], ["from afar"])


@pytest.mark.local(sockets=True)
async def test_a_thread_hears_of_a_full_channel_and_of_a_stop(local: Local) -> None:
    """WouldBlock and ServiceStopped reach a thread as they reach the loop."""
    service, handle = await start(local)
    proceed = trio.Event()
    service.spells.send_nowait(proceed)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(100):
        service.spells.send_nowait("fill")
    thread, full = in_thread(lambda: handle.spell("too much"))
    await join(thread)
    proceed.set()
    await handle.stop()
    thread, stopped = in_thread(lambda: handle.spell("late"))
    await join(thread)
    assert (full, stopped) == ([trio.WouldBlock], [ServiceStopped])


@pytest.mark.local(sockets=True)
async def test_a_spell_that_is_too_late_is_not_delivered(local: Local) -> None:
    """A loop that is blocked longer than the timeout does not cast it afterwards."""
    service, handle = await start(local)
    thread, results = in_thread(lambda: handle.spell("too late", timeout=0.05))
    deadline = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251  # the loop is held on purpose
    assert results == [trio.TooSlowError]
    await local.settle()
    await local.aspell("next")
    assert service.seen == ["next"]


def test_a_thread_hears_that_the_loop_is_gone() -> None:
    """A handle that outlives its loop raises ServiceStopped."""

    async def main() -> ServiceHandle:
        async with open_local() as local:
            return (await start(local))[1]

    handle = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    with pytest.raises(ServiceStopped):
        handle.spell("into the void")
