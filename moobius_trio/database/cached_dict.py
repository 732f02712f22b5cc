"""A dict whose content is stored: everything is in memory, changes are queued as they are seen.

Behaves as a plain dict does; no file, socket or clock here, and nothing of bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Reversible
from typing import Any, Final, TypeVar, cast, overload

import trio

from moobius_trio.database.encoding import Format
from moobius_trio.database.engine import Change, Place
from moobius_trio.database.loading import StoredRecord, read_records
from moobius_trio.database.records import Owners, Record
from moobius_trio.database.shapes import Misfit
from moobius_trio.database.store import Queued, Store
from moobius_trio.database.unit import SLICE, current_unit
from moobius_trio.errors import NotLoaded, StorageError, StorageTypeError

__all__ = ("CachedDict",)

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_MISSING: Final[Any] = object()


class CachedDict(MutableMapping[K, V], Reversible[K]):
    """One container: ``self.bands[channel_id].states``.

    Keys may be texts, numbers, bytes, dates and tuples of them; values are built-ins, also nested,
    the values of ``moobius_trio.types`` and `stored` classes. Types come back as they went in.

    Assignment and deletion are queued at once. A change inside a value, such as
    ``c[key]["n"] += 1`` or ``c[key].n += 1``, is found at the next send and at the end of the
    handler (docs/architecture.md section 6); a reference kept from an earlier handler is not
    covered. If a change cannot be stored, memory goes back to what the store has: the record then
    holds a new object.

    Every method raises `NotLoaded` before the container is loaded, and those that change raise
    `StorageError` when the store takes nothing.
    """

    def __init__(
        self,
        *,
        place: Place,
        store: Store,
        format: Format,
        owners: Owners,
        factory: Callable[[], V] | None = None,
        on_problem: Callable[[StorageError], None],
    ) -> None:
        self._place = place
        self._store = store
        self._format = format
        self._owners = owners
        self._factory = factory
        self._on_problem = on_problem
        self._records: dict[K, Record] = {}
        self._durable: dict[bytes, bytes] = {}
        self._loaded = False
        self._loading = trio.Lock()

    @property
    def name(self) -> str:
        """The container's name."""
        return self._place.container

    @property
    def loaded(self) -> bool:
        """True when the records are in memory."""
        return self._loaded

    def __repr__(self) -> str:
        content = repr(self._peek()) if self._loaded else "not loaded"
        return f"<CachedDict {self._place}: {content}>"

    # Reading ----------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        record = self._need().get(key)
        if record is None:
            if self._factory is None:
                raise KeyError(key)
            self[key] = self._factory()
            record = self._records[key]
        return self._give(record)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: V | D | None = None) -> V | D | None:
        """The value of a key, or the default; never makes one by the factory."""
        record = self._need().get(key)
        return default if record is None else self._give(record)

    def __contains__(self, key: object) -> bool:
        return key in self._need()

    def __iter__(self) -> Iterator[K]:
        return iter(self._need())

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._need())

    def __len__(self) -> int:
        return len(self._need())

    def copy(self) -> dict[K, V]:
        """A plain dict with the same keys and the same value objects."""
        return dict(self.items())

    def __or__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**self, **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**other, **self} if isinstance(other, Mapping) else NotImplemented

    # Changing ---------------------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        record = self._need().get(key)
        self._check_owner(key, value, lambda owner: owner is record)
        self._assign(key, value, self._encode(key, value))

    def __delitem__(self, key: K) -> None:
        record = self._need().get(key)
        if record is None:
            raise KeyError(key)
        self._remove(record)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, /, default: V | D) -> V | D: ...
    def pop(self, key: K, /, default: Any = _MISSING) -> Any:
        """Remove a key and give its value, or the default; never makes one by the factory."""
        record = self._need().get(key)
        if record is None:
            if default is _MISSING:
                raise KeyError(key)
            return default
        self._remove(record)
        return record.value

    def popitem(self) -> tuple[K, V]:
        """Remove the newest key and give it with its value.

        Raises:
            KeyError: the container is empty.
        """
        for key in reversed(self._need()):
            return key, self.pop(key)
        raise KeyError(f"popitem(): {self.name} is empty")

    @overload
    def setdefault(self: CachedDict[K, D | None], key: K, default: None = None, /) -> D | None: ...
    @overload
    def setdefault(self, key: K, default: V, /) -> V: ...
    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """The value of a key; the default is stored under it first when it is missing."""
        record = self._need().get(key)
        if record is None:
            self[key] = default
            record = self._records[key]
        return self._give(record)

    def clear(self) -> None:
        """Remove every key, in one commit."""
        for record in list(self._need().values()):
            self._remove(record)

    def __ior__(self, other: Mapping[K, V] | Iterable[tuple[K, V]]) -> CachedDict[K, V]:
        self.update(other)
        return self

    def replace(self, content: Mapping[K, V]) -> None:
        """Make this the whole content, in one commit; what assigning a mapping does.

        Raises:
            StorageTypeError: a key or value cannot be stored; nothing is changed then.
        """
        records = self._need()
        new: dict[K, tuple[V, bytes, bytes]] = {}
        seen: dict[int, K] = {}
        for key, value in content.items():
            if self._format.changing(value) and seen.setdefault(id(value), key) is not key:
                raise self._shared(key, self.name, seen[id(value)])
            self._check_owner(key, value, lambda owner: owner.home is self)
            new[key] = (value, self._encode(key, value), self._raw_key(key))
        # As long as the order is the same, records stay; from there on they are added anew.
        same = 0
        for record, (_, _, raw_key) in zip(records.values(), new.values(), strict=False):
            if record.raw_key != raw_key:
                break
            same += 1
        for record in list(records.values())[same:]:
            self._remove(record)
        for key, (value, encoded, _) in new.items():
            self._assign(key, value, encoded)

    def save(self, key: K) -> None:
        """Save a record now, if it has changed; not awaited, and not needed inside a handler.

        Raises:
            KeyError: there is no such record.
            StorageTypeError: its value cannot be stored; the record has the stored value again.
        """
        record = self._need().get(key)
        if record is None:
            raise KeyError(key)
        record.save_if_changed()
        self._touch(record)

    # Loading and sweeping: for MoobiusStorage ---------------------------------------------------

    async def load(self) -> None:
        """Read the records, once; later calls return at once.

        What cannot be read is set aside and reported, the rest is loaded.

        Raises:
            StorageError: nothing could be read at all.
        """
        async with self._loading:
            if self._loaded:
                return
            for stored in await read_records(
                self._store.engine, self._place, self._format, self._on_problem
            ):
                self._take_in(stored)
            self._loaded = True

    async def wipe(self) -> None:
        """Remove everything that is stored, before the container is first used."""
        await self._store.engine.clear(self._place)

    async def save_changed(self, *, held: bool = True) -> list[K]:
        """Save each record whose value has changed inside; gives their keys.

        What cannot be stored is reported.

        Args:
            held: also those that a running unit has touched.
        """
        found: list[K] = []
        records = list(self._records.values()) if self._loaded else []
        for count, record in enumerate(records, 1):
            if count % SLICE == 0:
                await trio.lowlevel.checkpoint()
            if record.fixed or (record.holders and not held):
                continue
            try:
                if record.save_if_changed():
                    found.append(cast("K", record.key))
            except StorageError as exc:
                self._on_problem(exc)
        return found

    # For records and the store ------------------------------------------------------------------

    def save_if_changed(self, record: Record) -> bool:
        """Queue a record's value if it is not what was queued last."""
        if record.fixed or self._records.get(cast("K", record.key)) is not record:
            return False
        try:
            encoded = self._encode(record.key, record.value)
            if encoded == record.queued:
                return False
            self._queue(record, encoded)
        except StorageError:
            self._reset(record, record.queued)
            raise
        return True

    def stored(self, queued: Queued) -> None:
        """A change is durable."""
        change = queued.change
        if change.value is None:
            self._durable.pop(change.key, None)
        else:
            self._durable[change.key] = change.value

    def refused(self, queued: Queued) -> None:
        """A change could not be stored: memory goes back to what the store has."""
        text = self._durable.get(queued.change.key)
        key = cast("K", queued.key)
        record = self._records.get(key)
        if text is None:
            if record is not None:
                self._owners.release(record)
                del self._records[key]
            return
        if record is None:
            record = self._records[key] = Record(self, key, queued.change.key)
        self._reset(record, text)
        record.ticket = None

    # Inside -------------------------------------------------------------------------------------

    def _need(self) -> dict[K, Record]:
        if not self._loaded:
            raise NotLoaded(str(self._place))
        return self._records

    def _peek(self) -> dict[K, object]:
        return {key: record.value for key, record in self._records.items()}

    def _give(self, record: Record) -> V:
        self._touch(record)
        return cast("V", record.value)

    def _touch(self, record: Record) -> None:
        if record.ticket is not None and record.ticket.done:
            record.ticket = None
        unit = current_unit.get()
        if unit is not None:
            unit.touch(record)

    def _assign(self, key: K, value: V, encoded: bytes) -> None:
        record = self._records.get(key)
        if record is None:
            record = Record(self, key, self._raw_key(key))
            self._queue(record, encoded, fresh=True)
            self._records[key] = record
        elif encoded != record.queued:
            self._queue(record, encoded)
        self._hold(record, value)
        self._touch(record)

    def _remove(self, record: Record) -> None:
        change = Change(self._place, record.raw_key, None)
        ticket = self._store.queue(self, record.key, change)
        self._owners.release(record)
        del self._records[cast("K", record.key)]
        unit = current_unit.get()
        if unit is not None:
            unit.hold(ticket)

    def _queue(self, record: Record, encoded: bytes, *, fresh: bool = False) -> None:
        change = Change(self._place, record.raw_key, encoded, fresh)
        record.ticket = self._store.queue(self, record.key, change)
        record.queued = encoded

    def _hold(self, record: Record, value: object) -> None:
        if value is record.value and not record.fixed:
            return
        self._owners.release(record)
        record.value = value
        record.fixed = self._format.unchanging(value)
        if self._format.changing(value):
            self._owners.claim(record)

    def _reset(self, record: Record, text: bytes) -> None:
        self._hold(record, self._format.decode(text))
        record.queued = text

    def _take_in(self, stored: StoredRecord) -> None:
        key = cast("K", stored.key)
        record = self._records[key] = Record(self, key, stored.raw_key)
        self._durable[stored.raw_key] = record.queued = stored.text
        self._hold(record, stored.value)

    def _encode(self, key: object, value: object) -> bytes:
        try:
            return self._format.encode(value)
        except Misfit as exc:
            raise StorageTypeError(self.name, key, "".join(exc.path), exc.problem) from None

    def _raw_key(self, key: object) -> bytes:
        try:
            return self._format.encode_key(key)
        except Misfit as exc:
            raise StorageTypeError(self.name, key, "", f"the key {exc.problem}") from None

    def _check_owner(self, key: K, value: object, leaving: Callable[[Record], bool]) -> None:
        if self._format.changing(value):
            owner = self._owners.other(value, leaving)
            if owner is not None:
                raise self._shared(key, owner.home.name, owner.key)

    def _shared(self, key: object, container: str, other: object) -> StorageTypeError:
        return StorageTypeError(
            self.name,
            key,
            "",
            f"is the same object as {container}[{other!r}], so a change of one would be a change "
            "of both; store a copy",
        )
