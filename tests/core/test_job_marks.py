"""Marked methods: what the decorators refuse, and how the marks are found again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from moobius_trio.core.job_marks import JobFunction
from moobius_trio.core.jobs import Job, Jobs, cron, every, find_jobs, takes_band
from moobius_trio.core.schedule import CronTimes, Interval
from moobius_trio.errors import JobError

BERLIN = ZoneInfo("Europe/Berlin")


def now() -> datetime:
    """A wall clock that stands still."""
    return datetime(2026, 3, 2, tzinfo=UTC)


async def execute(job: Job) -> None:
    """Run the function of a job."""
    await job.fn()


class Base:
    """Jobs to be found, in this order."""

    @every(minutes=1)
    async def check_in(self, band: object) -> None: ...

    @cron("0 9 * * *", tz="Europe/Berlin", missed="skip")
    async def report(self) -> None: ...

    @every(hours=1)
    async def tidy(self) -> None: ...

    async def no_job(self) -> None: ...


class Derived(Base):
    """Overrides one job, switches one off, and adds one."""

    async def check_in(self, band: object) -> None:
        self.checked = band

    tidy = None  # type: ignore[assignment]

    @every(seconds=90, missed="all")
    async def more(self) -> None: ...


def test_find_jobs_gives_inherited_jobs_in_order() -> None:
    """An overriding method keeps the schedule, None takes the job away."""
    assert [name for name, _ in find_jobs(Base)] == ["check_in", "report", "tidy"]
    found = dict(find_jobs(Derived))
    assert list(found) == ["check_in", "report", "more"]
    assert found["check_in"].schedule == Interval(60)
    assert (found["more"].schedule, found["more"].missed) == (Interval(90), "all")
    assert found["report"].schedule == CronTimes("0 9 * * *", BERLIN)
    assert found["report"].missed == "skip"


async def test_add_methods_binds_the_marked_methods() -> None:
    """The jobs of an object call its own, overriding methods."""
    jobs = Jobs(now=now, execute=execute)
    service = Derived()
    check_in = jobs.add_methods(service)[0]
    await check_in.fn("a band")
    assert (check_in.name, service.checked) == ("check_in", "a band")


def test_override_that_is_not_async_is_refused() -> None:
    """A job overridden by a plain method fails when the jobs are looked for."""

    class Wrong(Base):
        def tidy(self) -> None:  # type: ignore[override]
            ...

    with pytest.raises(JobError, match=r"Wrong\.tidy: it overrides a job"):
        find_jobs(Wrong)


def test_decorators_give_the_method_back() -> None:
    """The decorated function is the function itself, so it can be called and typed as before."""

    async def tidy(self: object) -> None: ...

    assert every(seconds=1)(tidy) is tidy


def test_takes_band() -> None:
    """The one required argument after self is a band; defaults do not count."""

    async def alone() -> None: ...

    async def with_band(band: object) -> None: ...

    async def with_default(word: str = "hi") -> None: ...

    service = Base()
    fns: list[tuple[JobFunction, bool]] = [
        (service.check_in, True),
        (service.report, False),
        (Base.check_in, True),
        (Base.report, False),
        (alone, False),
        (with_band, True),
        (with_default, False),
        (functools.partial(with_band, 1), False),
    ]
    assert [takes_band(fn) for fn, _ in fns] == [expected for _, expected in fns]


def test_wrong_marks_fail_at_decoration_in_one_line() -> None:
    """Bad lengths, fields, zones, policies and functions are refused with their remedy."""

    async def good(self: object) -> None: ...

    async def greedy(self: object, band: object, word: str) -> None: ...

    def plain(self: object) -> None: ...

    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: every()(good), "time between runs"),
        (lambda: every(seconds=-5)(good), "time between runs"),
        (lambda: every(hours=float("nan"))(good), "time between runs"),
        (lambda: every(minutes=1, missed="never")(good), "missed= is"),  # type: ignore[arg-type]
        (lambda: every(minutes=1)(plain), "`async def`"),  # type: ignore[type-var]
        (lambda: every(minutes=1)(greedy), "at most a band"),
        (lambda: cron("61 * * * *")(good), "bad minute field"),
        (lambda: cron("* * * *")(good), "five fields"),
        (lambda: cron("0 0 9 * * *")(good), "five fields"),
        (lambda: cron("0 0 30 2 *")(good), "bad day-of-month field"),
        (lambda: cron("0 9 * * *", tz="Europe/Berlim")(good), "did you mean Europe/Berlin"),
        (lambda: cron("0 9 * * *", tz="../etc/passwd")(good), "no time zone"),
        (lambda: cron("0 9 * * *", tz="Europe")(good), "no time zone"),
    ]
    for make, words in cases:
        with pytest.raises(JobError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)
        assert "test_wrong_marks" in str(caught.value), "the method is not named"


def test_second_schedule_on_one_method_is_refused() -> None:
    """A method has one schedule; the second decorator says so."""

    async def tidy(self: object) -> None: ...

    every(minutes=1)(tidy)
    with pytest.raises(JobError, match="has a schedule already"):
        cron("0 9 * * *")(tidy)
