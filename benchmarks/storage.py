"""Storage: µs per changed key and the longest stall of the loop, beside the original's database.

What is measured: handlers overwrite existing keys of a container that holds 10,000 records of
1 KB. The time runs from a handler's first change until everything it did is stored, and handlers
run one after the other, or in two bands at once; a ticker of 1 ms in the same loop finds how long
the loop was held up. A handler of 10,000 keys yields to its loop after every 100. "Opened" is what
reading all that is there takes, "nothing" the ticker alone: the noise of this machine. The CPU of a
stall is what the loop's thread itself used between two ticks, in which other threads and other
programs have no part. There is no platform here, so that all cores are there for each side: on a
single one a stall is above all the kernel's time slice for the thread that writes.

Ours, each engine: `open_stores` with real threads, handlers as units of work, until a flush says
that it is stored: sqlite through a loss of power, json through the death of the process with every
file synced, redis in a server of its own with an append-only file that is synced every second,
memory not at all. The original: ``MoobiusStorage`` with ``JSONDatabase`` of the
published ``moobius==1.8.0`` in an asyncio loop, which writes in the loop and syncs nothing.

A file that is created or overwritten costs several times more when the kernel is writing back what
came before, as it is in a service that has run for a while. So rounds that do not count come first,
until the kernel has written back 64 MiB since the start (``/proc/vmstat``). On a file system in
memory there is nothing to write back; TMPDIR says where the files are.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import storage_workload
from children import Child
from storage_workload import LOAD
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS", "Storage", "file_system")

HERE: Final = Path(__file__).parent
ORIGINAL: Final = "1.8"
ENGINES: Final = {
    "ours sqlite": "sqlite",
    "ours json": "json",
    "ours redis": "redis",
    "ours memory": "memory",
}
CLIENTS: Final = (*ENGINES, ORIGINAL)
ROUND: Final = (
    storage_workload.Workload("nothing", 0, 100, 1),
    storage_workload.Workload("1 key", 1, 100, 100),
    storage_workload.Workload("100 keys", 100, 20, 100),
    storage_workload.Workload("100 keys in two bands", 100, 40, 100, bands=2),
    storage_workload.Workload("10,000 keys", 10_000, 1, 100),
)
ANSWER_SECONDS: Final = 600.0
WARM_BYTES: Final = 64 * 1024 * 1024
WARM_ROUNDS: Final = 8
"""At most; a disk that has written less by then is a very slow one."""
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
NAMES: Final = ("us/key", "stall ms", "stall cpu ms")


@attrs.frozen
class Storage:
    """A `Workload`: a round of every engine, and of the original's."""

    name: str = "storage"
    family: str = "storage"
    rounds: int = 11  # as all that most goals are about: one round differs from the next by a third
    seconds: float = 20.0

    def places(self) -> Iterable[Place]:
        """All figures of all clients, kind by kind of handler."""
        for kind in (LOAD, *(one.name for one in ROUND)):
            for client in CLIENTS:
                for name in NAMES:
                    if kind != "nothing" or name != "us/key":
                        yield Place(_row(kind), client, name)

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Each engine beside the original."""
        return [(engine, ORIGINAL) for engine in ENGINES]

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client once."""
        await bench.keep("warm", partial(warm, bench))
        figures: list[Figure] = []
        for client in bench.turn(CLIENTS):
            if client in ENGINES or bench.original:
                figures += figures_of(client, await measure(bench, client))
        return figures


async def measure(bench: Bench, client: str) -> list[storage_workload.Figures]:
    """One round of a client, whose process and files stay for the next."""
    child = await bench.keep(client, partial(open_client, bench, client))
    found = await child.ask({"workloads": ROUND}, seconds=ANSWER_SECONDS)
    return [storage_workload.Figures(*fields) for fields in found]


@asynccontextmanager
async def open_client(bench: Bench, client: str) -> AsyncIterator[Child]:
    """A process that measures whenever it is asked."""
    folder = str(bench.new_folder())
    if client == ORIGINAL:
        argv = [str(bench.original), str(HERE / "storage_original.py"), folder]
    else:
        argv = [str(bench.ours), str(HERE / "storage_ours.py"), ENGINES[client], folder]
    async with bench.open_child(argv, pinned=False) as child:
        yield child


def figures_of(client: str, found: Iterable[storage_workload.Figures]) -> Iterable[Figure]:
    """What a client has measured, as figures of the table."""
    for one in found:
        row = _row(one.workload)
        if one.keys:
            yield Figure(row, client, "us/key", one.seconds / one.keys * 1e6)
        yield Figure(row, client, "stall ms", one.stall * 1e3)
        yield Figure(row, client, "stall cpu ms", one.busy * 1e3)


def _row(kind: str) -> str:
    return "storage, opened: 10,000 keys" if kind == LOAD else f"storage, changed: {kind}"


@asynccontextmanager
async def warm(bench: Bench) -> AsyncIterator[None]:
    """Rounds that do not count, until write-back runs; says how many and why."""
    device, kind = file_system(bench.folder)
    start, written, count = written_back(), 0, 0
    while count < (1 if kind in IN_MEMORY else WARM_ROUNDS) and written < WARM_BYTES:
        count += 1
        for client in CLIENTS:
            if client in ENGINES or bench.original:
                await measure(bench, client)
        written = written_back() - start
    say(
        f"storage is on {kind} ({device}): {count} rounds of warm-up, "
        f"{written / 2**20:,.0f} MiB written back meanwhile"
    )
    yield


def file_system(folder: Path) -> tuple[str, str]:
    """The device and the type of the file system that a folder is on; "unknown" without /proc."""
    table = Path("/proc/mounts")
    if not table.exists():
        return "unknown", "unknown"
    mounts = [line.split() for line in table.read_text("utf-8").splitlines()]
    there = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    device, _, kind, *_ = max(reversed(there), key=lambda mount: len(mount[1]))
    return device, kind


def written_back() -> int:
    """Bytes that the kernel has written back to its disks since it was started; 0 without /proc."""
    table = Path("/proc/vmstat")
    if not table.exists():
        return 0
    pages: Mapping[str, str] = dict(line.split() for line in table.read_text("utf-8").splitlines())
    return int(pages["nr_written"]) * 4096


def say(text: str) -> None:
    """A line to whoever waits, apart from the results."""
    print(text, file=sys.stderr, flush=True)


WORKLOADS: Final = (Storage(),)
