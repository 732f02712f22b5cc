"""What a service takes of memory: at rest, for each band, and when messages come too fast for it.

At rest is a service with one band, some seconds after its start. A band is the difference between
many and one, each with ten people who are in no other band; the original's service asks for them
as ours does by itself. It has fewer bands, since each takes it long to start; a figure of a band
it is. In the flood no handler ever returns: what comes is to be refused at some time, or to wait
in the sockets. Linux alone tells all this (/proc/PID/smaps_rollup and status).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio
from children import Child, ChildFailed, Platform
from services import OURS, bands, open_service
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS", "Bands", "Flood", "Idle")

ORIGINAL: Final = "1.8"
PAIRS: Final = ((OURS, ORIGINAL),)
IDLE_SECONDS: Final = 3.0
PEOPLE: Final = 10
MANY: Final = {OURS: 1000, ORIGINAL: 100}
FLOOD: Final = 200_000
FLOOD_SECONDS: Final = 120.0
FLOOD_BANDS: Final = 20
QUIET_SECONDS: Final = 0.5
QUIET_CPU: Final = 0.01
"""A process that has used less in so long has read all that there is."""


def clients(bench: Bench) -> list[str]:
    """Who is measured, in the order of this round."""
    return bench.turn([OURS, ORIGINAL] if bench.original else [OURS])


def resident(pid: int) -> dict[str, float]:
    """MiB of a process: in memory (``Rss``), and its share of that (``Pss``)."""
    return _sizes(f"/proc/{pid}/smaps_rollup", ("Rss", "Pss"))


def peak(pid: int) -> float:
    """MiB that a process had in memory at the most."""
    return _sizes(f"/proc/{pid}/status", ("VmHWM",))["VmHWM"]


def _sizes(file: str, names: tuple[str, ...]) -> dict[str, float]:
    lines = (line.split() for line in Path(file).read_text("utf-8").splitlines())
    found = {line[0].rstrip(":"): int(line[1]) for line in lines if line[-1] == "kB"}
    return {name: found[name] / 1024 for name in names}


async def open_platform(bench: Bench, *, people: int) -> Platform:
    """The platform of the family, answering at once."""
    platform = await bench.keep("platform", partial(bench.open_platform, tls=True))
    await platform.order(do="settings", delay=0.0, members=people, strangers=people > 1)
    return platform


async def until_quiet(bench: Bench, child: Child) -> None:
    """Wait until a process has nothing to do.

    Raises:
        ChildFailed: it goes on and on.
    """
    with trio.move_on_after(FLOOD_SECONDS):
        used = bench.cpu(child.pid)
        while True:
            await trio.sleep(QUIET_SECONDS)
            before, used = used, bench.cpu(child.pid)
            if used - before < QUIET_CPU:
                return
    raise ChildFailed("a service has not come to rest")


@attrs.frozen
class Idle:
    """A `Workload`: a service with one band that has nothing to do."""

    name: str = "memory-idle"
    family: str = "memory"
    row: str = "memory at rest, 1 band"
    rounds: int = 3
    seconds: float = 10.0

    def places(self) -> Iterable[Place]:
        """Both sizes of both clients."""
        return [
            Place(self.row, client, f"{size} MiB")
            for client in (OURS, ORIGINAL)
            for size in ("RSS", "PSS")
        ]

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Ours beside the original."""
        return PAIRS

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client once."""
        platform = await open_platform(bench, people=1)
        figures = []
        for client in clients(bench):
            async with open_service(bench, platform, client, bands(1)) as (child, _):
                await trio.sleep(IDLE_SECONDS)
                found = resident(child.pid)
            figures += [
                Figure(self.row, client, f"{name.upper()} MiB", value)
                for name, value in found.items()
            ]
        return figures


@attrs.frozen
class Bands:
    """A `Workload`: what one band more takes, with ten people in it."""

    name: str = "memory-bands"
    family: str = "memory"
    row: str = f"memory of a band, {PEOPLE} people in each"
    rounds: int = 2
    seconds: float = 27.0

    def places(self) -> Iterable[Place]:
        """One figure of both clients."""
        return [Place(self.row, client, "KiB/band") for client in (OURS, ORIGINAL)]

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Ours beside the original."""
        return PAIRS

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client once."""
        platform = await open_platform(bench, people=PEOPLE)
        figures = []
        for client in clients(bench):
            sizes = []
            for count in (1, MANY[client]):
                service = open_service(bench, platform, client, bands(count), "members")
                async with service as (child, _):
                    await trio.sleep(IDLE_SECONDS)
                    sizes.append(resident(child.pid)["Rss"] * 1024)
            value = (sizes[1] - sizes[0]) / (MANY[client] - 1)
            figures.append(Figure(self.row, client, "KiB/band", value))
        return figures


@attrs.frozen
class Flood:
    """A `Workload`: messages to handlers that never return."""

    name: str = "memory-flood"
    family: str = "memory"
    row: str = f"flood of {FLOOD:,} messages, {FLOOD_BANDS} bands, no handler returns"
    rounds: int = 2
    seconds: float = 45.0

    def places(self) -> Iterable[Place]:
        """One figure of both clients."""
        return [Place(self.row, client, "growth MiB") for client in (OURS, ORIGINAL)]

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Ours beside the original."""
        return PAIRS

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client once."""
        platform = await open_platform(bench, people=1)
        channels = bands(FLOOD_BANDS)
        figures = []
        for client in clients(bench):
            service = open_service(bench, platform, client, channels, "endless")
            async with service as (child, _):
                await until_quiet(bench, child)
                before = resident(child.pid)["Rss"]
                answer = await platform.order(
                    do="flood",
                    messages=FLOOD,
                    size=300,
                    bands=channels,
                    generation=1,
                    seconds=FLOOD_SECONDS,
                )
                if answer["sent"] < FLOOD:
                    raise ChildFailed(f"{client} has read {answer['sent']:,} messages and no more")
                await until_quiet(bench, child)
                growth = peak(child.pid) - before
            figures.append(Figure(self.row, client, "growth MiB", growth))
        return figures


WORKLOADS: Final = (Idle(), Bands(), Flood())
