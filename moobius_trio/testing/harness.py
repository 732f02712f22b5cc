"""What a test holds in its hands: services to start, bands to join, time to let pass, faults.

Everything runs over the real codec, link and platform. How it is opened stands in `opening`,
where it runs in `site`, and when a call may return in `settling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack, cast

import trio

from moobius_trio.config import Settings
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.reading import own_choices, service_name
from moobius_trio.core.service import MoobiusService
from moobius_trio.core.unheard import Unheard
from moobius_trio.database import StrayChange
from moobius_trio.local import Platform
from moobius_trio.network.groups import unwrapped
from moobius_trio.testing.actors import Actor
from moobius_trio.testing.settling import PROBE, Run, Settling
from moobius_trio.testing.site import Sinks, Site
from moobius_trio.testing.uploading import upload_as
from moobius_trio.types import ChannelId, Secret, ServiceId

__all__ = ("Local", "LocalBand", "Protocol", "RunOptions")

Protocol: TypeAlias = Literal["0.0.1", "1.8"]

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours

UNTIL_SECONDS: Final = 60.0


class RunOptions(TypedDict, total=False):
    """Settings a test may choose; the words are those of service.json."""

    name: str | None
    others: Literal["ignore", "unbind", "include"]
    protocol: Protocol
    max_message_bytes: int
    lanes: Literal["channel", "sender"]
    handler_seconds: float | None
    log_level: str


class LocalBand:
    """One band of the local platform, and the people a test lets join it.

    Attributes:
        channel_id: its id, as the service knows it.
    """

    def __init__(self, local: Local, channel_id: ChannelId) -> None:
        self.channel_id = channel_id
        self._local = local

    async def join(self, *names: str) -> list[Actor]:
        """Let people join, one after the other; each is then on the others' screens.

        Returns:
            The actors in the order of the names: ``alice, bob = await band.join("Alice", "Bob")``,
            and ``[alice] = await band.join("Alice")`` for one.
        """
        actors = []
        for name in names:
            actors.append(await self.visit(name))
            await actors[-1].rejoin()
        return actors

    async def visit(self, name: str) -> Actor:
        """Let somebody open the band who has not joined it, or is in it already."""
        return await self._local._enter(self.channel_id, name)

    def __repr__(self) -> str:
        return f"<LocalBand {self.channel_id}>"


class Local:
    """A local platform in a test; made by `open_local`, or the ``local`` fixture of pytest.

    Each call that does something returns when the services are idle, and raises what handlers,
    jobs, spells or tasks have raised since the last one. Tasks of ``start_soon`` are not waited
    for; `until` is for those.

    Attributes:
        failures: what was raised in a service and not yet in the test, each with the event, job or
            spell it was about.
        keep_failures: True leaves ``failures`` to the test, for one about failing handlers.
        unheard: frames for nobody, for a character of the service's own, or for somebody who is
            not in the band, each with handler and line.
        keep_unheard: True lets such frames be; otherwise each is an AssertionError.
        trace: every frame of the services with what caused it.
        units: every handler, job run, spell and task that has ended, with how it did.
    """

    def __init__(self, site: Site, protocol: Protocol | None = None) -> None:
        self.failures: list[tuple[object, BaseException]] = []
        self.keep_failures = False
        self.trace: list[TraceRecord] = []
        self.units: list[UnitRecord] = []
        self.unheard: list[Unheard] = []
        self.keep_unheard = False
        self._site = site
        self._chosen = {} if protocol is None else {"protocol": protocol}
        self._runs: list[Run] = []
        self._actors: list[Actor] = []
        self._settling = Settling(runs=self._runs, actors=self._actors, simulated=site.simulated)

    @property
    def platform(self) -> Platform:
        """The platform itself, with its knobs."""
        return self._site.platform

    # Services and people

    async def start(
        self,
        service: MoobiusService[Any],
        *,
        bands: Sequence[str] = ("local-demo",),
        engine: str | None = None,
        state: Path | None = None,
        **options: Unpack[RunOptions],
    ) -> LocalBand:
        """Run a service on bands of the platform; returns when its `on_start` is done.

        Of the service's own files the options of service.json and the containers of db.json
        count, as with ``moobius-trio dev``. A service of the same class that was stopped and
        held one of the bands is continued: it has the same id, and with ``state`` what it stored.

        Args:
            bands: names or ids of the bands; those that are not there yet are made.
            engine: the engine of all containers; ``memory`` if neither this nor ``state`` is
                given.
            state: the folder where they are stored, such as pytest's ``tmp_path``; the engine is
                ``sqlite`` then if none is given.
            options: win over those of service.json, such as ``handler_seconds=1``, and over what
                `open_local` was told.

        Returns:
            The first of the bands; `band` gives the others.

        Raises:
            ValueError: an engine that keeps files, and no ``state`` for them.
            Exception: whatever `on_start` or the start itself raised.
        """
        engine = engine or ("memory" if state is None else "sqlite")
        if engine in ("json", "sqlite") and state is None:
            raise ValueError(f"engine={engine!r} keeps files; say where, such as state=tmp_path")
        channels = tuple(self.platform.add_band(band) for band in bands)
        chosen, containers = own_choices(service)
        email, service_id = self._account(service, channels)
        settings = Settings(
            **{
                "http_server_uri": self._site.http_uri(),
                "ws_server_uri": self._site.ws_uri(),
                "email": email,
                "password": Secret("a password of the kit"),
                "service_id": service_id,
                "channels": channels,
                **chosen,
                **self._chosen,
                **options,
            }
        )
        sinks = Sinks(
            trace=self._note_trace,
            on_failure=self._note_failure,
            on_stray=self._note_stray,
            on_unheard=self._note_unheard,
        )
        service._environment = self._site.environment(settings, containers, engine, state, sinks)
        handle = cast("ServiceHandle", await self._site.nursery.start(self._serve, service))
        self._runs.append(Run(service, handle, email))
        await self.settle()
        return LocalBand(self, channels[0])

    async def stop(self, service: MoobiusService[Any] | None = None) -> None:
        """Stop a service in good order; without an argument the one started last."""
        await self.handle(service).stop()
        await self.settle()

    def band(self, name: str) -> LocalBand:
        """A band by its name or id.

        Raises:
            AssertionError: there is no such band.
        """
        bands = self.platform.bands()
        for band in bands:
            if name in (band.name, band.channel_id):
                return LocalBand(self, band.channel_id)
        raise AssertionError(f"no band {name!r}; there are: {[band.channel_id for band in bands]}")

    def handle(self, service: MoobiusService[Any] | None = None) -> ServiceHandle:
        """The handle of a service; without an argument that of the one started last.

        Raises:
            AssertionError: it was not started here.
        """
        for run in reversed(self._runs):
            if service in (None, run.service):
                return run.handle
        raise AssertionError(f"{service!r} was not started" if service else "nothing was started")

    async def aspell(self, spell: object, service: MoobiusService[Any] | None = None) -> object:
        """Cast a spell and give what `on_spell` returned.

        Args:
            service: who it is for; without it the service started last.

        Raises:
            Exception: whatever `on_spell` raised.
        """
        result = await self.handle(service).aspell(spell, wait=True)
        await self.settle()
        return result

    # Time

    async def skip(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass at once: jobs that fall due meanwhile run, in their order.

        Raises:
            RuntimeError: over real sockets, where time is real.
        """
        if not self._site.simulated:
            raise RuntimeError("time cannot be skipped over real sockets")
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        await trio.sleep(passed.total_seconds())
        await self.settle()

    async def until(
        self, predicate: Callable[[], object], *, seconds: float = UNTIL_SECONDS
    ) -> None:
        """Wait until the predicate is true; one that raises AssertionError is not true yet.

        Args:
            seconds: how long at most, in the test's own time.

        Raises:
            AssertionError: it did not become true.
        """
        deadline = trio.current_time() + seconds
        while True:
            await self.settle()
            reason = None
            try:
                if predicate():
                    return
            except AssertionError as exc:
                reason = exc
            if trio.current_time() >= deadline:
                code = getattr(predicate, "__code__", None)
                where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
                raise AssertionError(f"not true after {seconds:g} s{where}") from reason
            await trio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until every service is idle and everybody has seen what was sent.

        Only a test that goes past the kit's own calls needs it.

        Raises:
            AssertionError: a service did not become idle, or a record was changed outside any
                unit of work (docs/architecture.md section 6).
            Exception: what was raised in a service since the last call; several in a group.
        """
        try:
            await self._settling.wait()
            for run in self._runs:
                if run.runtime is not None:
                    await run.runtime.stores.sweep()  # it tells _note_stray
        finally:
            self._raise_failures()  # they are the likelier cause of a service that hangs

    # Faults

    async def drop_socket(self, service: MoobiusService[Any] | None = None) -> None:
        """Cut the services' connections, or one service's, as the platform does now and then.

        Returns when every service is connected again. What was on its way is lost or sent again,
        as on the real platform.
        """
        before = [self._connections(run) for run in self._runs]
        self.platform.cut(self.handle(service).service_id if service is not None else None)
        await self.until(
            lambda: all(
                run.runtime is None
                or service not in (None, run.service)
                or self._connections(run) > count
                for run, count in zip(self._runs, before, strict=True)
            )
        )

    async def close(self) -> None:
        """Stop the services, last started first; `open_local` does it at its end.

        Raises:
            Exception: what was raised in a service and not yet in the test.
        """
        for run in reversed(self._runs):
            await run.handle.stop()
        self._raise_failures()

    def __repr__(self) -> str:
        services = ", ".join(run.handle.name for run in self._runs if run.handle.running)
        return f"<Local with services [{services}] and {self._actors}>"

    # Inner matters

    async def _enter(self, channel_id: ChannelId, name: str) -> Actor:
        guest = self.platform.sign_in_guest(name)
        actor = Actor(
            name=name,
            user_id=guest.user_id,
            token=guest.tokens.access,
            channel_id=channel_id,
            settle=self.settle,
            upload=lambda path: upload_as(self._site, name, path),
            wall_clock_ms=self._site.wall_clock_ms,
            answered=lambda: self.platform.knobs.copies_echo_id != "absent",
        )
        await self._site.nursery.start(actor.serve, self._site.connector())
        self._actors.append(actor)
        return actor

    async def _serve(
        self, service: MoobiusService[Any], *, task_status: trio.TaskStatus[ServiceHandle]
    ) -> None:
        """Run a service; what ends it later than its start fails the test at its next call."""
        begun = False
        try:
            with unwrapped():
                async with trio.open_nursery() as nursery:
                    handle: ServiceHandle = await nursery.start(service.serve)
                    begun = True
                    task_status.started(handle)
        except Exception as exc:  # boundary: a service under test
            if not begun:
                raise
            self._note_failure(None, exc)

    def _account(
        self, service: MoobiusService[Any], channels: Sequence[ChannelId]
    ) -> tuple[str, ServiceId | None]:
        """E-mail and id of the stopped service that this one continues, or a new account."""
        for run in reversed(self._runs):
            same = type(service).__name__ == type(run.service).__name__
            if same and not run.handle.running and set(channels) & set(run.handle.channels):
                return run.email, run.handle.service_id
        return f"{service_name(type(service))}-{len(self._runs)}@example.org", None

    def _connections(self, run: Run) -> int:
        """How often a service was connected so far; -1 while it is not."""
        if run.runtime is None:
            return -1
        statistics = run.runtime.link.statistics()
        return statistics.connections if statistics.state == "connected" else -1

    def _note_trace(self, record: TraceRecord | UnitRecord) -> None:
        self.platform.inspector.trace(record)
        if isinstance(record, UnitRecord):
            self.units.append(record)
        elif PROBE not in record.frame:
            self.trace.append(record)

    def _note_failure(self, event: object, exc: BaseException) -> None:
        self.failures.append((event, exc))

    def _note_stray(self, stray: StrayChange) -> None:
        error = AssertionError(
            f"{stray.place}: the record {stray.key!r} was changed outside any unit of work, so "
            "nobody saves it in time. A handler must read a value from its container each time "
            "and keep no reference to it; outside of handlers, assign the value."
        )
        self._note_failure(stray, error)

    def _note_unheard(self, unheard: Unheard) -> None:
        self.unheard.append(unheard)
        if not self.keep_unheard:
            self._note_failure(unheard, AssertionError(f"{unheard.handler}: {unheard}"))

    def _raise_failures(self) -> None:
        if not self.failures or self.keep_failures:
            return
        errors = [exc for _, exc in self.failures]
        self.failures.clear()
        if len(errors) > 1:
            raise BaseExceptionGroup("several things failed in the services", errors)
        raise errors[0]
