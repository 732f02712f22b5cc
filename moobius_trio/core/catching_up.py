"""After a gap, or when a join or leave was shed: member lists are fetched again.

Which lane this happens in is the dispatcher's business, what a list means that of `Members`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import structlog
import trio

from moobius_trio.core.dispatch import Inner
from moobius_trio.errors import MoobiusError
from moobius_trio.types import ChannelId, Character, Gap, UserId

if TYPE_CHECKING:
    from moobius_trio.core.band import Band
    from moobius_trio.network.link import Gap as LinkGap

__all__ = ("CatchUp",)

log = structlog.get_logger()

LIST_SECONDS = 2.0
NAME = "member list"


@attrs.define(eq=False)
class _Fetch:
    """One list on its way, and what is to be told when it is there."""

    band: Band
    gap: Gap | None
    ended: trio.Event = attrs.field(factory=trio.Event)
    taken_over: trio.Event = attrs.field(factory=trio.Event)
    members: Sequence[Character] | None = None
    """None when it could not be fetched."""
    changed: Iterable[UserId] = ()
    """Who came or went meanwhile."""
    in_time: bool = True


class CatchUp:
    """Brings the member lists of a service up to date.

    Args:
        bands: the service's bands.
        fetch: asks the platform for the members of a band.
        start_soon: runs a task for as long as handlers run.
        enter: files work into its band's lane.
        tell: reports a gap to the service.
        now: the aware time of the service.
    """

    def __init__(
        self,
        *,
        bands: Mapping[ChannelId, Band],
        fetch: Callable[[ChannelId], Awaitable[Sequence[Character]]],
        start_soon: Callable[[Callable[[_Fetch], Awaitable[None]], _Fetch], None],
        enter: Callable[[Inner], None],
        tell: Callable[[Gap], None],
        now: Callable[[], datetime],
    ) -> None:
        self._bands = bands
        self._fetch = fetch
        self._start_soon = start_soon
        self._enter = enter
        self._tell = tell
        self._now = now
        self._pending: dict[ChannelId, _Fetch] = {}

    def after_gap(self, gap: LinkGap) -> None:
        """The link is back: each band's list is fetched, and then the gap is reported for it."""
        until = self._now()
        since = until - timedelta(seconds=gap.until - gap.since)
        for channel_id, band in self._bands.items():
            report = Gap(channel_id=channel_id, since=since, until=until, reason=gap.reason)
            self._begin(_Fetch(band, report))

    def after_shedding(self, channel_id: ChannelId) -> None:
        """A join or leave was shed; the list is fetched when what waits has been handled."""
        if channel_id not in self._pending:
            fetch = self._pending[channel_id] = _Fetch(self._bands[channel_id], None)

            async def begin() -> None:
                del self._pending[channel_id]
                self._begin(fetch)

            self._enter(Inner(NAME, channel_id, begin))

    def _begin(self, fetch: _Fetch) -> None:
        """Fetch beside the lane, which waits for it, but not for long."""
        self._start_soon(self._run, fetch)

        async def wait() -> None:
            with trio.move_on_after(LIST_SECONDS):
                await fetch.ended.wait()
            fetch.in_time = fetch.ended.is_set()
            if fetch.in_time:
                self._take_over(fetch)

        self._enter(Inner(NAME, fetch.band.channel_id, wait))

    async def _run(self, fetch: _Fetch) -> None:
        channel_id = fetch.band.channel_id

        async def take_over() -> None:
            self._take_over(fetch)

        with fetch.band._members.journal() as fetch.changed:
            try:
                fetch.members = await self._fetch(channel_id)
            except MoobiusError as exc:
                log.warning("members could not be fetched", band=channel_id, reason=str(exc))
            fetch.ended.set()
            if not fetch.in_time:
                self._enter(Inner(NAME, channel_id, take_over))
            await fetch.taken_over.wait()

    def _take_over(self, fetch: _Fetch) -> None:
        gap = fetch.gap
        if fetch.members is not None:
            joined, left = fetch.band._members.replace(fetch.members, but=fetch.changed)
            gap = attrs.evolve(gap, joined=joined, left=left) if gap is not None else None
        if gap is not None:
            self._tell(gap)
        fetch.taken_over.set()
