"""The records of one container in memory: what was queued, what is durable, what goes back.

How an author reads and changes them is `CachedDict`'s matter; when something is saved, the
units'; what a transaction is, `transactions`'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence

import trio

from moobius_trio.database.encoding import Format
from moobius_trio.database.engine import Change, Place
from moobius_trio.database.loading import StoredRecord, read_records
from moobius_trio.database.plain import has_text
from moobius_trio.database.records import Owners, Record, RecordHome
from moobius_trio.database.refusals import busy, no_key, shared, unstorable
from moobius_trio.database.shapes import Misfit
from moobius_trio.database.store import Store
from moobius_trio.database.tickets import Ticket
from moobius_trio.database.transactions import Before, Transaction
from moobius_trio.database.unit import SLICE, current_unit
from moobius_trio.errors import NotLoaded, StorageError

__all__ = ("KeptRecords",)


class KeptRecords:
    """The content of one container, and how a change of it reaches the store."""

    def __init__(
        self,
        *,
        place: Place,
        store: Store,
        format: Format,
        owners: Owners,
        on_problem: Callable[[StorageError], None],
    ) -> None:
        self.place = place
        self.store = store
        self.format = format
        self.loaded = False
        self._owners = owners
        self._on_problem = on_problem
        self._records: dict[object, Record] = {}
        self._durable: dict[bytes, bytes] = {}
        self._locked: dict[bytes, Transaction] = {}
        self._coming_and_going: dict[Ticket, None] = {}
        self._loading = trio.Lock()

    @property
    def name(self) -> str:
        """The container's name."""
        return self.place.container

    @property
    def records(self) -> dict[object, Record]:
        """The records by key.

        Raises:
            NotLoaded: they were not read yet.
        """
        if not self.loaded:
            raise NotLoaded(str(self.place))
        return self._records

    def touch(self, record: Record) -> None:
        """Somebody has the record's value in hands."""
        if record.ticket is not None and record.ticket.done:
            record.ticket = None
        unit = current_unit.get()
        if unit is not None:
            unit.touch(record)

    def look(self) -> dict[object, Record]:
        """The records, for somebody who sees which keys there are: also which are not there.

        The unit's next frames wait for keys that were added or removed and may yet be taken back.
        """
        records = self.records
        if self._coming_and_going:
            unit = current_unit.get()
            for ticket in list(self._coming_and_going):
                if ticket.done:
                    del self._coming_and_going[ticket]
                elif unit is not None:
                    unit.hold(ticket)
        return records

    # What an author changes ---------------------------------------------------------------------

    def assign(self, key: object, value: object) -> None:
        """Make this the value of a key.

        Raises:
            NotLoaded: the records were not read yet.
            StorageTypeError: it cannot be stored, or another record holds it.
            StorageError: the store takes nothing, or an open transaction has the record.
        """
        record = self.records.get(key)
        if (record is None or value is not record.value) and self._owners.owner(value) is not None:
            self.refuse_shared(key, value)
        try:
            encoded = self.format.encode(value)
        except Misfit as exc:
            raise unstorable(self.name, key, exc) from None
        self.put(record, key, value, encoded)

    def put(self, record: Record | None, key: object, value: object, encoded: bytes) -> None:
        """Make this the value of a key that has this record, if any; ``encoded`` is its text."""
        unit = current_unit.get()
        fresh = record is None
        if record is None:
            record = Record(self, key, self.raw_key(key))
            self.refuse_locked((), record.raw_key)
        elif record.hands or self._locked:
            # The same object again: its changes may be those of whoever assigns it.
            self.refuse_locked(() if value is record.value else (record,), record.raw_key)
        if fresh or encoded != record.queued:
            # As `Change(…)`, in half the time; one is made for each change.
            change = tuple.__new__(Change, (self.place, record.raw_key, encoded, fresh))
            within = None if unit is None else unit.transaction
            record.ticket = (within or self.store).queue(self, change)
            record.queued = encoded
        if fresh:
            self._records[key] = record
            self._note_coming_or_going(record.ticket)
        if value is not record.value:
            self._hold(record, value)
        if unit is not None:
            unit.touch(record)

    def remove(self, record: Record) -> None:
        """Take a record out."""
        self.refuse_locked((record,))
        change = Change(self.place, record.raw_key, None)
        ticket = (self._mine or self.store).queue(self, change)
        self._owners.release(record)
        del self._records[record.key]
        self._note_coming_or_going(ticket)
        unit = current_unit.get()
        if unit is not None:
            unit.hold(ticket)

    def encode(self, key: object, value: object) -> bytes:
        """The value's text.

        Raises:
            StorageTypeError: it cannot be stored.
        """
        try:
            return self.format.encode(value)
        except Misfit as exc:
            raise unstorable(self.name, key, exc) from None

    def raw_key(self, key: object) -> bytes:
        """The key's text.

        Raises:
            StorageTypeError: it cannot be a key.
        """
        try:
            return self.format.encode_key(key)
        except Misfit as exc:
            raise no_key(self.name, key, exc) from None

    def refuse_shared(self, key: object, value: object, leaving: RecordHome | None = None) -> None:
        """Refuse a value that a record holds.

        Args:
            leaving: the records of this container are about to let go of their values.
        """
        owner = self._owners.owner(value)
        if owner is not None and owner.home is not leaving:
            raise shared(self.name, key, owner.home.name, owner.key)

    def refuse_locked(self, records: Collection[Record], *raw_keys: bytes) -> None:
        """Refuse to write what an open transaction of somebody else has changed."""
        for record in records:
            if record.hands:
                self.save_for_others(record)
        if not self._locked:
            return
        for raw_key in (*(record.raw_key for record in records), *raw_keys):
            if self._locked.get(raw_key, self._mine) is not self._mine:
                raise self._busy(raw_key)

    # Loading and saving -------------------------------------------------------------------------

    async def load(self) -> None:
        """Read the records, once; later calls return at once.

        Raises:
            StorageError: nothing could be read at all.
        """
        async with self._loading:
            if self.loaded:
                return
            found = await read_records(self.store.engine, self.place, self.format, self._on_problem)
            for count, stored in enumerate(found, 1):
                self._take_in(stored)
                if count % SLICE == 0:
                    # All or none are taken in: others go on meanwhile, cancellation waits.
                    await trio.lowlevel.cancel_shielded_checkpoint()
            self.loaded = True

    async def wipe(self) -> None:
        """Remove everything that is stored, before the container is first used."""
        await self.store.engine.clear(self.place)

    async def save_changed(self, *, held: bool = True) -> list[object]:
        """Save each record whose value has changed inside; gives their keys.

        What cannot be stored is reported.

        Args:
            held: also those that a running unit has touched.
        """
        found: list[object] = []
        for count, record in enumerate(list(self._records.values()), 1):
            if count % SLICE == 0:
                await trio.lowlevel.checkpoint()
            if record.fixed or (record.holders and not held):
                continue
            try:
                if record.save_if_changed():
                    found.append(record.key)
            except StorageError as exc:
                self._on_problem(exc)
        return found

    def save_if_changed(self, record: Record) -> bool:
        """Queue a record's value if it is not what was queued last.

        A record that an open transaction of somebody else has changed is left to it. What is
        found in one that such a transaction has in its hands counts as a change of that one.

        Raises:
            StorageError: the store takes nothing, or two transactions have changed it.
        """
        if record.fixed or has_text(record.value, record.queued):
            return False
        if self._records.get(record.key) is not record:
            return False
        unit = current_unit.get()
        mine = None if unit is None else unit.transaction
        if self._locked and self._locked.get(record.raw_key, mine) is not mine:
            if mine is not None and self.encode(record.key, record.value) != record.queued:
                raise self._busy(record.raw_key)
            return False
        if mine is None and record.hands:
            self.save_for_others(record)
            return False
        try:
            encoded = self.format.encode(record.value)
            if encoded == record.queued:
                return False
            self._write(record, encoded, mine)
        except Misfit as exc:
            self._reset(record, record.queued)
            raise unstorable(self.name, record.key, exc) from None
        except StorageError:
            self._reset(record, record.queued)
            raise
        return True

    def save_for_others(self, record: Record) -> None:
        """Queue what others have changed inside, before somebody else can change it as well.

        What cannot be stored is left to them.
        """
        others = [one for one in record.hands if one is not self._mine]
        gone = self._records.get(record.key) is not record
        if record.fixed or gone or record.raw_key in self._locked or (record.hands and not others):
            return
        with contextlib.suppress(StorageError):
            encoded = self.encode(record.key, record.value)
            if encoded != record.queued:
                self._write(record, encoded, others[0] if others else None)

    # For the store ------------------------------------------------------------------------------

    def stored(self, changes: Iterable[Change]) -> None:
        """The changes are durable."""
        for _, raw_key, text, fresh in changes:
            if fresh or text is None:
                self._durable.pop(raw_key, None)  # a new one is in the order of the store
            if text is not None:
                self._durable[raw_key] = text

    def refused(self, change: Change) -> None:
        """A change could not be stored: memory goes back to what the store has."""
        raw_key = change.key
        key = self.format.decode_key(raw_key)
        text = self._durable.get(raw_key)
        record = self._records.get(key)
        if record is not None and record.hands:
            self.save_for_others(record)
        transaction = self._locked.get(raw_key)
        if transaction is not None:
            transaction.amend(self, raw_key, text)
        else:
            self.restore(Before(self, key, raw_key, text, None))

    # For transactions ---------------------------------------------------------------------------

    def before(self, raw_key: bytes) -> Before:
        """A record as it is now."""
        key = self.format.decode_key(raw_key)
        record = self._records.get(key)
        if record is None:
            return Before(self, key, raw_key, None, None)
        return Before(self, key, raw_key, record.queued, record.ticket)

    def lock(self, raw_key: bytes, transaction: Transaction | None) -> None:
        """From now on only this transaction writes the record; None: everybody may."""
        if transaction is None:
            self._locked.pop(raw_key, None)
        else:
            self._locked[raw_key] = transaction

    def restore(self, before: Before) -> None:
        """Make a record what it was."""
        record = self._records.get(before.key)
        other = record is not None and record.raw_key != before.raw_key  # 1 beside True
        if record is not None and other == (before.text is not None):
            self._owners.release(record)
            del self._records[before.key]
            record = None
        if before.text is None:
            return
        if record is None:
            record = self._records[before.key] = Record(self, before.key, before.raw_key)
        self._reset(record, before.text)
        record.ticket = before.ticket

    def order(self) -> Sequence[object]:
        """The keys as they stand."""
        return list(self._records)

    def reorder(self, keys: Sequence[object]) -> None:
        """Put the keys that are there in this order; others come behind."""
        rest = dict(self._records)
        order = {key: rest.pop(key) for key in keys if key in rest}
        self._records = {**order, **rest}

    def put_last(self, raw_key: bytes) -> None:
        """Move its key behind all others, as the store will."""
        key = self.format.decode_key(raw_key)
        self._records[key] = self._records.pop(key)

    def tidy(self) -> bool:
        """Put the keys into the order of the store; False: an open transaction forbids it."""
        if self._locked:
            return False
        rest = {record.raw_key: record for record in self._records.values()}
        order = [rest.pop(raw_key) for raw_key in self._durable if raw_key in rest]
        self._records = {record.key: record for record in (*order, *rest.values())}
        return True

    # Inside -------------------------------------------------------------------------------------

    def _note_coming_or_going(self, ticket: Ticket | None) -> None:
        if ticket is not None and ticket not in self._coming_and_going:
            pending = [one for one in self._coming_and_going if not one.done]
            self._coming_and_going = dict.fromkeys([*pending, ticket])

    def _write(self, record: Record, encoded: bytes, within: Transaction | None) -> None:
        change = Change(self.place, record.raw_key, encoded)
        record.ticket = (within or self.store).queue(self, change)
        record.queued = encoded

    @property
    def _mine(self) -> Transaction | None:
        """The open transaction of the running code."""
        unit = current_unit.get()
        return None if unit is None else unit.transaction

    def _busy(self, raw_key: bytes) -> StorageError:
        return busy(self.place, self.format.decode_key(raw_key))

    def _hold(self, record: Record, value: object) -> None:
        fixed, changing = self.format.nature(value)
        if record.fixed and not changing:
            record.value = value
        else:
            self._owners.exchange(record, value, changing)
        record.fixed = fixed

    def _reset(self, record: Record, text: bytes) -> None:
        self._hold(record, self.format.decode(text))
        record.queued = text

    def _take_in(self, stored: StoredRecord) -> None:
        record = self._records[stored.key] = Record(self, stored.key, stored.raw_key)
        self._durable[stored.raw_key] = record.queued = stored.text
        self._hold(record, stored.value)
