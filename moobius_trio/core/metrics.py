"""Statistics as Prometheus text (exposition format 0.0.4). Values in, text out.

Written out here because the client library keeps its registry, with collectors of its own, in
module globals; its parser tells the tests whether this text is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Literal, TypeAlias

import attrs

from moobius_trio.core.statistics import ServiceStatistics

__all__ = ("CONTENT_TYPE", "FIGURES", "Figure", "metrics_text")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = dict[str, str]


@attrs.frozen
class Figure:
    """How one figure of the statistics is shown."""

    path: str
    """Where it stands: ``outbox.queued``; ``jobs.runs`` is that of each job."""
    name: str
    """What it is called behind ``moobius_``; counters end with ``_total``."""
    help: str
    label: str = ""
    """For a word: the label that has it as its value; the figure itself is 1."""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """As the type line has it."""
        return "counter" if self.name.endswith("_total") else "gauge"


def _ended(state: str) -> Figure:
    return Figure(
        f"outbox.ended_{state}",
        "outbox_ended_total",
        "Frames by what became of them.",
        labels=(("state", state),),
    )


FIGURES: Final = (
    Figure("failures", "failures_total", "Handlers, job runs, spells and tasks that failed."),
    Figure("handlers", "handlers", "Handlers, job runs, spells and tasks that run now."),
    Figure("tasks", "tasks", "Tasks begun with start_soon that have not ended."),
    Figure("link.state", "connection", "State of the connection.", label="state"),
    Figure("link.attempt", "connection_attempts", "Connection attempts since the last login."),
    Figure("link.next_attempt_in", "connection_next_attempt_seconds", "Until the next attempt."),
    Figure("link.acknowledgement", "acknowledgement", "How frames are confirmed.", label="mode"),
    Figure("link.liveness", "liveness", "Whether silence means a dead peer.", label="state"),
    Figure("link.connections", "connections_total", "Connections made."),
    Figure("link.rotations", "rotations_total", "Connections given up as planned."),
    Figure("link.duplicates", "duplicates_total", "Messages that came once more, left out."),
    Figure("link.logins", "logins_total", "Logins sent."),
    Figure("link.refused_logins", "refused_logins_total", "Logins refused."),
    Figure("link.gaps", "gaps_total", "Times without a connection that have ended."),
    Figure("link.heartbeats", "heartbeats_total", "Heartbeats sent."),
    Figure("link.received", "frames_received_total", "Frames that came in."),
    Figure("link.malformed", "frames_malformed_total", "Frames that could not be read."),
    Figure("link.platform_errors", "platform_errors_total", "Errors the platform reported."),
    Figure("link.foreign_copies", "foreign_copies_total", "Copies with an id of no frame of ours."),
    Figure("outbox.queued", "outbox_queued", "Frames that wait to be written."),
    Figure("outbox.queued_bytes", "outbox_queued_bytes", "Their size."),
    Figure("outbox.held", "outbox_held", "Frames that wait for a record to be stored."),
    Figure("outbox.unconfirmed", "outbox_unconfirmed", "Frames written, the answer awaited."),
    Figure("outbox.written", "outbox_written_total", "Writes, repetitions included."),
    Figure("outbox.written_again", "outbox_written_again_total", "Frames queued again."),
    *map(_ended, ("confirmed", "refused", "unconfirmed", "dropped", "superseded")),
    Figure("outbox.full", "outbox_full_total", "Times that OutboxFull was raised."),
    Figure("lanes.lanes", "lanes", "Lanes with something in them."),
    Figure("lanes.waiting", "lanes_waiting", "Events that wait in lanes."),
    Figure("lanes.bytes", "lanes_bytes", "Memory of the events that wait or run, roughly."),
    Figure("lanes.shed", "lanes_shed_total", "Events for which there was no room."),
    Figure("lanes.shed_by_band", "lanes_shed_by_band_total", "The same for each band."),
    Figure("lanes.shed_reported", "lanes_shed_reported_total", "Those on_overflow was told of."),
    Figure("lanes.not_held", "lanes_not_held_total", "Events of bands the service does not hold."),
    Figure("lanes.coalesced", "lanes_coalesced_total", "Requests one answer stood for."),
    Figure("lanes.late", "lanes_late_total", "Events that came after the stop had begun."),
    Figure("spells.waiting", "spells_waiting", "Spells that are accepted and not begun."),
    Figure("spells.begun", "spells_begun_total", "Spells begun."),
    Figure("spells.running", "spells_running", "Whether a spell runs."),
    Figure("jobs.runs", "job_runs_total", "Runs begun."),
    Figure("jobs.failures", "job_failures_total", "Runs that failed."),
    Figure("jobs.missed", "job_missed_total", "Due times that got no run of their own."),
    Figure("jobs.lateness", "job_lateness_seconds", "How late the last run began."),
    Figure("jobs.next_due", "job_next_due_timestamp_seconds", "When the next run is due."),
    Figure("jobs.running", "job_running", "Whether a run goes on."),
    Figure("stores.level", "store_durability", "What a stored change survives.", label="level"),
    Figure("stores.waiting", "store_waiting", "Changes that are not stored yet."),
    Figure("stores.commits", "store_commits_total", "Commits."),
    Figure("stores.records", "store_records_total", "Records written or removed."),
    Figure("stores.failures", "store_failures_total", "Commits that failed."),
    Figure("stores.broken", "store_broken", "Whether the store takes no more changes."),
)
"""Every figure there is; those of one name stand behind one another."""


def metrics_text(services: Sequence[ServiceStatistics], problems: int) -> str:
    """What a scrape gets.

    Args:
        services: those that have begun and not ended.
        problems: how many reasons there are that the process is not ready.
    """
    lines = [
        "# HELP moobius_ready Whether every service is connected and its stores take changes.",
        "# TYPE moobius_ready gauge",
        f"moobius_ready {int(not problems)}",
    ]
    headed = ""
    for figure in FIGURES:
        samples = [line for service in services for line in _samples(figure, service)]
        if samples and figure.name != headed:
            headed = figure.name
            lines.append(f"# HELP moobius_{figure.name} {figure.help}")
            lines.append(f"# TYPE moobius_{figure.name} {figure.kind}")
        lines += samples
    return "\n".join(lines) + "\n"


def _samples(figure: Figure, service: ServiceStatistics) -> Iterator[str]:
    for labels, value in _values(figure.path, service):
        labels = {"service": service.name, **labels, **dict(figure.labels)}
        if figure.label:
            yield _line(figure.name, {**labels, figure.label: str(value)}, "1")
        elif value is not None or figure.path == "stores.broken":
            yield _line(figure.name, labels, _number(value))


def _values(path: str, service: ServiceStatistics) -> Iterable[tuple[Labels, object]]:
    part, _, field = path.partition(".")
    if part == "jobs":
        return [({"job": name}, attrgetter(field)(job)) for name, job in service.jobs]
    if part == "stores":
        return [({"store": store.where}, attrgetter(field)(store)) for store in service.stores]
    if path == "lanes.shed_by_band":
        return [({"band": band or ""}, count) for band, count in service.lanes.shed_by_band]
    return [({}, attrgetter(path)(service))]


def _number(value: object) -> str:
    if isinstance(value, str) or value is None:
        return str(int(value is not None))  # a reason, or none
    if hasattr(value, "timestamp"):
        return repr(value.timestamp())
    if isinstance(value, float) and math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if isinstance(value, bool) else repr(value)


def _line(name: str, labels: Labels, value: str) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"moobius_{name}{{{shown}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
