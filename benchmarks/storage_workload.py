"""What both sides of the storage benchmark share: workloads, records, figures, the ticker.

Also runs in the environment of the original, so nothing beyond the standard library is imported
here.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any, NamedTuple

RECORDS = 10_000
"""So many lie in the container before anything is measured."""
TICK = 0.001
"""Seconds the ticker sleeps."""

LOAD = "load"
"""What the figures of reading all records are called."""

_points = itertools.count(time.time_ns() // 1000)


class Workload(NamedTuple):
    """Handlers that overwrite existing keys, each waited for until all it did is stored."""

    name: str
    keys: int
    """Changed by one handler."""
    handlers: int
    """Run one after the other."""
    in_a_row: int
    """Changes between two yields of the handler to its loop."""
    bands: int = 1
    """More than one: each band has its share of the handlers, and all bands go on at once, as in a
    service that has several. Where a commit waits for the disk, the others' handlers run."""

    def changes(self) -> list[list[tuple[str, Any]]]:
        """For each handler the keys with new values; no key twice, no value that was there."""
        return [
            [(key(number), record(number)) for number in range(start, start + self.keys)]
            for start in (turn * self.keys for turn in range(self.handlers))
        ]


BANDS = 2
"""At most so many bands does a workload have."""


class Figures(NamedTuple):
    """What came of one workload in one round."""

    workload: str
    keys: int
    seconds: float
    """From the first change of each handler until everything it did is stored, summed up; of
    several bands the time for all."""
    stall: float
    """The longest that the loop kept the ticker waiting, in seconds."""
    busy: float
    """The most CPU time that the loop's thread used between two ticks, in seconds: its part of the
    stall, without what other threads and other programs took."""


class Ticker:
    """Finds how late a task of the same loop wakes up. Who uses it sleeps `TICK` at a time."""

    def __init__(self) -> None:
        self.stall = self.busy = 0.0
        self._due = time.perf_counter() + TICK
        self._used = time.thread_time()

    def tick(self) -> None:
        """To be called when a sleep has ended and the next one begins."""
        now = time.perf_counter()
        self.stall = max(self.stall, now - self._due)
        self._due = now + TICK
        used = time.thread_time()
        self.busy = max(self.busy, used - self._used)
        self._used = used


def key(number: int) -> str:
    """A user id, as keys of containers are."""
    return f"user-{number:06}"


def record(number: int) -> dict[str, Any]:
    """1 KB as JSON, of a shape that services have, never the same twice."""
    return {
        "nickname": f"Player {number}",
        "points": next(_points),
        "health": 97.5,
        "alive": True,
        "place": [number % 64, number // 64],
        "bag": {"gold": number, "lamp": 1, "rope": 2, "key": None},
        "diary": [f"Day {day}: went north, saw a light and turned back." for day in range(16)],
    }


def answer(figures: list[Figures]) -> None:
    """Give the figures of one round to `storage.py`."""
    print(json.dumps(figures), flush=True)


def question(line: str) -> list[Workload]:
    """The workloads that a line of `storage.py` asks for."""
    return [Workload(*fields) for fields in json.loads(line)["workloads"]]
