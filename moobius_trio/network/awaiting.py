"""Frames that were written and wait for the platform's answer.

Only the keeping of them: what an answer means, and what happens without one, is the outbox's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from moobius_trio.network.items import Item, ItemSet
from moobius_trio.types import RequestId

__all__ = ("ANSWER_SECONDS", "Awaiting")

ANSWER_SECONDS: Final = 20.0
"""Without an answer for so long on a live connection, a frame's fate is unknown."""

SILENT_SECONDS: Final = 50.0
"""By then a connection without any sign of life has been found dead, where that can be told."""

LOOK_SECONDS: Final = 1.0
"""Between two looks at frames that are late on a silent connection."""


class Awaiting:
    """Frames on their way, in the order of writing, found by their id.

    A frame stays findable when it is queued for a second write: a late answer still counts.
    """

    def __init__(self) -> None:
        self.size = 0
        """Bytes of the frames whose answer is awaited on this connection."""
        self.live: ItemSet = OrderedDict()
        """Those frames, the oldest first; for others to look at."""
        self._aside: ItemSet = OrderedDict()
        self._by_id: dict[RequestId, Item] = {}
        self._newest: dict[Hashable, Item] = {}

    def add(self, item: Item) -> None:
        """A write of this frame begins."""
        self.live[item] = None
        item.home, item.heard = self.live, None
        self.size += item.frame.size
        self._by_id[item.frame.request_id] = item
        key = item.frame.state_key
        if key is not None:
            older = self._newest.get(key)
            if older is not None and older is not item:
                older.outdated = True
            self._newest[key] = item

    def find(self, request_id: RequestId) -> Item | None:
        """The frame with this id that has been written and has not ended."""
        return self._by_id.get(request_id)

    def first(self) -> Item:
        """The frame that waits longest."""
        return next(iter(self.live))

    def overdue(self, now: float, heard: int | None) -> list[Item]:
        """Those that have waited too long.

        ``heard``: the stream's sign of life, where a frame lost with its connection would be sent
        again: there a late one waits for the next sign, since without one the connection may be
        dead and not known to be. None elsewhere.
        """
        overdue = []
        for item in self.live:
            if now < item.written_at + ANSWER_SECONDS:
                break
            if heard is None or now >= item.written_at + SILENT_SECONDS:
                overdue.append(item)
            elif item.heard is None:
                item.heard = heard
            elif item.heard != heard:
                overdue.append(item)
        return overdue

    def next_overdue(self, now: float) -> float:
        """When to look again."""
        if not self.live:
            return now + ANSWER_SECONDS
        due = self.first().written_at + ANSWER_SECONDS
        return due if due > now else now + LOOK_SECONDS

    def is_live(self, item: Item) -> bool:
        """Whether its answer is awaited on this connection."""
        return item.home is self.live

    def set_aside(self, item: Item) -> None:
        """Keep a refused frame, which is live, for its second try."""
        self._leave_live(item)
        self._aside[item] = None
        item.home = self._aside

    def take_aside(self) -> list[Item]:
        """Hand out what was set aside, to be queued again."""
        items = list(self._aside)
        self._aside.clear()
        for item in items:
            item.home = None
        return items

    def take_all(self) -> list[Item]:
        """Hand out what this connection has not answered, to be queued again."""
        items = list(self.live)
        for item in items:
            self._leave_live(item)
        return items

    def remove(self, item: Item) -> bool:
        """Forget a frame that has ended; False if it lies elsewhere, in the queue."""
        self._by_id.pop(item.frame.request_id, None)
        key = item.frame.state_key
        if key is not None and self._newest.get(key) is item:
            del self._newest[key]
        if item.home is self.live:
            self._leave_live(item)
            return True
        if item.home is self._aside:
            del self._aside[item]
            item.home = None
            return True
        return False

    def _leave_live(self, item: Item) -> None:
        del self.live[item]
        item.home = None
        self.size -= item.frame.size
