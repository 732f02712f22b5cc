"""Where the services and people of a test are: their platform, its address, and its time.

What differs between memory and sockets stands here and in `settling`, nowhere else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
import httpx
import trio

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment, TraceRecord, UnitRecord
from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.timers import REREAD_SECONDS
from moobius_trio.core.unheard import Unheard
from moobius_trio.core.watchdog import watched_loop
from moobius_trio.database import ContainerSpec, StrayChange
from moobius_trio.local import Platform
from moobius_trio.network.memory import memory_connector
from moobius_trio.network.websocket import Connector, websocket_connector
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import RunSync

__all__ = ("START", "Sinks", "Site")

START: Final = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
"""What `service.now()` gives when a test begins."""

IN_MEMORY: Final = "127.0.0.1:8765"
"""Where the platform says it is when nothing listens anywhere."""


@attrs.frozen(eq=False, kw_only=True)
class Sinks:
    """Who is told what the services do."""

    trace: Callable[[TraceRecord | UnitRecord], None]
    on_failure: Callable[[object, BaseException], None]
    on_stray: Callable[[StrayChange], None]
    on_unheard: Callable[[Unheard], None]


@attrs.frozen(eq=False, kw_only=True)
class Site:
    """One platform as seen from the outside.

    Attributes:
        address: host and port; None in memory, where time is simulated.
    """

    platform: Platform
    nursery: trio.Nursery
    address: str | None
    _began: float = attrs.field(factory=trio.current_time)
    # Jitter that is the same in every run.
    _random: random.Random = attrs.field(factory=lambda: random.Random(0))  # noqa: S311

    @property
    def simulated(self) -> bool:
        """Whether time is simulated and nothing enters a thread."""
        return self.address is None

    def transport(self) -> httpx.AsyncBaseTransport | None:
        """How HTTP calls get there; None: as httpx does by itself."""
        return httpx.ASGITransport(app=self.platform.app) if self.simulated else None

    def http_uri(self) -> str:
        """The address of the HTTP calls."""
        return f"http://{self.address or IN_MEMORY}/"

    def ws_uri(self) -> str:
        """The address of the WebSocket."""
        return f"ws://{self.address or IN_MEMORY}/"

    @property
    def run_sync(self) -> RunSync:
        """Where blocking work is done."""
        return run_inline if self.simulated else run_in_thread

    def now(self) -> datetime:
        """The time of the test, which begins at `START`."""
        return START + timedelta(seconds=trio.current_time() - self._began)

    def wall_clock_ms(self) -> int:
        """The same in milliseconds since 1970."""
        return int(self.now().timestamp() * 1000)

    def connector(self) -> Connector:
        """New connections to the platform."""
        if self.simulated:
            return memory_connector(self.nursery, self.platform.serve_socket)
        return websocket_connector(self.ws_uri())

    def environment(
        self,
        settings: Settings,
        containers: Sequence[ContainerSpec],
        engine: str,
        state: Path | None,
        sinks: Sinks,
    ) -> Environment:
        """What a service runs in here; every container is kept by the one engine."""
        return Environment(
            exclusive=False,
            settings=settings,
            containers=tuple(
                attrs.evolve(spec, implementation=engine, settings={}) for spec in containers
            ),
            default_engine=engine,
            state=state,
            connect=self.connector(),
            transport=self.transport(),
            run_sync=self.run_sync,
            now=self.now,
            reread_seconds=math.inf if self.simulated else REREAD_SECONDS,
            wall_clock_ms=self.wall_clock_ms,
            random=self._random,
            watchdog=nullcontext if self.simulated else watched_loop,
            trace=sinks.trace,
            on_failure=sinks.on_failure,
            on_stray=sinks.on_stray,
            on_unheard=sinks.on_unheard,
            environ={},
        )
