"""The scoreboard: what the fault suite has measured, beside the two versions of the original.

    python tools/scoreboard.py FIGURES

FIGURES is what `moobius_trio.testing.scoreboard.note` has written. The columns of the original
were measured on its versions once; ours is filled from the file alone, and a figure that is not in
it is said to be missing. Nothing is measured here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

__all__ = ("main",)

Figures = Mapping[str, Any]


@attrs.frozen
class Row:
    """One line of the table; ``ours`` raises LookupError when the run has not measured it."""

    figure: str
    oldest: str
    newest: str
    target: str
    ours: Callable[[Figures], object]


def cuts(figures: Figures, *words: str) -> list[dict[str, Any]]:
    """The runs of messages through forced disconnects whose names have all these words."""
    found = [
        value
        for name, value in figures.items()
        if " messages, " in name
        and all(f", {word}" in name or f" {word}" in name for word in words)
    ]
    if not found:
        raise LookupError(words)
    return found


def worst(runs: Iterable[Mapping[str, Any]], key: str) -> Any:
    """The largest value of one key."""
    return max(run[key] for run in runs)


def doubled(figures: Figures) -> str:
    """Repeats where the platform keeps them, and what had been in flight."""
    run = max(cuts(figures, "own", "no dedupe"), key=lambda run: int(run["doubled"]))
    return f"{run['doubled']} of {run['in flight at the cuts']} in flight; 0 when planned"


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


def flood(figures: Figures) -> str:
    """Memory under a flood, and whether all that was shed was told."""
    grown = [v for name, v in figures.items() if name.endswith("memory growth in MiB")]
    shed = [v for name, v in figures.items() if name.endswith(": shed")]
    told = [v for name, v in figures.items() if name.endswith(": reported")]
    if not grown:
        raise LookupError("flood")
    return f"+{max(grown)} MiB; shed {sum(shed)}, told {sum(told)}"


ROWS = (
    Row(
        "messages through 200 RST: lost silently",
        "190",
        "1,157-2,217",
        "0",
        lambda figures: worst(cuts(figures, "reset"), "lost silently"),
    ),
    Row(
        "the same, closed with 1001",
        "190",
        "9,884 (2 cuts)",
        "0",
        lambda figures: worst(cuts(figures, "1001"), "lost silently"),
    ),
    Row("doubled, where the platform keeps repeats", "0", "0", "<= in flight", doubled),
    Row(
        "doubled, where it drops them",
        "",
        "",
        "0",
        lambda figures: worst(cuts(figures, "own", "dedupe fifo"), "doubled"),
    ),
    Row(
        "connections at once",
        "190",
        "2-152",
        "1",
        lambda figures: worst(cuts(figures), "connections at once"),
    ),
    Row(
        "outage of 0.3 s, lost of 2,000",
        "process ends",
        "1,431-1,466",
        "0",
        lambda figures: figures["outage of 0.3 s, lost of 2,000"],
    ),
    Row(
        "login refused for ever: logins",
        "3,186 a second",
        "loop",
        "3, then exit 77",
        lambda figures: figures["logins, refused from the first on"],
    ),
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
        "all",
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
        "6",
        "0",
        lambda figures: figures["secrets in output and files"],
    ),
    Row(
        "files outside the store, programs run by data",
        "yes / yes",
        "yes / yes",
        "none / no",
        lambda figures: figures["files outside the folder, programs run by stored data"],
    ),
    Row(
        "bytes read of a compressed reply",
        "",
        "300 MiB",
        "0",
        lambda figures: figures["bytes read of a compressed reply"],
    ),
    Row("flood of 200,000: memory, shed and told", "unbounded", "", "< 100 MiB", flood),
    Row(
        "hostile frames among 1,000 good ones: handled",
        "",
        "",
        "1,000",
        lambda figures: figures["hostile frames among good ones"]["handled in order"],
    ),
    Row(
        "seven days, 84 cuts: lost, doubled",
        "",
        "",
        "0, 0",
        lambda figures: [
            figures["seven days, cut every two hours"][key] for key in ("lost", "doubled")
        ],
    ),
    Row(
        "forty days of failing HTTP: spent tokens used",
        "",
        "",
        "0",
        lambda figures: figures["forty days of failing HTTP"]["with a spent token"],
    ),
)


def read(path: Path) -> Figures:
    """The figures of a file; of one that is there twice the last."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {found["figure"]: found["value"] for found in map(json.loads, lines)}


def main(path: Path) -> int:
    """Print the table; gives how many figures are missing."""
    figures = read(path)
    table = [("", "0.0.1", "1.8", "target", "moobius_trio")]
    missing = 0
    for row in ROWS:
        try:
            ours = str(row.ours(figures))
        except LookupError:
            ours, missing = "NOT MEASURED", missing + 1
        table.append((row.figure, row.oldest, row.newest, row.target, ours))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    return missing


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
