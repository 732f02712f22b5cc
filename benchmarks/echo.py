"""Echo: messages to a service and back, with so many on their way at a time.

All clients of a family are there all the time, each a process of its own on one core, and are
measured in turn; the platform has the other core. What a client does with a message stands in
echo_ours.py and echo_original.py, in the same words as far as the two APIs have the same words;
the ceilings give back what came. The platform answers no frame with a copy, not even a login,
unless the row says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
from children import Child, Platform
from workload import Bench, Figure, Place

__all__ = ("WORKLOADS",)

HERE = Path(__file__).parent
SECONDS = 0.4
"""Of each measurement; with a thousand in flight twice that."""
WARM_SECONDS = 0.4
"""Before the first one of each client: groups are made, caches filled, files compiled."""
OVERHEAD = 0.05
"""Seconds between two measurements, about."""
HTTP_DELAY = 0.02
GROUP = "22222222-2222-4222-8222-222222222222"
BANDS = tuple(f"55555555-5555-4555-8555-{number:012d}" for number in range(50))
ROOM = 1_000
"""Events that one band has room for, by default; what comes beyond that is shed."""
FIGURES = ("msg/s", "cpu us/msg", "p50 us", "p99 us")

Family = Literal["echo-tls", "echo-plain", "echo-copies"]


@attrs.frozen
class Peer:
    """Somebody who is measured.

    Attributes:
        name: in the table.
        slug: in addresses.
        script: what runs.
        driver, log: as echo_ours.py has them.
    """

    name: str
    slug: str
    script: str
    driver: str = ""
    log: str = "off"

    @property
    def original(self) -> bool:
        """Whether it is the published original."""
        return self.script == "echo_original.py"


PUBLIC = Peer("ours public", "public", "echo_ours.py", "public", "shipped")
PUBLIC_QUIET = Peer("ours public no log", "public-quiet", "echo_ours.py", "public")
DIRECT = Peer("ours direct", "direct", "echo_ours.py", "direct", "shipped")
DIRECT_QUIET = Peer("ours direct no log", "direct-quiet", "echo_ours.py", "direct")
ORIGINAL = Peer("1.8 as shipped", "original", "echo_original.py", log="shipped")
ORIGINAL_QUIET = Peer("1.8 no log", "original-quiet", "echo_original.py")
BARE_WEBSOCKET = Peer("bare trio-websocket", "bare-websocket", "ceiling_websocket.py")
BARE_WSPROTO = Peer("bare wsproto", "bare-wsproto", "ceiling_wsproto.py")

SHIPPED = (PUBLIC, DIRECT, ORIGINAL)
SERVICES = (PUBLIC, PUBLIC_QUIET, DIRECT, DIRECT_QUIET, ORIGINAL, ORIGINAL_QUIET)
CEILINGS = (BARE_WEBSOCKET, BARE_WSPROTO)
PLAIN = (PUBLIC, PUBLIC_QUIET, DIRECT, DIRECT_QUIET, *CEILINGS)
"""The original speaks nothing but TLS."""

PAIRS = (
    (PUBLIC, ORIGINAL),
    (PUBLIC_QUIET, ORIGINAL_QUIET),
    (PUBLIC, BARE_WEBSOCKET),
    (DIRECT, ORIGINAL),
    (DIRECT_QUIET, ORIGINAL_QUIET),
    (DIRECT, BARE_WSPROTO),
)


@attrs.frozen(kw_only=True)
class Echo:
    """One row: what is sent, and who is measured."""

    name: str
    title: str
    family: Family
    peers: Sequence[Peer]
    size: int = 300
    window: int = 64
    bands: int = 1
    text: str = "x"
    recipients: str = "service"
    delay: float = 0.0
    slow: float = 0.0
    """Seconds that the slow ones among the peers take beyond their time, all together."""
    rounds: int = 5

    @property
    def seconds(self) -> float:
        return len(self.peers) * (self.sending + OVERHEAD) + self.slow

    @property
    def sending(self) -> float:
        """Seconds for which a new message follows each answer."""
        return SECONDS * (2 if self.window >= ROOM else 1)

    def places(self) -> Iterable[Place]:
        return [Place(self.title, peer.name, name) for peer in self.peers for name in FIGURES]

    def pairs(self) -> Iterable[tuple[str, str]]:
        there = [pair for pair in PAIRS if set(pair) <= set(self.peers)]
        return [(ours.name, theirs.name) for ours, theirs in there]

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        tls = self.family != "echo-plain"
        platform = await bench.keep("platform", partial(bench.open_platform, tls=tls))
        runners = []
        for peer in self.peers:
            if bench.original or not peer.original:
                opened = partial(open_runner, bench, platform, peer, self.family)
                runners.append(await bench.keep(peer.slug, opened))
        for runner in runners:
            await runner.be_warm(platform)
        found: list[Figure] = []
        for runner in bench.turn(runners):
            found += await self._measure(bench, platform, runner.peer, runner.child)
        return found

    async def _measure(
        self, bench: Bench, platform: Platform, peer: Peer, child: Child
    ) -> list[Figure]:
        await platform.order(do="settings", delay=self.delay)
        began = bench.cpu(child.pid)
        found = await platform.order(
            do="echo",
            client=peer.slug,
            generation=1,
            bands=BANDS[: self.bands],
            size=self.size,
            window=self.window,
            seconds=self.sending,
            text=self.text,
            recipients=self.recipients,
        )
        cpu = (bench.cpu(child.pid) - began) / found["messages"]
        values = (found["rate"], cpu * 1e6, found["p50"] * 1e6, found["p99"] * 1e6)
        return [
            Figure(self.title, peer.name, name, value)
            for name, value in zip(FIGURES, values, strict=True)
        ]


@attrs.define
class Runner:
    """A client that has been started."""

    peer: Peer
    child: Child
    warm: bool = False

    async def be_warm(self, platform: Platform) -> None:
        """Wait until it is connected and its bands are ready, and let it run for a moment."""
        if not self.warm:
            await self.child.hear()
            await platform.order(
                do="echo",
                client=self.peer.slug,
                generation=1,
                bands=BANDS,
                size=300,
                window=64,
                seconds=WARM_SECONDS,
            )
            self.warm = True


@asynccontextmanager
async def open_runner(
    bench: Bench, platform: Platform, peer: Peer, family: Family
) -> AsyncIterator[Runner]:
    """A client for the block; all of them start side by side."""
    python = bench.original if peer.original else bench.ours
    assert python is not None  # noqa: S101  # who cannot run is left out before
    copies = family == "echo-copies"
    await platform.order(do="settings", client=peer.slug, copies=copies, delay=0.0)
    shipped = peer.log == "shipped"
    async with bench.open_child([python, HERE / peer.script], discard=shipped) as child:
        await child.tell(
            {
                "http": f"{platform.http}/~{peer.slug}",
                "ws": f"{platform.ws}/~{peer.slug}",
                "bands": BANDS,
                "ca": None if family == "echo-plain" else str(bench.ca),
                "driver": peer.driver,
                "log": peer.log,
            }
        )
        yield Runner(peer, child)


def bands_for(window: int) -> int:
    """One, unless that is more than a band of ours has room for (docs/architecture.md section 4):
    then four."""
    return 1 if window < ROOM else 4


def in_flight(window: int) -> str:
    """For the title."""
    bands = bands_for(window)
    return f"{window:,} in flight" + (f", {bands} bands" if bands > 1 else "")


def _echoes() -> Iterable[Echo]:
    sizes, windows = ((300, "300", "300 B"), (8192, "8k", "8 KB")), (1, 64, 1000)
    everybody = (*SERVICES, *CEILINGS)
    for size, short, words in sizes:
        for window in windows:
            yield Echo(
                name=f"echo-{short}-{window}-tls",
                title=f"echo {words}, {in_flight(window)}, TLS",
                family="echo-tls",
                rounds=5 if window >= ROOM else 11,  # most goals are about these
                peers=everybody,
                size=size,
                window=window,
                bands=bands_for(window),
            )
    for size, short, words in sizes:
        yield Echo(
            name=f"echo-{short}-64-bands-tls",
            title=f"echo {words}, 64 in flight, 50 bands, TLS",
            family="echo-tls",
            peers=SERVICES,
            size=size,
            bands=50,
        )
    yield Echo(
        name="echo-300-64-store-tls",
        title="echo 300 B, 64 in flight, a record changed, TLS",
        family="echo-tls",
        peers=SERVICES,
        text="s",
    )
    yield Echo(
        name="echo-group-tls",
        title="echo 300 B, 64 in flight, to a group, TLS",
        family="echo-tls",
        peers=SHIPPED,
        recipients=GROUP,
        slow=1.2,
        rounds=3,
    )
    yield Echo(
        name="echo-http-tls",
        title="echo 300 B, 64 in flight, a call of 20 ms, 20 bands, TLS",
        family="echo-tls",
        peers=SHIPPED,
        bands=20,
        text="h",
        delay=HTTP_DELAY,
        slow=1.4,
        rounds=3,
    )
    for size, short, words in sizes:
        for window in windows:
            yield Echo(
                name=f"echo-{short}-{window}-plain",
                title=f"echo {words}, {in_flight(window)}, plain",
                family="echo-plain",
                rounds=3,
                peers=PLAIN,
                size=size,
                window=window,
                bands=bands_for(window),
            )
    for size, short, words in sizes:
        yield Echo(
            name=f"echo-{short}-64-copies-tls",
            title=f"echo {words}, 64 in flight, with copies, TLS",
            family="echo-copies",
            rounds=3,
            peers=SERVICES,
            size=size,
        )


WORKLOADS = tuple(_echoes())
