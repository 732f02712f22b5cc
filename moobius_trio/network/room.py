"""Waiting in line for room, in the order of coming.

Nothing here knows what the room is in.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from moobius_trio.errors import OutboxFull

__all__ = ("WaitingLine",)


class WaitingLine:
    """Those who wait until something fits; nobody overtakes, however little he brings."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: how long one waits at most."""
        self.seconds = seconds
        self.given_up = 0
        """How often somebody waited in vain."""
        self.waiting = 0
        """How many wait: who comes now has to stand behind them."""
        self._turn = trio.StrictFIFOLock()
        self._change = trio.lowlevel.ParkingLot()

    async def wait(self, fits: Callable[[], bool]) -> None:
        """Wait for one's turn, and then until ``fits()``.

        Nothing is cancelled any more between the moment when it fits and the return: what the
        caller does next without waiting finds the room still there.

        Raises:
            OutboxFull: it did not fit in time.
        """
        self.waiting += 1
        try:
            with trio.move_on_after(self.seconds) as scope:
                async with self._turn:
                    while not fits():
                        await self._change.park()
        finally:
            self.waiting -= 1
        if scope.cancelled_caught:
            self.given_up += 1
            raise OutboxFull(self.seconds)

    def note_change(self) -> None:
        """There may be more room than before."""
        if self.waiting:
            self._change.unpark_all()
