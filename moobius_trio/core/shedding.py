"""What was shed: counted for each band, and reported at most once a second.

Which events are shed, and what a report is, is not known here (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import structlog
import trio

from moobius_trio.core.lanes import Lanes
from moobius_trio.types import ChannelId

__all__ = ("Shedding",)

log = structlog.get_logger()

REPORT_SECONDS: Final = 1.0
"""At least, between two reports of one band: a flood must not become a flood of reports."""


class Shedding:
    """Counts events that were shed, and sees to it that the service hears of each.

    Args:
        lanes: they are not idle while something is to be reported.
        report: has the service told of a band, or of what belongs to none, in the service's own
            lane. When its turn has come, `take` says of how many events.
    """

    def __init__(
        self, *, lanes: Lanes[Any], report: Callable[[ChannelId | None, int], None]
    ) -> None:
        self._lanes = lanes
        self._report = report
        self._shed: Counter[ChannelId | None] = Counter()
        self._unreported: Counter[ChannelId | None] = Counter()
        self._reporting: set[ChannelId | None] = set()
        self._on_its_way: set[ChannelId | None] = set()
        self._ended = False
        self.reported = 0
        """Events that the service has been told of."""

    @property
    def shed(self) -> int:
        """Events that were shed since the start."""
        return self._shed.total()

    def by_band(self) -> tuple[tuple[ChannelId | None, int], ...]:
        """How many of each band."""
        return tuple(self._shed.items())

    def note(self, channel_id: ChannelId | None, count: int = 1) -> None:
        """Events of a band were shed."""
        self._shed[channel_id] += count
        if self._ended:
            return
        if not self._unreported[channel_id]:
            self._lanes.note_begun()
        self._unreported[channel_id] += count
        if channel_id not in self._reporting:
            self._reporting.add(channel_id)
            self._lanes.start_soon(self._report_in_time, channel_id)

    def take(self, channel_id: ChannelId | None) -> int:
        """How many events a report that is given now is about."""
        self._on_its_way.discard(channel_id)
        count = self._unreported.pop(channel_id, 0)
        if count:
            self.reported += count
            self._lanes.note_ended()
        return count

    def end(self) -> None:
        """There is nobody left to be told; the log has what was not reported."""
        self._ended = True
        for _ in self._unreported:
            self._lanes.note_ended()
        if self._unreported:
            log.warning("shed events were not reported", events=self._unreported.total())
        self._unreported.clear()

    async def _report_in_time(self, channel_id: ChannelId | None) -> None:
        """One report, and further ones for as long as events are shed."""
        while self._unreported[channel_id]:
            if channel_id not in self._on_its_way:
                self._on_its_way.add(channel_id)
                count = self._unreported[channel_id]
                log.warning("events are shed: too many wait", band=channel_id, events=count)
                self._report(channel_id, count)
            await trio.sleep(REPORT_SECONDS)
        self._reporting.discard(channel_id)
