"""A local platform with services and people on it, inside a test.

Everything runs over the real codec, link and platform; in memory by default, where time is
simulated and nothing enters a thread, or over real loopback sockets.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import trio
import trio.testing

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment, TraceRecord
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.service import MoobiusService
from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.unawaited import watch_unawaited
from moobius_trio.local import Knobs, Platform, open_platform
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.memory import memory_connector
from moobius_trio.network.websocket import Connector, websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.actors import Actor
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, GenericUpdate, Secret

__all__ = ("Local", "LocalBand", "open_local")

START = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
UNTIL_SECONDS = 60.0
PROBE = {"subtype": "probe"}
"""An update without a band, which the platform answers and shows to nobody."""
IN_MEMORY = "127.0.0.1:8765"
"""Where the platform says it is when nothing listens anywhere."""


class LocalBand:
    """One band of the local platform, and the people a test lets join it."""

    def __init__(self, local: Local, channel_id: ChannelId) -> None:
        self.channel_id = channel_id
        self._local = local

    async def join(self, *names: str) -> list[Actor]:
        """Let people join, one after the other; each is then on the others' screens.

        Returns:
            The actors in the order of the names: ``alice, bob = await band.join("Alice", "Bob")``.
        """
        return [await self._local.join(self.channel_id, name) for name in names]


class Local:
    """A local platform in a test; made by `open_local`, or the ``local`` fixture of pytest.

    Attributes:
        platform: the platform itself, with its knobs.
        failures: what handlers, jobs, spells and tasks raised, with the event; the first one is
            raised in the test by the call that follows, unless `keep_failures` is set.
        trace: every frame of the services with what caused it.
    """

    def __init__(
        self, platform: Platform, nursery: trio.Nursery, *, address: str | None, engine: str
    ) -> None:
        self.platform = platform
        self.failures: list[tuple[object, BaseException]] = []
        self.keep_failures = False
        self.trace: list[TraceRecord] = []
        self._nursery = nursery
        self._address = address
        self._engine = engine
        self._services: list[tuple[MoobiusService[Any], ServiceHandle]] = []
        self._actors: list[Actor] = []
        self._accounts = 0
        self._random = random.Random(0)  # noqa: S311  # jitter that is the same in every run
        self._started = trio.current_time()

    # Services and people

    async def start(
        self,
        service: MoobiusService[Any],
        *,
        bands: Sequence[str] = ("local-demo",),
        engine: str | None = None,
        state: Path | None = None,
        **settings: Any,
    ) -> LocalBand:
        """Run a service on bands of the platform; returns when its `on_start` is done.

        Args:
            bands: ids of the bands; those that are not there yet are made.
            engine: the engine of its containers instead of the kit's.
            state: the folder of that engine's files.
            settings: further settings, such as ``handler_seconds=1``.

        Returns:
            The first of the bands; `band` gives the others.
        """
        self._accounts += 1
        there = {band.channel_id for band in self.platform.bands()}
        channels = [
            ChannelId(band) if band in there else self.platform.add_band(band) for band in bands
        ]
        own = Settings(
            **{
                "http_server_uri": f"http://{self._address or IN_MEMORY}/",
                "ws_server_uri": f"ws://{self._address or IN_MEMORY}/",
                "email": f"service-{self._accounts}@example.org",
                "password": Secret("a password of the kit"),
                "service_id": None,
                "channels": tuple(channels),
                **settings,
            }
        )
        environment = self._environment(own, engine or self._engine, state)
        service._environment = environment
        handle = cast("ServiceHandle", await self._nursery.start(service.serve))
        self._services.append((service, handle))
        await self.settle()
        return LocalBand(self, channels[0])

    def band(self, channel_id: str) -> LocalBand:
        """A band by its id."""
        return LocalBand(self, ChannelId(channel_id))

    def handle(self, service: MoobiusService[Any] | None = None) -> ServiceHandle:
        """The handle of a service; without an argument that of the one started last."""
        handles = [handle for known, handle in self._services if service in (None, known)]
        if not handles:
            raise AssertionError("no such service was started")
        return handles[-1]

    async def join(self, channel_id: ChannelId, name: str) -> Actor:
        """Let one person join a band; see `LocalBand.join`."""
        guest = self.platform.sign_in_guest(name)
        actor = Actor(
            name=name,
            user_id=guest.user_id,
            token=guest.tokens.access,
            channel_id=channel_id,
            settle=self.settle,
            wall_clock_ms=self._wall_clock_ms,
        )
        self._actors.append(actor)
        await self._nursery.start(actor.serve, self._connector())
        await actor.rejoin()
        return actor

    # Time

    async def skip(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass at once: jobs that fall due meanwhile run, in their order.

        Raises:
            RuntimeError: over real sockets, where time is real.
        """
        if self._address is not None:
            raise RuntimeError("time cannot be skipped over real sockets")
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        await trio.sleep(passed.total_seconds())
        await self.settle()

    async def until(self, predicate: Callable[[], object]) -> None:
        """Wait until the predicate is true, at most a minute of the test's time.

        Raises:
            AssertionError: it did not become true.
        """
        deadline = trio.current_time() + UNTIL_SECONDS
        while True:
            await self.settle()
            if predicate():
                return
            if trio.current_time() >= deadline:
                raise AssertionError(f"{predicate!r} did not become true in {UNTIL_SECONDS:g} s")
            await trio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until every service is idle and everybody has seen what was sent.

        Tasks of ``start_soon`` are not waited for.

        Raises:
            Exception: what a handler raised since the last call, unless `keep_failures` is set.
        """
        while not await self._settled():
            for service, handle in self._services:
                if handle.running and service._runtime is not None:
                    await service._runtime.wait_idle()
        for service, _ in self._services:
            if service._runtime is not None:
                await service._runtime.stores.sweep()
        self._raise_failure()

    # Faults

    async def drop_socket(self) -> None:
        """Cut the services' connections, as the platform does now and then.

        Returns when every service is connected again.
        """
        before = [self._connections(service) for service, _ in self._services]
        self.platform.cut()
        await self.until(
            lambda: all(
                self._connections(service) > count
                for (service, _), count in zip(self._services, before, strict=True)
            )
        )

    async def close(self) -> None:
        """Stop the services, last started first.

        Raises:
            Exception: the first failure that no call has raised, unless `keep_failures` is set.
        """
        for _, handle in reversed(self._services):
            await handle.stop()
        self._raise_failure()

    # Inner matters

    def _connections(self, service: MoobiusService[Any]) -> float:
        """How often a service was connected so far; one that does not run needs no connection."""
        runtime = service._runtime
        if runtime is None:
            return math.inf
        statistics = runtime.link.statistics()
        return statistics.connections if statistics.state == "connected" else -1

    def _raise_failure(self) -> None:
        if self.failures and not self.keep_failures:
            _, exc = self.failures.pop(0)
            raise exc

    async def _settled(self) -> bool:
        """One look at whether anything is still on its way."""
        if self._address is None:
            await trio.testing.wait_all_tasks_blocked()
            return self._idle()
        before = self._progress()
        for service, handle in self._services:
            runtime = service._runtime
            if handle.running and runtime is not None:
                # Its receipt comes behind every event that is on its way to the service.
                await (await runtime.outbox.put(GenericUpdate(data=PROBE))).outcome()
                await runtime.wait_idle()
        for actor in self._actors:
            await actor.catch_up()
        return self._idle() and before == self._progress()

    def _idle(self) -> bool:
        runtimes = [service._runtime for service, handle in self._services if handle.running]
        return self.platform.in_flight == 0 and all(
            runtime is None or runtime.idle for runtime in runtimes
        )

    def _progress(self) -> tuple[object, ...]:
        """Changes whenever a frame went anywhere."""
        runtimes = [service._runtime for service, _ in self._services]
        return (
            *(runtime.dispatcher.lanes.handled for runtime in runtimes if runtime is not None),
            *(actor.seen for actor in self._actors),
        )

    def _connector(self) -> Connector:
        if self._address is not None:
            return websocket_connector(f"ws://{self._address}/")
        return memory_connector(self._nursery, self.platform.serve_socket)

    def _environment(self, settings: Settings, engine: str, state: Path | None) -> Environment:
        in_memory = self._address is None
        return Environment(
            settings=settings,
            containers=None if state is not None else (),
            default_engine=engine,
            state=state,
            connect=self._connector(),
            transport=httpx.ASGITransport(app=self.platform.app) if in_memory else None,
            run_sync=run_inline if in_memory else run_in_thread,
            now=self._now,
            wall_clock_ms=self._wall_clock_ms,
            random=self._random,
            trace=self.trace.append,
            on_failure=lambda event, exc: self.failures.append((event, exc)),
            environ={},
        )

    def _now(self) -> datetime:
        return START + timedelta(seconds=trio.current_time() - self._started)

    def _wall_clock_ms(self) -> int:
        return int(self._now().timestamp() * 1000)


@asynccontextmanager
async def open_local(
    *,
    sockets: bool = False,
    bands: Sequence[str] = (),
    knobs: Knobs | None = None,
    engine: str = "memory",
) -> AsyncIterator[Local]:
    """A local platform for the length of the block; services that run in it are stopped at its end.

    Args:
        sockets: over real loopback sockets and in real time, instead of in memory. In memory,
            run it on a clock that jumps by itself:
            ``trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))``.
        bands: names of bands to make besides ``local-demo``.
        knobs: how the platform behaves where nothing is known of the real one.
        engine: the engine of containers, unless `Local.start` is given another one.

    Raises:
        Exception: the first failure of a handler that no call of the block has raised.
    """
    wall_start, clock_start = START.timestamp(), trio.current_time()
    async with (
        open_platform(
            state=None,
            bands=bands,
            knobs=knobs or Knobs(),
            run_sync=run_in_thread if sockets else run_inline,
            wall_clock=lambda: wall_start + trio.current_time() - clock_start,
            random=random.Random(0),  # noqa: S311  # the same ids in every run
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        address = None
        if sockets:
            url: str = await nursery.start(serve_app, platform.app)
            address = url.removeprefix("http://")
        local = Local(platform, nursery, address=address, engine=engine)
        with unwrapped(), watch_unawaited(lambda exc: local.failures.append((None, exc))):
            yield local
            await local.close()
        nursery.cancel_scope.cancel()
