"""All or nothing: what a unit of work changes inside ``async with band.transaction():``.

A transaction collects changes until its block ends, and then hands them to the store as one
group. Until then nobody else writes these records. How a commit comes to be is the store's
matter, and what memory holds is the containers'.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import attrs
import trio

from moobius_trio.database.engine import Change, Place
from moobius_trio.database.group import Group, Where
from moobius_trio.database.store import Store
from moobius_trio.database.tickets import Ticket
from moobius_trio.database.unit import StorageUnit, Touched, current_unit
from moobius_trio.errors import StorageError

__all__ = ("Before", "Home", "Transaction", "open_transaction")

FINISH_SECONDS = 10.0


@attrs.define(eq=False)
class Before:
    """A record as it was when the transaction first changed it."""

    home: Home
    key: object
    raw_key: bytes
    text: bytes | None
    """None: it was not there."""
    ticket: Ticket | None
    """Of the change that made it so."""


class Home(Protocol):
    """A container, as far as a transaction knows it."""

    place: Place
    store: Store

    def stored(self, changes: Iterable[Change]) -> None: ...

    def refused(self, change: Change) -> None: ...

    def before(self, raw_key: bytes) -> Before:
        """The record as it is now."""

    def lock(self, raw_key: bytes, transaction: Transaction | None) -> None:
        """From now on only this transaction writes the record; None: everybody may."""

    def restore(self, before: Before) -> None:
        """Make the record what it was."""

    def order(self) -> Sequence[object]:
        """The keys as they stand."""

    def reorder(self, keys: Sequence[object]) -> None:
        """Put the keys that are there in this order; others come behind."""

    def put_last(self, raw_key: bytes) -> None:
        """Move its key behind all others, as the store will."""

    def tidy(self) -> bool: ...


class Transaction:
    """The changes of one open ``async with band.transaction():`` block."""

    def __init__(self) -> None:
        self._group = Group("a transaction", report=False)
        self._store: Store | None = None
        self._place: Place | None = None
        self._before: dict[Where, Before] = {}
        self._orders: dict[Home, Sequence[object]] = {}
        self._touched: list[Touched] = []

    @property
    def ticket(self) -> Ticket:
        """What every frame sent inside the block waits for."""
        return self._group.ticket

    def queue(self, home: Home, change: Change) -> Ticket:
        """Take a change of a record that no other transaction has changed.

        Raises:
            StorageError: this container's changes cannot be stored together with the others.
        """
        self._join(home)
        where = (id(home), change.key)
        if where not in self._before:
            self._before[where] = home.before(change.key)
            home.lock(change.key, self)
        if (change.fresh or change.value is None) and home not in self._orders:
            self._orders[home] = home.order()
        self._group.bands.add(home.place.band)
        self._group.add(home, change)
        return self.ticket

    def take(self, record: Touched) -> None:
        """The block has a record's value in its hands: a change inside may be its own."""
        if self not in record.hands:
            record.hands += (self,)
            self._touched.append(record)

    def amend(self, home: Home, raw_key: bytes, text: bytes | None) -> None:
        """An earlier change of one of the records could not be stored: it goes back further."""
        before = self._before[id(home), raw_key]
        before.text = text
        before.ticket = None

    def commit(self) -> None:
        """Hand the changes to the store; does not wait for the disk.

        Raises:
            StorageError: the store takes nothing; nothing is handed over.
        """
        if self._store is not None:
            self._store.submit(self._group)
            for home, part in self._group.changes.items():
                for raw_key, change in part.items():
                    if change.fresh:  # others may have added records meanwhile
                        self._before[id(home), raw_key].home.put_last(raw_key)
        else:
            self.ticket.finish()
        self._let_go()

    async def wait(self) -> None:
        """Wait until it is stored. Cancelled, the store still decides, and tells the author.

        Raises:
            StorageError: nothing of it is stored.
        """
        try:
            await self.ticket.wait()
        except trio.Cancelled:
            if self.ticket.error is not None:  # at the same moment, so nobody has heard of it
                raise self.ticket.error from None  # noqa: ASYNC104  (the next wait is cancelled)
            self._group.report = True
            raise

    def roll_back(self, reason: str) -> None:
        """Make memory what it was; frames that were sent inside the block are dropped."""
        for before in self._before.values():
            before.home.restore(before)
        for home, keys in self._orders.items():
            home.reorder(keys)
        self._let_go()
        if self._store is not None:
            self._store.untidy(self._orders)
        self.ticket.finish(StorageError("a transaction", f"was taken back: {reason}"))

    def _join(self, home: Home) -> None:
        engine = home.store.engine
        if engine.atomic == "record":
            raise StorageError(
                f"{engine.where}, {home.place}",
                "cannot be changed in a transaction: this engine stores each record by itself",
                'Keep the container in an engine that can, such as "sqlite"',
            )
        if self._store is None or self._place is None:
            self._store, self._place = home.store, home.place
        elif home.store is not self._store:
            raise StorageError(
                f"{engine.where}, {home.place}",
                f"cannot be changed in a transaction that has changed {self._place}, which "
                f"lies in {self._store.engine.where}",
                "Keep both containers in one store, or change them one after the other",
            )
        elif engine.atomic == "band" and home.place.band != self._place.band:
            raise StorageError(
                f"{engine.where}, {home.place}",
                f"cannot be changed in a transaction that has changed {self._place}: here a "
                "transaction covers one band",
                'Use the engine "sqlite" for transactions over several bands',
            )

    def _let_go(self) -> None:
        for before in self._before.values():
            before.home.lock(before.raw_key, None)
        for record in self._touched:
            record.hands = tuple(one for one in record.hands if one is not self)


@asynccontextmanager
async def open_transaction() -> AsyncIterator[None]:
    """Store what the running unit of work changes in the block together, or nothing of it.

    Returns when it is stored. What the unit changed before is stored by itself. Frames sent
    inside the block leave when it is stored, and are dropped when it is not; what the handler
    sends behind the block is sent, since it knows by the error. Tasks of the handler's own
    nursery are inside it too. A record changed in it cannot be assigned or deleted
    by others until it ends; a change that another handler makes meanwhile inside a value that the
    handler of the block has read belongs to the transaction. Of two open blocks that change one
    value inside, the later to be saved fails.

    When the block raises, or is cancelled, memory goes back to what it was: the records hold new
    objects then, so read them again. Cancelled while it waits for the disk, the changes are with
    the store, which still decides about them and the frames.

    Raises:
        RuntimeError: the unit of work has a transaction open already.
        StorageError: nothing of it was stored: an engine or the containers' places forbid it, a
            value cannot be stored, or the store refused it.
    """
    unit = current_unit.get()
    if unit is None or unit.finished:
        unit = StorageUnit()
        token = current_unit.set(unit)
        try:
            async with _within(unit):
                yield
        finally:
            current_unit.reset(token)
            with trio.move_on_after(FINISH_SECONDS, shield=True):
                await unit.finish()
    else:
        async with _within(unit):
            yield


@asynccontextmanager
async def _within(unit: StorageUnit) -> AsyncIterator[None]:
    if unit.transaction is None:
        await unit.save_all()
    if unit.transaction is not None:  # perhaps since a moment ago, by a task of the same handler
        raise RuntimeError(
            "a transaction is open already in this handler; one block holds all that belongs "
            "together, so leave the inner one out"
        )
    transaction = Transaction()
    unit.begin(transaction)
    try:
        yield
        await unit.save_all()
        transaction.commit()
    except BaseException as exc:
        # Changes inside values that no send has found yet have to go back as well. Nothing in
        # here waits for anything but its turn, so a shield cannot hold up the end.
        with trio.CancelScope(shield=True), contextlib.suppress(StorageError):
            await unit.save_all()
        transaction.roll_back(repr(exc) if isinstance(exc, Exception) else "cancelled")
        unit.forget(transaction.ticket)
        raise
    finally:
        unit.transaction = None
    try:
        await transaction.wait()
    except StorageError:
        unit.forget(transaction.ticket)
        raise
