"""Schedules: any text is a cron expression or one error, and the machine's own zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.core.schedule import MACHINE_ZONE, Interval, cron_times
from moobius_trio.errors import JobError

BERLIN = ZoneInfo("Europe/Berlin")

FIELDS = st.one_of(
    st.sampled_from(["*", "*/5", "0", "1-5", "L", "LW", "MON", "5L", "MON#2", "1,L", "*/L", "L/2"]),
    st.text("0123456789*/-,#LWMON ", min_size=1, max_size=5),
)


@given(st.lists(FIELDS, min_size=1, max_size=6), st.datetimes(datetime(2024, 1, 1)))
def test_any_text_is_an_expression_or_one_error(fields: list[str], moment: datetime) -> None:
    """What is accepted gives a later whole minute; all else raises JobError and nothing else."""
    try:
        times = cron_times(" ".join(fields), BERLIN, "here")
    except JobError as error:
        assert str(error).startswith("here: ")  # noqa: PT017  # both ends are fine
        return
    if moment.year < 2100:
        found = times.next_after(moment.replace(tzinfo=UTC))
        assert found > moment.replace(tzinfo=UTC)
        assert found.second == found.microsecond == 0


@given(
    st.floats(0.001, 1e6),
    st.floats(0, 1e9),
    st.floats(0, 1e4),
)
def test_newest_step_is_the_last_one_due(seconds: float, start: float, passed: float) -> None:
    """The newest step is due and the one after it is not, whatever the division rounds to."""
    steps, now = Interval(seconds), start + passed
    newest = steps.newest(start, now)
    assert newest == 0 or steps.due(start, newest) <= now
    assert steps.due(start, newest + 1) > now


@pytest.fixture
def machine_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process believes that its machine stands in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_in_berlin")
def test_machine_zone_equals_the_named_zone_all_the_year() -> None:
    """Every half hour of a year has the same local time, fold and offset as in the named zone."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment.year == 2026:
        named, machine = moment.astimezone(BERLIN), moment.astimezone(MACHINE_ZONE)
        assert machine.replace(tzinfo=None) == named.replace(tzinfo=None)
        assert (machine.fold, machine.utcoffset()) == (named.fold, named.utcoffset())
        assert machine.astimezone(UTC) == moment
        moment += timedelta(minutes=30)


@pytest.mark.usefixtures("machine_in_berlin")
def test_cron_without_a_zone_follows_the_machine() -> None:
    """Half past two of the machine's zone comes once on both odd days of the year."""
    own, named = cron_times("30 2 * * *", None, ""), cron_times("30 2 * * *", "Europe/Berlin", "")
    for day in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        moment = day
        for _ in range(3):
            found = own.next_after(moment)
            assert found == named.next_after(moment)
            moment = found
