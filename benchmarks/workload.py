"""What a benchmark is made of: figures, where they stand, workloads, and what a workload is given.

Nothing is measured, printed or judged here. Everything of the bench's own runs in trio; what is
measured runs in processes of its own (`children`).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs
from children import Child, Platform, open_child, open_platform

__all__ = ("PLATFORM_SCRIPT", "Bench", "Figure", "Place", "Workload", "client_core")

T = TypeVar("T")

PLATFORM_SCRIPT = Path(__file__).with_name("load_platform.py")
CPU_CLOCK = 2
"""Of the clocks that Linux has for each process: all that its threads, also ended ones, have run
(clock_getcpuclockid(3)); the same count as /proc/PID/schedstat, which is that of one thread."""


@attrs.frozen
class Place:
    """Where a figure stands in the table, and what a goal names."""

    workload: str
    """In words, with what it is measured over: ``echo 300 B, 64 in flight, TLS``."""
    client: str
    """Who was measured: ``ours public``, ``ours direct``, ``1.8 as shipped``, ``1.8 no log``, …"""
    name: str
    """What was measured, in which unit: ``msg/s``, ``p50 us``, ``cpu us/msg``, ``seconds``,
    ``us/key``, ``stall ms``, ``MiB``, … Of ``…/s`` more is better, of all else less."""


@attrs.frozen
class Figure:
    """One measured number of one round."""

    workload: str
    client: str
    name: str
    value: float

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.workload, self.client, self.name)


class Workload(Protocol):
    """Something to measure, each time with every client."""

    @property
    def name(self) -> str:
        """What ``--only`` matches the beginning of: ``echo-300-64-tls``."""

    @property
    def family(self) -> str:
        """Workloads of one family take turns, round by round, and share what they keep open."""

    @property
    def rounds(self) -> int:
        """So many, unless ``--rounds`` says otherwise; where one is long, few are enough."""

    @property
    def seconds(self) -> float:
        """About what a round takes: for the estimate of the time left alone."""

    def places(self) -> Iterable[Place]:
        """Every place that a round can fill, in the order of the table."""

    def pairs(self) -> Iterable[tuple[str, str]]:
        """The comparisons of the table: one of our clients, and whom it stands beside."""

    async def run_round(self, bench: Bench) -> Iterable[Figure]:
        """Measure each client once, in an order that goes on with the rounds (``bench.turn``)."""


def cores() -> tuple[int | None, int | None]:
    """The core of the clients and that of the platform; None where processes cannot be pinned."""
    if sys.platform != "linux":
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def client_core() -> int | None:
    """The core on which clients run; None where processes cannot be pinned."""
    return cores()[0]


@attrs.define
class Bench:
    """What a round is given."""

    original: Path | None
    """The Python of an environment with ``moobius==1.8.0``; None: it is left out."""
    folder: Path
    """For files of all kinds; it is gone after the run."""
    ca: Path
    """The certificate of the authority that vouches for platforms with TLS."""
    certificate: Path
    """Key and certificate of such a platform."""
    round: int = 0
    ours: Path = attrs.field(factory=lambda: Path(sys.executable))
    _stack: AsyncExitStack = attrs.field(factory=AsyncExitStack, init=False)
    _kept: dict[str, Any] = attrs.field(factory=dict, init=False)

    async def __aenter__(self) -> Bench:
        return self

    async def __aexit__(self, *failure: Any) -> bool | None:
        return await self._stack.__aexit__(*failure)  # noqa: ASYNC102  # each has its limits

    def turn(self, clients: Sequence[T]) -> list[T]:
        """The same, begun one further on in each round: nobody is always the first."""
        first = self.round % len(clients) if clients else 0
        return [*clients[first:], *clients[:first]]

    def new_folder(self) -> Path:
        """An empty folder of its own."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def cpu(self, pid: int) -> float:
        """CPU seconds that a process has used so far, all threads together; Linux alone."""
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)

    def open_platform(self, *, tls: bool = False) -> AbstractAsyncContextManager[Platform]:
        """The load platform for the block, on the core that is not the clients'.

        Its ``http`` address is a plain one also with ``tls``; ``order`` is described in
        load_platform.py.
        """
        options = ["--cert", str(self.certificate)] if tls else []
        return open_platform(
            [str(self.ours), str(PLATFORM_SCRIPT), *options], core=cores()[1], tls=tls
        )

    def open_child(
        self,
        argv: Sequence[str | Path],
        *,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        discard: bool = False,
        pinned: bool = True,
    ) -> AbstractAsyncContextManager[Child]:
        """A client for the block, on the clients' core.

        Each line of its output is JSON. Its input ends with the block; a little later it is
        killed.

        Args:
            argv: the program, such as ``[bench.ours, script]``, without a shell.
            folder: where it runs; None: in one of its own.
            env: variables beside those that the bench has.
            discard: what it writes to stderr goes to /dev/null; else it is shown if it fails.
            pinned: False where no platform needs the other core: threads may then run beside
                each other, as they do in a service.
        """
        folder = folder or self.new_folder()
        return open_child(
            [str(one) for one in argv],
            folder=folder,
            core=cores()[0] if pinned else None,
            env={**(env or {}), "XDG_RUNTIME_DIR": str(folder)},
            discard=discard,
        )

    async def keep(self, key: str, opened: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """What was opened under this key, now or in an earlier round; it stays open until the
        last round of the family has ended. Who is compared so is there all the time."""
        if key not in self._kept:
            self._kept[key] = await self._stack.enter_async_context(opened())
        kept: T = self._kept[key]
        return kept
