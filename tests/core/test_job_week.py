"""A week of jobs where the wall clock follows trio's: as few wake-ups as there are runs."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import trio
import trio.testing

from moobius_trio.core.jobs import Job, Jobs

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = 7 * 86_400.0


async def test_a_week_wakes_a_daily_job_once_a_day(autojump_clock: trio.testing.MockClock) -> None:
    """With ``reread=inf`` the wall clock is read for the runs alone, not every half minute."""
    reads, runs = 0, 0

    def now() -> datetime:
        nonlocal reads
        reads += 1
        return START + timedelta(seconds=trio.current_time())

    async def execute(_job: Job) -> None:
        nonlocal runs
        runs += 1

    jobs = Jobs(now=now, execute=execute)
    jobs.add(execute, cron="30 2 * * *", tz="UTC")
    with trio.move_on_after(WEEK):
        await jobs.serve(reread=math.inf)
    assert runs == 7
    assert reads < 10 * runs
