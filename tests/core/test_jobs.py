"""Jobs: due times without drift, what is missed, clocks that jump, and stopping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import trio
import trio.testing

from moobius_trio.core.jobs import Job, Jobs
from moobius_trio.core.schedule import CronTimes
from moobius_trio.errors import JobError

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
WEEK = 7 * 86_400.0
BERLIN = ZoneInfo("Europe/Berlin")


class Wall:
    """The wall clock: trio's, from a start, and an offset that a test changes to set it."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=trio.current_time()) + self.offset


async def execute(job: Job) -> None:
    """Run the function of a job, as a service does; a failure is counted."""
    try:
        await job.fn()
    except ArithmeticError:
        job.note_failure()


class Diary:
    """A job's function that notes when it ran, by the wall, and may take its time."""

    def __init__(self, wall: Wall, takes: float = 0) -> None:
        self.wall = wall
        self.takes = takes
        self.times: list[datetime] = []
        self.inside = 0

    async def __call__(self) -> None:
        assert not self.inside, "a job overlapped with itself"
        self.inside += 1
        self.times.append(self.wall())
        await trio.sleep(self.takes)
        self.inside -= 1

    @property
    def offsets(self) -> list[float]:
        """Seconds since the start, by the wall."""
        return [(time - self.wall.start).total_seconds() for time in self.times]


async def serve_for(jobs: Jobs, seconds: float) -> None:
    """Serve the jobs for a while of trio's time."""
    with trio.move_on_after(seconds):
        await jobs.serve()


async def test_simulated_week_has_every_run_at_its_exact_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A job of every minute runs 10,080 times in a week, each at a whole minute exactly (F59)."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=7)
    job = jobs.add(diary, every=timedelta(minutes=1))
    await serve_for(jobs, WEEK + 10)
    assert diary.offsets == [60.0 * n for n in range(1, 10_081)]
    assert job.statistics.runs == 10_080
    assert job.statistics.missed == 0
    assert job.statistics.lateness == 0


@pytest.mark.parametrize(
    ("missed", "runs", "passed", "last"),
    [
        ("skip", 5040, 5039, 604_740.0),  # 60, 180, 300, …: each run makes one due time pass
        ("once", 6720, 3359, 604_770.0),  # back to back; a third of the due times share a run
        ("all", 6720, 0, 604_770.0),  # back to back, ever later
    ],
)
async def test_job_of_90_s_every_60_s(
    autojump_clock: trio.testing.MockClock, missed: str, runs: int, passed: int, last: float
) -> None:
    """A job longer than its interval never overlaps, and each policy gives its exact count.

    (F59)
    """
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=90)
    job = jobs.add(diary, every=60, missed=missed)  # type: ignore[arg-type]  # parametrized
    await serve_for(jobs, WEEK)
    assert len(diary.times) == runs
    assert diary.offsets[-1] == last
    assert abs(job.statistics.missed - passed) <= 1  # the week may end before the last is noticed


async def test_run_that_ends_exactly_at_the_next_due_time_misses_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A job that takes just its interval runs at every due time."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=60)
    job = jobs.add(diary, every=60)
    await serve_for(jobs, 601)
    assert diary.offsets == [60.0 * n for n in range(1, 11)]
    assert job.statistics.missed == 0


async def test_steps_that_no_float_can_hold_do_not_drift(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A tenth of a second keeps its grid over ten minutes, whatever the rounding."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, every=0.1)
    await serve_for(jobs, 600.05)
    assert diary.offsets == [round(n / 10, 6) for n in range(1, 6_001)]


@pytest.mark.parametrize(
    ("missed", "runs", "passed"),
    [("skip", [210.0, 240.0], 2), ("once", [210.0, 240.0], 2), ("all", [210.0] * 3 + [240.0], 0)],
)
async def test_loop_that_was_held_over_due_times(
    autojump_clock: trio.testing.MockClock, missed: str, runs: list[float], passed: int
) -> None:
    """An interval job that waits when its time comes runs, however late the loop notices."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    job = jobs.add(diary, every=60, missed=missed)  # type: ignore[arg-type]  # parametrized
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(10)
        autojump_clock.jump(200)  # to 210: due were 60, 120 and 180
        await trio.lowlevel.checkpoint()
        await trio.sleep(1)
        assert job.statistics.lateness == 30
        await trio.sleep(30)
        assert diary.offsets == runs
        assert job.statistics.missed == passed
        nursery.cancel_scope.cancel()


async def test_failing_job_is_counted_and_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A failure is noted by whoever executes it, and the next run comes at its time (F59)."""
    jobs = Jobs(now=Wall(), execute=execute)

    async def divide() -> None:
        raise ZeroDivisionError

    job = jobs.add(divide, every=60)
    await serve_for(jobs, 301)
    assert (job.statistics.runs, job.statistics.failures) == (5, 5)


async def test_jobs_run_beside_each_other(autojump_clock: trio.testing.MockClock) -> None:
    """A job that takes hours does not hold up another."""
    wall = Wall()
    jobs = Jobs(now=wall, execute=execute)
    slow, quick = Diary(wall, takes=7200), Diary(wall)
    jobs.add(slow, every=60)
    jobs.add(quick, every=60)
    await serve_for(jobs, 3601)
    assert (len(slow.times), len(quick.times)) == (1, 60)


async def test_cron_job_runs_at_the_wall_times_of_its_zone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nine on weekdays in Berlin is eight by Greenwich in winter, five times a week."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    job = jobs.add(diary, cron="0 9 * * MON-FRI", tz="Europe/Berlin")
    await serve_for(jobs, WEEK)
    assert diary.times == [START + timedelta(days=day, hours=8) for day in range(5)]
    assert job.statistics.lateness == 0


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # 02:30 does not exist: the job comes at 03:00, the first minute that does
        (datetime(2026, 3, 29, tzinfo=BERLIN), "2026-03-29T03:00:00+02:00"),
        # 02:30 comes twice: the job comes at the first
        (datetime(2026, 10, 25, tzinfo=BERLIN), "2026-10-25T02:30:00+02:00"),
    ],
)
async def test_daily_job_runs_exactly_once_on_both_daylight_saving_days(
    autojump_clock: trio.testing.MockClock, day: datetime, expected: str
) -> None:
    """A job at half past two in Berlin runs once on each of the two odd days of the year (F57)."""
    wall = Wall((day - timedelta(days=1)).astimezone(UTC))
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, cron="30 2 * * *", tz=BERLIN)
    await serve_for(jobs, 3 * 86_400)
    ran = [time.astimezone(BERLIN) for time in diary.times]
    assert [time.day for time in ran] == [(day + timedelta(days=n)).day for n in (-1, 0, 1)]
    assert ran[1].isoformat() == expected


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25)])
async def test_hourly_job_keeps_its_distance_on_daylight_saving_days(
    autojump_clock: trio.testing.MockClock, month: int, day: int, hours: int
) -> None:
    """The short day has 23 hourly runs, the long one 25, an hour apart."""
    wall = Wall(datetime(2026, month, day, tzinfo=BERLIN).astimezone(UTC) - timedelta(seconds=1))
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, cron="0 * * * *", tz=BERLIN)
    await serve_for(jobs, hours * 3600)
    assert diary.offsets == [1.0 + 3600 * n for n in range(hours)]


def test_time_in_the_second_of_the_doubled_hours_looks_forward() -> None:
    """Asked in the repeated hour, a schedule answers the next day, not the hour before."""
    times = CronTimes("30 2 * * *", BERLIN)
    repeated = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=BERLIN).astimezone(UTC)
    assert times.next_after(repeated).astimezone(BERLIN).isoformat() == "2026-10-26T02:30:00+01:00"


@pytest.mark.parametrize(("missed", "runs"), [("once", 1), ("skip", 0), ("all", 3)])
async def test_machine_that_slept_over_cron_times(
    autojump_clock: trio.testing.MockClock, missed: str, runs: int
) -> None:
    """After a leap of the wall clock over three due times each policy does as it says."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    job = jobs.add(diary, cron="30 * * * *", tz=UTC, missed=missed)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(60)
        wall.offset = timedelta(hours=3)
        await trio.sleep(31)  # the clock is read again within 30 s
        assert len(diary.times) == runs
        assert job.statistics.missed == {"once": 2, "skip": 3, "all": 0}[missed]
        await trio.sleep(1800)
        assert diary.offsets[runs:] == [3.5 * 3600]  # and then goes on as always
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("sign", [1, -1])
async def test_daily_job_runs_once_a_day_though_the_clock_is_set(
    autojump_clock: trio.testing.MockClock, hours: int, sign: int
) -> None:
    """Set by an hour or a day, forward or back, no due time is run twice and none is lost (F57)."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    job = jobs.add(diary, cron="0 9 * * *", tz=UTC)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(9.5 * 3600)  # it ran half an hour ago
        assert job.statistics.runs == 1
        wall.offset = timedelta(hours=sign * hours)
        await trio.sleep((START + timedelta(days=4) - wall()).total_seconds())
        assert [time.date() for time in diary.times] == [
            (START + timedelta(days=day)).date() for day in range(4)
        ]
        nursery.cancel_scope.cancel()


async def test_clock_corrected_by_years_does_not_silence_a_job(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A clock that was years ahead is set right: the job leaves out one due time at most."""
    wall = Wall()
    wall.offset = timedelta(days=2000)
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, cron="0 * * * *", tz=UTC)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(3601)
        assert len(diary.times) == 1
        wall.offset = timedelta()
        await trio.sleep(10 * 3600)
        assert len(diary.times) == 10
        nursery.cancel_scope.cancel()


async def test_clock_set_back_before_the_first_run_loses_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A due time that this service has not yet had counts, though the clock had passed it."""
    wall = Wall()
    wall.offset = timedelta(hours=10)
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, cron="0 9 * * *", tz=UTC)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        wall.offset = timedelta(hours=8)
        await trio.sleep(3601)
        assert diary.offsets == [9 * 3600]
        nursery.cancel_scope.cancel()


async def test_clock_with_microseconds_neither_spins_nor_runs_early(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A start between two microseconds still gives runs at, and not before, whole minutes."""
    await trio.sleep(0.123456789)
    wall = Wall(START + timedelta(microseconds=333_333))
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall)
    jobs.add(diary, cron="* * * * *", tz=UTC)
    await serve_for(jobs, 86_400)
    assert len(diary.times) == 1440
    assert all((time.second, time.microsecond) <= (0, 1) for time in diary.times)


async def test_job_added_and_cancelled_while_serving(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A job begins when it is added, and after cancel its run ends but no other begins."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=30)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(15)
        job = jobs.add(diary, every=60, name="late")
        assert job.statistics.next_due == wall() + timedelta(seconds=60)
        await trio.sleep(70)
        assert job.statistics.running
        job.cancel()
        await trio.sleep(600)
        assert diary.offsets == [75.0]
        assert not diary.inside, "the run was cut off"
        assert jobs.jobs == ()
        assert jobs.add(diary, every=60, name="late").name == "late"
        nursery.cancel_scope.cancel()


async def test_job_may_cancel_itself(autojump_clock: trio.testing.MockClock) -> None:
    """A job that cancels itself in its third run finishes that run and has no fourth."""
    jobs = Jobs(now=Wall(), execute=execute)
    finished = 0

    async def thrice() -> None:
        nonlocal finished
        if job.statistics.runs == 3:
            job.cancel()
        await trio.sleep(1)
        finished += 1

    job = jobs.add(thrice, every=60)
    await serve_for(jobs, 600)
    assert finished == 3


async def test_stop_lets_a_run_end_and_begins_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After stop, serve returns when the run that goes on has ended; it can be called again."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=50)
    other = Diary(wall)
    jobs.add(diary, every=60)
    jobs.add(other, every=3600)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(70)
        jobs.stop()
    assert trio.current_time() == 110
    assert (diary.offsets, diary.inside, other.times) == ([60.0], 0, [])
    await serve_for(jobs, 61)
    assert diary.offsets == [60.0, 170.0]


async def test_run_now_runs_at_once_and_never_beside_a_scheduled_run(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A run by hand waits for one that goes on, and a scheduled one waits for it."""
    wall = Wall()
    jobs, diary = Jobs(now=wall, execute=execute), Diary(wall, takes=40)
    jobs.add(diary, every=60, name="tidy")
    await jobs.run_now("tidy")
    assert diary.offsets == [0.0]
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.serve)
        await trio.sleep(70)
        await jobs.run_now("tidy")
        assert trio.current_time() == 180
        nursery.cancel_scope.cancel()
    assert diary.offsets[:3] == [0.0, 100.0, 140.0]


async def test_run_now_of_an_unknown_job_names_the_known_ones() -> None:
    """A misspelt name is one line with the names that there are."""
    jobs = Jobs(now=Wall(), execute=execute)
    jobs.add(Diary(Wall()), every=60, name="tidy")
    with pytest.raises(JobError, match=r"run_now\('tidi'\): no such job; there are: tidy"):
        await jobs.run_now("tidi")


def test_names_taken_by_default_are_numbered_and_given_ones_refused() -> None:
    """Two jobs of one function get two names; a given name must be free."""
    jobs = Jobs(now=Wall(), execute=execute)

    async def remind() -> None: ...

    assert [jobs.add(remind, every=60).name for _ in range(3)] == [
        "remind",
        "remind-2",
        "remind-3",
    ]
    with pytest.raises(JobError, match="there is a job of this name"):
        jobs.add(remind, every=60, name="remind")


def test_add_refuses_what_it_cannot_run() -> None:
    """No schedule, two schedules, no length and a plain function each fail in one line."""
    jobs = Jobs(now=Wall(), execute=execute)

    async def fine() -> None: ...

    def plain() -> None: ...

    with pytest.raises(JobError, match="either every= or cron="):
        jobs.add(fine)
    with pytest.raises(JobError, match="either every= or cron="):
        jobs.add(fine, every=60, cron="* * * * *")
    with pytest.raises(JobError, match="the time between runs"):
        jobs.add(fine, every=0)
    with pytest.raises(TypeError, match=r"was called.*no call"):
        jobs.add(serve_for(jobs, 1), every=1)  # type: ignore[arg-type]
    with pytest.raises(JobError, match="async def"):
        jobs.add(plain, every=60)  # type: ignore[arg-type]
    assert jobs.jobs == ()
