"""In the service's process: the code is loaded, served, and asked about its jobs.

No process, no pipe and no end of the process here; errors are the caller's.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from moobius_trio.cli.blocking import Blocking
from moobius_trio.cli.develop.pipes import Words
from moobius_trio.cli.develop.problems import is_authors
from moobius_trio.cli.develop.reporting import Reporter
from moobius_trio.cli.develop.words import (
    Advance,
    Advanced,
    Answer,
    Done,
    ListJobs,
    Loaded,
    Numbered,
    Ready,
    Refused,
    Reply,
    Rows,
    RunJob,
    Serve,
)
from moobius_trio.cli.loading import load_service
from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.reading import own_choices, service_name
from moobius_trio.core.run import spare_what_stays
from moobius_trio.core.service import MoobiusService
from moobius_trio.core.unawaited import watch_unawaited
from moobius_trio.errors import JobError, NeverAwaited
from moobius_trio.local import JobRow
from moobius_trio.types import ChannelId, Secret, ServiceId

__all__ = ("Work",)

FOLDERS: Final = 50
"""Folders of the author's modules that are told."""

log = structlog.get_logger()


class Work:
    """A service that was loaded, and what its project chooses for a run."""

    def __init__(self, target: str) -> None:
        """Import the author's code and make the service.

        Raises:
            BaseException: whatever that code raises.
        """
        before = set(sys.modules)
        self._service: MoobiusService[Any] = load_service(target)
        self._options, self._containers = own_choices(self._service)
        self._folders = _folders_of(set(sys.modules) - before)

    @property
    def loaded(self) -> Loaded:
        """What the parent has to know before it has the service served."""
        name = service_name(type(self._service))
        return Loaded(
            name=name,
            called=self._options.get("name") or name,
            folder=str(self._service.folder),
            folders=self._folders,
        )

    async def serve(
        self,
        order: Serve,
        orders: Words[Numbered],
        reporter: Reporter,
        on_ready: Callable[[Ready], Awaitable[None]],
    ) -> None:
        """Run the service, as the order says, until it is stopped, and obey further orders.

        Raises:
            BaseException: whatever ends the service otherwise.
        """
        service = self._service
        service._environment = Environment(
            settings=Settings(
                http_server_uri=f"{order.url}/",
                ws_server_uri=order.url.replace("http://", "ws://", 1) + "/",
                email=order.email,
                password=Secret(order.password),
                service_id=None if order.service_id is None else ServiceId(order.service_id),
                channels=tuple(map(ChannelId, order.bands)),
                others="include",
                **self._options,
            ),
            containers=self._containers,
            state=Path(order.stores),
            exclusive=False,  # it has this platform for itself; the state folder is locked
            reached_as=order.reached_as,
            trace=reporter.trace,
        )
        service.jobs.advance(order.ahead)
        trio.lowlevel.add_instrument(Blocking())
        with watch_unawaited(_tell_unawaited):
            async with trio.open_nursery() as nursery:
                handle: ServiceHandle = await nursery.start(service.serve)
                ready = Ready(
                    name=handle.name, service_id=handle.service_id, channels=handle.channels
                )
                await on_ready(ready)
                spare_what_stays()
                nursery.start_soon(self._obey, orders, reporter)
                await handle.wait_stopped()
                nursery.cancel_scope.cancel()

    async def _obey(self, orders: Words[Numbered], reporter: Reporter) -> None:
        """Side by side, since a job may run for long."""

        async def obey(numbered: Numbered) -> None:
            await reporter.tell(Reply(numbered.number, await self._answer(numbered)))

        async with trio.open_nursery() as nursery:
            while (numbered := await orders.next()) is not None:
                nursery.start_soon(obey, numbered)

    async def _answer(self, numbered: Numbered) -> Answer:
        jobs = self._service.jobs
        match numbered.order:
            case ListJobs():
                return Rows(rows=self._rows())
            case Advance(seconds=seconds):
                jobs.advance(seconds)
                return Advanced(ahead=jobs.ahead)
            case RunJob(name=name):
                try:
                    await jobs.run_now(name)
                except JobError as exc:
                    return Refused(why=str(exc))
                return Done()
            case _:
                return Refused(why="the service runs already")

    def _rows(self) -> tuple[JobRow, ...]:
        found = [(job.name, job.statistics) for job in self._service.jobs.jobs]
        return tuple(
            JobRow(
                name=name,
                next_at="" if known.next_due is None else known.next_due.isoformat(),
                runs=known.runs,
                running=known.running,
            )
            for name, known in found
        )


def _folders_of(modules: Iterable[str]) -> tuple[str, ...]:
    """Where those of these modules lie that the author wrote."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in modules)
    own = {str(Path(file).parent) for file in files if file and is_authors(file)}
    return tuple(sorted(own)[:FOLDERS])


def _tell_unawaited(problem: NeverAwaited) -> None:
    log.error("an async call was not awaited", problem=str(problem))
