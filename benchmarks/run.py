"""The benchmarks: this SDK beside the published original and beside what the wire allows.

Run: ``nox -s bench``, or ``python benchmarks/run.py --original PYTHON`` with the interpreter of an
environment that has ``moobius==1.8.0``. docs/benchmarks.md says what each row is. Progress goes to
stderr, the table to stdout. Ends with 1 if a workload could not be measured; a goal that is not
met changes nothing. What a workload does stands in its own module; `catalogue` lists them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import structlog
import trio
from catalogue import chosen
from children import ChildFailed
from goals import FILE, Verdict, read_goals
from table import Results, figures_table, goals_table, ratios_table
from workload import Bench, Workload, client_core

from moobius_trio.local.certificates import open_certificates

BUSY = 0.5
"""A load of the machine before the run, from which on others are measured too."""
LIBRARIES = ("trio", "trio-websocket", "wsproto", "httpx", "attrs", "cattrs", "orjson", "structlog")


@attrs.define
class Progress:
    """Lines on stderr: what is measured, how far it is, how long it will take."""

    total: int
    planned: float
    """Seconds that all of it is thought to take."""
    done: int = 0
    done_planned: float = 0.0
    began: float = attrs.field(factory=time.monotonic)

    def start(self, workload: Workload, number: int) -> None:
        """The next round of a workload begins."""
        spent = time.monotonic() - self.began
        # Plans are replaced by what it took so far once there is something to go by.
        pace = spent / self.done_planned if self.done_planned > 10 else 1.0
        minutes, seconds = divmod(round((self.planned - self.done_planned) * pace), 60)
        say(
            f"[{self.done + 1} of {self.total}, about {minutes} min {seconds:02} s left]"
            f" {workload.name}, round {number + 1}"
        )
        self.done += 1
        self.done_planned += workload.seconds


def say(text: str) -> None:
    """A line to whoever waits."""
    print(text, file=sys.stderr, flush=True)


async def measure(
    workloads: Sequence[Workload],
    rounds: int | None,
    original: Path | None,
    folder: Path,
    results: Results,
) -> None:
    """Everything; the figures are there as soon as they are measured."""
    certificates = open_certificates(folder, datetime.now(UTC))
    counts = {one.name: rounds or one.rounds for one in workloads}
    progress = Progress(
        total=sum(counts.values()),
        planned=sum(counts[one.name] * one.seconds for one in workloads),
    )
    for _, group in itertools.groupby(workloads, key=lambda one: one.family):
        family = list(group)
        bench = Bench(
            original=original,
            folder=folder,
            ca=certificates.ca_file,
            certificate=certificates.ca_file.with_name("server.pem"),
        )
        async with bench:
            for bench.round in range(max(counts[one.name] for one in family)):
                for workload in family:
                    if bench.round >= counts[workload.name] or workload.name in results.failed:
                        continue
                    progress.start(workload, bench.round)
                    try:
                        results.add(await workload.run_round(bench))
                    except ChildFailed as error:
                        say(f"FAILED: {workload.name}: {error}")
                        results.failed.append(workload.name)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--original", type=Path, metavar="PYTHON", help="has moobius==1.8.0")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="or its start")
    parser.add_argument("--rounds", type=int, help="of each workload; else as many as it says")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--list", action="store_true", help="the names, and nothing else")
    return parser.parse_args(arguments)


def about(workloads: Sequence[Workload], rounds: int | None) -> dict[str, Any]:
    """What figures depend on."""
    counts = [rounds or one.rounds for one in workloads]
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "rounds": " to ".join(map(str, sorted({min(counts), max(counts)}))),
        "pinned": client_core() is not None,
        "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in LIBRARIES},
    }


def show(
    workloads: Sequence[Workload], results: Results, where: dict[str, Any]
) -> Sequence[Verdict]:
    """Print it: ratios, figures, goals; gives what came of the goals."""
    medians = results.medians()
    rows = {place.workload for one in workloads for place in one.places()}
    asked = [one for one in read_goals(FILE.read_text("utf-8")) if one.ours.workload in rows]
    goals, verdicts = goals_table(asked, medians)
    print(f"Python {where['python']}, {where['system']}; medians of {where['rounds']} rounds")
    print("\nHow many times better (ours : another)\n")
    print(ratios_table(workloads, medians))
    print("\nThe figures\n")
    print(figures_table(workloads, medians))
    print(f"\nThe goals\n\n{goals}")
    return verdicts


def main(arguments: Sequence[str]) -> int:
    """Measure and print; gives the exit code."""
    options = parse(arguments)
    try:
        workloads = chosen(options.only)
    except ValueError as error:
        sys.exit(str(error))
    if options.list:
        for one in workloads:
            print(f"{one.name:24}{next(iter(one.places())).workload}")
        return 0
    if options.rounds is not None and options.rounds < 1:
        sys.exit("--rounds: at least 1")
    original = options.original.absolute() if options.original else None
    if original is None:
        say("no --original: nothing to compare with")
    elif not original.exists():
        sys.exit(f"--original {original}: no such file; it is a Python with moobius==1.8.0")
    where = about(workloads, options.rounds)
    if where["load"] > BUSY:
        say(f"other programs run here (load {where['load']:.1f}): only CPU times are worth much")
    began, results, interrupted = time.monotonic(), Results(), False
    try:
        with tempfile.TemporaryDirectory(prefix="mt-bench-") as name:
            trio.run(measure, workloads, options.rounds, original, Path(name), results)
    except KeyboardInterrupt:
        interrupted = True
    words = "interrupted after" if interrupted else "measured in"
    say(f"{words} {time.monotonic() - began:.0f} s")
    verdicts = show(workloads, results, where)
    if options.json:
        content = results.as_json(verdicts, where)
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if results.failed:
        print(f"\nNot measured, because it failed: {', '.join(results.failed)}")
    return 130 if interrupted else 1 if results.failed else 0


if __name__ == "__main__":
    if sys.platform != "linux" and "--list" not in sys.argv:
        sys.exit("the CPU time and the memory of other processes are read as Linux shows them")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    sys.exit(main(sys.argv[1:]))
