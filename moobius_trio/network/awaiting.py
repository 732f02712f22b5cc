"""Frames that were written and wait for the platform's answer.

Only the keeping of them: what an answer means, and what happens without one, is the outbox's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from moobius_trio.network.items import Item, ItemSet
from moobius_trio.types import RequestId

__all__ = ("ANSWER_SECONDS", "Awaiting")

ANSWER_SECONDS: Final = 20.0
"""Without an answer for so long on a live connection, a frame's fate is unknown."""


class Awaiting:
    """Frames on their way, in the order of writing, found by their id.

    A frame stays findable when it is queued for a second write: a late answer still counts.
    """

    def __init__(self) -> None:
        self.size = 0
        """Bytes of the frames whose answer is awaited on this connection."""
        self._live: ItemSet = OrderedDict()
        self._aside: ItemSet = OrderedDict()
        self._by_id: dict[RequestId, Item] = {}

    @property
    def count(self) -> int:
        """How many answers are awaited on this connection."""
        return len(self._live)

    def add(self, item: Item) -> None:
        """A write of this frame begins."""
        self._live[item] = None
        item.home = self._live
        self.size += item.frame.size
        self._by_id[item.frame.request_id] = item

    def find(self, request_id: RequestId) -> Item | None:
        """The frame with this id that has been written and has not ended."""
        return self._by_id.get(request_id)

    def first(self) -> Item:
        """The frame that waits longest."""
        return next(iter(self._live))

    def items(self) -> list[Item]:
        """The frames whose answer is awaited on this connection, the oldest first."""
        return list(self._live)

    def overdue(self, now: float) -> list[Item]:
        """Those that have waited too long."""
        late = []
        for item in self._live:
            if now < item.written_at + ANSWER_SECONDS:
                break
            late.append(item)
        return late

    def next_overdue(self, now: float) -> float:
        """When to look again."""
        if not self._live:
            return now + ANSWER_SECONDS
        return self.first().written_at + ANSWER_SECONDS

    def set_aside(self, item: Item) -> bool:
        """Keep a refused frame for its second try; False if it is queued already."""
        if item.home is not self._live:
            return False
        self._leave_live(item)
        self._aside[item] = None
        item.home = self._aside
        return True

    def take_aside(self) -> list[Item]:
        """Hand out what was set aside, to be queued again."""
        items = list(self._aside)
        self._aside.clear()
        for item in items:
            item.home = None
        return items

    def take_all(self) -> list[Item]:
        """Hand out what this connection has not answered, to be queued again."""
        items = list(self._live)
        for item in items:
            self._leave_live(item)
        return items

    def remove(self, item: Item) -> bool:
        """Forget a frame that has ended; False if it lies elsewhere, in the queue."""
        self._by_id.pop(item.frame.request_id, None)
        if item.home is self._live:
            self._leave_live(item)
            return True
        if item.home is self._aside:
            del self._aside[item]
            item.home = None
            return True
        return False

    def _leave_live(self, item: Item) -> None:
        del self._live[item]
        item.home = None
        self.size -= item.frame.size
