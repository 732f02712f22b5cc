"""One reader of the inspector's news: a bounded queue that loses its oldest and says so.

What the news are is not this module's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from moobius_trio.local.inspected import Handled, Inspected, Missed, News

__all__ = ("Listener", "Viewing")


class Listener:
    """A reader that takes all news at once, so that none is lost."""

    def __init__(self, tell: Callable[[News], None]) -> None:
        self._tell = tell

    def put(self, news: Inspected | Handled) -> None:
        """Hand this over."""
        self._tell(news)


class Viewing(trio.abc.ReceiveChannel[News]):
    """What ``Inspector.subscribe`` gives; to be read by one task, as any channel of trio is."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: deque[Inspected | Handled] = deque()
        self._missed = 0
        self._more = trio.Event()
        self._closed = False

    def put(self, news: Inspected | Handled) -> None:
        """Queue this; in a full queue the oldest makes room for it."""
        if self._closed:
            return
        if len(self._waiting) >= self._room:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(news)
        self._more.set()

    def receive_nowait(self) -> News:
        """The next news, without waiting.

        Raises:
            trio.WouldBlock: there are none.
            trio.EndOfChannel: and there will be none, since the subscription has ended.
        """
        if self._missed:
            missed, self._missed = Missed(count=self._missed), 0
            return missed
        if self._waiting:
            return self._waiting.popleft()
        raise trio.EndOfChannel if self._closed else trio.WouldBlock

    async def receive(self) -> News:
        """The next news; a `Missed` stands where some were lost.

        Cancelled, it has taken nothing.

        Raises:
            trio.EndOfChannel: the subscription has ended and everything has been read.
        """
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.receive_nowait()
            except trio.WouldBlock:
                self._more = trio.Event()
            await self._more.wait()

    def close(self) -> None:
        """No more news; those that wait can still be read."""
        self._closed = True
        self._more.set()

    async def aclose(self) -> None:
        """`close`, as a channel of trio has it."""
        self.close()
        await trio.lowlevel.checkpoint()
