"""Changes that are stored together or not at all, on their way to the engine.

Which groups go into one commit, and when, is the store's matter.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import chain
from typing import Protocol, TypeAlias

from moobius_trio.database.engine import Change, NotAllStored, Place
from moobius_trio.database.tickets import Ticket
from moobius_trio.errors import StorageError
from moobius_trio.types import ChannelId

__all__ = ("ChangeHome", "Group", "Where")

Where: TypeAlias = tuple[int, bytes]
"""A record: which container in memory, and its raw key."""


class ChangeHome(Protocol):
    """Where a change came from."""

    place: Place

    def stored(self, changes: Iterable[Change]) -> None:
        """The changes are durable."""

    def refused(self, change: Change) -> None:
        """The change could not be stored, and no newer one of the same record waits."""

    def tidy(self) -> bool:
        """Put the keys into the order of the store; False: an open transaction forbids it."""


class Group:
    """The changes of one band, or of one transaction, with the ticket that stands for them.

    Args:
        store: in words, for the ticket.
        bands: of its changes, as far as they are known.
        report: False: whoever made it waits, and hears of a refusal without further ado.
    """

    def __init__(self, store: str, *bands: ChannelId | None, report: bool = True) -> None:
        self.ticket = Ticket(store)
        self.changes: dict[ChangeHome, dict[bytes, Change]] = {}
        """By where they came from and raw key, in their order within each container."""
        self.bands = set(bands)
        self.moved: dict[ChangeHome, None] = {}
        """The containers in which a record was added or removed."""
        self.report = report

    def __len__(self) -> int:
        return sum(map(len, self.changes.values()))

    def __iter__(self) -> Iterator[Change]:
        return chain.from_iterable(part.values() for part in self.changes.values())

    def records(self) -> Iterator[Where]:
        """The records that it changes."""
        for container, part in self.changes.items():
            home = id(container)
            for raw_key in part:
                yield home, raw_key

    def add(self, container: ChangeHome, change: Change) -> None:
        """Take a change of one of its bands; of several for one record only the last is written."""
        place, raw_key, text, fresh = change
        part = self.changes.get(container)
        if part is None:
            part = self.changes[container] = {}
        if fresh or text is None:
            self.moved[container] = None
            part.pop(raw_key, None)  # its place in the order is a new one
        elif raw_key in part and part[raw_key].fresh:
            change = Change(place, raw_key, text, True)
        part[raw_key] = change

    def share(self, error: StorageError) -> StorageError | None:
        """What an error of a commit means for this group; None: it is stored."""
        if not isinstance(error, NotAllStored):
            return error
        return next((error.refused[band] for band in self.bands if band in error.refused), None)

    def refuse(self, error: StorageError, newer: Container[Where]) -> None:
        """Nothing of it is stored: memory goes back, except where a newer change waits."""
        for container, part in self.changes.items():
            for raw_key, change in part.items():
                if (id(container), raw_key) not in newer:
                    container.refused(change)
        self.ticket.finish(error)
