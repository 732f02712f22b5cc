"""Storage: µs per changed key and the longest stall of the loop, beside the original's database.

What is measured: handlers overwrite existing keys of a container that holds 10,000 records of
1 KB. The time runs from a handler's first change until everything it did is stored, and handlers
run one after the other; a ticker of 1 ms in the same loop finds how long the loop was held up.
Sizes are 1, 100 and 10,000 keys per handler. A handler of 10,000 keys yields to its loop after
every 100; "in a row" is the same without any yield, the author's own loop, and is not judged.
"load" opens what is there, "idle" is the ticker alone: the noise of this machine. "Of it own CPU"
is what the loop's thread itself used between two ticks, in which other programs have no part.

Ours, each engine: `open_stores` with real threads, handlers as units of work, until a flush says
that it is stored: sqlite through a loss of power, json through the death of the process with every
file synced, redis in a server of its own with an append-only file that is synced every second,
memory not at all. The original: ``MoobiusStorage`` with ``JSONDatabase`` of the
published ``moobius==1.8.0`` in an asyncio loop, which writes in the loop and syncs nothing.

Each side is a process of its own. In every round all sides run every workload once, in turn, the
order shifted by one each round; figures are medians over the rounds. A file that is created or
overwritten costs several times more when the kernel is writing back what came before, as it is in
a service that has run for a while. So rounds that do not count come first, until the kernel has
written back 64 MiB since the start (``/proc/vmstat``); how many, and what was written back while
the counted rounds ran, is printed. On a file system in memory there is nothing to write back.

Run: ``nox -s bench``, or ``python benchmarks/storage.py --original PYTHON`` with the interpreter of
an environment that has ``moobius==1.8.0``; without it the comparison is left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from subprocess import PIPE

import attrs
import trio
from storage_workload import Figures, Workload

HERE = Path(__file__).parent
ORIGINAL = "original"
SIDES = (ORIGINAL, "sqlite", "json", "redis", "memory")
WORKLOADS = (
    Workload("idle", 0, 100, 1),
    Workload("1 key", 1, 100, 100),
    Workload("100 keys", 100, 20, 100),
    Workload("100, two bands", 100, 40, 100, bands=2),
    Workload("10,000 keys", 10_000, 1, 100),
    Workload("10,000 in a row", 10_000, 1, 10_000),
)
WARM_BYTES = 64 * 1024 * 1024
WARM_ROUNDS = 8
"""At most; a disk that has written less by then is a very slow one."""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


@attrs.frozen
class Goal:
    """What a figure has to reach; judged by medians."""

    side: str
    workload: str
    times_less: float | None = None
    """So many times fewer µs per key than the original."""
    stall_ms: float | None = None
    """The longest stall is below."""

    def judge(self, results: Results) -> str:
        """One line: what was asked, what was found, met or not."""
        if self.times_less is not None:
            said = f"{self.times_less:g} times fewer µs per key than the original"
            ratio = results.ratio(self.side, self.workload)
            if ratio is None:
                return f"{self.side}, {self.workload}: {said}: not compared"
            found, met = f"{ratio:.1f} times", ratio >= self.times_less
        else:
            limit = self.stall_ms or 0.0
            said = f"longest stall under {limit:g} ms"
            stall = results.stall_ms(self.side, self.workload)
            found, met = f"{stall:.1f} ms", stall < limit
        return f"{self.side}, {self.workload}: {said}: {found}: {'met' if met else 'NOT MET'}"


GOALS = (
    Goal("sqlite", "100 keys", times_less=8),
    Goal("sqlite", "1 key", stall_ms=5),
    Goal("sqlite", "100 keys", stall_ms=5),
    Goal("sqlite", "10,000 keys", stall_ms=5),
)


@attrs.define
class Results:
    """The figures of all counted rounds."""

    by_place: dict[tuple[str, str], list[Figures]] = attrs.field(
        factory=lambda: defaultdict(list), init=False
    )
    """By side and workload."""

    def add(self, side: str, figures: Sequence[Figures]) -> None:
        """Take one side's round."""
        for one in figures:
            self.by_place[side, one.workload].append(one)

    def micros(self, side: str, workload: str) -> list[float]:
        """µs per key of each round, in rising order."""
        rounds = self.by_place.get((side, workload), [])
        return sorted(one.seconds / one.keys * 1e6 for one in rounds if one.keys)

    def stalls(self, side: str, workload: str) -> list[float]:
        """The longest stall of each round in ms, in rising order."""
        return sorted(one.stall * 1e3 for one in self.by_place.get((side, workload), []))

    def stall_ms(self, side: str, workload: str) -> float:
        """The median of the longest stalls."""
        return statistics.median(self.stalls(side, workload))

    def busy_ms(self, side: str, workload: str) -> float:
        """The median of the CPU time that the loop's thread used between two ticks."""
        return statistics.median(one.busy * 1e3 for one in self.by_place[side, workload])

    def ratio(self, side: str, workload: str) -> float | None:
        """How many times fewer µs per key than the original; None without a comparison."""
        ours, theirs = self.micros(side, workload), self.micros(ORIGINAL, workload)
        return statistics.median(theirs) / statistics.median(ours) if ours and theirs else None

    def table(self) -> str:
        """What was found, a line for each side of each workload."""
        lines = [
            f"{'workload':16}{'side':10}{'µs per key: median (min-max)':>32}"
            f"{'original / it':>15}{'longest stall ms: median (max)':>32}{'of it own CPU':>15}"
        ]
        for workload in dict.fromkeys(workload for _, workload in self.by_place):
            for side in dict.fromkeys(side for side, name in self.by_place if name == workload):
                micros, stalls = self.micros(side, workload), self.stalls(side, workload)
                ratio = self.ratio(side, workload)
                spread = ""
                if micros:
                    spread = f"{statistics.median(micros):.1f} ({micros[0]:.1f}-{micros[-1]:.1f})"
                lines.append(
                    f"{workload:16}{side:10}{spread:>32}"
                    f"{f'{ratio:.1f}' if ratio and side != ORIGINAL else '':>15}"
                    f"{f'{statistics.median(stalls):.1f} ({stalls[-1]:.1f})':>32}"
                    f"{self.busy_ms(side, workload):>15.1f}"
                )
        return "\n".join(lines)


class Side:
    """A process that measures one side whenever it is asked."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self.name = name
        self._process = process
        self._rest = b""

    async def measure(self, workloads: Sequence[Workload]) -> list[Figures]:
        """One round."""
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        await self._process.stdin.send_all(json.dumps(workloads).encode() + b"\n")
        return [Figures(*fields) for fields in json.loads(await self._line())]

    async def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  # it is a pipe
        while b"\n" not in self._rest:
            more = await self._process.stdout.receive_some()
            if not more:
                raise SystemExit(f"{self.name} ended early")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def command(side: str, original: str, folder: Path) -> list[str]:
    """What starts the process of a side."""
    if side == ORIGINAL:
        return [original, str(HERE / "storage_original.py"), str(folder)]
    return [sys.executable, str(HERE / "storage_ours.py"), side, str(folder)]


def file_system(folder: Path) -> tuple[str, str]:
    """The device and the type of the file system that a folder is on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    there = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    device, _, kind, *_ = max(reversed(there), key=lambda mount: len(mount[1]))
    return device, kind


def written_back() -> int:
    """Bytes that the kernel has written back to its disks since it was started."""
    pages = dict(line.split() for line in Path("/proc/vmstat").read_text("utf-8").splitlines())
    return int(pages["nr_written"]) * 4096


def say(text: str) -> None:
    """Progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


async def warm(sides: Sequence[Side], in_memory: bool) -> str:
    """Rounds that do not count, until write-back runs; says how many and why."""
    start, written, count = written_back(), 0, 0
    while count < (1 if in_memory else WARM_ROUNDS) and written < WARM_BYTES:
        count += 1
        for side in sides:
            say(f"warm-up {count}: {side.name}")
            await side.measure(WORKLOADS)
        written = written_back() - start
    return f"{count} rounds of warm-up, {written / 2**20:,.0f} MiB written back meanwhile"


async def compare(names: Sequence[str], original: str, folder: Path, rounds: int) -> Results:
    """All rounds of all sides; prints what it runs on."""
    device, kind = file_system(folder)
    print(
        f"{folder}: {kind} on {device}; Linux {platform.release()}, "
        f"Python {platform.python_version()}, {rounds} rounds"
    )
    results = Results()
    async with trio.open_nursery() as nursery:
        sides = []
        for name in names:
            here = folder / name
            here.mkdir()
            start_process = partial(trio.run_process, stdin=PIPE, stdout=PIPE)
            process = await nursery.start(start_process, command(name, original, here))
            sides.append(Side(name, process))
        print(await warm(sides, kind in IN_MEMORY), flush=True)
        start = written_back()
        for count in range(rounds):
            first = count % len(sides)
            for side in [*sides[first:], *sides[:first]]:
                say(f"round {count + 1} of {rounds}: {side.name}")
                results.add(side.name, await side.measure(WORKLOADS))
        print(f"{(written_back() - start) / 2**20:,.0f} MiB written back in the counted rounds")
        nursery.cancel_scope.cancel()
    return results


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--original", help="the Python of an environment with moobius==1.8.0")
    parser.add_argument("--folder", type=Path, help="where to write; else a temporary folder")
    parser.add_argument("--only", action="append", choices=SIDES, help="may be given repeatedly")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args()
    names = [one for one in SIDES if not options.only or one in options.only]
    if not options.original and ORIGINAL in names:
        say("no --original: nothing to compare with")
        names.remove(ORIGINAL)
    with tempfile.TemporaryDirectory(prefix="storage-", dir=options.folder) as folder:
        results = trio.run(compare, names, options.original or "", Path(folder), options.rounds)
    print(results.table())
    for goal in GOALS:
        if goal.side in names:
            print(goal.judge(results))
    if options.json:
        rows = [(side, *one) for (side, _), found in results.by_place.items() for one in found]
        options.json.write_text(json.dumps({"columns": ["side", *Figures._fields], "rows": rows}))


if __name__ == "__main__":
    main()
