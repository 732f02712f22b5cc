"""One run of a user: its parts are opened in order, served, and ended in reverse.

The nurseries of a user are opened here. What the parts do is their own business, and what a run
of a service does as well stands in `core.life`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import structlog
import trio

from moobius_trio.config import Settings, find_user_config, load_user_settings
from moobius_trio.core.boundary import Boundary
from moobius_trio.core.connecting import make_link, make_outbox
from moobius_trio.core.environment import Environment
from moobius_trio.core.life import Life, keeping_out_of_logs
from moobius_trio.core.reading import environment_variables
from moobius_trio.core.runtime import Tracing
from moobius_trio.core.spells import SpellLoop
from moobius_trio.core.start import reaching
from moobius_trio.core.supervision import open_background, open_handlers
from moobius_trio.errors import LoginRejected, SignInRefused
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.link import Gap as LinkGap
from moobius_trio.network.link import Link
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.tls import trusting
from moobius_trio.types import (
    ChannelId,
    Character,
    Gap,
    UserCommand,
    UserFrame,
    UserId,
    UserLogin,
)
from moobius_trio.user.dispatch import UserDispatcher
from moobius_trio.user.handle import UserHandle
from moobius_trio.user.joining import join_configured
from moobius_trio.user.runtime import UserRuntime
from moobius_trio.user.speech import Speech, make_speech

if TYPE_CHECKING:
    from moobius_trio.user.user import MoobiusUser

__all__ = ("UserLife",)

log = structlog.get_logger()


class UserLife(Life[UserHandle]):
    """One run of a user, from reading its settings to the closed socket."""

    def __init__(self, user: MoobiusUser, environment: Environment) -> None:
        super().__init__(user, environment)
        self._user = user
        self._live: UserRuntime | None = None

    async def read(self) -> Settings:
        """The settings that the file and the program's arguments give."""
        if self.environment.settings is not None:
            return self.environment.settings
        return await self.environment.run_sync(self._read)

    def _read(self) -> Settings:
        path, given = self._user._config_path, self._user._given
        if path is None and "http_server_uri" not in given:
            path = find_user_config(self._user.folder)
        if self._user._password is not None:
            given = {**given, "password": self._user._password.reveal()}
        environ = environment_variables(self.environment)
        return load_user_settings(None if path is None else Path(path), given, environ=environ)

    async def serve(
        self, settings: Settings, name: str, task_status: trio.TaskStatus[UserHandle]
    ) -> None:
        """What is entered first is left last: HTTP, link, handlers."""
        env = self.environment
        ca_file = settings.ca_file
        tls = await env.run_sync(trusting, self._user.folder / ca_file) if ca_file else None
        async with open_http_api(
            settings.http_server_uri,
            email=settings.email,
            password=settings.password,
            run_sync=env.run_sync,
            transport=env.transport,
            tls=tls,
            random=env.random,
            on_tokens=keeping_out_of_logs(),
            protocol=settings.protocol,
        ) as http_api:
            with reaching(settings.http_server_uri):
                await http_api.authenticate()
                user_id = (await http_api.fetch_user_info()).user_id
                speech = make_speech(settings, http_api, user_id)
                already = await speech.joined()
            tracing = Tracing(env.trace, trio.current_time) if env.trace else None
            outbox = make_outbox(env, settings, user_id, speech.side, tracing)
            link = make_link(
                env,
                settings,
                user_id,
                http_api,
                outbox,
                side=speech.side,
                tls=tls,
                login=lambda: UserLogin(access_token=http_api.access_token.reveal()),
                on_event=self._receive,
                on_gap=self._on_gap,
            )
            gate = _Gate(link)
            with _refused_as(settings.email):
                async with (
                    open_background(
                        gate.serve, http_api.keep_tokens_fresh, goodbye=self.ending.goodbye
                    ),
                    open_handlers(
                        seconds=self.ending.patience, on_late=self.ending.on_late
                    ) as nursery,
                ):
                    footing = _Footing(settings, name, user_id, http_api, speech, outbox, link)
                    runtime = self._live = self._make_runtime(footing, nursery, tracing)
                    await self.lead(
                        runtime,
                        partial(self._prepare, runtime, gate, already),
                        partial(self._say_ready, runtime, task_status),
                    )

    async def _prepare(
        self, runtime: UserRuntime, gate: _Gate, already: Collection[ChannelId]
    ) -> None:
        await gate.connect()
        await join_configured(runtime, runtime.settings.channels, already)
        await self.attempt("on_start", self._user.on_start)

    def _say_ready(self, runtime: UserRuntime, task_status: trio.TaskStatus[UserHandle]) -> None:
        token = trio.lowlevel.current_trio_token()
        task_status.started(UserHandle(runtime, spells=self._user.spells, token=token))

    def _make_runtime(
        self, footing: _Footing, nursery: trio.Nursery, tracing: Tracing | None
    ) -> UserRuntime:
        user, settings = self._user, footing.settings
        boundary = Boundary(
            on_error=user.on_error,
            limit=settings.handler_seconds,
            on_failure=self.environment.on_failure,
            on_end=tracing.ended if tracing is not None else None,
        )
        characters: dict[ChannelId, tuple[Character, ...]] = {}
        return UserRuntime(
            environment=self.environment,
            settings=settings,
            name=footing.name,
            user_id=footing.user_id,
            http_api=footing.http_api,
            outbox=footing.outbox,
            link=footing.link,
            boundary=boundary,
            jobs=user.jobs,
            spells=SpellLoop(
                spells=user._spells_out,
                on_spell=user.on_spell,
                handler=f"{self.name_of_class}.on_spell",
                boundary=boundary,
                name=footing.name,
            ),
            nursery=nursery,
            tracing=tracing,
            dispatcher=UserDispatcher(
                user=user,
                boundary=boundary,
                nursery=nursery,
                look_up=footing.speech.look_up,
                characters=characters,
            ),
            refresh_actions=footing.speech.refresh,
            characters=characters,
            bands={},
        )

    def _receive(self, event: UserFrame) -> None:
        """Nothing is read before the lanes are there; when they have ended they take nothing."""
        if self._live is not None:
            self._live.dispatcher.receive(event)

    def _on_gap(self, gap: LinkGap) -> None:
        """The link is back after a gap."""
        runtime = self._live
        if runtime is None or runtime.closed or runtime.stopping.is_set():
            return
        until = self._user.now()
        since = until - timedelta(seconds=gap.until - gap.since)
        for channel_id in runtime.bands:
            runtime.dispatcher.tell(
                Gap(channel_id=channel_id, since=since, until=until, reason=gap.reason)
            )


@attrs.frozen
class _Footing:
    """What a run stands on before it has any handlers."""

    settings: Settings
    name: str
    user_id: UserId
    http_api: HttpApi
    speech: Speech
    outbox: Outbox[UserCommand]
    link: Link[UserCommand, UserFrame]


class _Gate:
    """Holds the link back until there are lanes for what it reads.

    It has to begin before the handlers, to outlive them.
    """

    def __init__(self, link: Link[UserCommand, UserFrame]) -> None:
        self._link = link
        self._wanted = trio.Event()
        self._connected = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve the link once `connect` was called; raises what the link does."""
        task_status.started()
        await self._wanted.wait()
        # It is its own task status: a link that is stopped before its login just returns.
        await self._link.serve(task_status=self)

    def started(self, value: None = None) -> None:
        """For the link: it is logged in."""
        self._connected.set()

    async def connect(self) -> None:
        """Let the link begin, and wait until it is logged in."""
        self._wanted.set()
        await self._connected.wait()


@contextmanager
def _refused_as(email: str) -> Iterator[None]:
    """A user's login shows a token alone, so a refused one is the account's.

    Raises:
        SignInRefused: in place of `LoginRejected`.
    """
    try:
        with unwrapped():
            yield
    except LoginRejected as exc:
        raise SignInRefused(email, exc.reason) from exc
