"""The composition root: builds the parts of a run, starts their tasks, stops them in order.

The nurseries of a service are opened here. What the parts do is their own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
import trio

from moobius_trio.codec import generation0
from moobius_trio.config import Settings
from moobius_trio.core.band import Band
from moobius_trio.core.boundary import Boundary
from moobius_trio.core.cast import CHARACTERS, UPLOADS, Cast, side_by_side
from moobius_trio.core.dispatch import Dispatcher, Inner
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.members import Members
from moobius_trio.core.reading import read_settings, service_name
from moobius_trio.core.runtime import Runtime, Tracing
from moobius_trio.core.signals import counted_signals
from moobius_trio.core.spells import SpellLoop
from moobius_trio.core.start import have_service, take_bands
from moobius_trio.core.supervision import open_background
from moobius_trio.core.units import Unit
from moobius_trio.database import Stores, declared_containers, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.logs import quiet_unless_configured, register_secrets, set_level
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.link import Gap as LinkGap
from moobius_trio.network.link import Link
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.types import ChannelId, Gap, ServiceEvent, ServiceId, ServiceLogin, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from moobius_trio.core.service import MoobiusService

__all__ = ("serve_in",)

log = structlog.get_logger()

LANES_SECONDS = 10.0
ON_STOP_SECONDS = 5.0
OUTBOX_SECONDS = 5.0


async def serve_in(
    service: MoobiusService[Any],
    environment: Environment,
    *,
    task_status: trio.TaskStatus[ServiceHandle] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a service in an environment until it is stopped; see `MoobiusService.serve`.

    Raises:
        RuntimeError: this service object runs already.
    """
    if service._serving:
        raise RuntimeError(f"{type(service).__name__} runs already; make a second object of it")
    quiet_unless_configured()
    service._serving = True
    service._environment = environment
    run = _Run(service, environment)
    try:
        with (
            unwrapped(),
            counted_signals(drain=run.drain, cancel=run.scope.cancel) as signals,
            run.scope,
        ):
            await run.serve(task_status)
        if signals.interrupted:
            raise SystemExit(signals.exit_code())
    finally:
        service._runtime = None
        service._serving = False
        run.ended()


def _keep_out_of_logs(tokens: Tokens) -> None:
    register_secrets(*(token for token in (tokens.access, tokens.refresh) if token is not None))


class _Inlet:
    """Where the socket's events go; they wait here until the dispatcher is there."""

    def __init__(self) -> None:
        self._waiting: list[ServiceEvent] = []
        self._take: Callable[[ServiceEvent], None] = self._waiting.append

    def __call__(self, event: ServiceEvent) -> None:
        self._take(event)

    def open(self, take: Callable[[ServiceEvent], None]) -> None:
        """From now on events go there, first those that waited."""
        self._take = take
        for event in self._waiting:
            take(event)
        self._waiting.clear()


class _Run:
    """One run of a service, from reading its settings to the closed socket."""

    def __init__(self, service: MoobiusService[Any], environment: Environment) -> None:
        self.scope = trio.CancelScope()
        self._service = service
        self._environment = environment
        self._inlet = _Inlet()
        self._runtime: Runtime | None = None
        self._ready = False

    def drain(self) -> None:
        """Begin to stop; a start that is not through is cancelled instead."""
        if self._runtime is not None and self._ready:
            log.info("stopping", service=self._runtime.name, lanes_at_most=LANES_SECONDS)
            self._runtime.stopping.set()
        else:
            self.scope.cancel()

    def ended(self) -> None:
        """Nothing of the run is left: whoever waits for that goes on."""
        if self._runtime is not None:
            self._runtime.stopping.set()
            self._runtime.spells.discard_waiting()
            self._runtime.stopped.set()

    async def serve(self, task_status: trio.TaskStatus[ServiceHandle]) -> None:
        """The whole run. What is entered first is left last: HTTP, stores, link, handlers."""
        service, env = self._service, self._environment
        settings, containers = await read_settings(service, env)
        name = settings.name or service_name(type(service))
        register_secrets(settings.password)
        set_level(settings.log_level)
        async with open_http_api(
            settings.http_server_uri,
            email=settings.email,
            password=settings.password,
            run_sync=env.run_sync,
            transport=env.transport,
            random=env.random,
            on_tokens=_keep_out_of_logs,
        ) as http_api:
            await http_api.authenticate()
            services = await http_api.get_service_list()
            service_id = await have_service(http_api, settings, name, services, env.run_sync)
            taken = await take_bands(
                http_api, service_id, settings.channels, services, settings.others
            )
            async with open_stores(
                containers,
                service_id=service_id,
                folder=env.state or service.folder,
                run_sync=env.run_sync,
                default_engine=env.default_engine,
                on_problem=self._storage_problem,
                on_stray=env.on_stray,
            ) as stores:
                tracing = Tracing(env.trace, trio.current_time) if env.trace else None
                outbox = self._make_outbox(settings, service_id, tracing)
                link = self._make_link(settings, service_id, http_api, outbox)
                async with (
                    open_background(link.serve, http_api.keep_tokens_fresh, goodbye=self._goodbye),
                    trio.open_nursery() as nursery,
                ):
                    boundary = Boundary(
                        on_error=service.on_error,
                        limit=settings.handler_seconds,
                        on_failure=env.on_failure,
                    )
                    bands = await self._make_bands(taken, http_api, service_id, stores, nursery)
                    storage = await stores.storage(None, declared_containers(type(service)))
                    runtime = Runtime(
                        environment=env,
                        settings=settings,
                        name=name,
                        service_id=service_id,
                        http_api=http_api,
                        outbox=outbox,
                        link=link,
                        stores=stores,
                        boundary=boundary,
                        storage=storage,
                        cast=Cast(
                            http_api,
                            service_id,
                            await storage.put(UPLOADS),
                            await storage.put(CHARACTERS),
                            env.run_sync,
                        ),
                        jobs=service.jobs,
                        spells=SpellLoop(
                            spells=service._spells_out,
                            on_spell=service.on_spell,
                            handler=f"{type(service).__name__}.on_spell",
                            boundary=boundary,
                            name=name,
                        ),
                        dispatcher=Dispatcher(
                            service=service,
                            bands=bands,
                            boundary=boundary,
                            nursery=nursery,
                            lanes=settings.lanes,
                        ),
                        bands=bands,
                        nursery=nursery,
                        tracing=tracing,
                    )
                    self._runtime = service._runtime = runtime
                    await self._begin(runtime, task_status)
                    await runtime.stopping.wait()
                    await self._end(runtime)
                    nursery.cancel_scope.cancel()

    async def _begin(self, runtime: Runtime, task_status: trio.TaskStatus[ServiceHandle]) -> None:
        """Let the author prepare, then open the lanes, start jobs and spells, and say ready."""
        service, name = self._service, type(self._service).__name__
        self._inlet.open(runtime.dispatcher.receive)

        async def init(channel_id: ChannelId) -> None:
            unit = Unit(handler=f"{name}.on_channel_init", channel_id=channel_id)
            await runtime.boundary.attempt(
                unit, lambda: service.on_channel_init(channel_id), limited=False
            )

        with unwrapped():
            await side_by_side(init, runtime.bands)
        await runtime.boundary.attempt(
            Unit(handler=f"{name}.on_start"), service.on_start, limited=False
        )
        runtime.dispatcher.lanes.open()
        await runtime.nursery.start(runtime.jobs.serve)
        await runtime.nursery.start(runtime.spells.serve)
        self._ready = True
        log.info("ready", service=runtime.name, service_id=runtime.service_id)
        task_status.started(
            ServiceHandle(runtime, spells=service.spells, token=trio.lowlevel.current_trio_token())
        )

    async def _end(self, runtime: Runtime) -> None:
        """Jobs and spells stop, lanes drain, `on_stop` runs; each step is bounded."""
        lanes = runtime.dispatcher.lanes
        runtime.jobs.stop()
        lanes.close()
        with trio.move_on_after(LANES_SECONDS) as scope:
            await runtime.spells.close()
            await lanes.wait_idle()
        if scope.cancelled_caught:
            log.warning("handlers are cancelled: they did not end", handlers=lanes.running())
        with trio.move_on_after(ON_STOP_SECONDS):
            unit = Unit(handler=f"{type(self._service).__name__}.on_stop")
            await runtime.boundary.run(None, unit, self._service.on_stop, limited=False)

    async def _goodbye(self) -> None:
        """Handlers are gone: what was said leaves if the stop was an orderly one, then close."""
        runtime = self._runtime
        if runtime is None:
            return
        if runtime.stopping.is_set():
            await runtime.outbox.flush(OUTBOX_SECONDS)
        await runtime.link.stop()

    async def _make_bands(
        self,
        taken: Sequence[ChannelId],
        http_api: HttpApi,
        service_id: ServiceId,
        stores: Stores,
        nursery: trio.Nursery,
    ) -> dict[ChannelId, Band]:
        """The bands with their members and stores, in the order of the settings."""
        band_class = type(self._service)._band_class
        declared = declared_containers(band_class)

        async def make(channel_id: ChannelId) -> Band:
            members = Members(
                fetch_profile=http_api.fetch_user_profile, start_soon=nursery.start_soon
            )
            members.replace(await http_api.fetch_real_characters(channel_id, service_id))
            band = band_class(channel_id=channel_id, service=self._service, members=members)
            band._storage = await stores.storage(channel_id, declared)
            return band

        with unwrapped():
            bands = await side_by_side(make, taken)
        return {band.channel_id: band for band in bands}

    def _make_outbox(
        self, settings: Settings, service_id: ServiceId, tracing: Tracing | None
    ) -> Outbox:
        return Outbox(
            wire=generation0,
            client_id=service_id,
            max_message_bytes=settings.max_message_bytes,
            new_request_id=self._environment.new_request_id,
            wall_clock_ms=self._environment.wall_clock_ms,
            on_written=tracing.written if tracing is not None else None,
        )

    def _make_link(
        self, settings: Settings, service_id: ServiceId, http_api: HttpApi, outbox: Outbox
    ) -> Link:
        return Link(
            connect=self._environment.connect or websocket_connector(settings.ws_server_uri),
            wire=generation0,
            outbox=outbox,
            address=settings.ws_server_uri,
            service_id=service_id,
            login=lambda: ServiceLogin(
                service_id=service_id, access_token=http_api.access_token.reveal()
            ),
            renew=http_api.renew,
            on_event=self._inlet,
            on_gap=self._on_gap,
            random=self._environment.random,
        )

    def _on_gap(self, gap: LinkGap) -> None:
        """The link is back: each band learns in its lane who came and went meanwhile."""
        runtime = self._runtime
        if runtime is None:
            return
        until = self._service.now()
        since = until - timedelta(seconds=gap.until - gap.since)
        for channel_id, band in runtime.bands.items():

            async def catch_up(channel_id: ChannelId = channel_id, band: Band = band) -> None:
                joined, left = band._members.replace(
                    await runtime.http_api.fetch_real_characters(channel_id, runtime.service_id)
                )
                runtime.dispatcher.tell(
                    Gap(
                        channel_id=channel_id,
                        since=since,
                        until=until,
                        reason=gap.reason,
                        joined=joined,
                        left=left,
                    )
                )

            runtime.dispatcher.inner(Inner("members after a gap", channel_id, catch_up))

    def _storage_problem(self, problem: StorageError) -> None:
        """A store failed outside any handler: the service hears of it in its own lane."""
        log.error("storage", problem=str(problem))
        if self._runtime is not None:
            self._runtime.dispatcher.problem(problem)
