"""What a run prints: ratios first, then the figures themselves, then the goals; and its JSON."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from goals import Goal, Medians, Verdict, times_better
from workload import Figure, Place, Workload

__all__ = ("Results", "figures_table", "goals_table", "ratios_table")

WIDTH = 44
COLUMN = 13


@attrs.define
class Results:
    """The figures of all rounds.

    Attributes:
        values: by place, in the order of the rounds.
        failed: the names of workloads that could not be measured, or not to the end.
    """

    values: dict[Place, list[float]] = attrs.field(factory=lambda: defaultdict(list))
    failed: list[str] = attrs.field(factory=list)

    def add(self, figures: Iterable[Figure]) -> None:
        """Those of one round of one workload."""
        for figure in figures:
            self.values[figure.place].append(figure.value)

    def medians(self) -> dict[Place, float]:
        """The median over the rounds of each place."""
        return {place: statistics.median(values) for place, values in self.values.items()}

    def as_json(self, goals: Sequence[Verdict], about: dict[str, Any]) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "about": about,
            "figures": [
                {**attrs.asdict(place), "median": statistics.median(values), "rounds": values}
                for place, values in self.values.items()
            ],
            "goals": [
                {
                    "goal": one.goal.name,
                    "asked": one.goal.text,
                    "figure": one.figure,
                    "met": one.met,
                }
                for one in goals
            ],
            "failed": self.failed,
        }


def blocks(
    workloads: Iterable[Workload], medians: Medians
) -> dict[str, tuple[list[str], list[str], list[tuple[str, str]]]]:
    """For each row of the table what was measured, of whom, and which comparisons it has."""
    found: dict[str, tuple[list[str], list[str], list[tuple[str, str]]]] = {}
    for workload in workloads:
        for place in workload.places():
            if place not in medians:
                continue
            names, clients, pairs = found.setdefault(place.workload, ([], [], []))
            names.extend([] if place.name in names else [place.name])
            clients.extend([] if place.client in clients else [place.client])
            pairs.extend(one for one in workload.pairs() if one not in pairs)
    return found


def heading(title: str, names: Iterable[str]) -> str:
    """The first line of a block."""
    return f"{title:{WIDTH}}" + "".join(f"{name:>{COLUMN}}" for name in names)


def ratios_table(workloads: Iterable[Workload], medians: Medians) -> str:
    """How many times better ours is, by figure; below 1 it is worse."""
    lines = []
    for row, (names, _, pairs) in blocks(workloads, medians).items():
        inner = []
        for ours, theirs in pairs:
            cells = []
            for name in names:
                mine = medians.get(Place(row, ours, name))
                other = medians.get(Place(row, theirs, name))
                there = mine is not None and other is not None
                times = f"{times_better(name, mine or 0.0, other or 0.0):.2f} x" if there else ""
                cells.append(f"{times:>{COLUMN}}")
            if any(cell.strip() for cell in cells):
                inner.append(f"  {f'{ours} : {theirs}':{WIDTH - 2}}" + "".join(cells))
        if inner:
            lines += [heading(row, names), *inner]
    return "\n".join(lines)


def figures_table(workloads: Iterable[Workload], medians: Medians) -> str:
    """The medians themselves."""
    lines = []
    for row, (names, clients, _) in blocks(workloads, medians).items():
        lines.append(heading(row, names))
        for client in clients:
            found = (medians.get(Place(row, client, name)) for name in names)
            cells = (f"{'' if one is None else shown(one):>{COLUMN}}" for one in found)
            lines.append(f"  {client:{WIDTH - 2}}" + "".join(cells))
    return "\n".join(lines)


def shown(value: float) -> str:
    """Three digits that count, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def goals_table(goals: Iterable[Goal], medians: Medians) -> tuple[str, list[Verdict]]:
    """Each goal with its figure, met or not; and the verdicts."""
    verdicts = [goal.judge(medians) for goal in goals]
    words = {True: "met", False: "NOT MET", None: "not measured"}
    width = max((len(one.goal.name) for one in verdicts), default=0) + 2
    asked = max((len(one.goal.text) for one in verdicts), default=0) + 2
    lines = [
        f"{one.goal.name:{width}}{one.goal.text:{asked}}{one.figure:>16}  {words[one.met]}"
        for one in verdicts
    ]
    met = sum(one.met is True for one in verdicts)
    judged = sum(one.met is not None for one in verdicts)
    lines.append(f"{met} of {judged} goals met; {len(verdicts) - judged} not measured")
    return "\n".join(lines), verdicts
