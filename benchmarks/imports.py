"""What the first line of a program takes: importing the SDK, beside the original's import.

Processes that do nothing but import, one after the other, in turns; from each the time is taken of
a process of the same Python that does nothing at all. What is imported is compiled and in the page
cache. ``ms`` is from the start of the process to its end, ``cpu ms`` what it used of a core.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS", "Import")

SCRIPT: Final = Path(__file__).with_name("import_times.py")
OURS: Final = "ours"
ORIGINAL: Final = "1.8"
NOTHING: Final = "pass"
STATEMENT: Final = {
    OURS: "from moobius_trio import MoobiusService, MoobiusWand, run",
    ORIGINAL: "import moobius",
}
TIMES: Final = 9
"""Of each process in a round."""
FIGURES: Final = ("ms", "cpu ms")


@attrs.frozen
class Import:
    """A `Workload`."""

    name: str = "import"
    family: str = "import"
    row: str = "import"
    rounds: int = 5
    seconds: float = 5.5

    def places(self) -> Iterable[Place]:
        """Both times of both."""
        return [Place(self.row, client, name) for client in STATEMENT for name in FIGURES]

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Ours beside the original."""
        return [(OURS, ORIGINAL)]

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each of them so many times."""
        pythons = {OURS: bench.ours}
        if bench.original:
            pythons[ORIGINAL] = bench.original
        argv = [bench.ours, SCRIPT]
        child = await bench.keep("child", partial(bench.open_child, argv))
        programs = [
            [str(pythons[client]), "-c", statement]
            for client in bench.turn(list(pythons))
            for statement in (NOTHING, STATEMENT[client])
        ]
        found = await child.ask({"programs": programs, "times": TIMES})
        medians = [
            [statistics.median(column) for column in zip(*times, strict=True)] for times in found
        ]
        return [
            Figure(self.row, client, name, (with_it - without) * 1e3)
            for number, client in enumerate(bench.turn(list(pythons)))
            for name, without, with_it in zip(
                FIGURES, medians[2 * number], medians[2 * number + 1], strict=True
            )
        ]


WORKLOADS: Final = (Import(),)
