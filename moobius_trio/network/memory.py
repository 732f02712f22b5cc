"""The twin of a WebSocket in memory: same behaviour, no socket, simulated time.

What a peer can do to a connection is a method or attribute here, so that a test can do it. No
frame format and no rule of the platform.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.streams import Connector, FrameStream

__all__ = ("MemoryFrameStream", "memory_connector", "memory_stream_pair")


class MemoryFrameStream:
    """One end of a connection in memory; satisfies ``FrameStream``.

    Attributes:
        silent: True makes what this end sends vanish on the way, pongs and goodbye as well.
        deaf: True makes what the other end sends vanish on the way, likewise.
        answers_pings: False leaves the other end's pings without a pong.
    """

    largest_frame: int | None = None  # a text is one frame

    def __init__(self, room: int | None) -> None:
        self._room = room
        self._inbox: deque[str] = deque()
        self._arrivals = trio.lowlevel.ParkingLot()
        self._departures = trio.lowlevel.ParkingLot()
        self._lost: ConnectionLost | None = None
        self._other: MemoryFrameStream = self
        self.heard = 0
        self.silent = False
        self.deaf = False
        self.answers_pings = True

    @property
    def pending(self) -> int:
        """Texts that have come to this end and are not received yet."""
        return len(self._inbox)

    @property
    def closed(self) -> bool:
        """True once nothing can be sent from this end."""
        return self._lost is not None

    async def send_text(self, text: str) -> None:
        await self.send_texts((text,))

    async def send_texts(self, texts: Sequence[str]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        for text in texts:
            try:
                while self._other._full:
                    await self._other._departures.park()
                    self._check_open()
            except trio.Cancelled:
                self.cut("a write was cancelled")
                raise
            if self._reaches_other:
                self._other._inbox.append(text)
                self._other._note_life()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def send_payload(self, payload: bytes) -> None:
        """Send bytes that may be no text; if they are none, the other end closes with 1007."""
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            await self._other.aclose(1007, "no UTF-8")
            return
        await self.send_text(text)

    async def receive_text(self) -> str:
        await trio.lowlevel.checkpoint()
        while not self._inbox:
            self._check_open()
            await self._arrivals.park()
        self._departures.unpark_all()
        return self._inbox.popleft()

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check_open()
        if self._reaches_other:
            self._other._note_life()
            if self._other.answers_pings and self._other._reaches_other:
                self._note_life()
                return
        await trio.sleep_forever()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close both ends; the other one can still receive what was sent to it."""
        self._end(ConnectionLost(code, reason or "closed here"))
        self._inbox.clear()
        if self._reaches_other:
            self._other._end(ConnectionLost(code, reason))
        await trio.lowlevel.cancel_shielded_checkpoint()

    def cut(self, reason: str = "reset") -> None:
        """End both ends at once, without a goodbye; texts on the way are gone."""
        for end in (self, self._other):
            end._inbox.clear()
            end._end(ConnectionLost(None, reason))

    @property
    def _reaches_other(self) -> bool:
        return not (self.silent or self._other.deaf)

    @property
    def _full(self) -> bool:
        return self._room is not None and len(self._inbox) >= self._room

    def _check_open(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(self._lost.code, self._lost.reason)

    def _note_life(self) -> None:
        self.heard += 1
        if self._arrivals:
            self._arrivals.unpark_all()

    def _end(self, lost: ConnectionLost) -> None:
        if self._lost is None:
            self._lost = lost
        self._arrivals.unpark_all()
        self._other._departures.unpark_all()
        self._departures.unpark_all()


def memory_stream_pair(*, room: int | None = None) -> tuple[MemoryFrameStream, MemoryFrameStream]:
    """The two ends of a connection in memory.

    With ``room`` an end that has this many texts waiting makes the other end's ``send_text``
    wait, as a full TCP window does.
    """
    one, other = MemoryFrameStream(room), MemoryFrameStream(room)
    one._other, other._other = other, one
    return one, other


def memory_connector(
    nursery: trio.Nursery,
    serve: Callable[[MemoryFrameStream], Awaitable[object]],
    *,
    room: int | None = None,
) -> Connector:
    """Connections to ``serve``, which runs with the far end of each as a task of ``nursery``."""

    def connect() -> AbstractAsyncContextManager[FrameStream]:
        near, far = memory_stream_pair(room=room)
        nursery.start_soon(serve, far)
        return _closing(near)

    return connect


@asynccontextmanager
async def _closing(stream: MemoryFrameStream) -> AsyncIterator[FrameStream]:
    await trio.lowlevel.checkpoint()
    try:
        yield stream
    finally:
        with trio.CancelScope(shield=True):  # in memory it does not wait for anybody
            await stream.aclose()
