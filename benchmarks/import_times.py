"""Starts programs one after the other and says how long each took; one thread, no loop.

Run: ``python import_times.py``, then a line of JSON for each order: ``programs``, each a list of
words, and how many ``times`` to run them, in turns. Answered, for each program, by the seconds from
start to end and those of CPU, a pair for each time. All are run once before.
"""

from __future__ import annotations

import json
import os
import sys
import time


def run(argv: list[str]) -> tuple[float, float]:
    """Seconds from start to end, and of CPU."""
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{argv} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        programs: list[list[str]] = order["programs"]
        for program in programs:
            run(program)
        rounds = [[run(program) for program in programs] for _ in range(order["times"])]
        print(json.dumps(list(zip(*rounds, strict=True))), flush=True)


if __name__ == "__main__":
    main()
