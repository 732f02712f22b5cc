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
        self.live: OrderedDict[RequestId, Item] = OrderedDict()
        """Those frames, the oldest first; for others to look at."""
        self._former: dict[RequestId, Item] = {}
        """Those that were written and are set aside, or queued again."""
        self._aside: ItemSet = OrderedDict()
        self._newest: dict[Hashable, Item] = {}

    def add(self, item: Item, now: float) -> None:
        """A write of this frame begins."""
        item.written_at, item.heard = now, None
        self.live[item.request_id] = item
        self.size += item.size
        if self._former:
            self._former.pop(item.request_id, None)
        key = item.state_key
        if key is not None:
            older = self._newest.get(key)
            if older is not None and older is not item:
                older.outdated = True
            self._newest[key] = item

    def find(self, request_id: RequestId) -> Item | None:
        """The frame with this id that has been written and has not ended."""
        return self.live.get(request_id) or self._former.get(request_id)

    def take_first(self) -> Item:
        """Forget the frame that waits longest, and hand it out to be ended."""
        _, item = self.live.popitem(last=False)
        self.size -= item.size
        self._forget_state(item)
        return item

    def overdue(self, now: float, heard: int | None) -> list[Item]:
        """Those that have waited too long.

        ``heard``: the stream's sign of life, where a frame lost with its connection would be sent
        again: there a late one waits for the next sign, since without one the connection may be
        dead and not known to be. None elsewhere.
        """
        overdue = []
        for item in self.live.values():
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
        due = next(iter(self.live.values())).written_at + ANSWER_SECONDS
        return due if due > now else now + LOOK_SECONDS

    def is_live(self, item: Item) -> bool:
        """Whether its answer is awaited on this connection."""
        return item.request_id in self.live

    def set_aside(self, item: Item) -> None:
        """Keep a refused frame, which is live, for its second try."""
        del self.live[item.request_id]
        self.size -= item.size
        self._former[item.request_id] = item
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
        self._former.update(self.live)
        items = list(self.live.values())
        self.live.clear()
        self.size = 0
        return items

    def remove(self, item: Item) -> bool:
        """Forget a frame that has ended; False if it lies elsewhere, in the queue."""
        self._forget_state(item)
        if self.live.pop(item.request_id, None) is not None:
            self.size -= item.size
            return True
        self._former.pop(item.request_id, None)
        if item.home is self._aside:
            del self._aside[item]
            item.home = None
            return True
        return False

    def _forget_state(self, item: Item) -> None:
        key = item.state_key
        if key is not None and self._newest.get(key) is item:
            del self._newest[key]
