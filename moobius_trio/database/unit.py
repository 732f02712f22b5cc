"""A unit of work's view of storage: what it touched, and what its frames have to wait for.

One handler, job run, spell, start hook or task (docs/architecture.md section 6). What else belongs
to a unit, its name and its time, is the core's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import trio

from moobius_trio.database.tickets import Ticket
from moobius_trio.errors import StorageError

if TYPE_CHECKING:
    from moobius_trio.database.transactions import Transaction

__all__ = ("SLICE", "WINDOW", "StorageUnit", "Touched", "current_unit")

WINDOW = 32
SLICE = 100


class Touched(Protocol):
    """A record, as far as a unit of work knows it."""

    ticket: Ticket | None
    """Of its last change."""
    holders: int
    """How many running units have touched it."""
    fixed: bool
    """True when its value cannot change inside."""
    hands: tuple[Transaction, ...]
    """The open transactions of units that have touched it."""

    def save_if_changed(self) -> bool:
        """Queue the value if it is not what was queued last."""

    def save_for_others(self) -> None:
        """Queue what others have changed inside, before the unit can change it as well."""


class StorageUnit:
    """What one unit of work has touched. Made when it begins, finished when it ends."""

    __slots__ = ("_finished", "_since", "_tickets", "_touched", "_window", "held", "transaction")

    def __init__(self) -> None:
        self._touched: dict[Touched, None] = {}
        self._since: dict[Touched, None] = {}
        self._window: dict[Touched, None] = {}
        self._tickets: dict[Ticket, None] = {}
        self._finished = False
        self.held = 0
        """How many changes it has held frames for, or would have: those of one commit are one."""
        self.transaction: Transaction | None = None
        """The one that is open; what the unit changes meanwhile belongs to it."""

    @property
    def finished(self) -> bool:
        """True when nobody looks any more at what it touches."""
        return self._finished

    @property
    def clean(self) -> bool:
        """True when there is nothing to save, and nothing that a frame has to wait for."""
        return not (self._touched or self._tickets) and self.transaction is None

    @property
    def many(self) -> bool:
        """True when it has touched more records than are looked at without a checkpoint."""
        return len(self._touched) > SLICE

    def begin(self, transaction: Transaction) -> None:
        """A transaction is open from now on; it may change what the unit has in hands."""
        self.transaction = transaction
        for record in self._touched:
            transaction.take(record)

    def touch(self, record: Touched) -> None:
        """Note that the unit has a record's value in its hands."""
        if self._finished:
            return  # a task that outlived its unit; the sweep finds what it changes
        if not record.fixed:
            if record not in self._touched:
                if record.holders and (record.hands or self.transaction is not None):
                    record.save_for_others()
                self._touched[record] = None
                record.holders += 1
                if self.transaction is not None:
                    self.transaction.take(record)
            self._since[record] = None
        ticket = record.ticket
        if ticket is not None and ticket not in self._tickets:
            self.hold(ticket)

    def hold(self, ticket: Ticket) -> None:
        """Let the unit's next frames wait for a change."""
        if not self._finished and not ticket.done:
            self.held += ticket not in self._tickets
            self._tickets[ticket] = None

    def forget(self, ticket: Ticket) -> None:
        """The author knows how it ended."""
        self._tickets.pop(ticket, None)

    async def save_ahead(self) -> None:
        """Do most of the next `settle` in slices, with checkpoints, where much was touched.

        Does nothing where it is little. To be called before each send.

        Raises:
            StorageError: as `settle`; all others are saved first.
        """
        error: StorageError | None = None
        for _ in range(len(self._since) // SLICE):
            fresh = list(itertools.islice(self._since, SLICE))
            for record in fresh:
                del self._since[record]
            error = self._look_at(fresh) or error
            await trio.lowlevel.checkpoint()
        if error is not None:
            raise error

    def settle(self) -> tuple[Ticket, ...]:
        """Save what was touched since the last call, and the 32 records touched before.

        To be called before each send, after `save_ahead`.

        Returns:
            The tickets the frame must wait for: those of this unit's records that are not
            durable yet, and that of an open transaction.

        Raises:
            StorageTypeError: a value cannot be stored; the record has the stored value again.
            StorageError: the store takes nothing; or, once, something that the unit has changed
                or read could not be stored and was taken back, so that what it is about to say
                may rest on it.
        """
        error: StorageError | None = None
        if self._since or self._window:
            fresh, self._since = self._since, {}
            error = self._look_at(fresh)
        for ticket in [one for one in self._tickets if one.done]:
            del self._tickets[ticket]
            if ticket.error is not None:
                error = error or _taken_back(ticket.error)
        if error is not None:
            raise error
        if self.transaction is not None:
            self.hold(self.transaction.ticket)
        return tuple(self._tickets)

    async def save_all(self) -> None:
        """Save everything the unit has touched, in slices with a checkpoint between them.

        Raises:
            StorageError: as `settle`; all others are saved first.
        """
        error: StorageError | None = None
        records = list(self._touched)
        for start in range(0, len(records), SLICE):
            if start:
                await trio.lowlevel.checkpoint()
            error = self._save(records[start : start + SLICE]) or error
        if error is not None:
            raise error

    async def finish(self) -> None:
        """Save everything the unit has touched and let go of it. Does not wait for the disk.

        Cancelled between two slices, what is left is found by the sweep.

        Raises:
            StorageError: as `settle`; all others are saved first.
        """
        try:
            await self.save_all()
        finally:
            self.let_go()

    def finish_at_once(self) -> None:
        """The same without a checkpoint, for a unit that has not touched `many`.

        Raises:
            StorageError: as `settle`; all others are saved first.
        """
        if not self._touched:  # most units: nothing is in the other parts either
            self._finished = True
            self._tickets.clear()
            return
        try:
            error = self._save(list(self._touched))
        finally:
            self.let_go()
        if error is not None:
            raise error

    def let_go(self) -> None:
        """End without a look at anything: what was changed inside is found by the sweep."""
        self._finished = True
        for record in self._touched:
            record.holders -= 1
        for part in (self._touched, self._since, self._window, self._tickets):
            part.clear()

    def _look_at(self, fresh: Iterable[Touched]) -> StorageError | None:
        """Save these and the records touched before them, which the last of these join."""
        for record in fresh:
            self._window.pop(record, None)
        candidates = [*self._window, *fresh]
        self._window = dict.fromkeys(candidates[-WINDOW:])
        return self._save(candidates)

    def _save(self, records: Iterable[Touched]) -> StorageError | None:
        """Save the records; the first error, after all were tried."""
        first: StorageError | None = None
        for record in records:
            try:
                record.save_if_changed()
            except StorageError as exc:
                first = first or exc
            ticket = record.ticket
            if ticket is not None and ticket not in self._tickets:
                self.hold(ticket)
        return first


def _taken_back(error: StorageError) -> StorageError:
    return StorageError(
        error.where,
        f"{error.problem}; what this handler changed or read there was taken back",
        "Nothing was sent. Read it again before you tell of it",
    )


current_unit: ContextVar[StorageUnit | None] = ContextVar("moobius_trio_storage", default=None)
"""The unit of the running code. Tasks of a handler's own nursery inherit it."""
