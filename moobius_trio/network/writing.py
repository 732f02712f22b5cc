"""The one task that writes frames to a connection, and the deadline of each of its writes.

Which frame comes next and what becomes of it is the outbox's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from typing import Final, NoReturn

import trio

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.items import Item
from moobius_trio.network.streams import FrameStream, StartsAtOnce

__all__ = ("WRITE_SECONDS", "Writer")

WRITE_SECONDS: Final = 20.0
"""A write that takes longer ends the connection: the peer does not read any more."""

TOGETHER_BYTES: Final = 65_536
"""As soon as one write has so much, no further frame is added to it."""
DENSE_SECONDS: Final = 0.0005
"""A frame that comes so soon after a write of several, or after one behind which others were
ready at once, is one of many."""
DENSE_TURNS: Final = 8
"""So often one of many lets the others run first, as long as each turn brings further ones."""
TURN_SECONDS: Final = 0.002
"""After so long others have a turn: the kernel may take megabytes without making a writer wait."""


class Writer:
    """Takes frame after frame and writes it.

    Attributes:
        written: frames written, repetitions included.
    """

    def __init__(
        self,
        ready: Sized,
        take: Callable[[float, int], list[Item]],
        on_written: Callable[[list[Item]], None],
    ) -> None:
        """``ready``: what there is to take; ``take``: the next frames, of which a write begins at
        this time, until they have so many bytes, none when there is none yet; ``on_written``: they
        have left."""
        self.written = 0
        self._ready = ready
        self._take = take
        self._on_written = on_written
        self._since: float | None = None
        self._dense_until = -math.inf
        self._full_since: float | None = None
        """When the first of several full writes in a row began."""
        self._rest: trio.Event | None = None
        """Set by whoever has something for a writer that rests."""
        self._quick: StartsAtOnce | None = None
        self._heard = 0
        """What the connection had heard when something was last written at once."""
        self._begun: list[Item] = []
        """What was begun at once, and has not left."""
        self._failure: ConnectionLost | None = None
        """Of what was begun at once: the reader may not see that nothing can be written."""

    @property
    def busy(self) -> bool:
        """Whether a write is under way."""
        return self._since is not None

    async def write_to(self, stream: FrameStream) -> NoReturn:
        """Write for as long as the connection lasts.

        What is there at one time leaves with one write of the transport: a system call for each
        frame would cost more than all else that is done for it.

        Raises:
            ConnectionLost: the connection is closed.
        """
        self._begun, self._failure = [], None
        self._quick = stream if isinstance(stream, StartsAtOnce) else None
        try:
            await self._write_on(stream)
        finally:
            self._quick = self._rest = None

    async def _write_on(self, stream: FrameStream) -> NoReturn:
        clock = trio.lowlevel.current_clock().current_time  # current_time() asks for it each time
        while True:
            if (failure := self._failure) is not None:
                raise ConnectionLost(failure.code, failure.reason)
            if stream.closed:  # what is not taken stays queued; how it closed the reader will say
                await trio.sleep_forever()
            if self._begun:
                await stream.send_texts(())
                items, self._begun = self._begun, []
                self._note_left(items)
            if self._ready and clock() < self._dense_until:
                await self._let_more_come()
                if stream.closed:
                    continue
            wrote = bool(self._ready) and await self._write_some(stream, clock())
            if not (wrote and self._ready):
                self._rest = trio.Event()
                await self._rest.wait()

    async def _write_some(self, stream: FrameStream, now: float) -> bool:
        """Write what there is; False if that is nothing, and then nothing was awaited."""
        # taken before the write: their copies may be read before the write returns
        items = self._take(now, TOGETHER_BYTES)
        full = bool(self._ready)  # for else it would have taken all
        if not items:
            return False
        if not full:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        self._since = now
        await stream.send_texts([item.text for item in items])
        if not full and (len(items) > 1 or self._ready):
            self._dense_until = trio.current_time() + DENSE_SECONDS
        else:  # a single one, or enough for the next write too
            self._dense_until = -math.inf
        self._note_left(items)
        if self._full_since is not None and trio.current_time() >= self._full_since + TURN_SECONDS:
            self._full_since = None
            await trio.lowlevel.checkpoint()
        return True

    def _note_left(self, items: list[Item]) -> None:
        self._since = None
        self.written += len(items)
        self._on_written(items)

    async def _let_more_come(self) -> None:
        """Where messages are many, the next one is answered in the next turn of the loop."""
        count = 0
        for _ in range(DENSE_TURNS):
            before, count = count, len(self._ready)
            if count == before:
                break
            await trio.lowlevel.checkpoint()

    def wake(self) -> None:
        """There is something to take."""
        rest, self._rest = self._rest, None  # also for what is brought about below
        if rest is None:
            pass  # it does not rest, and will look
        elif self._start():
            self._rest = rest
        else:
            rest.set()

    def _start(self) -> bool:
        """Write at once, in whatever task has something; True if nothing is left to do.

        Once after each sign of life of the peer: the answer to what came on its own leaves
        without another turn of the loop, and what is more than that leaves together.
        """
        stream = self._quick
        if stream is None or stream.closed or stream.heard == self._heard:
            return False
        now = trio.current_time()
        if now < self._dense_until:
            return False
        self._heard = stream.heard
        items = self._take(now, TOGETHER_BYTES)
        if not items:
            return False
        try:
            left = stream.start_sending([item.text for item in items])
        except ConnectionLost as error:  # whoever sends has nothing to do with it
            self._failure = error
            return False
        if left:
            self._note_left(items)
        else:
            self._since, self._begun = now, items
        return left and not self._ready

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
