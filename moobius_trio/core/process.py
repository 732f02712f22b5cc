"""The services that run in one event loop, seen together: what of them is ready, and what is not.

Asked by the operations port and told to systemd; nothing here opens a socket or starts a task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import trio

if TYPE_CHECKING:
    from moobius_trio.core.running import Running

__all__ = ("Phase", "Process", "Watched", "this_process")

Phase: TypeAlias = Literal["starting", "running", "stopping"]


@attrs.define(eq=False, kw_only=True)
class Watched:
    """One service, from its read settings to its end."""

    name: str
    runtime: Callable[[], Running | None]
    """What it consists of; None until it is ready."""
    told_to_stop: bool = False
    """A signal or a command said so; a program that stops it by itself may have other plans."""

    @property
    def phase(self) -> Phase:
        """Where it is in its life."""
        runtime = self.runtime()
        if self.told_to_stop or (runtime is not None and runtime.stopping.is_set()):
            return "stopping"
        return "starting" if runtime is None else "running"

    def problems(self) -> list[str]:
        """Why it is not ready, in words without ids; empty when it is."""
        runtime = self.runtime()
        if self.phase != "running" or runtime is None:
            return [f"{self.name}: {self.phase}"]
        link = runtime.link.statistics()
        found = []
        if link.state != "connected":
            wait = link.next_attempt_in
            due = "" if wait is None else f", next attempt in {wait:.0f} s"
            found.append(f"{self.name}: not connected ({link.state}{due})")
        broken = sum(store.broken is not None for store in runtime.store_statistics)
        if broken:
            found.append(f"{self.name}: {broken} of its stores take no changes; the log says why")
        return found


class Process:
    """Every service that runs in this event loop; made by `this_process`."""

    def __init__(self) -> None:
        self._services: dict[Watched, None] = {}
        self._turns: dict[object, trio.Lock] = {}

    @property
    def services(self) -> tuple[Watched, ...]:
        """In the order in which they began."""
        return tuple(self._services)

    def add(self, service: Watched) -> None:
        """A service begins."""
        self._services[service] = None

    def remove(self, service: Watched) -> None:
        """It has ended."""
        del self._services[service]

    def problems(self) -> list[str]:
        """Why the process is not ready; empty when it is."""
        if not self._services:
            return ["no service runs"]
        return [problem for service in self._services for problem in service.problems()]

    def turn(self, what: object) -> trio.Lock:
        """The lock of something that one service does for all of them.

        Whoever holds it does it; when that service ends, the next in line goes on with it.
        """
        return self._turns.setdefault(what, trio.Lock())


_process: trio.lowlevel.RunVar[Process] = trio.lowlevel.RunVar("moobius_trio_process")


def this_process() -> Process:
    """The one of the running event loop."""
    try:
        return _process.get()
    except LookupError:
        process = Process()
        _process.set(process)
        return process
