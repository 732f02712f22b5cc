"""The order in which frames leave: by channel, in the order of ``put`` where nothing holds.

Only the order: no clock, no socket, no receipts' ends. A frame whose records are not stored yet
waits in its own channel's lane; frames of other channels pass it (docs/architecture.md
section 4).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence

import attrs

from moobius_trio.network.items import Item, ItemSet
from moobius_trio.types import ChannelId

__all__ = ("SendQueue",)


@attrs.define(eq=False)
class _Lane:
    """One channel's frames that may not leave yet. Lanes exist only while they are needed."""

    waiting: ItemSet = attrs.field(factory=OrderedDict)
    in_flight: Item | None = None
    """In strict order: the frame whose end the next one waits for."""


class SendQueue:
    """Frames not written yet.

    Every frame is either ready, in one order for all channels, or waits in its channel's lane.

    Args:
        supersede: told of an item that a newer state replaces; it must end it.

    Attributes:
        limit_items, limit_bytes: how much there is room for.
        count: how many there are.
        size: their bytes.
        ready: those that could leave now, the next one first; for others to look at.
    """

    def __init__(
        self,
        *,
        strict: bool,
        supersede: Callable[[Item], None],
        limit_items: int,
        limit_bytes: int,
    ) -> None:
        self.limit_items = limit_items
        self.limit_bytes = limit_bytes
        self.count = 0
        self.size = 0
        self._strict = strict
        self._supersede = supersede
        self.ready: ItemSet = OrderedDict()
        self._lanes: dict[ChannelId | None, _Lane] = {}
        self._states: dict[Hashable, Item] = {}
        self._puts_of_states = 0
        self._places = 0

    @property
    def waiting(self) -> int:
        """How many may not leave yet."""
        return self.count - len(self.ready)

    def items(self) -> list[Item]:
        """All frames, those that could leave now first."""
        waiting = [item for lane in self._lanes.values() for item in lane.waiting]
        return [*self.ready, *waiting]

    def fits(self, items: Sequence[Item]) -> bool:
        """Whether there is room for these, counting what the states among them would replace.

        One that is too large for any queue fits into an empty one.
        """
        count = self.count + len(items)
        size = self.size
        for item in items:
            size += item.size
        if count <= self.limit_items and size <= self.limit_bytes:
            return True
        for item in items:
            key = item.state_key
            replaced = self._states.get(key) if key is not None else None
            if replaced is not None:
                count -= 1
                size -= replaced.size
        return (count <= self.limit_items and size <= self.limit_bytes) or not self.count

    def add(self, item: Item) -> None:
        """Queue a new frame behind all others of its channel."""
        self.count += 1
        self.size += item.size
        if item.state_key is not None:
            self._puts_of_states += 1
            item.sequence = self._puts_of_states
            if not item.waits:
                self._conflate(item)
        lane = self._lanes.get(item.channel_id)
        if lane is None:
            if not (item.waits or self._strict):
                self._make_ready(item)
                return
            lane = self._lanes[item.channel_id] = _Lane()
        lane.waiting[item] = None
        item.home = lane.waiting
        self._advance(item.channel_id)

    def take(self) -> Item | None:
        """Take out the next frame to write; None when none may leave."""
        if not self.ready:
            return None
        item, _ = self.ready.popitem(last=False)
        self._forget(item)
        return item

    def put_back(self, items: Iterable[Item]) -> None:
        """Queue frames again that were written before, ahead of everything, in their order."""
        for item in sorted(items, key=lambda item: item.place, reverse=True):
            self.count += 1
            self.size += item.size
            self.ready[item] = None
            self.ready.move_to_end(item, last=False)
            item.home = self.ready
            self._conflate(item)

    def wait_over(self, item: Item) -> None:
        """One of the waits of a queued frame is over."""
        item.waits -= 1
        if not item.waits:
            self._conflate(item)
            self._advance(item.channel_id)

    def remove(self, item: Item) -> None:
        """Take out a queued frame that will not leave."""
        if item.home is not None:
            del item.home[item]
            self._forget(item)

    def let_next(self, item: Item) -> None:
        """A frame has ended, wherever it was: what waited for it in its channel may go on."""
        lane = self._lanes.get(item.channel_id)
        if lane is not None:
            if lane.in_flight is item:
                lane.in_flight = None
            self._advance(item.channel_id)

    def set_strict(self, strict: bool) -> None:
        """From now on a channel's next frame waits for the end of the one before, or does not."""
        if strict != self._strict:
            self._strict = strict
            for channel_id, lane in list(self._lanes.items()):
                lane.in_flight = None
                self._advance(channel_id)

    def _advance(self, channel_id: ChannelId | None) -> None:
        lane = self._lanes.get(channel_id)
        if lane is None:
            return
        while lane.waiting and lane.in_flight is None:
            item = next(iter(lane.waiting))
            if item.waits:
                break
            del lane.waiting[item]
            if self._strict:
                lane.in_flight = item
            self._make_ready(item)
        if not lane.waiting and lane.in_flight is None:
            del self._lanes[channel_id]

    def _make_ready(self, item: Item) -> None:
        self._places += 1
        item.place = self._places
        self.ready[item] = None
        item.home = self.ready

    def _forget(self, item: Item) -> None:
        item.home = None
        self.count -= 1
        self.size -= item.size
        key = item.state_key
        if key is not None and self._states.get(key) is item:
            del self._states[key]

    def _conflate(self, item: Item) -> None:
        """Nothing holds this state back any more: it replaces an older one, or a newer one it.

        Not earlier: a state that may yet be dropped must not replace one that would have left.
        """
        key = item.state_key
        if key is None:
            return
        other = self._states.get(key)
        if other is not None and other.sequence > item.sequence:
            self._supersede(item)
            return
        self._states[key] = item
        if other is not None:
            self._supersede(other)
