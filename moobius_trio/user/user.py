"""What the author of a user touches: callbacks to define, and calls to make in them.

Nothing here owns a task or a socket; `user.serving` puts the parts together.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Never, TypeAlias, TypeVar, TypeVarTuple

import trio

from moobius_trio.core.environment import Environment
from moobius_trio.core.jobs import Job, Jobs, takes_band
from moobius_trio.core.names import attribute_hint, check_callbacks, refused_argument
from moobius_trio.core.recipients import Recipients, as_content, as_recipients
from moobius_trio.errors import JobError, MovedError, ServiceStopped
from moobius_trio.types import (
    CONFIRM,
    NO_SENDER,
    ChannelId,
    Character,
    Content,
    FeatureCall,
    FeatureCallArgument,
    Gap,
    MenuItemClick,
    MessageDown,
    Secret,
    UserId,
    UserMessage,
)
from moobius_trio.user.callbacks import UserCallbacks

if TYPE_CHECKING:
    from moobius_trio.core.statistics import ServiceStatistics
    from moobius_trio.network.http import HttpApi
    from moobius_trio.network.receipts import Receipt
    from moobius_trio.user.handle import UserHandle
    from moobius_trio.user.runtime import UserRuntime

__all__ = ("MoobiusUser",)

SPELL_ROOM = 100

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Arguments: TypeAlias = Mapping[str, str | int] | Sequence[FeatureCallArgument]
"""A filled-in form: values by the names of the fields, or the fields themselves."""


class MoobiusUser(UserCallbacks):
    """A user of the platform that is a program. Subclass it, define callbacks, and run `serve`.

    Settings come from a file with the keys of service.json and ``"service_mode": false``, or from
    the arguments here, which win over the file. Nothing is read before `serve` starts.

    Args:
        user_config_path: the file; default, unless ``http_server_uri`` is given: in the folder of
            the file that defines the class, ``config/user.json`` or ``user.json``.
        http_server_uri, ws_server_uri: the platform's addresses.
        email, password: the account. ``MOOBIUS_EMAIL`` and ``MOOBIUS_PASSWORD`` serve as well.
        channels: the bands to join at the start; none: `join` is called later.
        protocol: the generation that the platform speaks.
        name: what it is called on this machine; default: the class name in kebab-case.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_callbacks(cls, user_callback_table())

    def __init__(
        self,
        user_config_path: str | Path | None = None,
        *,
        http_server_uri: str | None = None,
        ws_server_uri: str | None = None,
        email: str | None = None,
        password: str | Secret | None = None,
        channels: Iterable[ChannelId] | None = None,
        protocol: Literal["0.0.1", "1.8"] | None = None,
        name: str | None = None,
        **refused: Never,
    ) -> None:
        for argument in refused:
            remedy = refused_argument(argument) or "no such argument; it may be a key of the file"
            raise MovedError(f"{type(self).__name__}({argument}=…): {remedy}")
        self._config_path = user_config_path
        self._password = Secret(password) if isinstance(password, str) else password
        given = {
            "http_server_uri": http_server_uri,
            "ws_server_uri": ws_server_uri,
            "email": email,
            "channels": None if channels is None else list(channels),
            "protocol": protocol,
            "name": name,
        }
        self._given = {key: value for key, value in given.items() if value is not None}
        self._runtime: UserRuntime | None = None
        self._serving = False
        self._environment = Environment()
        self._jobs = Jobs(now=self.now, execute=self._execute)
        self._jobs.add_methods(self)
        for job in self._jobs.jobs:
            if takes_band(job.fn):
                raise JobError(job.name, "it takes a band, and a user holds none: take self alone")
        self._spells_in, self._spells_out = trio.open_memory_channel[object](SPELL_ROOM)

    async def serve(
        self, *, task_status: trio.TaskStatus[UserHandle] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be this user until stopped, by signal, by the handle, or by cancellation.

        ``await nursery.start(user.serve)`` gives the `UserHandle` once `on_start` is done. How it
        ends, also under signals, and what may be done with it otherwise, is as for
        `MoobiusService.serve`.

        Raises:
            ConfigError: a setting is wrong; nothing was begun.
            BandNotTaken: every band of ``channels`` was refused.
            Unreachable: the platform did not answer before the first login.
            SignInRefused: the platform refused the account.
        """
        from moobius_trio.user.serving import UserLife

        await UserLife(self, self._environment).live(task_status)

    # What a handler reads

    @property
    def user_id(self) -> UserId:
        """This user's own id."""
        return self._live.user_id

    @property
    def channels(self) -> tuple[ChannelId, ...]:
        """The bands that were joined and not left, in the order of joining; one that the platform
        refuses is among them until it says so."""
        return tuple(self._live.bands)

    def characters(self, channel_id: ChannelId) -> tuple[Character, ...]:
        """Whom this user sees in a band, as its service showed them last; none before that."""
        return self._live.characters.get(channel_id, ())

    @property
    def http_api(self) -> HttpApi:
        """The platform's HTTP calls, in this user's name: bands, history, profile, files."""
        return self._live.http_api

    @property
    def jobs(self) -> Jobs:
        """The user's jobs; ``self.jobs.add(…)`` adds one, also while it runs."""
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
        """A snapshot of connection, outbox, lanes and jobs."""
        return self._live.statistics()

    # What a user does. Each call returns when its frame is queued, in the order of the calls;
    # nobody has to await the receipt. Cancelled before it returns, nothing is sent.

    async def join(self, channel_id: ChannelId) -> Receipt:
        """Join a band, and ask its service for all that it shows; raises as `say`."""
        return await self._live.join(channel_id)

    async def leave(self, channel_id: ChannelId) -> Receipt:
        """Leave a band; raises as `say`."""
        return await self._live.leave(channel_id)

    async def refresh(self, channel_id: ChannelId) -> tuple[Receipt, ...]:
        """Ask a band's service for all that it shows: characters, keys, stage; raises as `say`.

        Returns:
            A receipt for each question: generation 0 has one for each part, generation 1 has one.
        """
        return await self._live.refresh(channel_id)

    async def say(
        self,
        channel_id: ChannelId,
        content: Content | str,
        recipients: Recipients = (),
        subtype: str = "text",
    ) -> Receipt:
        """Send a message up: to the recipients, or without any to the Service.

        Args:
            content: the text, or the address of the picture, sound or file; or a Content.
            subtype: ``text``, or ``image``, ``audio``, ``file``, ``card``.

        Raises:
            MessageTooLarge: nothing was sent.
            OutboxFull: the outbox stayed full; nothing was queued.
            ApiError: the recipients could not be made a group (generation 1); nothing was queued.
            ServiceStopped: the user does not run.
        """
        return await self._live.send(
            UserMessage(
                channel_id=channel_id,
                content=as_content(content, subtype),
                recipients=as_recipients(recipients),
                subtype=subtype,
            )
        )

    async def reply(
        self, msg_down: MessageDown, content: Content | str, *, subtype: str = "text"
    ) -> Receipt:
        """Answer whoever speaks in a message, the Service where nobody does; raises as `say`."""
        to = () if msg_down.sender == NO_SENDER else (msg_down.sender,)
        return await self.say(msg_down.channel_id, content, to, subtype)

    async def click(
        self,
        channel_id: ChannelId,
        feature_id: str,
        arguments: Arguments = (),
        *,
        bottom_button_id: str = CONFIRM,
    ) -> Receipt:
        """Press a key, with its form filled in; raises as `say`.

        Args:
            bottom_button_id: which button of the form; ``confirm`` where it has none of its own.
        """
        return await self._live.send(
            FeatureCall(
                feature_id=feature_id,
                channel_id=channel_id,
                sender=self.user_id,
                arguments=_filled_in(arguments),
                bottom_button_id=bottom_button_id,
            )
        )

    async def choose(
        self,
        menu_item_id: str,
        msg_down: MessageDown,
        arguments: Arguments = (),
        *,
        bottom_button_id: str = CONFIRM,
    ) -> Receipt:
        """Choose an entry of a message's menu; the rest as `click`."""
        return await self._live.send(
            MenuItemClick(
                menu_item_id=menu_item_id,
                channel_id=msg_down.channel_id,
                sender=self.user_id,
                message_id=msg_down.msg_id,
                message_subtype=msg_down.subtype,
                message_content=msg_down.content,
                arguments=_filled_in(arguments),
                bottom_button_id=bottom_button_id,
            )
        )

    async def on_gap(self, gap: Gap) -> None:
        """The connection was away. Default: ask for what is shown now."""
        await self.refresh(gap.channel_id)

    # Work beside and inside lanes

    def start_soon(
        self, fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, name: str | None = None
    ) -> trio.CancelScope:
        """Run ``fn(*args)`` beside the handlers; it ends with the user at the latest.

        It has no time limit, and its failure goes to `on_error`.

        Returns:
            The task's cancel scope.
        """
        return self._live.start_soon(fn, *args, name=name)

    async def run_sync(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run blocking code in a thread and give its result. Not abandoned when cancelled."""
        return await self._environment.run_sync(fn, *args)

    # Inner matters

    async def _execute(self, job: Job) -> None:
        await self._live.execute(job)

    @property
    def _live(self) -> UserRuntime:
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
            hint = _of_a_user(name)
            if hint is not None:
                raise MovedError(f"{type(self).__name__}.{name}: {hint}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_SAY: Final = "a service's; a user's is `say(channel_id, content, recipients)`"
_OF_A_SERVICE: Final = {
    "send_message": _SAY,
    "create_message": _SAY,
    "send_msg_down": _SAY,
    "send": _SAY,
    "bands": "a service's; a user's are `channels`, and `characters(channel_id)` whom it sees",
    "storage": "a service's; a user has no containers",
}


def _of_a_user(name: str) -> str | None:
    """What to write instead of an attribute of a service, or of another SDK; None for others."""
    hint = attribute_hint(name)
    known = hint is not None and ("MoobiusUser." in hint or "http_api." in hint)
    return hint if known else _OF_A_SERVICE.get(name)


def _filled_in(arguments: Arguments) -> tuple[FeatureCallArgument, ...]:
    if isinstance(arguments, Mapping):
        return tuple(FeatureCallArgument(name=name, value=arguments[name]) for name in arguments)
    return tuple(arguments)


def user_callback_table() -> dict[str, tuple[str, ...]]:
    """Each callback's name with its parameters after ``self``."""
    return {
        name: tuple(inspect.signature(method).parameters)[1:]
        for name, method in vars(UserCallbacks).items()
        if name.startswith("on_")
    }
