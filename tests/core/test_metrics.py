"""Statistics as Prometheus text: complete, and read by Prometheus' own parser."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from moobius_trio.core.jobs import JobStatistics
from moobius_trio.core.lanes import LaneStatistics
from moobius_trio.core.metrics import FIGURES, metrics_text
from moobius_trio.core.spells import SpellStatistics
from moobius_trio.core.statistics import ServiceStatistics, in_one_line
from moobius_trio.database import StoreStatistics
from moobius_trio.network.link import LinkStatistics
from moobius_trio.network.outbox import OutboxStatistics
from moobius_trio.types import ChannelId, ServiceId

PARTS: dict[str, type[Any]] = {
    "link": LinkStatistics,
    "outbox": OutboxStatistics,
    "lanes": LaneStatistics,
    "spells": SpellStatistics,
    "jobs": JobStatistics,
    "stores": StoreStatistics,
}
NO_FIGURES = {"name", "service_id", "stores.where"}
"""Fields that are names: they stand in labels, or nowhere."""


def made(cls: type[Any], **values: Any) -> Any:
    """A value whose numbers are all different."""
    filled = {field.name: number for number, field in enumerate(attrs.fields(cls), 1)}
    return cls(**{**filled, **values})


def statistics(name: str = "echo", **values: Any) -> ServiceStatistics:
    link = made(
        LinkStatistics,
        state="waiting",
        next_attempt_in=2.5,
        acknowledgement="proven",
        liveness="unproven",
    )
    job = made(JobStatistics, next_due=datetime(2024, 1, 1, tzinfo=UTC), running=True)
    store = made(StoreStatistics, where="/var/lib/echo", level="power", broken=None)
    given = {
        "name": name,
        "service_id": ServiceId("s"),
        "link": link,
        "outbox": made(OutboxStatistics),
        "lanes": made(LaneStatistics, shed_by_band=((ChannelId("room"), 4), (None, 1))),
        "spells": made(SpellStatistics, running=False),
        "jobs": (("tick", job),),
        "stores": (store,),
        "failures": 7,
        "handlers": 3,
        "tasks": 2,
    }
    return ServiceStatistics(**{**given, **values})


def parsed(*services: ServiceStatistics, problems: int = 0) -> dict[str, dict[Any, float]]:
    """Name → labels → value, as a scrape reads it."""
    text = metrics_text(services, problems)
    found: dict[str, dict[Any, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("counter", "gauge")
        for sample in family.samples:
            samples = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in samples, "the same sample twice"
            samples[labels] = sample.value
    return found


def of(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset({"service": "echo", **labels}.items())


def test_every_figure_of_the_statistics_has_a_metric() -> None:
    """A field added to a part of the statistics belongs into FIGURES of core/metrics.py too."""
    fields = {field.name for field in attrs.fields(ServiceStatistics)} - PARTS.keys()
    for part, cls in PARTS.items():
        fields |= {f"{part}.{field.name}" for field in attrs.fields(cls)}
    assert {figure.path for figure in FIGURES} == fields - NO_FIGURES


def test_the_values_are_those_of_the_statistics() -> None:
    """Counters, gauges, words, times, truth; per job and per store."""
    service = statistics()
    found = parsed(service)
    assert found["moobius_ready"] == {frozenset(): 1}
    assert found["moobius_connection"] == {of(state="waiting"): 1}
    assert found["moobius_connection_next_attempt_seconds"] == {of(): 2.5}
    assert found["moobius_acknowledgement"] == {of(mode="proven"): 1}
    assert found["moobius_liveness"] == {of(state="unproven"): 1}
    assert found["moobius_outbox_queued"] == {of(): service.outbox.queued}
    ended = found["moobius_outbox_ended_total"]
    assert ended[of(state="confirmed")] == service.outbox.ended_confirmed
    assert len(ended) == 5
    assert found["moobius_lanes_shed_total"] == {of(): service.lanes.shed}
    by_band = {of(band="room"): 4, of(band=""): 1}
    assert found["moobius_lanes_shed_by_band_total"] == by_band
    assert found["moobius_job_runs_total"] == {of(job="tick"): service.jobs[0][1].runs}
    assert found["moobius_job_running"] == {of(job="tick"): 1}
    assert found["moobius_job_next_due_timestamp_seconds"] == {of(job="tick"): 1_704_067_200}
    assert found["moobius_store_broken"] == {of(store="/var/lib/echo"): 0}
    assert found["moobius_store_durability"] == {of(store="/var/lib/echo", level="power"): 1}
    assert found["moobius_spells_running"] == {of(): 0}
    assert found["moobius_failures_total"] == {of(): 7}


def test_what_is_not_known_is_left_out() -> None:
    """No next attempt while connected, no lateness before the first run; a broken store is 1."""
    job = made(JobStatistics, lateness=None, next_due=None, running=False)
    store = made(StoreStatistics, where="w", level="power", broken="the disk is gone")
    link = attrs.evolve(statistics().link, next_attempt_in=None)
    found = parsed(statistics(jobs=(("tick", job),), stores=(store,), link=link), problems=2)
    assert not {name for name in found if "next" in name or "lateness" in name}
    assert found["moobius_store_broken"] == {of(store="w"): 1}
    assert found["moobius_ready"] == {frozenset(): 0}
    assert "the disk is gone" not in metrics_text([statistics(stores=(store,))], 0)


def test_services_stand_side_by_side_under_one_heading() -> None:
    """Each name has one HELP and one TYPE line, whoever has values of it."""
    services = [statistics("one", jobs=()), statistics("two")]
    text = metrics_text(services, 0)
    heads = [line.split()[:3] for line in text.splitlines() if line.startswith("#")]
    assert len({tuple(head) for head in heads}) == len(heads)
    assert {dict(labels)["service"] for labels in parsed(*services)["moobius_lanes"]} == {
        "one",
        "two",
    }


def test_a_process_without_services_has_a_text_too() -> None:
    """It says that nothing is ready."""
    assert parsed(problems=1) == {"moobius_ready": {frozenset(): 0}}


@pytest.mark.parametrize("nasty", ['a"b', "a\\", "a\nb", '\\"\n', "a}b{", "ü\u2028"])
def test_a_label_may_have_any_text(nasty: str) -> None:
    """Quotes, backslashes and line breaks come back as they were."""
    job = statistics().jobs[0][1]
    found = parsed(statistics(jobs=((nasty, job),)))
    assert found["moobius_job_runs_total"] == {of(job=nasty): job.runs}


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_no_text_breaks_the_format(name: str) -> None:
    """Whatever a job is called, the whole text is read."""
    job = statistics().jobs[0][1]
    found = parsed(statistics(jobs=((name, job),)))
    assert found["moobius_failures_total"] == {of(): 7}
    assert len(found["moobius_job_runs_total"]) == 1


def test_the_line_of_the_log_has_what_is_not_zero() -> None:
    """Plain fields, so that one line stays readable."""
    fields = in_one_line(statistics(failures=0))
    assert fields["link_state"] == "waiting"
    assert fields["outbox_queued"] == 1
    assert fields["job_tick_runs"] == 1
    assert fields["store_1"] == "/var/lib/echo"
    assert "failures" not in fields
    assert "store_1_broken" not in fields
