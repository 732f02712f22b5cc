"""The end of one run: in order, each step bounded, and at last without those who do not end.

What is opened and served stands in `core.serving`; no nursery is opened here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import structlog
import trio

from moobius_trio.core.signals import SignalState, counted_signals
from moobius_trio.core.units import Unit
from moobius_trio.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from moobius_trio.core.running import Running

__all__ = ("LANES_SECONDS", "Ending")

log = structlog.get_logger()

LANES_SECONDS = 10.0
ON_STOP_SECONDS = 5.0
OUTBOX_SECONDS = 5.0
STORES_SECONDS = 5.0
CANCELLED_SECONDS = 1.5
"""For code of the author's to end once it is cancelled; then the end goes on without it."""


class Ending:
    """How one run of a service, or of a user, ends.

    Args:
        name: the class of the author's that runs.
        on_stop: its callback for the end.
    """

    def __init__(self, name: str, on_stop: Callable[[], Awaitable[None]]) -> None:
        self.runtime: Running | None = None
        """The parts of the run, from when they are there."""
        self.socket: Path | None = None
        """Where other processes reach the service."""
        self.flushing = trio.CancelScope()
        """Cancelled, nobody waits for what was said and changed."""
        self._class = name
        self._on_stop = on_stop
        self._signals = SignalState()
        self._jobs_scope = trio.CancelScope()
        self._jobs_ended = trio.Event()
        self._drained = False
        self._overdue: list[str] = []
        """What did not end when the handlers were cancelled."""
        self._unending: list[str] | None = None
        """What has not ended, with files and lines, when nothing else is left of the run."""

    @contextmanager
    def hearing_signals(
        self, *, drain: Callable[[], None], cancel: Callable[[], None]
    ) -> Iterator[SignalState]:
        """As `counted_signals`: the process is ended if handlers alone keep the run."""
        with counted_signals(
            drain=drain,
            cancel=cancel,
            unending=self._kept_by,
            abandon=self._leave_no_socket,
            name=self._class,
        ) as self._signals:
            yield self._signals

    @contextmanager
    def jobs(self) -> Iterator[None]:
        """The block in which jobs run; it is cancelled if they do not end in time."""
        try:
            with self._jobs_scope:
                yield
        finally:
            self._jobs_ended.set()

    async def drain(self, runtime: Running) -> None:
        """Jobs and spells stop, lanes drain, `on_stop` runs; each step is bounded."""
        lanes, spells = runtime.dispatcher.lanes, runtime.spells
        runtime.jobs.stop()
        lanes.close()
        with trio.move_on_after(LANES_SECONDS) as patience:
            await self._wait_until_drained(runtime)
        if patience.cancelled_caught:
            log.warning("handlers are cancelled: they did not end", handlers=self._busy(runtime))
            self._end_lanes(runtime)
            self._jobs_scope.cancel()
            spells.end()
            with trio.move_on_after(CANCELLED_SECONDS):
                await self._wait_until_drained(runtime)
            self._overdue = self._busy(runtime)
        await self._run_on_stop(runtime)
        self._drained = True

    async def _wait_until_drained(self, runtime: Running) -> None:
        await runtime.spells.close()
        await self._jobs_ended.wait()
        await runtime.dispatcher.lanes.wait_idle()

    def _busy(self, runtime: Running) -> list[str]:
        jobs = [job.name for job in runtime.jobs.jobs if job.statistics.running]
        return [*runtime.dispatcher.lanes.running(), *runtime.spells.running, *jobs]

    async def _run_on_stop(self, runtime: Running) -> None:
        """In a task of its own, so that the end need not wait for it for ever."""
        ended = trio.Event()

        async def on_stop() -> None:
            unit = Unit(handler=f"{self._class}.on_stop")
            await runtime.boundary.run(None, unit, self._on_stop, limited=False)
            ended.set()

        runtime.nursery.start_soon(on_stop)
        with trio.move_on_after(ON_STOP_SECONDS) as patience:
            await ended.wait()
        if patience.cancelled_caught:
            log.warning("on_stop is cancelled: it did not end", seconds=ON_STOP_SECONDS)

    def close(self, runtime: Running) -> None:
        """The handlers' nursery is about to end: nothing may begin in it any more."""
        runtime.closed = True
        self._end_lanes(runtime)

    def _end_lanes(self, runtime: Running) -> None:
        left_over = runtime.dispatcher.end()
        if left_over:
            log.warning("events are not handled: the service ends", events=left_over)

    def patience(self) -> float:
        """Seconds for what is cancelled at the end; what did not end before gets no more."""
        running = set() if self.runtime is None else set(self.runtime.boundary.running())
        return 0.0 if self._overdue and running <= set(self._overdue) else CANCELLED_SECONDS

    async def on_late(self) -> None:
        """Code of the author's does not let itself be cancelled: all else ends without it."""
        places = [] if self.runtime is None else self.runtime.boundary.places()
        log.error(
            "handlers do not end although they are cancelled; the rest ends without them",
            handlers=places,
            remedy="let trio.Cancelled pass, and give a shield a time limit",
        )
        await self.goodbye()
        if self._signals.draining and self.runtime is not None:
            await self.runtime.close_stores()  # the process is about to end
        self._unending = places

    async def goodbye(self) -> None:
        """After an orderly stop what was said leaves and is stored; the connection is closed."""
        runtime = self.runtime
        if runtime is None:
            return
        if self._drained:
            self._drained = False
            with self.flushing:
                await runtime.outbox.flush(OUTBOX_SECONDS)
                with trio.move_on_after(STORES_SECONDS), suppress(StorageError):
                    await runtime.flush_stores()  # a failure is reported where it happens
        await runtime.link.stop()

    def _kept_by(self) -> list[str] | None:
        """What alone keeps the run; asked in a thread."""
        kept = self.runtime is not None and self.runtime.boundary.busy
        return self._unending if kept else None

    def _leave_no_socket(self) -> None:
        if self.socket is not None:
            self.socket.unlink(missing_ok=True)
