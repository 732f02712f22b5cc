"""One open store: what waits to be written, and the task that writes it in groups.

What changes mean for memory is the containers' matter; how bytes are kept is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs
import structlog
import trio

from moobius_trio.database.engine import Change, Engine, StoreBroken
from moobius_trio.database.tickets import Ticket
from moobius_trio.errors import StorageError

__all__ = ("Queued", "Store", "StoreStatistics")

log = structlog.get_logger()

SLICE = 1_000


class Container(Protocol):
    """Where a change came from."""

    def stored(self, queued: Queued) -> None:
        """The change is durable."""

    def refused(self, queued: Queued) -> None:
        """The change could not be stored, and no newer one of the same record waits."""


@attrs.frozen(eq=False)
class Queued:
    """A change that waits."""

    container: Container
    key: object
    change: Change


@attrs.frozen(kw_only=True)
class StoreStatistics:
    """A snapshot of one store."""

    where: str
    level: str
    """What an acknowledged change survives: ``memory``, ``process`` or ``power``."""
    waiting: int
    """Changes that are not durable yet."""
    commits: int
    records: int
    """Records written or removed since the store was opened."""
    failures: int
    broken: str | None
    """Why the store takes nothing any more; None while it does."""


class Store:
    """An open engine with its queue of changes.

    Args:
        on_problem: told of each commit that failed.
    """

    def __init__(self, engine: Engine, on_problem: Callable[[StorageError], None]) -> None:
        self.engine = engine
        self._on_problem = on_problem
        self._pending: dict[tuple[int, bytes], Queued] = {}
        self._ticket: Ticket | None = None
        self._in_flight: Ticket | None = None
        self._writing = 0
        self._wake = trio.Event()
        self._stopping = False
        self._broken: StorageError | None = None
        self._changes = self._commits = self._records = self._failures = 0

    def queue(self, container: Container, key: object, change: Change) -> Ticket:
        """Take a change; of several for one record only the last is written.

        Raises:
            StorageError: the store is broken or closed; nothing was taken.
        """
        if self._broken is not None:
            raise self._broken
        if self._stopping:
            raise StorageError(self.engine.where, "is closed", "Change nothing after on_stop")
        where = (id(container), change.key)
        earlier = self._pending.get(where)
        if earlier is not None:
            if change.fresh or change.value is None:
                del self._pending[where]  # its place in the order is a new one
            elif earlier.change.fresh:
                change = attrs.evolve(change, fresh=True)
        self._pending[where] = Queued(container, key, change)
        if self._ticket is None:
            self._ticket = Ticket(self.engine.where)
        self._changes += 1
        self._ticket.number = self._changes
        self._wake.set()
        return self._ticket

    async def barrier(self) -> None:
        """Wait until every change taken so far is durable.

        Raises:
            StorageError: one of them is not.
        """
        if self._broken is not None:
            raise self._broken
        for ticket in (self._in_flight, self._ticket):
            if ticket is not None:
                await ticket.wait()

    async def run(self) -> None:
        """Write what is queued, each time all of it in one commit; returns after `stop`.

        Not to be cancelled in the middle of a commit: shield it.
        """
        while not (self._stopping and not self._pending):
            await self._wake.wait()
            self._wake = trio.Event()
            while self._pending:
                await self._commit()

    def stop(self) -> None:
        """Take nothing further; `run` returns when what waits is written."""
        self._stopping = True
        self._wake.set()

    def abandon(self) -> None:
        """The task is gone: whoever still waits is told so."""
        error = StorageError(self.engine.where, "was closed before the change was stored")
        for ticket in (self._in_flight, self._ticket):
            if ticket is not None and not ticket.done:
                self._failures += 1
                self._on_problem(error)
                ticket.finish(error)

    def statistics(self) -> StoreStatistics:
        """A snapshot."""
        return StoreStatistics(
            where=self.engine.where,
            level=self.engine.level,
            waiting=self._writing + len(self._pending),
            commits=self._commits,
            records=self._records,
            failures=self._failures,
            broken=self._broken.problem if self._broken is not None else None,
        )

    def _take(self) -> tuple[dict[tuple[int, bytes], Queued], Ticket]:
        batch, self._pending = self._pending, {}
        ticket, self._ticket = self._ticket, None
        assert ticket is not None  # noqa: S101  # made with the first change of the batch
        self._in_flight = ticket
        self._writing = len(batch)
        return batch, ticket

    async def _commit(self) -> None:
        batch, ticket = self._take()
        error = await self._try([queued.change for queued in batch.values()])
        if error is None:
            self._commits += 1
            self._records += len(batch)
            for count, queued in enumerate(batch.values(), 1):
                queued.container.stored(queued)
                if count % SLICE == 0:
                    await trio.lowlevel.checkpoint()
        else:
            self._fail(batch, error)
        self._in_flight = None
        self._writing = 0
        ticket.finish(error)
        if self._broken is not None and self._pending:
            batch, ticket = self._take()
            self._fail(batch, self._broken)
            self._in_flight = None
            self._writing = 0
            ticket.finish(self._broken)

    async def _try(self, changes: list[Change]) -> StorageError | None:
        try:
            await self.engine.commit(changes)
        except StoreBroken as exc:
            self._broken = exc
            return exc
        except StorageError as exc:
            return exc
        except Exception as exc:  # an engine may be anyone's, and one fault must not end the rest
            log.exception("a storage engine failed in a way of its own", store=self.engine.where)
            self._broken = StoreBroken(self.engine.where, f"the engine failed: {exc!r}")
            return self._broken
        return None

    def _fail(self, batch: dict[tuple[int, bytes], Queued], error: StorageError) -> None:
        self._failures += 1
        for where, queued in batch.items():
            if where not in self._pending:
                queued.container.refused(queued)
        self._on_problem(error)
