"""A dict whose content is stored: everything is in memory, changes are queued as they are seen.

Behaves as a plain dict does; no file, socket or clock here, and nothing of bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Reversible
from typing import Any, Final, TypeVar, cast, overload

from moobius_trio.database.kept import KeptRecords
from moobius_trio.database.records import Record
from moobius_trio.database.refusals import shared

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

    def __init__(self, kept: KeptRecords, factory: Callable[[], V] | None = None) -> None:
        self._kept = kept
        self._factory = factory

    @property
    def name(self) -> str:
        """The container's name."""
        return self._kept.name

    @property
    def loaded(self) -> bool:
        """True when the records are in memory."""
        return self._kept.loaded

    def __repr__(self) -> str:
        content = "not loaded"
        if self._kept.loaded:
            content = repr({key: record.value for key, record in self._kept.records.items()})
        return f"<CachedDict {self._kept.place}: {content}>"

    # Reading ----------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        record = self._kept.records.get(key)
        if record is None:
            if self._factory is None:
                self._kept.look()
                raise KeyError(key)
            self[key] = self._factory()
            record = self._kept.records[key]
        return self._give(record)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: V | D | None = None) -> V | D | None:
        """The value of a key, or the default; never makes one by the factory."""
        record = self._kept.records.get(key)
        if record is None:
            self._kept.look()
            return default
        return self._give(record)

    def __contains__(self, key: object) -> bool:
        return key in self._kept.look()

    def __iter__(self) -> Iterator[K]:
        return iter(cast("dict[K, Record]", self._kept.look()))

    def __reversed__(self) -> Iterator[K]:
        return reversed(cast("dict[K, Record]", self._kept.look()))

    def __len__(self) -> int:
        return len(self._kept.look())

    def copy(self) -> dict[K, V]:
        """A plain dict with the same keys and the same value objects."""
        return dict(self.items())

    def __or__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**self, **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[K, V]) -> dict[K, V]:
        return {**other, **self} if isinstance(other, Mapping) else NotImplemented

    # Changing ---------------------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        self._kept.assign(key, value)

    def __delitem__(self, key: K) -> None:
        record = self._kept.records.get(key)
        if record is None:
            raise KeyError(key)
        self._kept.remove(record)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, /, default: V | D) -> V | D: ...
    def pop(self, key: K, /, default: Any = _MISSING) -> Any:
        """Remove a key and give its value, or the default; never makes one by the factory."""
        record = self._kept.records.get(key)
        if record is None:
            self._kept.look()
            if default is _MISSING:
                raise KeyError(key)
            return default
        self._kept.remove(record)
        return record.value

    def popitem(self) -> tuple[K, V]:
        """Remove the newest key and give it with its value.

        Raises:
            KeyError: the container is empty.
        """
        for key in reversed(cast("dict[K, Record]", self._kept.look())):
            return key, self.pop(key)
        raise KeyError(f"popitem(): {self.name} is empty")

    @overload
    def setdefault(self: CachedDict[K, D | None], key: K, default: None = None, /) -> D | None: ...
    @overload
    def setdefault(self, key: K, default: V, /) -> V: ...
    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """The value of a key; the default is stored under it first when it is missing."""
        record = self._kept.records.get(key)
        if record is None:
            self[key] = default
            record = self._kept.records[key]
        return self._give(record)

    def clear(self) -> None:
        """Remove every key, in one commit."""
        records = list(self._kept.records.values())
        self._kept.refuse_locked(records)
        for record in records:
            self._kept.remove(record)

    def __ior__(self, other: Mapping[K, V] | Iterable[tuple[K, V]]) -> CachedDict[K, V]:
        self.update(other)
        return self

    def replace(self, content: Mapping[K, V]) -> None:
        """Make this the whole content, in one commit; what assigning a mapping does.

        Raises:
            StorageTypeError: a key or value cannot be stored; nothing is changed then.
        """
        records = self._kept.records
        new: dict[K, tuple[V, bytes, bytes]] = {}
        seen: dict[int, K] = {}
        for key, value in content.items():
            if self._kept.format.nature(value)[1] and seen.setdefault(id(value), key) is not key:
                raise shared(self.name, key, self.name, seen[id(value)])
            self._kept.refuse_shared(key, value, self._kept)
            new[key] = (value, self._kept.encode(key, value), self._kept.raw_key(key))
        added = (raw_key for _, _, raw_key in new.values())
        self._kept.refuse_locked(list(records.values()), *added)
        # As long as the order is the same, records stay; from there on they are added anew.
        same = 0
        for record, (_, _, raw_key) in zip(records.values(), new.values(), strict=False):
            if record.raw_key != raw_key:
                break
            same += 1
        for record in list(records.values())[same:]:
            self._kept.remove(record)
        for key, (value, encoded, _) in new.items():
            self._kept.put(records.get(key), key, value, encoded)

    def save(self, key: K) -> None:
        """Save a record now, if it has changed; not awaited, and not needed inside a handler.

        Raises:
            KeyError: there is no such record.
            StorageTypeError: its value cannot be stored; the record has the stored value again.
        """
        record = self._kept.records.get(key)
        if record is None:
            raise KeyError(key)
        record.save_if_changed()
        self._kept.touch(record)

    async def load(self) -> None:
        """Read the records, once; later calls return at once.

        What cannot be read is set aside and reported, the rest is loaded.

        Raises:
            StorageError: nothing could be read at all.
        """
        await self._kept.load()

    def _give(self, record: Record) -> V:
        self._kept.touch(record)
        return cast("V", record.value)
