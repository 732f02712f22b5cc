"""The goals of goals.toml, and whether the figures of a run meet them. Nothing is measured here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from workload import Place

__all__ = ("FILE", "Goal", "Medians", "Verdict", "more_is_better", "read_goals", "times_better")

FILE = Path(__file__).with_name("goals.toml")

Medians = Mapping[Place, float]


def more_is_better(name: str) -> bool:
    """Whether a figure of this name is the better the larger it is."""
    return name.endswith("/s")


def times_better(name: str, ours: float, theirs: float) -> float:
    """How many times better ours is; below 1 it is worse."""
    above, below = (ours, theirs) if more_is_better(name) else (theirs, ours)
    return above / below if below else float("inf")


@attrs.frozen
class Verdict:
    """What came of a goal.

    Attributes:
        figure: what was measured, in words; empty if it was not.
        met: None if it was not measured.
    """

    goal: Goal
    figure: str
    met: bool | None


@attrs.frozen(kw_only=True)
class Goal:
    """One goal: a place against another by a factor, or against a limit.

    Attributes:
        name: in words, for the table.
        ours: the place that is judged.
        theirs: the place it is compared with; None: a limit is what counts.
        factor: so many times better than ``theirs``, at least.
        limit: at most so much, or at least where more is better.
        strict: the limit itself is too much.
    """

    name: str
    ours: Place
    theirs: Place | None = None
    factor: float | None = None
    limit: float | None = None
    strict: bool = False

    @property
    def text(self) -> str:
        """What it asks for."""
        name = self.ours.name
        if self.limit is not None:
            words = "under" if self.strict else "at least" if more_is_better(name) else "at most"
            return f"{words} {self.limit:g} {name}"
        assert self.theirs is not None  # noqa: S101  # read_goals sees to both
        assert self.factor is not None  # noqa: S101
        if self.factor == 1:
            return f"no worse than {self.theirs.client}"
        return f"{self.factor:g} x {self.theirs.client}"

    def judge(self, medians: Medians) -> Verdict:
        """Whether it is met."""
        ours = medians.get(self.ours)
        if ours is None:
            return Verdict(self, "", None)
        if self.limit is not None:
            figure = f"{ours:,.4g} {self.ours.name}"
            if more_is_better(self.ours.name):
                return Verdict(self, figure, ours >= self.limit)
            return Verdict(
                self, figure, ours < self.limit or (ours == self.limit and not self.strict)
            )
        theirs = medians.get(self.theirs) if self.theirs is not None else None
        if theirs is None or self.factor is None:
            return Verdict(self, "", None)
        times = times_better(self.ours.name, ours, theirs)
        return Verdict(self, f"{times:.2f} x", times >= self.factor)


def read_goals(text: str) -> Sequence[Goal]:
    """The goals of a file.

    Raises:
        ValueError: it is not as goals.toml says at its beginning.
    """
    return [_goal(number, one) for number, one in enumerate(tomllib.loads(text)["goal"], 1)]


def _goal(number: int, table: dict[str, Any]) -> Goal:
    try:
        workload, figure = table.pop("workload"), table.pop("figure")
        ours = Place(workload, table.pop("client"), figure)
        against = table.pop("against", None)
        theirs = Place(workload, against, figure) if against else None
        goal = Goal(ours=ours, theirs=theirs, **table)
    except (KeyError, TypeError) as error:
        raise ValueError(f"goal {number}: {type(error).__name__}: {error}") from None
    if (theirs is None) != (goal.factor is None) or (goal.factor is None) == (goal.limit is None):
        raise ValueError(f"goal {number}: it has either `against` with `factor`, or `limit`")
    return goal
