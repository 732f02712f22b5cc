"""Figures of a running service as values."""

from __future__ import annotations

import attrs

from moobius_trio.core.jobs import JobStatistics
from moobius_trio.core.lanes import LaneStatistics
from moobius_trio.database import StoreStatistics
from moobius_trio.network.link import LinkStatistics
from moobius_trio.network.outbox import OutboxStatistics
from moobius_trio.types import ServiceId

__all__ = ("ServiceStatistics",)


@attrs.frozen(kw_only=True)
class ServiceStatistics:
    """A snapshot of one service (docs/architecture.md sections 4 and 5)."""

    name: str
    service_id: ServiceId
    link: LinkStatistics
    outbox: OutboxStatistics
    lanes: LaneStatistics
    jobs: tuple[tuple[str, JobStatistics], ...]
    stores: tuple[StoreStatistics, ...]
    failures: int
    """Handlers, job runs, spells and tasks that failed."""
