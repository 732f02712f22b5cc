"""One way of one relayed connection: reads, keeps back, cuts, turns bits, writes.

What ends a connection from outside stands in `relay`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from moobius_trio.testing.relay_faults import RelayFaults

__all__ = ("Pump",)

READ_BYTES: Final = 65_536

ON_THE_WAY: Final = 256
"""Reads that a delay keeps back at most; then the source waits."""

LINGER_SECONDS: Final = 300.0
"""How long the far side of a black hole stays open when the near side has gone, so that a long
run does not use up the process's sockets."""

Piece = tuple[float, bytes]
"""When it may go on, and what."""


class Pump:
    """Passes on what ``source`` sends to ``sink``, until ``source`` ends."""

    def __init__(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        *,
        faults: Callable[[], RelayFaults],
        dark: Callable[[], bool],
        changed: Callable[[], Awaitable[None]],
        random: random.Random,
    ) -> None:
        self._source = source
        self._sink = sink
        self._faults = faults
        self._dark = dark
        self._changed = changed
        self._random = random

    async def run(self) -> None:
        """Return when the source has ended and the sink knows it.

        Raises:
            BrokenResourceError: one side is gone without a goodbye.
            ClosedResourceError: the connection was ended by the relay.
        """
        send, receive = trio.open_memory_channel[Piece](ON_THE_WAY)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, receive)
            async with send:
                await self._read(send)

    async def _read(self, pieces: trio.MemorySendChannel[Piece]) -> None:
        while True:
            speed = self._faults().slow
            if speed == 0:
                await self._changed()
                continue
            limit = READ_BYTES if speed is None else max(1, min(READ_BYTES, speed // 10))
            try:
                data = await self._source.receive_some(limit)
            except trio.BrokenResourceError:
                if not self._dark():
                    raise
                data = b""
            if self._dark():
                if not data:
                    # Nobody behind a black hole learns that this side has gone.
                    await trio.sleep(LINGER_SECONDS)
                    raise trio.BrokenResourceError("gone behind a black hole")
                continue
            if not data:
                return
            await pieces.send((trio.current_time() + self._faults().delay, bytes(data)))
            if speed is not None:
                await trio.sleep(len(data) / speed)

    async def _write(self, pieces: trio.MemoryReceiveChannel[Piece]) -> None:
        async for due, data in pieces:
            await trio.sleep_until(due)
            if self._dark():
                continue
            for piece in self._cut(self._corrupt(data)):
                await self._sink.send_all(piece)
        await self._sink.send_eof()

    def _cut(self, data: bytes) -> list[bytes]:
        largest = self._faults().slice
        if largest is None:
            return [data]
        pieces = []
        start = 0
        while start < len(data):
            size = self._random.randint(1, largest)
            pieces.append(data[start : start + size])
            start += size
        return pieces

    def _corrupt(self, data: bytes) -> bytes:
        part = self._faults().corrupt
        if not part:
            return data
        changed = bytearray(data)
        for place in range(len(changed)):
            if self._random.random() < part:
                changed[place] ^= 1 << self._random.randrange(8)
        return bytes(changed)
