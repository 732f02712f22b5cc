"""One open store: what waits to be written, and the task that writes it in groups.

What changes mean for memory is the containers' matter; how bytes are kept is the engine's.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from threading import get_ident

import attrs
import structlog
import trio

from moobius_trio.database.engine import Change, Engine, NotAllStored, StoreBroken
from moobius_trio.database.group import ChangeHome, Group, Where
from moobius_trio.database.tickets import Ticket
from moobius_trio.errors import StorageError
from moobius_trio.types import ChannelId

__all__ = ("Store", "StoreStatistics")

log = structlog.get_logger()

SLICE = 250


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
    """An open engine with its queue of changes; all of it belongs to the thread that made it.

    Changes of one band that wait at the same time are a group, and so are those of a transaction.
    One commit takes every group that waits; if it is refused as a whole, each group is tried
    alone, so that no band suffers from another one's change.

    Args:
        on_problem: told of each commit that failed.
    """

    def __init__(self, engine: Engine, on_problem: Callable[[StorageError], None]) -> None:
        self.engine = engine
        self._on_problem = on_problem
        self._line: deque[list[Group]] = deque()
        """The groups that wait. Those of one inner list never hold the same record twice."""
        self._open: dict[ChannelId | None, Group] = {}
        """The group that takes a band's next change; all of them are in the last inner list."""
        self._in_flight: list[Group] = []
        self._untidy: dict[ChangeHome, None] = {}
        """Containers whose keys may not be in the store's order any more."""
        self._wake = trio.Event()
        self._stopping = False
        self._thread = get_ident()
        self._broken: StorageError | None = None
        self._changes = self._commits = self._records = self._failures = 0

    def queue(self, container: ChangeHome, change: Change) -> Ticket:
        """Take a change; of several for one record only the last is written.

        Raises:
            StorageError: the store is broken or closed; nothing was taken.
        """
        if self._broken is not None or self._stopping or get_ident() != self._thread:
            raise self._refusal()
        band = change.place.band
        group = self._open.get(band)
        if group is None:
            group = self._begin_group(band)
        group.add(container, change)
        self._changes += 1
        ticket = group.ticket
        ticket.number = self._changes
        return ticket

    def submit(self, group: Group) -> None:
        """Take the changes of a transaction, behind all that were taken before.

        Raises:
            StorageError: the store is broken or closed; nothing was taken.
        """
        if self._broken is not None or self._stopping or get_ident() != self._thread:
            raise self._refusal()
        self._changes += len(group)
        group.ticket.number = self._changes
        self._line.append([group])
        self._open = {}
        self._wake.set()

    def untidy(self, containers: Iterable[ChangeHome]) -> None:
        """Put their keys into the store's order as soon as nothing of them waits."""
        self._untidy.update(dict.fromkeys(containers))
        self._tidy()

    def undecided(self, bands: Container[ChannelId | None] | None = None) -> list[Ticket]:
        """The tickets of every change taken so far that is not durable yet.

        Args:
            bands: only of their changes; None: of all.

        Returns:
            Of a broken store one that has failed already.
        """
        if self._broken is not None:
            failed = Ticket(self.engine.where)
            failed.finish(self._broken)
            return [failed]
        return [
            group.ticket
            for group in [*self._in_flight, *self._waiting()]
            if bands is None or any(band in bands for band in group.bands)
        ]

    async def run(self) -> None:
        """Write what is queued, each time all of it in one commit; returns after `stop`.

        Not to be cancelled in the middle of a commit: shield it.
        """
        while not (self._stopping and not self._line):
            await self._wake.wait()
            self._wake = trio.Event()
            while self._line:
                await self._commit(self._take())

    def stop(self) -> None:
        """Take nothing further; `run` returns when what waits is written."""
        self._stopping = True
        self._wake.set()

    def abandon(self) -> None:
        """The task is gone: nothing is taken any more, and whoever still waits is told so."""
        self._stopping = True
        error = StorageError(self.engine.where, "was closed before the change was stored")
        undecided = [
            group for group in [*self._in_flight, *self._waiting()] if not group.ticket.done
        ]
        if undecided:
            self._failures += 1
            self._on_problem(error)
        for group in undecided:
            group.ticket.finish(error)

    def statistics(self) -> StoreStatistics:
        """A snapshot."""
        return StoreStatistics(
            where=self.engine.where,
            level=self.engine.level,
            waiting=sum(len(group) for group in [*self._in_flight, *self._waiting()]),
            commits=self._commits,
            records=self._records,
            failures=self._failures,
            broken=self._broken.problem if self._broken is not None else None,
        )

    def _begin_group(self, band: ChannelId | None) -> Group:
        """The group that takes the band's changes from now on."""
        group = Group(self.engine.where, band)
        if not self._open:
            self._line.append([])
        self._line[-1].append(group)
        self._open[band] = group
        self._wake.set()
        return group

    def _refusal(self) -> StorageError:
        """Why nothing is taken. Not from another thread either: it could not wake the writer."""
        if self._broken is not None:
            return self._broken
        if self._stopping:
            return StorageError(self.engine.where, "is closed", "Change nothing after on_stop")
        return StorageError(
            self.engine.where,
            "was to be changed in another thread",
            "Return the value from run_sync and assign it in the handler",
        )

    def _waiting(self) -> Iterator[Group]:
        return (group for groups in self._line for group in groups)

    def _take(self) -> list[Group]:
        """As many groups as fit into one commit, in which no record may occur twice."""
        taken = self._line.popleft()
        seen: set[Where] = set()
        fresh = taken
        while self._line:
            for group in fresh:
                seen.update(group.records())
            fresh = self._line[0]
            if not all(seen.isdisjoint(group.records()) for group in fresh):
                break
            taken.extend(self._line.popleft())
        if not self._line:
            self._open = {}
        self._in_flight = taken
        return taken

    async def _commit(self, groups: list[Group]) -> None:
        """Store the groups together; those that are refused together, each alone."""
        problems: dict[str, StorageError] = {}
        error = await self._try(groups)
        whole = error is not None and not isinstance(error, StoreBroken | NotAllStored)
        if whole and len(groups) > 1:
            for group in groups:
                await self._settle([group], await self._try([group]), problems)
        else:
            await self._settle(groups, error, problems)
        self._in_flight = []
        for problem in problems.values():
            self._failures += 1
            self._on_problem(problem)

    async def _try(self, groups: Iterable[Group]) -> StorageError | None:
        if self._broken is not None:
            return self._broken
        try:
            await self.engine.commit(list(itertools.chain.from_iterable(groups)))
        except StoreBroken as exc:
            self._broken = exc
            return exc
        except StorageError as exc:
            return exc
        except Exception as exc:  # an engine may be anyone's, and one fault must not end the rest
            log.exception("a storage engine failed in a way of its own", store=self.engine.where)
            self._broken = StoreBroken(self.engine.where, f"the engine failed: {exc!r}")
            return self._broken
        self._commits += 1
        return None

    async def _settle(
        self,
        groups: Iterable[Group],
        error: StorageError | None,
        problems: dict[str, StorageError],
    ) -> None:
        """Tell each group, and through it the containers and whoever waits, how it ended."""
        count = 0
        for group in groups:
            problem = group.share(error) if error is not None else None
            if problem is not None:
                if group.report:
                    problems.setdefault(str(problem), problem)
                group.refuse(problem, self._newer(group))
                self._untidy.update(group.moved)
                continue
            for container, part in group.changes.items():
                queued = iter(part.values())
                while some := list(itertools.islice(queued, SLICE)):
                    container.stored(some)
                    count += len(some)
                    if count >= SLICE:
                        count = 0
                        await trio.lowlevel.checkpoint()
            self._records += len(group)
            group.ticket.finish()
        self._tidy()

    def _newer(self, group: Group) -> set[Where]:
        """The records of which another change waits."""
        later = [one for one in self._waiting() if not one.bands.isdisjoint(group.bands)]
        return {where for one in later for where in one.records()}

    def _tidy(self) -> None:
        if not self._untidy:
            return
        undecided = (one for one in [*self._in_flight, *self._waiting()] if not one.ticket.done)
        bands = {band for group in undecided for band in group.bands}
        for container in list(self._untidy):
            if container.place.band not in bands and container.tidy():
                del self._untidy[container]
