"""Marking methods of a service as jobs, and finding them again.

Nothing is scheduled or run here, and no service class is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import tzinfo
from typing import TypeAlias, TypeVar

import attrs

from moobius_trio.core.schedule import (
    JobSpec,
    Missed,
    Schedule,
    cron_times,
    interval,
    missed_policy,
)
from moobius_trio.core.signatures import is_async, required_positional
from moobius_trio.errors import JobError

__all__ = ("JobFunction", "cron", "every", "find_jobs", "takes_band")

JobFunction: TypeAlias = Callable[..., Awaitable[object]]
"""An async function or bound method that takes nothing, or a band."""

F = TypeVar("F", bound=JobFunction)

MARK = "_moobius_job"


def every(
    *, seconds: float = 0, minutes: float = 0, hours: float = 0, missed: Missed = "skip"
) -> Callable[[F], F]:
    """Run a method of a service again and again, first after one whole step.

    The steps are counted on trio's clock from the moment the service is ready, without drift; a
    job never overlaps with itself. A method that takes a band besides ``self`` runs once for each
    band, in that band's lane; its failure goes to ``on_error`` and the job goes on.

    Args:
        seconds, minutes, hours: the time between runs is their sum, at least a millisecond.
        missed: due times that pass while a run goes on are left out (``"skip"``), made up for by
            one run (``"once"``), or by one run each (``"all"``).

    Raises:
        JobError: when decorating: no usable length, or no ``async def`` with at most a band.
    """

    def mark(method: F) -> F:
        where = _check_method(method, "every")
        schedule = interval(seconds + 60 * minutes + 3600 * hours, where)
        return _mark(method, schedule, missed_policy(missed, where))

    return mark


def cron(
    expression: str, *, tz: str | tzinfo | None = None, missed: Missed = "once"
) -> Callable[[F], F]:
    """Run a method of a service at the times of a cron expression; otherwise as `every`.

    The service's ``now()`` is compared, and read again every 30 s, so that a machine that slept
    or a clock that was set is noticed. A clock set back by less than the job's own period makes
    no run come twice. On days when clocks are moved a daily job runs exactly once:
    `moobius_trio.core.schedule.CronTimes` says when.

    Args:
        expression: five fields, as in ``"0 9 * * *"``.
        tz: the zone whose clocks count, such as ``"Europe/Berlin"``; None: the machine's.
        missed: as for `every`; a due time noticed more than a minute late counts as missed too.

    Raises:
        JobError: when decorating: a wrong field, an unknown zone, or as `every`.
    """

    def mark(method: F) -> F:
        where = _check_method(method, "cron")
        return _mark(method, cron_times(expression, tz, where), missed_policy(missed, where))

    return mark


def _check_method(method: JobFunction, decorator: str) -> str:
    where = f"@{decorator} on {getattr(method, '__qualname__', repr(method))}"
    if not is_async(method):
        raise JobError(where, "a job is an `async def`")
    if required_positional(method) not in (1, 2):
        raise JobError(where, "a job takes self and at most a band: `async def tidy(self, band)`")
    if hasattr(method, MARK):
        raise JobError(where, "this method has a schedule already; give the second its own method")
    return where


def _mark(method: F, schedule: Schedule, missed: Missed) -> F:
    setattr(method, MARK, JobSpec(method.__name__, schedule, missed))
    return method


def find_jobs(cls: type) -> tuple[tuple[str, JobSpec], ...]:
    """The marked methods of a class by name, inherited ones first, in the order of definition.

    A method that overrides a marked one keeps its schedule unless it is marked itself; ``None``
    in its place switches the job off.

    Raises:
        JobError: a method that overrides a job is no ``async def``.
    """
    specs: dict[str, JobSpec] = {}
    for base in reversed(cls.__mro__):
        for name, attribute in vars(base).items():
            spec = getattr(attribute, MARK, specs.get(name))
            if not isinstance(spec, JobSpec):
                continue
            if attribute is None:
                del specs[name]
                continue
            if not is_async(getattr(attribute, "__func__", attribute)):
                raise JobError(f"{base.__name__}.{name}", "it overrides a job: an `async def`")
            specs[name] = attrs.evolve(spec, name=name)
    return tuple(specs.items())


def takes_band(fn: JobFunction) -> bool:
    """Whether a job takes a band: the one argument it cannot do without, after ``self``.

    ``self`` is not counted where the function is bound, nor where its first parameter is so named.
    """
    count = required_positional(fn)
    own = next(iter(inspect.signature(fn).parameters), "")
    if count and own == "self" and not inspect.ismethod(fn):
        count -= 1
    return count == 1
