"""One run of a service: its parts are opened in order, served, and ended in reverse.

The nurseries of a service are opened here. What the parts do is their own business.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import trio

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.inlet import Inlet
from moobius_trio.core.life import Life, keeping_out_of_logs
from moobius_trio.core.reading import read_settings, state_folder, with_kept_id
from moobius_trio.core.runtime import Runtime, Tracing
from moobius_trio.core.start import have_service, reaching, take_bands
from moobius_trio.core.supervision import open_background, open_handlers
from moobius_trio.core.threads import for_stores
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.lean import importing
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.side_by_side import both, side_by_side
from moobius_trio.network.tls import trusting_alone
from moobius_trio.types import ChannelId, ServiceId, ServiceLogin

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
        RuntimeError, SystemExit: as `Life.live`.
    """
    await _Run(service, environment).live(task_status)


def _get_ready(
    settings: Settings, tls: ssl.SSLContext | None, connects: bool
) -> ssl.SSLContext | None:
    """What takes as long as a few answers to come, and is needed when the bands are taken.

    That is what the link and the handlers are made of, and, if it ``connects``, whom its
    WebSocket trusts.
    """
    with importing():
        import moobius_trio.core.building
        import moobius_trio.core.connecting  # noqa: F401
    if connects and settings.ws_server_uri.lower().startswith("wss:"):
        if tls is None:
            return ssl.create_default_context()
        if not _is_https(settings):
            tls.load_default_certs()
    return tls


def _is_https(settings: Settings) -> bool:
    return settings.http_server_uri.lower().startswith("https:")


class _Run(Life[ServiceHandle]):
    """One run of a service, from reading its settings to the closed socket."""

    def __init__(self, service: MoobiusService[Any], environment: Environment) -> None:
        super().__init__(service, environment)
        self._service = service
        self._containers: Sequence[ContainerSpec] = ()
        self._inlet = Inlet(())
        self._early_gaps: list[Gap] = []
        self._live: Runtime | None = None

    async def read(self) -> Settings:
        """The settings, and the containers of db.json."""
        settings, self._containers = await read_settings(self._service, self.environment)
        return settings

    async def serve(
        self, settings: Settings, name: str, task_status: trio.TaskStatus[ServiceHandle]
    ) -> None:
        """What is entered first is left last: HTTP, stores, link, handlers."""
        service, env = self._service, self.environment
        state = state_folder(env, settings)
        settings = await env.run_sync(with_kept_id, settings, state, name)
        ca_file = settings.ca_file
        # A wrong file ends the start here; the machine's authorities take long to read.
        tls = await env.run_sync(trusting_alone, service.folder / ca_file) if ca_file else None
        if tls is not None and _is_https(settings):
            await env.run_sync(tls.load_default_certs)
        async with open_http_api(
            settings.http_server_uri,
            email=settings.email,
            password=settings.password,
            protocol=settings.protocol,
            run_sync=env.run_sync,
            transport=env.transport,
            tls=tls,
            random=env.random,
            on_tokens=keeping_out_of_logs(),
        ) as http_api:
            (service_id, taken), tls = await both(
                partial(self._take_bands, http_api, settings, name),
                partial(env.run_sync, _get_ready, settings, tls, env.connect is None),
            )
            from moobius_trio.core.building import Footing, make_runtime, make_speech
            from moobius_trio.core.connecting import make_link, make_outbox

            self._inlet = Inlet(taken)
            async with open_stores(
                self._containers,
                service_id=service_id,
                folder=state or service.folder,
                run_sync=for_stores(env.run_sync),
                default_engine=env.default_engine,
                engines=env.engines,
                on_problem=self._on_storage_problem,
                on_stray=env.on_stray,
            ) as stores:
                tracing = Tracing(env.trace, trio.current_time) if env.trace else None
                speech = make_speech(service, settings, http_api)
                outbox = make_outbox(env, settings, service_id, speech.side, tracing)
                link = make_link(
                    env,
                    settings,
                    service_id,
                    http_api,
                    outbox,
                    side=speech.side,
                    tls=tls,
                    login=lambda: ServiceLogin(
                        service_id=service_id, access_token=http_api.access_token.reveal()
                    ),
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
                    self._live = runtime
                    for gap in self._early_gaps:
                        runtime.catch_up.after_gap(gap)
                    self._inlet.open(runtime.dispatcher)
                    try:
                        await self.lead(
                            runtime,
                            partial(self._prepare, runtime),
                            partial(self._say_ready, runtime, task_status),
                        )
                    finally:
                        self._inlet.close()

    async def _take_bands(
        self, http_api: HttpApi, settings: Settings, name: str
    ) -> tuple[ServiceId, list[ChannelId]]:
        """Sign in; the service's id, and the bands that were taken."""
        with reaching(settings.http_server_uri):
            await http_api.authenticate()
            known = await http_api.get_service_list()
            run_sync = self.environment.run_sync
            service_id = await have_service(http_api, settings, name, known, run_sync)
            taken = await take_bands(
                http_api, service_id, settings.channels, known, settings.others
            )
            return service_id, taken

    async def _prepare(self, runtime: Runtime) -> None:
        """Let the author prepare: each band, then the service."""
        service = self._service

        async def init(channel_id: ChannelId) -> None:
            on_init = partial(service.on_channel_init, channel_id)
            await self.attempt("on_channel_init", on_init, channel_id)

        await side_by_side(init, runtime.bands)
        await self.attempt("on_start", service.on_start)

    def _say_ready(self, runtime: Runtime, task_status: trio.TaskStatus[ServiceHandle]) -> None:
        token = trio.lowlevel.current_trio_token()
        task_status.started(ServiceHandle(runtime, spells=self._service.spells, token=token))

    def _on_gap(self, gap: Gap) -> None:
        """The link is back after a gap."""
        runtime = self._live
        if runtime is None:
            self._early_gaps.append(gap)
        elif not runtime.stopping.is_set() and not runtime.closed:
            runtime.catch_up.after_gap(gap)

    def _on_storage_problem(self, problem: StorageError) -> None:
        """A store failed outside any handler: the service hears of it in its own lane."""
        log.error("storage", problem=str(problem))
        if self._live is not None:
            self._live.dispatcher.problem(problem)
