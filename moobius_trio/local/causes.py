"""Which event began a unit of work of the service, as far as the trace lets one know.

A message is known by its ``msg_id``. Key presses and actions have no id on the wire
(docs/protocol/generation-0.md section 3.3), so of those for one handler, band and user the order
tells: handlers take them in the order in which they came. No frame is kept or told here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

import attrs

from moobius_trio.local.rules import PARTS, REFRESH
from moobius_trio.types import Action, FeatureCall, MenuItemClick, MessageUp

__all__ = ("Causes", "Traced", "UpEvent")

REMEMBERED: Final = 2_000
"""Events and units, each."""

UpEvent: TypeAlias = MessageUp | Action | FeatureCall | MenuItemClick
"""What people do, as a service is told."""


_Event: TypeAlias = Action | FeatureCall | MenuItemClick


class Traced(Protocol):
    """What every record of a service's trace has: ``TraceRecord`` and ``UnitRecord`` of the client
    side, which the platform knows by their form only."""

    @property
    def unit(self) -> int | None: ...
    @property
    def handler(self) -> str: ...
    @property
    def milliseconds(self) -> float: ...
    @property
    def records(self) -> int: ...
    @property
    def cause(self) -> str | None: ...
    @property
    def channel_id(self) -> str | None: ...
    @property
    def user_id(self) -> str | None: ...


@attrs.frozen
class _Came:
    n: int
    at: int
    event: _Event

    def is_for(self, record: Traced) -> bool:
        event = self.event
        if (record.channel_id, record.user_id) != (event.channel_id, event.sender):
            return False
        method = record.handler.rpartition(".")[2]
        if isinstance(event, FeatureCall):
            return method == "on_feature_call"
        if isinstance(event, MenuItemClick):
            return method == "on_menu_item_click"
        return method in ("on_action", f"on_{event.subtype}")

    @property
    def coalesces(self) -> bool:
        """Whether a service answers several of these that wait by one run of the handler."""
        return isinstance(self.event, Action) and self.event.subtype.startswith("fetch_")


def _as_handled(event: _Event) -> Iterator[_Event]:
    """The event, and for a refresh also the parts as which a service may handle it."""
    yield event
    if isinstance(event, Action) and event.subtype == REFRESH:
        for part in PARTS:
            yield attrs.evolve(event, subtype=part)


class Causes:
    """Remembers events until a unit asks for its own."""

    def __init__(self) -> None:
        self._messages: dict[str, int] = {}
        self._came: deque[_Came] = deque(maxlen=REMEMBERED)
        self._units: dict[int, int | None] = {}

    def came(self, n: int, at: int, event: UpEvent) -> None:
        """The event is on its way to the service.

        Args:
            n: the number of its frame.
            at: milliseconds since 1970.
        """
        if isinstance(event, MessageUp):
            self._messages[event.msg_id] = n
            if len(self._messages) > REMEMBERED:
                del self._messages[next(iter(self._messages))]
        else:
            self._came.extend(_Came(n, at, each) for each in _as_handled(event))

    def forget(self) -> None:
        """The service begins anew: what was under way ended, and units are counted from one."""
        self._came.clear()
        self._units.clear()

    def of(self, record: Traced, now: int) -> int | None:
        """The number of the frame that began the record's unit; None when none did."""
        if record.cause is not None and (found := self._messages.get(record.cause)) is not None:
            return found
        if record.unit is None or record.user_id is None:
            return None
        if record.unit not in self._units:
            self._units[record.unit] = self._take(record, now)
            if len(self._units) > REMEMBERED:
                del self._units[next(iter(self._units))]
        return self._units[record.unit]

    def _take(self, record: Traced, now: int) -> int | None:
        waiting = [each for each in self._came if each.is_for(record)]
        if not waiting:
            return None
        taken = waiting[:1]
        if taken[0].coalesces:
            # All that had come when the handler began; it answers them with one run.
            began = now - record.milliseconds
            taken += [each for each in waiting[1:] if each.at < began]
        for each in taken:
            self._came.remove(each)
        return taken[-1].n
