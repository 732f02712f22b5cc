"""The one task that writes frames to a connection, and the deadline of each of its writes.

Which frame comes next and what becomes of it is the outbox's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import trio

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.items import Item
from moobius_trio.network.streams import FrameStream

__all__ = ("WRITE_SECONDS", "Writer")

WRITE_SECONDS: Final = 20.0
"""A write that takes longer ends the connection: the peer does not read any more."""


class Writer:
    """Takes frame after frame and writes it.

    Attributes:
        written: frames written, repetitions included.
    """

    def __init__(
        self, *, take: Callable[[], Item | None], on_written: Callable[[Item], None]
    ) -> None:
        """``take``: the next frame, None when there is none yet; ``on_written``: it has left."""
        self.written = 0
        self._take = take
        self._on_written = on_written
        self._since: float | None = None
        self._parked = trio.lowlevel.ParkingLot()

    @property
    def busy(self) -> bool:
        """Whether a write is under way."""
        return self._since is not None

    async def write_to(self, stream: FrameStream) -> NoReturn:
        """Write for as long as the connection lasts.

        Raises:
            ConnectionLost: the connection is closed.
        """
        send_text, take, on_written = stream.send_text, self._take, self._on_written
        while True:
            if stream.closed:  # what is not taken stays queued; how it closed the reader will say
                await trio.sleep_forever()
            item = take()
            if item is None:
                await self._parked.park()
                continue
            # before the write: its copy may be read before the write returns
            item.written_at = self._since = trio.current_time()
            await send_text(item.frame.text)
            self._since = None
            self.written += 1
            on_written(item)

    def wake(self) -> None:
        """There is something to take."""
        if self._parked:
            self._parked.unpark()

    def forget(self) -> None:
        """The connection is gone, and with it the write that was under way."""
        self._since = None

    def check(self, now: float) -> None:
        """Raises ``ConnectionLost`` if the write under way takes longer than 20 s."""
        if self._since is not None and now >= self._since + WRITE_SECONDS:
            raise ConnectionLost(None, f"a write did not end within {WRITE_SECONDS:g} s")

    def next_check(self, now: float) -> float:
        """When to look again: before a write that begins now would be overdue."""
        since = self._since
        return (now if since is None else since) + WRITE_SECONDS
