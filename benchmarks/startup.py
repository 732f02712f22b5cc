"""How long a service takes to start: from the start of its process until its `on_start` is done.

The platform answers each call after 20 ms; HTTP is plain, the WebSocket speaks TLS. Every band has
ten members. Ours knows them before `on_start`, with their profiles; the original, as it is, asks
for none, so a second figure of it has its service do so, as its demos do. All is warm: the
modules are compiled and in the page cache.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import attrs
from children import Platform
from services import OURS, bands, open_service
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS", "Startup")

ORIGINAL: Final = "1.8"
WITH_MEMBERS: Final = "1.8, members fetched"
DELAY: Final = 0.02
MEMBERS: Final = 10
FIGURES: Final = ("seconds", "cpu seconds")


@attrs.frozen
class Startup:
    """A `Workload`: so many bands."""

    bands: int
    rounds: int
    seconds: float
    family: str = "startup"

    @property
    def name(self) -> str:
        """What ``--only`` matches."""
        return f"startup-{self.bands}"

    @property
    def row(self) -> str:
        """What the table calls it."""
        return f"start-up, {self.bands} band{'s' if self.bands > 1 else ''}, 20 ms per request"

    def places(self) -> Iterable[Place]:
        """Every figure of every client."""
        for client in (OURS, ORIGINAL, WITH_MEMBERS):
            for figure in FIGURES:
                yield Place(self.row, client, figure)

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Ours beside both."""
        return [(OURS, ORIGINAL), (OURS, WITH_MEMBERS)]

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Each client started once."""
        platform = await bench.keep("platform", partial(bench.open_platform, tls=True))
        await platform.order(do="settings", delay=DELAY, members=MEMBERS)
        clients = [OURS, ORIGINAL, WITH_MEMBERS] if bench.original else [OURS]
        await bench.keep("warm", partial(warm, bench, platform, clients))
        figures = []
        for client in bench.turn(clients):
            options = ["members"] if client == WITH_MEMBERS else []
            service = open_service(bench, platform, client, bands(self.bands), *options)
            async with service as (child, seconds):
                cpu = bench.cpu(child.pid)
            found = zip(FIGURES, (seconds, cpu), strict=True)
            figures += [Figure(self.row, client, name, value) for name, value in found]
        return figures


@asynccontextmanager
async def warm(bench: Bench, platform: Platform, clients: Iterable[str]) -> AsyncIterator[None]:
    """Each of them was started once: what Python compiles and the disk has is there."""
    for client in clients:
        async with open_service(bench, platform, client, bands(1)):
            pass
    yield


WORKLOADS: Final = (
    Startup(1, rounds=5, seconds=4.0),
    Startup(20, rounds=3, seconds=8.0),
    Startup(100, rounds=3, seconds=24.0),
)
