"""What a program that runs a service beside the platform offers: its state, its jobs, a restart.

Values and one protocol; nothing runs here, and no process, pipe or page is known here.
``moobius-trio dev`` gives the platform one of these (``Platform.control``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import attrs

__all__ = ("PROBLEM_LENGTH", "Control", "JobRow", "Problem", "RunState", "ServiceState")

PROBLEM_LENGTH = 20_000
"""Characters of `Problem.text`; what is more is left out in the middle."""

_LEFT_OUT = "\n  […]\n"

RunState: TypeAlias = Literal["starting", "running", "restarting", "crashed", "stopped"]


def _capped(text: str) -> str:
    if len(text) <= PROBLEM_LENGTH:
        return text
    half = (PROBLEM_LENGTH - len(_LEFT_OUT)) // 2
    return text[:half] + _LEFT_OUT + text[-half:]


@attrs.frozen(kw_only=True)
class Problem:
    """Why the service does not run, or why its new code was not taken."""

    text: str = attrs.field(converter=_capped)
    """The traceback for people, or what was said instead of one; without secrets, and at most
    `PROBLEM_LENGTH` characters: what is longer loses its middle."""
    file: str = ""
    """Of the innermost line of the author's own code, relative to the project where it lies in
    it; empty where none is known."""
    line: int = 0
    """0 where none is known."""
    summary: str
    """One line, such as ``SyntaxError: invalid syntax (service.py:12)``."""


@attrs.frozen(kw_only=True)
class ServiceState:
    """How the service does. One with a `problem` may be ``running``: the old code runs on, and
    the problem is that of the new code."""

    name: str
    """The service's name; empty before it was ready for the first time."""
    state: RunState
    problem: Problem | None = None
    restarts: int = 0
    """How often new code or a new process has taken over since the program began."""
    restart_seconds: float | None = None
    """Of the last one, from the save (or the call) to the moment it was ready."""


@attrs.frozen(kw_only=True)
class JobRow:
    """One periodic job of the service."""

    name: str
    next_at: str
    """ISO 8601, by the service's own clock (`Control.advance`); empty: not planned."""
    runs: int
    running: bool


class Control(Protocol):
    """What a program that runs the service gives the platform (``Platform.control``)."""

    def state(self) -> ServiceState:
        """How the service does now."""
        ...

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called after each change of the state or of the jobs."""
        ...

    async def restart(self) -> None:
        """Start the service anew; returns when it is ready, or is known not to become so."""
        ...

    async def jobs(self) -> tuple[JobRow, ...]:
        """The service's jobs in the order in which they were added; none while it does not run."""
        ...

    async def run_job(self, name: str) -> None:
        """Run a job once, now; returns when the run has ended.

        Raises:
            UsageError: there is no such job, or no service that runs.
        """
        ...

    async def advance(self, seconds: float) -> float:
        """Put the clock of jobs, and no other one, forward: no limit of the link, of tokens or of
        handlers comes nearer. The clock keeps its offset over restarts of the service.

        Returns:
            By how many seconds that clock is ahead now.

        Raises:
            UsageError: the clock can only go forward, and by no more than a year at once.
        """
        ...
