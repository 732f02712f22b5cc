"""What the author of a service touches: callbacks to define, and calls to make in them.

Nothing here owns a task or a socket; `core.serving` puts the parts together.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Never, TypeVarTuple, get_args, get_origin

import attrs
import trio
from typing_extensions import TypeVar

from moobius_trio.core.actions import PARTS
from moobius_trio.core.band import Band
from moobius_trio.core.callbacks import Callbacks
from moobius_trio.core.environment import Environment
from moobius_trio.core.jobs import Job, Jobs
from moobius_trio.core.names import attribute_hint, check_callbacks, refused_argument
from moobius_trio.core.platform_calls import PlatformCalls
from moobius_trio.errors import MovedError, ServiceStopped
from moobius_trio.lean import importing
from moobius_trio.types import (
    Action,
    ChannelId,
    Character,
    MessageDown,
    NewCharacter,
    RawPayload,
    ServiceId,
    Update,
)

if TYPE_CHECKING:
    from moobius_trio.core.handle import ServiceHandle
    from moobius_trio.core.runtime import Runtime
    from moobius_trio.core.statistics import ServiceStatistics
    from moobius_trio.database import MoobiusStorage
    from moobius_trio.network.http import HttpApi
    from moobius_trio.network.receipts import Receipt

__all__ = ("MoobiusService",)

SPELL_ROOM = 100

B = TypeVar("B", bound=Band, default=Band)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


_SENDABLE: Final = (MessageDown, *get_args(Update), RawPayload)


class MoobiusService(Callbacks, PlatformCalls, Generic[B]):
    """A chat service. Subclass it, define callbacks, and run `serve`.

    Args:
        service_config_path: service.json; default: in the folder of the file that defines the
            class, ``config/service.json`` or ``service.json``. Read when `serve` starts.
        db_config_path: db.json; default: beside service.json, if it is there.
    """

    _band_class: type[Band] = Band

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_callbacks(cls, callback_table())
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, MoobiusService):
                for argument in get_args(base):
                    if isinstance(argument, type) and issubclass(argument, Band):
                        cls._band_class = argument

    def __init__(
        self,
        service_config_path: str | Path | None = None,
        db_config_path: str | Path | None = None,
        **refused: Never,
    ) -> None:
        for name in refused:
            raise MovedError(f"{type(self).__name__}({name}=…): " + refused_argument_hint(name))
        self._service_config_path = service_config_path
        self._db_config_path = db_config_path
        self._runtime: Runtime | None = None
        self._serving = False
        self._environment = Environment()
        self._jobs = Jobs(now=self.now, execute=self._execute)
        self._jobs.add_methods(self)
        self._spells_in, self._spells_out = trio.open_memory_channel[object](SPELL_ROOM)

    async def serve(
        self, *, task_status: trio.TaskStatus[ServiceHandle] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the service until it is stopped, by signal, by its handle, or by cancellation.

        ``await nursery.start(service.serve)`` gives the `ServiceHandle` once `on_start` is done.
        May be called again after it has ended. Cancelled, it closes the connection and keeps what
        was changed (bounded); only a stop lets handlers finish and frames leave first.

        In a nursery of your own under bare ``trio.run``, a second Ctrl+C, and a first one before
        the service is ready, come out as a group that holds ``SystemExit``;
        ``moobius_trio.run`` and the wand unwrap it.

        Raises:
            ConfigError: a setting is wrong; nothing was begun.
            Unreachable: the platform did not answer before the first login.
            SignInRefused, LoginRejected: the platform refused the account or the service.
        """
        with importing():
            from moobius_trio.core.serving import serve_in

        await serve_in(self, self._environment, task_status=task_status)

    # What a handler reads

    @property
    def bands(self) -> Mapping[ChannelId, B]:
        """The bands this service holds now, by id; read-only."""
        return self._live.bands

    @property
    def service_id(self) -> ServiceId:
        """This service's id on the platform."""
        return self._live.service_id

    @property
    def http_api(self) -> HttpApi:
        """The platform's HTTP calls under the original's names, each to be awaited."""
        return self._live.http_api

    @property
    def storage(self) -> MoobiusStorage:
        """Containers of the service itself, beside those of its bands."""
        return self._live.storage

    @property
    def _storage(self) -> MoobiusStorage:
        """Where containers that are declared on the service find theirs."""
        return self._live.storage

    @property
    def jobs(self) -> Jobs:
        """The service's jobs; ``self.jobs.add(…)`` adds one, also while it runs."""
        return self._jobs

    @property
    def spells(self) -> trio.MemorySendChannel[object]:
        """Where spells go in: for the event loop's own thread only, kept over restarts."""
        return self._spells_in

    @property
    def folder(self) -> Path:
        """The folder of the file that defines this class."""
        return Path(inspect.getfile(type(self))).resolve().parent

    def now(self) -> datetime:
        """The aware time of the clock that drives jobs."""
        return self._environment.now() + timedelta(seconds=self._jobs.ahead)

    def statistics(self) -> ServiceStatistics:
        """A snapshot of connection, outbox, lanes, jobs and storage."""
        return self._live.statistics()

    # Sending

    async def send(
        self,
        payload: MessageDown | Update | RawPayload = None,  # type: ignore[assignment]  # see below
        *refused: Never,
        **old: Never,
    ) -> Receipt:
        """Queue one payload for the platform, in order for its band.

        Returns when it is queued; waits while the outbox is full. Nobody has to await the
        receipt. Cancelled before it returns, the payload is not queued.

        Raises:
            MessageTooLarge: nothing was sent.
            OutboxFull: the outbox stayed full; nothing was queued.
            StorageTypeError: a value this handler changed cannot be stored.
            ServiceStopped: the service does not run.
        """
        # Every form of the original's send(type, body) arrives here, also without a payload.
        if refused or old or not isinstance(payload, _SENDABLE):
            raise MovedError(
                "send takes the payload alone: await self.send(msg_down), "
                "or await self.send(RawPayload(type=…, body=…)) for a frame of your own"
            )
        return await self._live.send(payload)

    # Defaults that make a service of one handler a working room

    async def on_action(self, action: Action) -> None:
        """A user's client asks for something; the default calls the method of that name."""
        name = f"on_{action.subtype}"
        if name in ACTION_CALLBACKS:
            await getattr(self, name)(action)

    async def on_refresh(self, action: Action) -> None:
        """A user's client needs everything (generation 1). Read and send here, await nothing else.

        Default: as if it had asked for each part by itself, as clients of generation 0 do:
        `on_fetch_user_list`, `on_fetch_features`, `on_fetch_playground`, in this order.
        """
        for part in PARTS:
            await self.on_action(attrs.evolve(action, subtype=part))

    async def on_fetch_user_list(self, action: Action) -> None:
        """A user's client needs the character list. Default: the band's members."""
        band = self.bands[action.channel_id]
        await band.send_update_user_list(band.members.values(), action.sender)

    async def on_join_channel(self, action: Action) -> None:
        """A user joined; `members` has them already. Default: the new list to all."""
        await self._show_members(action.channel_id)

    async def on_leave_channel(self, action: Action) -> None:
        """A user left; `members` is without them already. Default: the new list to all."""
        await self._show_members(action.channel_id)

    async def _show_members(self, channel_id: ChannelId) -> None:
        band = self.bands[channel_id]
        await band.send_update_user_list(band.members.values(), band.members)

    # People, figures and files

    async def fetch_real_characters(self, channel_id: ChannelId) -> list[Character]:
        """The people of a band, asked from the platform; `Band.members` is kept without asking.

        Raises:
            ApiError: the platform did not answer as it should.
        """
        return list(await self.http_api.fetch_real_characters(channel_id, self.service_id))

    async def ensure_characters(self, *characters: NewCharacter) -> dict[str, Character]:
        """Figures of this service by key: made at the first call, found again ever after.

        Up to 16 requests run side by side. Raises as `upload_file`.
        """
        return await self._live.cast.ensure_characters(characters)

    async def upload_avatar_and_create_character(
        self,
        service_id: ServiceId,
        username: str,
        nickname: str,
        image_path: str | Path,
        description: str,
    ) -> Character:
        """Make a figure with a local picture, anew at each call; raises as `upload_file`."""
        avatar = await self.upload_file(image_path)
        return await self.http_api.create_service_user(
            service_id, username, nickname, avatar, description
        )

    # Work beside and inside lanes

    def start_soon(
        self, fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, name: str | None = None
    ) -> trio.CancelScope:
        """Run ``fn(*args)`` beside the handlers; it ends with the service at the latest.

        It is a unit of work of its own, has no time limit, and its failure goes to `on_error`.

        Returns:
            The task's cancel scope.
        """
        return self._live.start_soon(fn, *args, name=name)

    async def run_sync(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run blocking code in a thread and give its result. Not abandoned when cancelled."""
        return await self._environment.run_sync(fn, *args)

    async def in_lane(
        self, channel_id: ChannelId, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts
    ) -> T:
        """Run ``fn(*args)`` as if it were an event of this band: nothing else of it runs meanwhile.

        Raises:
            RuntimeError: called inside a handler, which would wait for itself.
        """
        return await self._live.in_lane(channel_id, fn, *args)

    # Inner matters

    async def _execute(self, job: Job) -> None:
        await self._live.execute(job)

    @property
    def _live(self) -> Runtime:
        runtime = self.__dict__.get("_runtime", self)
        if runtime is self:
            raise RuntimeError(
                f"{type(self).__name__}.__init__ has to call super().__init__() first"
            )
        if runtime is None:
            raise ServiceStopped(type(self).__name__)
        return runtime  # type: ignore[no-any-return]  # __dict__ is untyped

    if not TYPE_CHECKING:  # for mypy an unknown attribute stays an error

        def __getattr__(self, name: str) -> Any:
            hint = attribute_hint(name)
            if hint is not None:
                raise MovedError(f"{type(self).__name__}.{name}: {hint}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


ACTION_CALLBACKS = (
    "on_fetch_user_list",
    "on_fetch_features",
    "on_fetch_playground",
    "on_fetch_channel_info",
    "on_join_channel",
    "on_leave_channel",
    "on_refresh",
)


def callback_table() -> dict[str, tuple[str, ...]]:
    """Each callback's name with its parameters after ``self``, read off the classes here."""
    return {
        name: tuple(inspect.signature(method).parameters)[1:]
        for base in (Callbacks, MoobiusService)
        for name, method in vars(base).items()
        if name.startswith("on_")
    }


def refused_argument_hint(name: str) -> str:
    """What to write instead of a constructor argument that is not ours."""
    return refused_argument(name) or "no such argument; settings belong in service.json"
