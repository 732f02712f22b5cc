"""One run from its first line to its last: signals, name, watching, jobs and spells, the end.

What the run of a service has in common with that of a user. What is opened in between is the
business of `core.serving` and `user.serving`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog
import trio

from moobius_trio.config import Settings
from moobius_trio.core.ending import LANES_SECONDS, Ending
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import Handle
from moobius_trio.core.jobs import Jobs
from moobius_trio.core.outside import Outside
from moobius_trio.core.reading import service_name
from moobius_trio.core.running import Running
from moobius_trio.core.signals import ToldToStop
from moobius_trio.core.spell_server import open_name
from moobius_trio.core.supervision import in_task_of
from moobius_trio.core.units import Unit
from moobius_trio.core.watching import Watching, open_watching
from moobius_trio.logs import PassingSecrets, quiet_unless_configured, register_secrets, set_level
from moobius_trio.network.groups import unwrapped
from moobius_trio.types import ChannelId, Tokens

__all__ = ("Authored", "Life", "keeping_out_of_logs")

log = structlog.get_logger()


class Authored(Protocol):
    """What a run is of: the author's object."""

    _serving: bool
    _runtime: Any
    _environment: Environment

    @property
    def jobs(self) -> Jobs: ...

    @property
    def spells(self) -> trio.MemorySendChannel[object]: ...

    @property
    def folder(self) -> Path: ...

    async def on_stop(self) -> None: ...


H = TypeVar("H", bound=Handle)


def keeping_out_of_logs() -> Callable[[Tokens], None]:
    """What an account tells its tokens to, so that they are masked wherever they are logged."""
    secrets = PassingSecrets()

    def keep(tokens: Tokens) -> None:
        secrets.register(*filter(None, (tokens.access, tokens.refresh)))

    return keep


class Life(ABC, Generic[H]):
    """One run of an author's object."""

    def __init__(self, author: Authored, environment: Environment) -> None:
        self.scope = trio.CancelScope()
        self.ending = Ending(type(author).__name__, author.on_stop)
        self.ready = False
        self.told_to_stop = False
        self.environment = environment
        self.name_of_class = type(author).__name__
        self.runtime: Running | None = None
        self._author = author
        self._watching: Watching | None = None

    @abstractmethod
    async def read(self) -> Settings:
        """The settings of the run; raises ``ConfigError``."""

    @abstractmethod
    async def serve(self, settings: Settings, name: str, task_status: trio.TaskStatus[H]) -> None:
        """Open all parts, serve, and close them; the name is held."""

    async def live(self, task_status: trio.TaskStatus[H]) -> None:
        """The whole run.

        Raises:
            RuntimeError: the object runs already.
            SystemExit: a second signal came; or a first one while a ``nursery.start`` waited for
                it to be ready, which it never will be.
        """
        author = self._author
        if author._serving:
            raise RuntimeError(f"{self.name_of_class} runs already; make a second object of it")
        quiet_unless_configured()
        author._serving = True
        author._environment = self.environment
        jobs_before = author.jobs.jobs
        try:
            with (
                unwrapped(),
                self.ending.hearing_signals(drain=self.drain, cancel=self.cancel) as signals,
                self.environment.watchdog(),
                self.scope,
            ):
                await self._under_its_name(task_status)
            awaited = task_status is not trio.TASK_STATUS_IGNORED and not self.ready
            if signals.interrupted or (self.told_to_stop and awaited):
                raise ToldToStop(signals)
        finally:
            author._runtime = None
            author._serving = False
            for job in author.jobs.jobs:
                if job not in jobs_before:
                    job.cancel()  # the next run adds its own again
            self._ended()

    def drain(self) -> None:
        """Begin to stop; a start that is not through is cancelled instead."""
        self.told_to_stop = True
        if self._watching is not None:
            self._watching.told_to_stop()
        if self.runtime is not None and self.ready:
            log.info("stopping", service=self.runtime.name, lanes_at_most=LANES_SECONDS)
            self.runtime.stopping.set()
        else:
            self.scope.cancel()

    def cancel(self) -> None:
        """End now: nobody is waited for any more, and nothing more is said."""
        self.scope.cancel()
        self.ending.flushing.cancel()

    def _ended(self) -> None:
        """Nothing of the run is left: whoever waits for that goes on."""
        if self.runtime is not None:
            self.runtime.stopping.set()
            self.runtime.spells.discard_waiting()
            self.runtime.stopped.set()

    async def _under_its_name(self, task_status: trio.TaskStatus[H]) -> None:
        """The run, under a name that nothing else that lives on this machine has."""
        settings = await self.read()
        name = settings.name or service_name(type(self._author))
        register_secrets(settings.password)
        set_level(settings.log_level)
        outside = Outside(
            name=name,
            since=self.environment.now(),  # real time, whatever the clock of jobs says
            spells=self._author.spells,
            runtime=lambda: self.runtime if self.ready else None,
            stop=self.drain,
        )
        async with (
            open_name(self.environment, outside) as self.ending.socket,
            open_watching(
                self.environment, settings, name, self._author.folder, outside.runtime
            ) as self._watching,
        ):
            try:
                await self.serve(settings, name, task_status)
            finally:
                if self.runtime is not None:  # who waits outside is told before the socket goes
                    self.runtime.spells.discard_waiting()

    async def lead(
        self,
        runtime: Running,
        prepare: Callable[[], Awaitable[None]],
        say_ready: Callable[[], None],
    ) -> None:
        """Let the author prepare, run until the stop, and drain.

        Lanes open, jobs and spells begin, and ready is said when `prepare` has returned.
        """
        self.runtime = self.ending.runtime = self._author._runtime = runtime
        try:
            # A start that cannot be cancelled is left alone like any other code of the author's.
            await in_task_of(runtime.nursery, prepare)
            runtime.dispatcher.lanes.open()
            await runtime.nursery.start(self._serve_jobs)
            await runtime.nursery.start(runtime.spells.serve)
            self.ready = True
            log.info("ready", service=runtime.name, service_id=runtime.client_id)
            if self._watching is not None:
                self._watching.ready()
            say_ready()
            await runtime.stopping.wait()
            await self.ending.drain(runtime)
        finally:
            self.ending.close(runtime)

    async def attempt(
        self,
        name: str,
        callback: Callable[[], Awaitable[None]],
        channel_id: ChannelId | None = None,
    ) -> None:
        """Run a callback of the start, of this name; what it raises ends the run."""
        assert self.runtime is not None  # noqa: S101  # lead() has set it
        handler = f"{self.name_of_class}.{name}"
        unit = Unit(handler=handler, channel_id=channel_id, in_lane=True)
        await self.runtime.boundary.attempt(unit, callback, limited=False)

    async def _serve_jobs(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self.ending.jobs():
            await self._author.jobs.serve(
                reread=self.environment.reread_seconds, task_status=task_status
            )
