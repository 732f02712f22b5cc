"""Time limits: a handler that does not end is cancelled, reported, and forgotten."""

from __future__ import annotations

import contextlib

import pytest
import trio
import trio.testing

from moobius_trio import (
    Action,
    Band,
    ChannelId,
    Content,
    HandlerTimedOut,
    MessageUp,
    MoobiusService,
    UserId,
    every,
)
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver

ALICE = UserId("alice")


class Sleeper(MoobiusService):
    """Sleeps for as many seconds as a message says."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []
        self.errors: list[tuple[object, BaseException]] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await trio.sleep(float(msg_up.text or 0))
        self.seen.append(msg_up.text)

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


def sleep(seconds: str, band: str = "local-demo") -> MessageUp:
    """A message that makes the service sleep."""
    return MessageUp(channel_id=ChannelId(band), sender=ALICE, content=Content(text=seconds))


async def test_a_handler_that_runs_too_long_is_cancelled(local: Local) -> None:
    """After 60 s its event goes to `on_error` with HandlerTimedOut; the next event is handled.

    (F30)
    """
    local.keep_failures = True
    service = Sleeper()
    await local.start(service)
    stuck = sleep("3600")
    start = trio.current_time()
    deliver(service, stuck, sleep("1"))
    await local.settle()
    assert trio.current_time() - start == 61
    assert service.seen == ["1"]
    [(event, exc)] = service.errors
    assert event == stuck
    assert isinstance(exc, HandlerTimedOut)
    assert (exc.handler, exc.seconds) == ("Sleeper.on_msg_up", 60)
    assert "start_soon" in str(exc)


async def test_after_others_a_handler_still_has_its_time(local: Local) -> None:
    """Of many in a row each has all its 60 s, and at most a hundredth more; it alone is ended."""
    local.keep_failures = True
    service = Sleeper()
    await local.start(service)
    start = trio.current_time()
    deliver(service, *map(sleep, ("0", "0.5", "59.9", "3600", "0", "59.99")))
    await local.settle()
    assert service.seen == ["0", "0.5", "59.9", "0", "59.99"]
    assert [event for event, _ in service.errors] == [sleep("3600")]
    took = trio.current_time() - start - 0.5 - 59.9 - 59.99
    assert 60 <= took <= 60.6


async def test_a_limit_that_passes_while_nothing_runs_cancels_nothing(local: Local) -> None:
    """However long a band was silent, the next handler has all its time, and so has that after."""
    service = Sleeper()
    await local.start(service)
    for silence in (30, 59.5, 60, 61, 3600):
        deliver(service, sleep("0.1"))
        await local.settle()
        await trio.sleep(silence)
        deliver(service, sleep("59.8"), sleep("59.9"))
        await local.settle()
    assert service.seen == ["0.1", "59.8", "59.9"] * 5
    assert service.errors == []


async def test_an_event_in_the_moment_in_which_a_limit_passes_has_all_its_time(
    local: Local, autojump_clock: trio.testing.MockClock
) -> None:
    """That of a handler that ended long ago, while its worker rested."""
    service = Sleeper()
    await local.start(service)
    deliver(service, sleep("0"))
    await local.settle()
    deliver(service, sleep("59.8"))
    autojump_clock.jump(60)  # before the worker, which is woken already, has its turn
    await local.settle()
    assert service.seen == ["0", "59.8"]
    assert service.errors == []


async def test_whoever_follows_a_handler_that_did_not_hear_its_end_has_all_its_time(
    local: Local,
) -> None:
    """One that shields itself for longer than its limit ends well, and so does the next one."""

    class Deaf(Sleeper):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            with trio.CancelScope(shield=msg_up.text == "61"):
                await super().on_msg_up(msg_up)

    service = Deaf()
    await local.start(service)
    deliver(service, sleep("61"), sleep("59.8"))
    await local.settle()
    assert service.seen == ["61", "59.8"]
    assert service.errors == []


async def test_the_limit_is_a_setting(local: Local) -> None:
    """``handler_seconds`` says how long a handler may run."""
    local.keep_failures = True
    service = Sleeper()
    await local.start(service, handler_seconds=1.5)
    deliver(service, sleep("1"), sleep("2"))
    await local.settle()
    assert service.seen == ["1"]
    assert [str(exc)[:51] for _, exc in service.errors] == [
        "Sleeper.on_msg_up was cancelled after 1.5 s. Long w"
    ]


async def test_no_limit(local: Local) -> None:
    """With ``handler_seconds: null`` a handler may take a day."""
    service = Sleeper()
    await local.start(service, handler_seconds=None)
    deliver(service, sleep("80000"))
    await local.settle()
    assert service.seen == ["80000"]


async def test_the_start_has_no_limit(local: Local) -> None:
    """`on_start` and `on_channel_init` may take an hour each."""

    class Slow(Sleeper):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            await trio.sleep(3600)
            self.seen.append("init")

        async def on_start(self) -> None:
            await trio.sleep(3600)
            self.seen.append("start")

    service = Slow()
    await local.start(service, handler_seconds=1)
    assert service.seen == ["init", "start"]
    assert service.errors == []


async def test_a_task_has_no_limit(local: Local) -> None:
    """Long work belongs in `start_soon`."""

    class Long(Sleeper):
        async def on_start(self) -> None:
            self.start_soon(self.work)

        async def work(self) -> None:
            await trio.sleep(3600)
            self.seen.append("work")

    service = Long()
    await local.start(service, handler_seconds=1)
    await local.skip(hours=2)
    assert service.seen == ["work"]


async def test_a_spell_has_the_handlers_limit(local: Local) -> None:
    """Its caster gets HandlerTimedOut, and the next spell runs."""

    class Service(Sleeper):
        async def on_spell(self, spell: object) -> object:
            await trio.sleep(3600 if spell == "stuck" else 1)
            return "well"

    await local.start(Service())
    with pytest.raises(HandlerTimedOut, match=r"Service\.on_spell was cancelled after 60 s"):
        await local.aspell("stuck")
    assert await local.aspell("next") == "well"


async def test_a_job_in_a_lane_has_the_handlers_limit_and_one_outside_has_none(
    local: Local,
) -> None:
    """A job that holds up a band is limited; one that holds up nobody is not."""

    class Service(Sleeper):
        @every(hours=1)
        async def alone(self) -> None:
            await trio.sleep(1800)
            self.seen.append("alone")

        @every(hours=1)
        async def inside(self, band: Band) -> None:
            await trio.sleep(1800)
            self.seen.append("inside")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    await local.skip(hours=1, minutes=40)
    assert service.seen == ["alone"]
    assert [type(exc) for _, exc in service.errors] == [HandlerTimedOut]


async def test_one_stuck_band_does_not_delay_others(local: Local) -> None:
    """While a handler waits for its limit, the other bands' events take no time longer."""
    local.keep_failures = True
    service = Sleeper()
    await local.start(service, bands=["stuck", "free"])
    deliver(service, sleep("3600", "local-stuck"))
    for _ in range(100):
        deliver(service, sleep("0", "local-free"))
    await trio.testing.wait_all_tasks_blocked()
    assert service.seen == ["0"] * 100
    await local.settle()


async def test_what_a_timed_out_handler_changed_is_kept(local: Local) -> None:
    """Its time is over, but memory and store agree on what it did before."""

    class Service(Sleeper):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            states = await self.bands[msg_up.channel_id].put("states")
            states.setdefault("alice", {"level": 0})
            states["alice"]["level"] += 1
            await trio.sleep_forever()

    local.keep_failures = True
    service = Service()
    band = await local.start(service)
    deliver(service, sleep("0"))
    await local.settle()
    assert (await service.bands[band.channel_id].put("states"))["alice"] == {"level": 1}
    assert [type(exc) for _, exc in service.errors] == [HandlerTimedOut]


async def test_on_error_has_a_limit_of_its_own(local: Local) -> None:
    """An `on_error` that hangs costs the band its time, and not its life."""

    class Service(Sleeper):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            if msg_up.text == "fail":
                raise ValueError("no")
            self.seen.append(msg_up.text)

        async def on_error(self, event: object, exc: BaseException) -> None:
            await trio.sleep_forever()

    local.keep_failures = True
    service = Service()
    await local.start(service)
    start = trio.current_time()
    deliver(service, sleep("fail"), sleep("next"))
    await local.settle()
    assert trio.current_time() - start == 60
    assert service.seen == ["next"]
    assert [type(exc) for _, exc in local.failures] == [ValueError, HandlerTimedOut]


async def test_a_view_handler_has_the_limit_too(local: Local) -> None:
    """A stuck reload ends, and the same user's next one is answered."""

    class Service(Sleeper):
        async def on_fetch_features(self, action: Action) -> None:
            self.seen.append("asked")
            if len(self.seen) == 1:
                await trio.sleep_forever()

    local.keep_failures = True
    service = Service()
    band = await local.start(service)
    fetch = Action(subtype="fetch_features", channel_id=band.channel_id, sender=ALICE)
    deliver(service, fetch)
    await trio.testing.wait_all_tasks_blocked()
    deliver(service, fetch)
    await local.settle()
    assert service.seen == ["asked", "asked"]
    assert [exc.handler for _, exc in service.errors if isinstance(exc, HandlerTimedOut)] == [
        "Service.on_fetch_features"
    ]


async def test_a_handler_that_swallows_its_cancellation_holds_up_its_own_band_only(
    local: Local,
) -> None:
    """It goes on beyond its limit; other bands do not notice, and its band goes on after it."""

    class Service(Sleeper):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            if msg_up.text == "stubborn":
                with contextlib.suppress(trio.Cancelled):
                    await trio.sleep_forever()
                with trio.CancelScope(shield=True):
                    await trio.sleep(1000)
            self.seen.append(f"{msg_up.text} {trio.current_time() - start:g}")

    service = Service()
    await local.start(service, bands=["red", "blue"])
    start = trio.current_time()
    deliver(service, sleep("stubborn", "local-red"), sleep("after it", "local-red"))
    await trio.sleep(100)
    deliver(service, sleep("beside it", "local-blue"))
    await local.settle()
    assert service.seen == ["beside it 100", "stubborn 1060", "after it 1060"]
