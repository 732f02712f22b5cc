"""How long one test with the kit takes: the demo's key1, from opening the platform to its end.

Each round is a whole test in memory: a platform, the demo with its pictures and figures, two
people, two key presses, the stop. The first round also imports what is imported late.

Run: ``python benchmarks/kit.py [--rounds 50]``. Printed are milliseconds of real time and of the
process's own time, in which other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import structlog
import trio
import trio.testing

from moobius_trio.cli.dev import demo_folder
from moobius_trio.cli.loading import load_service
from moobius_trio.testing import Local, open_local


async def key1(local: Local, demo: type[Any]) -> None:
    """The test of docs/how-to/testing.md."""
    band = await local.start(demo())
    alice, bob = await band.join("Alice", "Bob")
    await alice.click("key1", magic_type="Mickey")
    await alice.click("key1", magic_type="Talk")
    if alice.last.text != "Mickey 0 Here!" or bob.names != ["Alice", "Bob"]:
        raise SystemExit("the demo does not do what is measured here")


def measure(demo: type[Any]) -> tuple[float, float]:
    """One round: milliseconds of real time and of the process's own."""

    async def main() -> None:
        async with open_local() as local:
            await key1(local, demo)

    real, own = time.perf_counter(), time.process_time()
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return (time.perf_counter() - real) * 1000, (time.process_time() - own) * 1000


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long one test with the kit takes.")
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args(arguments).rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    demo = type(load_service(str(demo_folder())))
    first = measure(demo)
    print(f"first round: {first[0]:.0f} ms real, {first[1]:.0f} ms own")
    figures = [measure(demo) for _ in range(rounds)]
    for name, column in zip(("real", "own"), zip(*figures, strict=True), strict=True):
        median, best, worst = statistics.median(column), min(column), max(column)
        print(f"{name}: median {median:.1f} ms, {best:.1f} to {worst:.1f} ms ({rounds} rounds)")


if __name__ == "__main__":
    main(sys.argv[1:])
