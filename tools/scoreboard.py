"""The scoreboard: what the fault suite has measured, beside the two versions of the original.

    python tools/scoreboard.py FIGURES

FIGURES is what `moobius_trio.testing.scoreboard.note` has written. The columns of the original
were measured on its versions once; ours is filled from the file alone, and a figure that is not in
it is said to be missing. Below the table stand the runs that its rows sum up. Nothing is measured
here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

__all__ = ("main",)

Figures = Mapping[str, Any]
Table = list[tuple[str, ...]]


@attrs.frozen
class Row:
    """One line of the table; ``ours`` raises LookupError when the run has not measured it."""

    figure: str
    oldest: str
    newest: str
    target: str
    ours: Callable[[Figures], object]


@attrs.frozen
class Run:
    """Messages through forced disconnects, of one kind on one platform."""

    messages: int
    cut: str
    setting: str
    found: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        """Of the setting: whose copies, whether repeats are dropped, order there, order here."""
        return self.setting.replace("no dedupe", "keeps").replace("dedupe", "drops").split()


def runs(figures: Figures, *, cut: str = "", repeats: str = "") -> list[Run]:
    """The runs through forced disconnects of this kind, or of this way with repeated messages."""
    found = []
    for name, value in figures.items():
        if " messages, " in name:
            count, kind, setting = name.split(", ", 2)
            run = Run(int(count.split()[0]), kind, setting, value)
            if cut in ("", kind) and (not repeats or run.words[:2] == ["own", repeats]):
                found.append(run)
    if not found:
        raise LookupError(cut or repeats)
    return found


def worst(of: Iterable[Run], key: str) -> Any:
    """The largest value of one key."""
    return max(run.found[key] for run in of)


def ending(figures: Figures, end: str) -> Any:
    """The value of the one figure whose name ends so: its beginning tells the size of the run."""
    for name, value in figures.items():
        if name.endswith(end):
            return value
    raise LookupError(end)


def doubled(figures: Figures) -> str:
    """Repeats where the platform keeps them, and what had been in flight; none when planned."""
    run = max(runs(figures, repeats="keeps"), key=lambda run: int(run.found["doubled"]))
    planned = ending(figures, " days, cut every two hours")["doubled"]
    return f"{run.found['doubled']} of {run.found['in flight at the cuts']}; planned {planned}"


def connections(figures: Figures) -> str:
    """Connections for each cut, and the most at a time."""
    every = runs(figures)
    return f"{worst(every, 'connections for each cut')} / {worst(every, 'connections at once')}"


def kills(figures: Figures) -> str:
    """What killing writers of readable files has left."""
    found = figures["kills while json is written"]
    return f"{found['torn']} torn, {found['lost']} lost in {found['kills']}"


def stops(figures: Figures) -> str:
    """How many ways to stop there were, and how long the longest took."""
    found = [value for name, value in figures.items() if name.startswith("shutdown: ")]
    if not found:
        raise LookupError("shutdown")
    return f"1 / 0 ({len(found)} cases, at most {max(one['seconds'] for one in found)} s)"


def refused(figures: Figures) -> str:
    """Logins of a service that is refused for ever: at the first start, and later."""
    first = figures["logins, refused from the first on"]
    later = figures["refused logins after a good one"]
    return f"{first}, then exit 77; later {later} in an hour, exit 77"


def flood(figures: Figures) -> str:
    """Memory under a flood, and whether all that was shed was told."""
    grown, shed, told = (
        ending(figures, f"handler of 10 ms: {what}")
        for what in ("memory growth in MiB", "shed", "reported")
    )
    return f"+{grown} MiB; shed {shed}, told {told}"


def data(figures: Figures) -> str:
    """What data can do: run a program, be a file elsewhere, send a file of this machine."""
    outside, run = figures["files outside the folder, programs run by stored data"]
    uploaded = figures["files uploaded because a message names them"]
    return " / ".join("yes" if one else "no" for one in (run, outside, uploaded))


def soak(figures: Figures) -> str:
    """The longest simulated time, and how long one processor took for it."""
    days, found = max(
        (int(name.split()[0]), value)
        for name, value in figures.items()
        if name.endswith(" days of failing HTTP")
    )
    return f"{days} days in {found['seconds of computing']} s"


ROWS = (
    Row(
        "10,000 messages, 200 RST: lost silently",
        "190",
        "1,157-2,217",
        "0",
        lambda figures: worst(runs(figures, cut="reset"), "lost silently"),
    ),
    Row(
        "the same, closed with 1001",
        "190",
        "9,884 (2 cuts)",
        "0",
        lambda figures: worst(runs(figures, cut="1001"), "lost silently"),
    ),
    Row("doubled, where the platform keeps repeats", "0", "0", "<= in flight, planned 0", doubled),
    Row(
        "doubled, where it drops them",
        "",
        "",
        "0",
        lambda figures: worst(runs(figures, repeats="drops"), "doubled"),
    ),
    Row("connections for each cut / at once", "2.0 / 190", "1-2 / 2-152", "1.0 / 1", connections),
    Row(
        "outage of 0.3 s, lost of 2,000",
        "process ends",
        "1,431-1,466",
        "0",
        lambda figures: figures["outage of 0.3 s, lost of 2,000"],
    ),
    Row("login refused for ever: logins", "3,186 a second", "loop", "3; later 10", refused),
    Row(
        "attempts a second while it is away",
        "process ends",
        "2,000",
        "<= 2",
        lambda figures: figures["attempts in each second of an hour's outage"],
    ),
    Row("kill -9 while readable files are written", "93 % torn", "90 % torn", "0", kills),
    Row(
        "inversions in 200 messages",
        "24",
        "same design",
        "0",
        lambda figures: figures["inversions in 200 messages with slow handlers"],
    ),
    Row(
        "turns of a 1 ms ticker in 8 s of a hanging HTTP call",
        "0",
        "all",
        "all (7,999)",
        lambda figures: figures["turns of a 1 ms ticker in 8 s of a hanging call"],
    ),
    Row(
        "spells cast of 1,000 with a bad one",
        "loop dead",
        "loop dead",
        "999",
        lambda figures: figures["spells cast of 1,000 with a bad one"],
    ),
    Row("signals to stop / tracebacks", "3 / 5", "SIGKILL", "1 / 0", stops),
    Row(
        "secrets in output and files",
        "4",
        "6 (password too)",
        "0",
        lambda figures: figures["secrets in output and files"],
    ),
    Row(
        "data runs code / leaves its folder / uploads a file",
        "yes / yes / no",
        "yes / yes / yes",
        "no / no / no",
        data,
    ),
    Row(
        "bytes read of a compressed reply (MiB of memory)",
        "(300)",
        "(300)",
        "0",
        lambda figures: figures["bytes read of a compressed reply"],
    ),
    Row("simulated time", "", "", "40 days in <= 60 s", soak),
    Row("flood of 200,000: memory, shed and told", "unbounded", "", "< 100 MiB", flood),
    Row(
        "20,000 hostile frames among 1,000 good ones: handled",
        "",
        "",
        "1,000",
        lambda figures: figures["hostile frames among good ones"]["handled in order"],
    ),
    Row(
        "seven days, 84 cuts: lost / doubled",
        "",
        "",
        "0 / 0",
        lambda figures: " / ".join(
            str(ending(figures, "7 days, cut every two hours")[key]) for key in ("lost", "doubled")
        ),
    ),
    Row(
        "forty days of failing HTTP: spent tokens used",
        "",
        "",
        "0",
        lambda figures: ending(figures, "40 days of failing HTTP")["with a spent token"],
    ),
)

OF_A_RUN = ("lost silently", "doubled", "inversions", "connections at once")


def by_setting(figures: Figures) -> Table:
    """Each setting of what is unknown of the platform, through each kind of disconnect."""
    every = runs(figures)
    kinds = list(dict.fromkeys(run.cut for run in every))
    cells = {
        (run.setting, run.cut): " ".join(str(run.found[key]) for key in OF_A_RUN) for run in every
    }
    settings = sorted({run.setting for run in every}, reverse=True)
    return [
        ("the platform's copies, repeats, order; our order", *kinds),
        *((setting, *(cells.get((setting, kind), "") for kind in kinds)) for setting in settings),
    ]


def by_state(figures: Figures) -> Table:
    """Seconds and exit code of each way to end a process."""
    cells: dict[str, dict[str, str]] = {}
    signals: dict[str, None] = {}
    for name, value in sorted(figures.items()):
        if name.startswith("shutdown: "):
            state, signal = name.removeprefix("shutdown: ").rsplit(", ", 1)
            signals[signal] = None
            cells.setdefault(state, {})[signal] = f"{value['seconds']} s, {value['exit']}"
    return [
        ("state", *signals),
        *((state, *(row.get(one, "") for one in signals)) for state, row in cells.items()),
    ]


def the_rest(figures: Figures) -> Table:
    """Every other figure as it was noted."""
    return [
        (name, ", ".join(f"{key} {one}" for key, one in value.items()))
        if isinstance(value, dict)
        else (name, str(value))
        for name, value in sorted(figures.items())
        if " messages, " not in name and not name.startswith("shutdown: ")
    ]


def board(figures: Figures) -> tuple[Table, int]:
    """The table of all rows, and how many figures it lacks."""
    table: Table = [("", "0.0.1", "1.8", "target", "moobius_trio")]
    missing = 0
    for row in ROWS:
        try:
            ours = str(row.ours(figures))
        except (LookupError, ValueError):
            ours, missing = "NOT MEASURED", missing + 1
        table.append((row.figure, row.oldest, row.newest, row.target, ours))
    return table, missing


def show(title: str, table: Sequence[Sequence[str]]) -> None:
    """Print a table in columns."""
    print(f"\n{title}\n")
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def read(path: Path) -> Figures:
    """The figures of a file; of one that is there twice the last."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {found["figure"]: found["value"] for found in map(json.loads, lines)}


def main(path: Path) -> int:
    """Print the tables; gives how many figures are missing."""
    figures = read(path)
    table, missing = board(figures)
    if any(" messages, " in name for name in figures):
        size = max(run.messages for run in runs(figures))
        show(
            f"{size:,} messages through {size // 50} disconnects of each kind: "
            f"{', '.join(OF_A_RUN)}",
            by_setting(figures),
        )
    if any(name.startswith("shutdown: ") for name in figures):
        show(
            "How a process ends, ten at a time: seconds from the first signal, exit code",
            by_state(figures),
        )
    show("All other figures", the_rest(figures))
    show("Scoreboard", table)
    return missing


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
