"""Figures of a running service as values."""

from __future__ import annotations

import attrs

from moobius_trio.core.jobs import JobStatistics
from moobius_trio.core.lanes import LaneStatistics
from moobius_trio.core.spells import SpellStatistics
from moobius_trio.database import StoreStatistics
from moobius_trio.network.link import LinkStatistics
from moobius_trio.network.outbox import OutboxStatistics
from moobius_trio.types import ServiceId, UserId

__all__ = ("ServiceStatistics", "in_one_line")


@attrs.frozen(kw_only=True)
class ServiceStatistics:
    """A snapshot of one service, or of one user (docs/architecture.md sections 4 and 5)."""

    name: str
    service_id: ServiceId | UserId
    """Its id on the platform; of a `MoobiusUser` the user's."""
    link: LinkStatistics
    outbox: OutboxStatistics
    lanes: LaneStatistics
    spells: SpellStatistics
    jobs: tuple[tuple[str, JobStatistics], ...]
    stores: tuple[StoreStatistics, ...]
    failures: int
    """Handlers, job runs, spells and tasks that failed."""
    handlers: int
    """Handlers, job runs, spells and tasks that run now."""
    tasks: int
    """Those of them that were begun with `start_soon`."""


def in_one_line(statistics: ServiceStatistics) -> dict[str, object]:
    """The figures that are not zero, as fields of a log line: ``outbox_queued=3``."""
    fields: dict[str, object] = {}
    for part in ("link", "outbox", "lanes", "spells"):
        fields |= {
            f"{part}_{name}": value
            for name, value in attrs.asdict(getattr(statistics, part)).items()
            if not isinstance(value, tuple)  # for each band: the log has a line of its own for it
        }
    for name, job in statistics.jobs:
        fields |= {f"job_{name}_runs": job.runs, f"job_{name}_failures": job.failures}
    for number, store in enumerate(statistics.stores, 1):
        fields |= {f"store_{number}": store.where, f"store_{number}_waiting": store.waiting}
        fields |= {f"store_{number}_commits": store.commits, f"store_{number}_broken": store.broken}
    for name in ("failures", "handlers", "tasks"):
        fields[name] = getattr(statistics, name)
    return {name: value for name, value in fields.items() if value}
