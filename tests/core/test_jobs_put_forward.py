"""The clock of jobs, put forward: jobs come due, and nothing else notices."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from moobius_trio import MessageUp, MoobiusService, cron, every
from moobius_trio.testing.actors import SERVICE
from moobius_trio.testing.harness import Local


class Service(MoobiusService):
    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []
        self.begun = trio.Event()

    @every(minutes=10)
    async def often(self) -> None:
        self.ran.append("often")

    @cron("0 9 * * *", tz="UTC")
    async def daily(self) -> None:
        self.ran.append("daily")

    @every(hours=1, missed="all")
    async def each_hour(self) -> None:
        self.ran.append("each_hour")

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.begun.set()
        await trio.sleep(30)
        await self.reply(msg_up, "patient")


async def test_jobs_come_due_at_once_and_late_as_after_a_sleep(local: Local) -> None:
    """One run for all that was passed over, or one each, as the job says; then the grid goes on."""
    service = Service()
    await local.start(service)
    before = trio.current_time()
    service.jobs.advance(2 * 3600)
    await local.settle()
    assert sorted(service.ran) == ["each_hour", "each_hour", "often"]
    assert trio.current_time() - before < 60
    service.ran.clear()
    await local.skip(minutes=10)
    assert service.ran == ["often"]


async def test_a_time_of_day_is_reached(local: Local) -> None:
    """A cron job compares the clock that was put forward."""
    service = Service()
    await local.start(service)
    service.jobs.advance(23 * 3600)
    await local.settle()
    assert service.ran.count("daily") == 1


async def test_now_goes_with_it_and_stays_ahead(local: Local) -> None:
    """The sum of what it was put forward, before the start as well as later."""
    service = Service()
    service.jobs.advance(60)
    await local.start(service)
    before = service.now()
    service.jobs.advance(3600)
    assert service.now() - before == timedelta(hours=1)
    assert service.jobs.ahead == 3660


async def test_before_the_start_it_makes_nothing_late(local: Local) -> None:
    """A service that is started with a clock that is ahead begins its steps there."""
    service = Service()
    service.jobs.advance(86_400)
    await local.start(service)
    assert service.ran == []
    assert all(job.statistics.missed == 0 for job in service.jobs.jobs)


async def test_next_due_is_told_by_the_clock_that_was_put_forward(local: Local) -> None:
    """What is left until then becomes less."""
    service = Service()
    await local.start(service)
    job = service.jobs.jobs[0]
    due = job.statistics.next_due
    service.jobs.advance(300)
    await wait_all_tasks_blocked()
    later = job.statistics.next_due
    assert due is not None
    assert later is not None
    assert abs(later - due) < timedelta(seconds=1)
    assert abs((later - service.now()).total_seconds() - 300) < 1


async def test_a_handler_is_not_brought_nearer_to_its_limit(local: Local) -> None:
    """Its minute is counted by trio's clock."""
    service = Service()
    [alice] = await (await local.start(service)).join("Alice")
    await alice.say("wait", to=SERVICE, settle=False)
    await service.begun.wait()
    service.jobs.advance(86_400)
    await local.until(lambda: alice.texts == ["patient"])
    assert local.handle().statistics().failures == 0


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_it_only_goes_forward(seconds: float) -> None:
    """By a number of seconds."""
    service = MoobiusService()
    with pytest.raises(ValueError, match="only goes forward"):
        service.jobs.advance(seconds)
    assert service.jobs.ahead == 0
