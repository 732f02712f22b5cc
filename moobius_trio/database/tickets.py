"""The promise that a change will be stored. Who waits for it, and why, is not known here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from moobius_trio.errors import StorageError

__all__ = ("Ticket", "wait_all")


class Ticket:
    """Stands for every change that one commit takes; done when they are durable, or failed.

    A frame that tells of a change holds its ticket (docs/architecture.md section 4, "State
    before speech").
    """

    def __init__(self, store: str) -> None:
        self.store = store
        """The store in words."""
        self.number = 0
        """The highest change number of the store that this stands for."""
        self._done = False
        self._error: StorageError | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._event = trio.Event()

    def __repr__(self) -> str:
        state = "failed" if self._error else "done" if self._done else "open"
        return f"<Ticket {self.number} of {self.store}: {state}>"

    @property
    def done(self) -> bool:
        """True when it is decided, either way."""
        return self._done

    @property
    def error(self) -> StorageError | None:
        """Why the changes could not be stored; None while undecided and when they were."""
        return self._error

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call it when decided; at once if it is. It must neither wait nor raise."""
        if self._done:
            callback()
        else:
            self._callbacks.append(callback)

    async def wait(self) -> None:
        """Wait until the changes are durable. Safe to cancel.

        Raises:
            StorageError: they could not be stored.
        """
        await self._event.wait()
        if self._error is not None:
            raise self._error

    def finish(self, error: StorageError | None = None) -> None:
        """Decide it; for the store alone. A second call changes nothing."""
        if self._done:
            return
        self._done = True
        self._error = error
        self._event.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


async def wait_all(tickets: Iterable[Ticket]) -> None:
    """Wait until the changes of all of them are durable. Safe to cancel.

    Raises:
        StorageError: the first of them that could not be stored, after all others are decided.
    """
    first: StorageError | None = None
    for ticket in tickets:
        try:
            await ticket.wait()
        except StorageError as exc:
            first = first or exc
    if first is not None:
        raise first
