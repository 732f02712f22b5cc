"""What a run shows of itself: log files, the operations port, systemd, a line each minute.

Only watches: nothing here changes how the service runs, and each part is off unless asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.notify import Notifier
from moobius_trio.core.process import Process, Watched, this_process
from moobius_trio.core.reading import environment_variables, given_folder
from moobius_trio.core.statistics import in_one_line
from moobius_trio.logs import open_log_files

if TYPE_CHECKING:
    from moobius_trio.core.running import Running

__all__ = ("Watching", "open_watching")

log = structlog.get_logger()

LINE_SECONDS = 60.0


class Watching:
    """What the run tells of its way; made by `open_watching`."""

    def __init__(self, process: Process, service: Watched, notifier: Notifier) -> None:
        self._process = process
        self._service = service
        self._notifier = notifier

    def ready(self) -> None:
        """The service is ready; systemd hears of it when all are that have begun."""
        _tell_readiness(self._process, self._notifier)

    def told_to_stop(self) -> None:
        """A signal or a command told the service to stop; systemd hears when that holds for all."""
        self._service.told_to_stop = True
        if all(service.told_to_stop for service in self._process.services):
            self._notifier.tell("STOPPING", "1")


@asynccontextmanager
async def open_watching(
    environment: Environment,
    settings: Settings,
    name: str,
    folder: Path,
    runtime: Callable[[], Running | None],
) -> AsyncIterator[Watching]:
    """Let the block be watched; ready once the operations port is served, if there is one.

    Args:
        folder: what the log files' folder is relative to.
        runtime: gives the run's parts once the service is ready.

    Raises:
        ConfigError: the operations port is taken.
    """
    environ = environment_variables(environment)
    notifier = Notifier(environ)
    process, service = this_process(), Watched(name=name, runtime=runtime)
    process.add(service)
    try:
        with _open_files(settings, folder, given_folder(environ, "LOGS_DIRECTORY")):
            async with trio.open_nursery() as nursery:
                if settings.ops_port is not None:
                    from moobius_trio.core.operations import serve_operations  # an HTTP server

                    where = f"{settings.path or 'settings'}, key ops_port"
                    await nursery.start(serve_operations, process, settings.ops_port, where)
                if notifier.wanted:
                    nursery.start_soon(_keep_telling, process, notifier)
                nursery.start_soon(_log_each_minute, service)
                yield Watching(process, service, notifier)
                nursery.cancel_scope.cancel()
    finally:
        process.remove(service)
        _tell_readiness(process, notifier)  # the others may have waited for this one


def _open_files(
    settings: Settings, folder: Path, given: Path | None
) -> contextlib.AbstractContextManager[None]:
    """The log files of a run that has a service.json; others belong to `dev` or to a test."""
    if settings.logs is None or settings.path is None:
        return contextlib.nullcontext()
    return open_log_files(given or folder / settings.logs)


def _tell_readiness(process: Process, notifier: Notifier) -> None:
    services = process.services
    if services and all(service.phase == "running" for service in services):
        notifier.tell("STATUS", _status(process))
        notifier.tell("READY", "1")


async def _keep_telling(process: Process, notifier: Notifier) -> None:
    """One of the services tells for all; when it ends, the next in line does."""
    async with process.turn("systemd"):
        await notifier.keep_telling(lambda: _status(process))


def _status(process: Process) -> str:
    return "; ".join(process.problems()) or "ready: " + ", ".join(
        service.name for service in process.services
    )


async def _log_each_minute(service: Watched) -> None:
    while True:
        await trio.sleep(LINE_SECONDS)
        runtime = service.runtime()
        if runtime is not None:
            log.debug("statistics", service=service.name, **in_one_line(runtime.statistics()))
