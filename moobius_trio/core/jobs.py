"""Periodic jobs: when each of them runs, with what it has missed and how late it was.

How one run is executed (unit of work, lane, report of a failure) is the caller's: `Jobs` only
knows when. No thread, and no clock but trio's and the one given (docs/architecture.md section 7).
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, tzinfo

import attrs
import structlog
import trio

from moobius_trio.core.job_marks import JobFunction, cron, every, find_jobs, takes_band
from moobius_trio.core.schedule import (
    JobSpec,
    Missed,
    Schedule,
    cron_times,
    interval,
    missed_policy,
)
from moobius_trio.core.signatures import is_async, name_of
from moobius_trio.core.timers import REREAD_SECONDS, Timer, make_timer
from moobius_trio.errors import JobError

__all__ = ("Job", "JobSpec", "JobStatistics", "Jobs", "cron", "every", "find_jobs", "takes_band")

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class JobStatistics:
    """A snapshot of one job."""

    runs: int
    """Runs that were begun, by hand ones included."""
    failures: int
    missed: int
    """Due times that got no run of their own. After a leap of the clock at least this many."""
    lateness: float | None
    """How many seconds after its due time the last run began; None before the first."""
    next_due: datetime | None
    """None while the jobs are not served."""
    running: bool


class Job:
    """One job. Made by `Jobs.add`; to be used in the event loop's own thread."""

    def __init__(self, name: str, fn: JobFunction, schedule: Schedule, missed: Missed) -> None:
        self.name = name
        self.fn = fn
        self.schedule = schedule
        self.missed = missed
        self.cancelled = False
        self._alone = trio.Lock()
        self._waiting: trio.CancelScope | None = None
        self._timer: Timer | None = None
        self._runs = 0
        self._failures = 0
        self._missed = 0
        self._lateness: float | None = None

    def cancel(self) -> None:
        """No further run; one that goes on ends by itself. The name is free again."""
        self.cancelled = True
        self._wake()

    def note_failure(self) -> None:
        """Count a failed run: for whoever executes runs, since that never raises."""
        self._failures += 1

    @property
    def statistics(self) -> JobStatistics:
        """A snapshot of what this job has done."""
        return JobStatistics(
            runs=self._runs,
            failures=self._failures,
            missed=self._missed,
            lateness=self._lateness,
            next_due=self._timer.next_due() if self._timer is not None else None,
            running=self._alone.locked(),
        )

    def __repr__(self) -> str:
        return f"<Job {self.name}>"

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    def _pass_over(self, count: int) -> None:
        if count:
            self._missed += count
            log.info("job runs missed", job=self.name, runs=count, policy=self.missed)


class Jobs:
    """The jobs of one service.

    Args:
        now: the aware wall clock of cron jobs, with what `advance` put it forward; in simulated
            time a start plus trio's clock.
        execute: runs one run of a job to its end. It reports a failure (and counts it with
            `Job.note_failure`); what it raises ends `serve`.
    """

    def __init__(
        self, *, now: Callable[[], datetime], execute: Callable[[Job], Awaitable[None]]
    ) -> None:
        self._now = now
        self._execute = execute
        self._jobs: list[Job] = []
        self._nursery: trio.Nursery | None = None
        self._reread = REREAD_SECONDS
        self._ahead = 0.0
        self._stopped = trio.Event()

    @property
    def ahead(self) -> float:
        """By how many seconds the clock of jobs was put forward."""
        return self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock of jobs forward, and no other one: for tools and tests.

        What comes due by that is late, as after a machine's sleep: a job runs once or is left out
        as its ``missed`` says. ``now()`` of the service goes with it; limits of handlers, of the
        link and of tokens do not.

        Raises:
            ValueError: the clock cannot go back.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"the clock of jobs only goes forward, not by {seconds:g} s")
        self._ahead += seconds
        for job in self._jobs:
            job._wake()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that are not cancelled, in the order in which they were added."""
        self._jobs = [job for job in self._jobs if not job.cancelled]
        return tuple(self._jobs)

    def add(
        self,
        fn: JobFunction,
        *,
        every: timedelta | float | None = None,
        cron: str | None = None,
        tz: str | tzinfo | None = None,
        missed: Missed | None = None,
        name: str | None = None,
    ) -> Job:
        """Add a job, also from a handler; before `serve` it begins with it.

        Args:
            fn: an async function without arguments, or with one: it then runs for each band.
            every: the time between runs, a timedelta or seconds. Either this or ``cron``.
            cron, tz, missed: as for the decorators, with their defaults.
            name: for logs and `run_now`; by default that of ``fn``, numbered if it is taken.

        Raises:
            JobError: wrong arguments; nothing was added.
            TypeError: ``fn`` was called instead of given.
        """
        name_of(fn)  # it finds a coroutine in place of fn
        own_name = getattr(fn, "__name__", type(fn).__name__)
        where = f"jobs.add({name or own_name})"
        schedule: Schedule
        if (every is None) == (cron is None):
            raise JobError(where, "give either every= or cron=")
        if cron is not None:
            schedule = cron_times(cron, tz, where)
        else:
            seconds = every.total_seconds() if isinstance(every, timedelta) else every
            schedule = interval(seconds or 0, where)
        if inspect.isroutine(fn) and own_name != "<lambda>" and not is_async(fn):
            raise JobError(where, "a job is an `async def`")
        policy = missed_policy(missed or ("skip" if cron is None else "once"), where)
        return self._add(fn, schedule, policy, self._free_name(name, own_name, where))

    def add_methods(self, service: object) -> tuple[Job, ...]:
        """Add the marked methods of an object (`find_jobs`), bound to it."""
        return tuple(
            self._add(
                getattr(service, name), spec.schedule, spec.missed, self._free_name(name, name, "")
            )
            for name, spec in find_jobs(type(service))
        )

    async def serve(
        self,
        *,
        reread: float = REREAD_SECONDS,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run all jobs side by side until `stop`; ``started()`` at once.

        Cancelled, it ends without waiting for runs that go on, beyond their own cleanup. May be
        called again afterwards: every job then begins anew.

        Args:
            reread: seconds after which a waiting cron job looks at the wall clock again, in case
                it was set or the machine slept. Infinite where ``now`` follows trio's clock.
        """
        if self._nursery is not None:
            raise RuntimeError("these jobs are served already")
        self._stopped = trio.Event()
        self._reread = reread
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for job in self.jobs:
                    self._begin(job, nursery)
                task_status.started()
                await self._stopped.wait()
            finally:
                self._nursery = None

    def stop(self) -> None:
        """Begin no further run; `serve` returns when those that go on have ended."""
        self._stopped.set()
        for job in self._jobs:
            job._wake()

    async def run_now(self, name: str) -> None:
        """Run a job once, now, besides its schedule; while it runs already, after that.

        Returns when the run has ended. For tools and tests; needs no `serve`.

        Raises:
            JobError: no job of that name.
        """
        for job in self.jobs:
            if job.name == name:
                async with job._alone:
                    job._runs += 1
                    await self._execute(job)
                return
        names = ", ".join(job.name for job in self.jobs) or "none at all"
        raise JobError(f"run_now({name!r})", f"no such job; there are: {names}")

    def _free_name(self, name: str | None, default: str, where: str) -> str:
        taken = {job.name for job in self.jobs}
        if name is not None and name in taken:
            raise JobError(where or f"job {name}", "there is a job of this name already")
        numbered = (f"{default}-{number}" for number in itertools.count(2))
        candidates = itertools.chain([name or default], numbered)
        return next(candidate for candidate in candidates if candidate not in taken)

    def _add(self, fn: JobFunction, schedule: Schedule, missed: Missed, name: str) -> Job:
        job = Job(name, fn, schedule, missed)
        self._jobs.append(job)
        if self._nursery is not None:
            self._begin(job, self._nursery)
        return job

    def _begin(self, job: Job, nursery: trio.Nursery) -> None:
        # The timer is made here, not in the task, so that all grids begin at the same moment.
        job._timer = make_timer(job.schedule, self._now, self._reread, lambda: self._ahead)
        nursery.start_soon(self._keep, job, job._timer, name=f"job {job.name}")

    async def _keep(self, job: Job, timer: Timer) -> None:
        try:
            while not self._over(job):
                with trio.CancelScope() as job._waiting:
                    await timer.wait()
                if self._over(job):
                    return
                if job._waiting.cancelled_caught:
                    continue  # the clock was put forward: look again
                taken = timer.take(each=job.missed == "all")
                job._pass_over(taken.passed)
                if job.missed == "skip" and taken.lateness > timer.grace:
                    job._pass_over(1)
                    continue
                await self._run(job, taken.lateness)
                if job.missed == "skip":
                    job._pass_over(timer.drop())
        finally:
            job._timer = None

    async def _run(self, job: Job, lateness: float) -> None:
        async with job._alone:  # `run_now` may be at it
            if self._over(job):
                return
            job._lateness = lateness
            job._runs += 1
            await self._execute(job)

    def _over(self, job: Job) -> bool:
        return job.cancelled or self._stopped.is_set()
