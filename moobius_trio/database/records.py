"""One stored value in memory, and who owns which object.

When a record is saved is decided by units and containers; how, by the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from moobius_trio.database.tickets import Ticket

if TYPE_CHECKING:
    from moobius_trio.database.transactions import Transaction

__all__ = ("Owners", "Record", "RecordHome")

_PART: Final = 4096 - 64
"""The bits of an id that say in which part its owner is; most objects are at least 64 bytes."""


class RecordHome(Protocol):
    """The container of a record."""

    @property
    def name(self) -> str:
        """The container's name."""

    def save_if_changed(self, record: Record) -> bool:
        """Queue the record's value if it is not what was queued last."""

    def save_for_others(self, record: Record) -> None:
        """Queue what others have changed inside."""


class Record:
    """A key with its value. Compared by identity, since values may be equal."""

    __slots__ = ("fixed", "hands", "holders", "home", "key", "queued", "raw_key", "ticket", "value")

    def __init__(self, home: RecordHome, key: object, raw_key: bytes) -> None:
        self.home = home
        self.key = key
        self.raw_key = raw_key
        self.value: object = None
        self.fixed = True
        """True when the value cannot change inside."""
        self.queued: bytes = b""
        """The text that was queued or loaded last; other text means a changed value."""
        self.ticket: Ticket | None = None
        """Of the last change; None once it is known to be durable."""
        self.holders = 0
        """How many running units of work have touched it."""
        self.hands: tuple[Transaction, ...] = ()
        """The open transactions of those units: a change inside may be theirs."""

    def save_if_changed(self) -> bool:
        """Queue the value if it is not what was queued last; True if it was."""
        return self.home.save_if_changed(self)

    def save_for_others(self) -> None:
        """Queue what others have changed inside, before somebody else can change it as well."""
        self.home.save_for_others(self)


class Owners:
    """Which record holds which changeable object, over all containers of one service.

    A value is changed here alone, so that none goes without its owner.

    An object under two keys would be two records after a restart, so it is refused where seen.
    """

    def __init__(self) -> None:
        # A record keeps its value, so no other object can get the same id meanwhile. Many small
        # dicts: each new value takes a new place in one, and a dict that has none left is built
        # anew, which with all values of a service in it would hold up the loop for milliseconds.
        self._parts: dict[int, dict[int, Record]] = {part: {} for part in range(0, 4096, 64)}

    def owner(self, value: object) -> Record | None:
        """The record that holds this very object; None also for what cannot change."""
        number = id(value)
        return self._parts[number & _PART].get(number)

    def exchange(self, record: Record, value: object, own: bool) -> None:
        """The record takes a value for the one it has.

        Args:
            own: the value is the record's own until it is released.
        """
        number = id(record.value)
        part = self._parts[number & _PART]
        if part.get(number) is record:
            del part[number]
        record.value = value
        if own:
            number = id(value)
            self._parts[number & _PART][number] = record

    def release(self, record: Record) -> None:
        """The record lets go of its value."""
        number = id(record.value)
        part = self._parts[number & _PART]
        if part.get(number) is record:
            del part[number]
