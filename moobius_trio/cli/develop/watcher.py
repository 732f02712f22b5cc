"""What the command does for the `Reloader`: one protocol, and what it is told by values.

Nothing is done here.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from moobius_trio.cli.develop.process import ChildFailed
from moobius_trio.cli.develop.words import Loaded, Lost, Ready, Serve
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.local import Problem

__all__ = ("Restarted", "Watcher")


@attrs.frozen
class Restarted:
    """A service that was started anew."""

    why: str
    seconds: float


class Watcher(Protocol):
    """What the command does for the `Reloader`."""

    async def prepare(self, loaded: Loaded) -> Serve:
        """Make the platform ready for a service that was loaded, and give the order for it."""
        ...

    def on_ready(self, ready: Ready, restarted: Restarted | None) -> None:
        """The service runs; None for the first time."""
        ...

    def on_no_start(self, failure: ChildFailed) -> None:
        """The service has failed before it was ready for the first time; that ends the run."""
        ...

    def on_problem(self, problem: Problem, *, runs_on: bool) -> None:
        """New code was not taken and the old runs on, or nothing runs."""
        ...

    def on_trace(self, record: TraceRecord | UnitRecord | Lost) -> None:
        """The service has sent a frame or ended a unit of work, or the trace has a hole."""
        ...
