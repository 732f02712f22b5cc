"""Where the socket's events go: to the dispatcher, and while it is not there yet they wait here.

The members of the bands are fetched in that time. What an event means is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from moobius_trio.core.actions import changes_members, is_view_request
from moobius_trio.core.mailbox_room import SERVICE_LANE, LaneKey, Limits, MailboxRoom
from moobius_trio.core.weights import weight
from moobius_trio.types import ChannelId, ServiceFrame

if TYPE_CHECKING:
    from moobius_trio.core.dispatch import Dispatcher

__all__ = ("Inlet",)


class Inlet:
    """Takes events from the link's reader; never waits and never raises.

    Args:
        bands: those that the service holds. Of others little is kept, for the log.
        limits: how much may wait, as in the lanes.
    """

    def __init__(self, bands: Iterable[ChannelId], limits: Limits | None = None) -> None:
        self._bands = frozenset(bands)
        self._room = MailboxRoom(limits or Limits())
        self._waiting: list[ServiceFrame] = []
        self._shed: Counter[ChannelId | None] = Counter()
        self._members_shed: set[ChannelId | None] = set()
        self._take: Callable[[ServiceFrame], None] = self._keep

    def __call__(self, event: ServiceFrame) -> None:
        """Hand an event on, or keep it."""
        self._take(event)

    def open(self, dispatcher: Dispatcher) -> None:
        """From now on events go there, first those that waited."""
        self._take = dispatcher.receive
        for event in self._waiting:
            dispatcher.receive(event)
        for channel_id, count in self._shed.items():
            dispatcher.note_shed(channel_id, count, members=channel_id in self._members_shed)
        self._waiting.clear()

    def close(self) -> None:
        """From now on events go nowhere: there is nobody left to handle them."""
        self._take = lambda event: None

    def _keep(self, event: ServiceFrame) -> None:
        channel_id: ChannelId | None = getattr(event, "channel_id", None)
        held = channel_id is None or channel_id in self._bands
        key: LaneKey = SERVICE_LANE
        if not held:
            key = ("not held", None, None)
        elif channel_id is not None:
            key = ("view" if is_view_request(event) else "band", channel_id, None)
        if self._room.take(key, weight(event)):
            self._waiting.append(event)
        elif held:
            self._shed[channel_id] += 1
            if changes_members(event):
                self._members_shed.add(channel_id)
