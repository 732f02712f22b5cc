"""What a running service is asked and told from outside, with its silence understood.

Which process is asked, and whether one runs, is known elsewhere.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import trio

from moobius_trio.cli.develop.process import Child, ChildFailed
from moobius_trio.cli.develop.words import Advance, Advanced, Done, ListJobs, Rows, RunJob
from moobius_trio.errors import UsageError
from moobius_trio.local import JobRow

__all__ = ("NOT_RUNNING", "advance", "check_seconds", "hurry_if_still", "job_rows", "run_job")

NOT_RUNNING: Final = "the service does not run"

ANSWER_SECONDS: Final = 5.0
"""How long a service may take to tell of its jobs; one that stands still never does."""

STILL_SECONDS: Final = 3.0
"""How long a service that is to be replaced may stand still; then its handlers are given up."""

LONGEST_ADVANCE: Final = 366 * 86_400.0


async def job_rows(child: Child) -> tuple[JobRow, ...]:
    """The service's jobs; none while it does not answer."""
    with trio.move_on_after(ANSWER_SECONDS), suppress(ChildFailed):
        return (await child.ask(ListJobs(), Rows)).rows
    return ()


async def run_job(child: Child | None, name: str) -> None:
    """Run a job once, now; returns when the run has ended.

    Raises:
        UsageError: there is no such job, or no service that runs.
    """
    if child is None:
        raise UsageError(NOT_RUNNING)
    try:
        await child.ask(RunJob(name=name), Done)
    except ChildFailed:
        raise UsageError(NOT_RUNNING) from None


def check_seconds(seconds: float) -> None:
    """Refuse what the clock of jobs cannot be put forward by.

    Raises:
        UsageError: not a number of seconds, or too many.
    """
    if not 0 <= seconds <= LONGEST_ADVANCE:
        raise UsageError("the clock of jobs can only go forward, by at most a year at once")


async def advance(child: Child, seconds: float) -> float:
    """Put the service's clock of jobs forward; gives by how much it is ahead then.

    Raises:
        UsageError: the service does not answer; whether it will is not known.
    """
    with trio.move_on_after(ANSWER_SECONDS):
        try:
            return (await child.ask(Advance(seconds=seconds), Advanced)).ahead
        except ChildFailed:
            raise UsageError(NOT_RUNNING) from None
    raise UsageError("the service does not answer; restart it")


async def hurry_if_still(child: Child) -> None:
    """Have a process that was told to end, and stands still, end at once.

    It would begin to end in good order only when it moves again, if ever.
    """
    with trio.move_on_after(STILL_SECONDS) as scope, suppress(ChildFailed, UsageError):
        await child.ask(ListJobs(), Rows)
    if scope.cancelled_caught:
        child.hurry()
