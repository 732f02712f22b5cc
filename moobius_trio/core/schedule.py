"""When a job is due: steps of equal length, or the times of a cron expression.

Pure: the time is always a parameter. No trio, no clock and no running of jobs here.
"""

from __future__ import annotations

import difflib
import math
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo, available_timezones

import attrs
from cronsim import CronSim, CronSimError

from moobius_trio.errors import JobError

__all__ = (
    "MACHINE_ZONE",
    "CronTimes",
    "Interval",
    "JobSpec",
    "Missed",
    "Schedule",
    "cron_times",
    "interval",
    "missed_policy",
)

SHORTEST_STEP = 0.001

Missed: TypeAlias = Literal["skip", "once", "all"]
"""What becomes of due times that pass while the job cannot run: nothing, one run for all of
them, or a run for each."""


@attrs.frozen
class Interval:
    """Steps of equal length on a clock that only goes forward.

    Due times are products, never sums, so that no rounding adds up over a year.
    """

    seconds: float

    def due(self, start: float, step: int) -> float:
        """When step ``step`` (from 1) of a grid that began at ``start`` is due."""
        return start + step * self.seconds

    def newest(self, start: float, now: float) -> int:
        """The last step that is due at ``now``; 0 when none is."""
        step = max(0, math.floor((now - start) / self.seconds))
        while self.due(start, step + 1) <= now:  # the division may have rounded down
            step += 1
        while step and self.due(start, step) > now:  # or up
            step -= 1
        return step


@attrs.frozen
class CronTimes:
    """The times of a five-field cron expression in a zone.

    On the two days of the year on which clocks are moved, Debian's rules hold, as cronsim has
    them: a job with fixed minute and hour comes once a day (a time that is left out comes at the
    first minute that exists, one that comes round twice counts the first time); a job whose
    minute or hour field begins with ``*`` keeps its even distance.
    """

    expression: str
    tz: tzinfo

    def next_after(self, moment: datetime) -> datetime:
        """The first time later than ``moment``; both aware, the answer in UTC.

        Raises:
            JobError: no such time within fifty years.
        """
        for local in CronSim(self.expression, moment.astimezone(self.tz)):
            found = local.astimezone(UTC)
            # In the hour that comes round twice cronsim starts from the first of the two, so
            # its first answers may lie before the moment it was asked about.
            if found > moment:
                return found
        raise JobError(self.expression, "no day of the next fifty years fits it")


Schedule: TypeAlias = Interval | CronTimes


@attrs.frozen
class JobSpec:
    """What a decorator says about a method: under which name it runs, when, and what if late."""

    name: str
    schedule: Schedule
    missed: Missed


def interval(seconds: float, where: str) -> Interval:
    """An interval of ``seconds``; JobError naming ``where`` unless it is a usable length."""
    if not (math.isfinite(seconds) and seconds >= SHORTEST_STEP):
        raise JobError(
            where,
            f"the time between runs must be {SHORTEST_STEP} s or more, not {seconds:g} s; "
            "give seconds=, minutes= or hours=",
        )
    return Interval(seconds)


def cron_times(expression: str, tz: str | tzinfo | None, where: str) -> CronTimes:
    """The times of a cron expression; JobError naming ``where`` if it or the zone is wrong."""
    zone = _zone(tz, where)
    words = expression.split() if isinstance(expression, str) else []
    if len(words) != 5:
        raise JobError(
            where,
            f"a cron expression has five fields (minute hour day month weekday), "
            f'not {expression!r}; nine in the morning every day is "0 9 * * *"',
        )
    try:
        times = CronTimes(" ".join(words), zone)
        times.next_after(datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        problem = f"cron expression {expression!r} has a {str(error).lower()} field"
        raise JobError(where, problem) from None
    except JobError as error:
        raise JobError(where, f"cron expression {expression!r}: {error.problem}") from None
    return times


def missed_policy(missed: str, where: str) -> Missed:
    """The policy of that name; JobError naming ``where`` if there is none."""
    for policy in get_args(Missed):
        if missed == policy:
            return policy  # type: ignore[no-any-return]  # get_args is untyped
    raise JobError(where, f'missed= is "skip", "once" or "all", not {missed!r}')


def _zone(tz: str | tzinfo | None, where: str) -> tzinfo:
    if tz is None:
        return MACHINE_ZONE
    if isinstance(tz, tzinfo):
        return tz
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, TypeError, OSError):
        pass  # zoneinfo's words for it differ with the cause and say no remedy
    known = available_timezones()
    if not known:
        raise JobError(where, "this system has no time zones; `pip install tzdata`")
    close = difflib.get_close_matches(str(tz), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "a zone has a name such as Europe/Berlin"
    raise JobError(where, f"no time zone {tz!r}; {hint}")


class _MachineZone(tzinfo):
    """The zone of this machine, by the rules of the C library.

    `datetime.astimezone` alone gives an offset that is right for one moment only.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None  # the C library's answer is not needed for anything here

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        local = dt.replace(tzinfo=UTC).astimezone()
        naive = local.replace(tzinfo=None, fold=0)
        second_time = naive.astimezone().utcoffset() != local.utcoffset()
        return naive.replace(tzinfo=self, fold=int(second_time))

    def __repr__(self) -> str:
        return "the machine's time zone"


MACHINE_ZONE: tzinfo = _MachineZone()
