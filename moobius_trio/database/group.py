"""Changes that are stored together or not at all, on their way to the engine.

Which groups go into one commit, and when, is the store's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Protocol, TypeAlias

import attrs

from moobius_trio.database.engine import Change, NotAllStored
from moobius_trio.database.tickets import Ticket
from moobius_trio.errors import StorageError
from moobius_trio.types import ChannelId

__all__ = ("ChangeHome", "Group", "Queued", "Where")

Where: TypeAlias = tuple[int, bytes]
"""A record: which container in memory, and its raw key."""


class ChangeHome(Protocol):
    """Where a change came from."""

    def stored(self, queued: Queued) -> None:
        """The change is durable."""

    def refused(self, queued: Queued) -> None:
        """The change could not be stored, and no newer one of the same record waits."""


@attrs.frozen(eq=False)
class Queued:
    """A change that waits."""

    container: ChangeHome
    key: object
    change: Change


class Group:
    """The changes of one band, or of one transaction, with the ticket that stands for them.

    Args:
        store: in words, for the ticket.
        on_refused: called when it could not be stored and memory has gone back.
    """

    def __init__(self, store: str, on_refused: Callable[[], None] | None = None) -> None:
        self.ticket = Ticket(store)
        self.changes: dict[Where, Queued] = {}
        self.bands: set[ChannelId | None] = set()
        self.report = on_refused is None
        """False: whoever made it waits, and hears of a refusal without further ado."""
        self._on_refused = on_refused

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Queued]:
        return iter(self.changes.values())

    def add(self, container: ChangeHome, key: object, change: Change) -> None:
        """Take a change; of several for one record only the last is written."""
        where = (id(container), change.key)
        earlier = self.changes.get(where)
        if earlier is not None:
            if change.fresh or change.value is None:
                del self.changes[where]  # its place in the order is a new one
            elif earlier.change.fresh:
                change = attrs.evolve(change, fresh=True)
        self.changes[where] = Queued(container, key, change)
        self.bands.add(change.place.band)

    def share(self, error: StorageError) -> StorageError | None:
        """What an error of a commit means for this group; None: it is stored."""
        if not isinstance(error, NotAllStored):
            return error
        return next((error.refused[band] for band in self.bands if band in error.refused), None)

    def refuse(self, error: StorageError, newer: Container[Where]) -> None:
        """Nothing of it is stored: memory goes back, except where a newer change waits."""
        for where, queued in self.changes.items():
            if where not in newer:
                queued.container.refused(queued)
        if self._on_refused is not None:
            self._on_refused()
        self.ticket.finish(error)
