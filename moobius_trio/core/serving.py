"""One run of a service: its parts are opened in order, served, and ended in reverse.

The nurseries of a service are opened here. What the parts do is their own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
import trio

from moobius_trio.config import Settings
from moobius_trio.core.building import Footing, make_link, make_outbox, make_runtime, make_speech
from moobius_trio.core.cast import side_by_side
from moobius_trio.core.ending import LANES_SECONDS, Ending
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.inlet import Inlet
from moobius_trio.core.outside import Outside
from moobius_trio.core.reading import read_settings, service_name, state_folder, with_kept_id
from moobius_trio.core.runtime import Runtime, Tracing
from moobius_trio.core.spell_server import open_name
from moobius_trio.core.start import have_service, reaching, take_bands
from moobius_trio.core.supervision import in_task_of, open_background, open_handlers
from moobius_trio.core.units import Unit
from moobius_trio.core.watching import Watching, open_watching
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.logs import quiet_unless_configured, register_secrets, set_level
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.http import open_http_api
from moobius_trio.network.tls import trusting
from moobius_trio.types import ChannelId, Tokens

if TYPE_CHECKING:
    from moobius_trio.core.service import MoobiusService
    from moobius_trio.network.link import Gap

__all__ = ("serve_in",)

log = structlog.get_logger()


async def serve_in(
    service: MoobiusService[Any],
    environment: Environment,
    *,
    task_status: trio.TaskStatus[ServiceHandle] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a service in an environment until it is stopped; see `MoobiusService.serve`.

    Raises:
        RuntimeError: this service object runs already.
        SystemExit: a second signal came; or a first one while a ``nursery.start`` waited for the
            service to be ready, which it never will be.
    """
    if service._serving:
        raise RuntimeError(f"{type(service).__name__} runs already; make a second object of it")
    quiet_unless_configured()
    service._serving = True
    service._environment = environment
    jobs_before = service.jobs.jobs
    run = _Run(service, environment)
    try:
        with (
            unwrapped(),
            run.ending.hearing_signals(drain=run.drain, cancel=run.cancel) as signals,
            environment.watchdog(),
            run.scope,
        ):
            await run.serve(task_status)
        awaited = task_status is not trio.TASK_STATUS_IGNORED and not run.ready
        if signals.interrupted or (run.told_to_stop and awaited):
            raise SystemExit(signals.exit_code())
    finally:
        service._runtime = None
        service._serving = False
        for job in service.jobs.jobs:
            if job not in jobs_before:
                job.cancel()  # the next run adds its own again
        run.ended()


def _keep_out_of_logs(tokens: Tokens) -> None:
    register_secrets(*(token for token in (tokens.access, tokens.refresh) if token is not None))


class _Run:
    """One run of a service, from reading its settings to the closed socket."""

    def __init__(self, service: MoobiusService[Any], environment: Environment) -> None:
        self.scope = trio.CancelScope()
        self.ending = Ending(type(service).__name__, service.on_stop)
        self.ready = False
        self.told_to_stop = False
        self._service = service
        self._environment = environment
        self._class = type(service).__name__
        self._inlet = Inlet(())
        self._early_gaps: list[Gap] = []
        self._runtime: Runtime | None = None
        self._watching: Watching | None = None

    def drain(self) -> None:
        """Begin to stop; a start that is not through is cancelled instead."""
        self.told_to_stop = True
        if self._watching is not None:
            self._watching.told_to_stop()
        if self._runtime is not None and self.ready:
            log.info("stopping", service=self._runtime.name, lanes_at_most=LANES_SECONDS)
            self._runtime.stopping.set()
        else:
            self.scope.cancel()

    def cancel(self) -> None:
        """End now: nobody is waited for any more, and nothing more is said."""
        self.scope.cancel()
        self.ending.flushing.cancel()

    def ended(self) -> None:
        """Nothing of the run is left: whoever waits for that goes on."""
        if self._runtime is not None:
            self._runtime.stopping.set()
            self._runtime.spells.discard_waiting()
            self._runtime.stopped.set()

    async def serve(self, task_status: trio.TaskStatus[ServiceHandle]) -> None:
        """The whole run, under a name that no other live service of this machine has."""
        settings, containers = await read_settings(self._service, self._environment)
        name = settings.name or service_name(type(self._service))
        register_secrets(settings.password)
        set_level(settings.log_level)
        outside = Outside(
            name=name,
            since=self._environment.now(),  # real time, whatever the clock of jobs says
            spells=self._service.spells,
            runtime=lambda: self._runtime if self.ready else None,
            stop=self.drain,
        )
        async with (
            open_name(self._environment, outside) as self.ending.socket,
            open_watching(
                self._environment, settings, name, self._service.folder, outside.runtime
            ) as self._watching,
        ):
            try:
                await self._serve(settings, containers, name, task_status)
            finally:
                if self._runtime is not None:  # who waits outside is told before the socket goes
                    self._runtime.spells.discard_waiting()

    async def _serve(
        self,
        settings: Settings,
        containers: Sequence[ContainerSpec],
        name: str,
        task_status: trio.TaskStatus[ServiceHandle],
    ) -> None:
        """What is entered first is left last: HTTP, stores, link, handlers."""
        service, env = self._service, self._environment
        state = state_folder(env, settings)
        settings = await env.run_sync(with_kept_id, settings, state, name)
        ca_file = settings.ca_file
        tls = await env.run_sync(trusting, service.folder / ca_file) if ca_file else None
        async with open_http_api(
            settings.http_server_uri,
            email=settings.email,
            password=settings.password,
            protocol=settings.protocol,
            run_sync=env.run_sync,
            transport=env.transport,
            tls=tls,
            random=env.random,
            on_tokens=_keep_out_of_logs,
        ) as http_api:
            with reaching(settings.http_server_uri):
                await http_api.authenticate()
                known = await http_api.get_service_list()
                service_id = await have_service(http_api, settings, name, known, env.run_sync)
                taken = await take_bands(
                    http_api, service_id, settings.channels, known, settings.others
                )
            self._inlet = Inlet(taken)
            async with open_stores(
                containers,
                service_id=service_id,
                folder=state or service.folder,
                run_sync=env.run_sync,
                default_engine=env.default_engine,
                engines=env.engines,
                on_problem=self._on_storage_problem,
                on_stray=env.on_stray,
            ) as stores:
                tracing = Tracing(env.trace, trio.current_time) if env.trace else None
                speech = make_speech(settings, http_api)
                outbox = make_outbox(env, settings, service_id, speech, tracing)
                link = make_link(
                    env,
                    settings,
                    service_id,
                    http_api,
                    outbox,
                    side=speech.side,
                    tls=tls,
                    on_event=self._inlet,
                    on_gap=self._on_gap,
                )
                footing = Footing(
                    service=service,
                    environment=env,
                    settings=settings,
                    name=name,
                    service_id=service_id,
                    http_api=http_api,
                    stores=stores,
                    speech=speech,
                    outbox=outbox,
                    link=link,
                    tracing=tracing,
                )
                async with (
                    open_background(
                        link.serve, http_api.keep_tokens_fresh, goodbye=self.ending.goodbye
                    ),
                    open_handlers(
                        seconds=self.ending.patience, on_late=self.ending.on_late
                    ) as nursery,
                ):
                    with reaching(settings.http_server_uri):
                        runtime = await make_runtime(footing, taken, nursery)
                    self._runtime = self.ending.runtime = service._runtime = runtime
                    try:
                        await self._begin(runtime, task_status)
                        await runtime.stopping.wait()
                        await self.ending.drain(runtime)
                    finally:
                        self._inlet.close()
                        self.ending.close(runtime)

    async def _begin(self, runtime: Runtime, task_status: trio.TaskStatus[ServiceHandle]) -> None:
        """Let the author prepare, then open the lanes, start jobs and spells, and say ready."""
        service = self._service
        for gap in self._early_gaps:
            runtime.catch_up.after_gap(gap)
        self._inlet.open(runtime.dispatcher)

        async def init(channel_id: ChannelId) -> None:
            unit = Unit(
                handler=f"{self._class}.on_channel_init", channel_id=channel_id, in_lane=True
            )
            await runtime.boundary.attempt(
                unit, lambda: service.on_channel_init(channel_id), limited=False
            )

        async def prepare() -> None:
            await side_by_side(init, runtime.bands)
            unit = Unit(handler=f"{self._class}.on_start", in_lane=True)
            await runtime.boundary.attempt(unit, service.on_start, limited=False)

        # A start that cannot be cancelled is left alone like any other code of the author's.
        await in_task_of(runtime.nursery, prepare)
        runtime.dispatcher.lanes.open()
        await runtime.nursery.start(self._serve_jobs)
        await runtime.nursery.start(runtime.spells.serve)
        self.ready = True
        log.info("ready", service=runtime.name, service_id=runtime.service_id)
        if self._watching is not None:
            self._watching.ready()
        task_status.started(
            ServiceHandle(runtime, spells=service.spells, token=trio.lowlevel.current_trio_token())
        )

    async def _serve_jobs(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self.ending.jobs():
            await self._service.jobs.serve(
                reread=self._environment.reread_seconds, task_status=task_status
            )

    def _on_gap(self, gap: Gap) -> None:
        """The link is back after a gap."""
        runtime = self._runtime
        if runtime is None:
            self._early_gaps.append(gap)
        elif not runtime.stopping.is_set() and not runtime.closed:
            runtime.catch_up.after_gap(gap)

    def _on_storage_problem(self, problem: StorageError) -> None:
        """A store failed outside any handler: the service hears of it in its own lane."""
        log.error("storage", problem=str(problem))
        if self._runtime is not None:
            self._runtime.dispatcher.problem(problem)
