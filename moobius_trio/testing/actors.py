"""People of a band, as a test plays them: what they do, and what they see.

An actor is a real client of the platform: it speaks the users' side of the protocol
(docs/protocol/generation-0.md section 3.4) and knows nothing of the service.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import structlog
import trio

from moobius_trio.codec import generation0
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.websocket import Connector, FrameStream
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Copy,
    Feature,
    FeatureCall,
    FeatureCallArgument,
    MessageDown,
    Ping,
    Playground,
    RequestId,
    Secret,
    StyleItem,
    UpdateFeatures,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("SERVICE", "Actor", "Target")

log = structlog.get_logger()

SERVICE: tuple[UserId, ...] = ()
"""Recipients of a message to the Service (∞) and to nobody else."""

FETCHES = ("fetch_user_list", "fetch_features", "fetch_playground")


class Actor:
    """One person in one band.

    Every call returns when the platform has taken it and the service is idle again, so a test
    needs no waiting of its own. What is seen stays until something replaces it.
    """

    def __init__(
        self,
        *,
        name: str,
        user_id: UserId,
        token: Secret,
        channel_id: ChannelId,
        settle: Callable[[], Awaitable[None]],
        wall_clock_ms: Callable[[], int],
    ) -> None:
        self.name = name
        self.user_id = user_id
        self.channel_id = channel_id
        self.messages: list[MessageDown] = []
        """What this person was sent, oldest first."""
        self.characters: tuple[Character, ...] = ()
        """The character list as this person was sent it."""
        self.keys: tuple[Feature, ...] = ()
        self.stage: Playground | None = None
        self.style: tuple[StyleItem, ...] = ()
        self.refusals: list[str] = []
        """What the platform refused of this person's frames, in its words."""
        self.seen = 0
        """How many messages and updates this person was sent."""
        self._token = token
        self._settle = settle
        self._wall_clock_ms = wall_clock_ms
        self._stream: FrameStream | None = None
        self._numbers = itertools.count(1)
        self._awaited: dict[RequestId, trio.Event] = {}

    # What this person sees

    @property
    def last(self) -> MessageDown:
        """The newest message.

        Raises:
            AssertionError: none has come.
        """
        if not self.messages:
            raise AssertionError(f"{self.name} has been sent no message")
        return self.messages[-1]

    @property
    def texts(self) -> list[str]:
        """The texts of all messages, oldest first; messages that are no text are left out."""
        return [message.text for message in self.messages if message.text is not None]

    @property
    def names(self) -> list[str]:
        """The nicknames on this person's character list, in order."""
        return [character.nickname for character in self.characters]

    def key(self, feature_id: str) -> Feature:
        """One of this person's keys.

        Raises:
            AssertionError: there is no such key on the screen.
        """
        for feature in self.keys:
            if feature.feature_id == feature_id:
                return feature
        shown = ", ".join(feature.feature_id for feature in self.keys) or "none"
        raise AssertionError(f"{self.name} has no key {feature_id!r}; on the screen: {shown}")

    def character(self, nickname: str) -> Character:
        """One of this person's characters, by nickname.

        Raises:
            AssertionError: there is none on the list.
        """
        for character in self.characters:
            if character.nickname == nickname:
                return character
        raise AssertionError(f"{self.name} does not see {nickname!r}, only {self.names}")

    # What this person does

    async def say(self, text: str, to: Target | None = None) -> None:
        """Send a text.

        Args:
            to: actors, characters or ids; `SERVICE` for the Service; None: All, that is everybody
                on this person's list, in order, this person included.
        """
        await self.send(Content(text=text), to=to)

    async def send(
        self, content: Content, *, subtype: str = "text", to: Target | None = None
    ) -> None:
        """Send a message of any kind, such as an image with ``Content(path=…)``."""
        recipients = (
            tuple(character.user_id for character in self.characters) if to is None else _ids(to)
        )
        await self._do(
            UserMessage(
                channel_id=self.channel_id,
                content=content,
                recipients=recipients,
                subtype=subtype,
            )
        )

    async def click(
        self, feature_id: str, arguments: Mapping[str, str | int] | None = None
    ) -> None:
        """Press a key that is on the screen, with its form filled in.

        Raises:
            AssertionError: there is no such key, or the form has no such field or lacks one.
        """
        key, given = self.key(feature_id), dict(arguments or {})
        fields = {argument.name: argument for argument in key.arguments}
        for name in given:
            if name not in fields:
                raise AssertionError(f"key {feature_id!r} has no field {name!r}: {list(fields)}")
        missing = [name for name, field in fields.items() if not (field.optional or name in given)]
        if missing:
            raise AssertionError(f"key {feature_id!r} needs {missing}")
        await self._do(
            FeatureCall(
                feature_id=feature_id,
                channel_id=self.channel_id,
                sender=self.user_id,
                arguments=[
                    FeatureCallArgument(name=name, value=given[name])
                    for name in fields
                    if name in given
                ],
            )
        )

    async def fetch(self, *subtypes: str) -> None:
        """Ask the service for the screen again, as a reload of the page does."""
        for subtype in subtypes or FETCHES:
            await self._command(UserAction(subtype=subtype, channel_id=self.channel_id))
        await self._settle()

    async def leave(self) -> None:
        """Leave the band; the connection stays."""
        await self._do(UserAction(subtype="leave_channel", channel_id=self.channel_id))

    async def rejoin(self) -> None:
        """Join the band again after leaving it, and ask for the screen."""
        await self._do(UserAction(subtype="join_channel", channel_id=self.channel_id))
        await self.fetch()

    # Inner matters

    async def serve(self, connect: Connector, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold this person's connection until cancelled; ``started()`` when logged in."""
        async with connect() as stream:
            self._stream = stream
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, stream)
                await self._command(UserLogin(access_token=self._token.reveal()))
                task_status.started()

    async def catch_up(self) -> None:
        """Wait until everything the platform has handed over for this person has been seen."""
        await self._command(Ping())

    async def _read(self, stream: FrameStream) -> None:
        try:
            while True:
                self._see(await stream.receive_text())
        except ConnectionLost:
            log.debug("an actor's connection ended", actor=self.name)

    def _see(self, text: str) -> None:
        event = generation0.decode_for_user(text)
        if not isinstance(event, Copy):
            self.seen += 1
        match event:
            case Copy():
                if not event.status:
                    self.refusals.append(str(dict(event.context)))
                awaited = self._awaited.pop(event.request_id, None)
                if awaited is not None:
                    awaited.set()
            case MessageDown():
                self.messages.append(event)
            case UpdateUserList():
                self.characters = event.user_list
            case UpdateFeatures():
                self.keys = event.features
            case UpdatePlayground():
                self.stage = event.content
            case UpdateStyle():
                self.style = event.style

    async def _do(self, command: UserCommand) -> None:
        await self._command(command)
        await self._settle()

    async def _command(self, command: UserCommand) -> None:
        """Send one frame and wait for the platform's receipt."""
        assert self._stream is not None  # noqa: S101  # serve() sets it before it says ready
        request_id = RequestId(f"{self.user_id}-{next(self._numbers)}")
        receipt = self._awaited[request_id] = trio.Event()
        await self._stream.send_text(
            generation0.encode_from_user(
                command,
                request_id=request_id,
                client_id=self.user_id,
                timestamp=self._wall_clock_ms(),
            )
        )
        await receipt.wait()

    def __repr__(self) -> str:
        return f"<Actor {self.name}>"


Target: TypeAlias = (
    Actor | Character | UserId | Sequence[Actor | Character | UserId] | Iterable[Any]
)
"""Whom an actor speaks to."""


def _ids(to: Target) -> tuple[UserId, ...]:
    if isinstance(to, Actor | Character):
        return (to.user_id,)
    if isinstance(to, str):
        return (UserId(to),)
    return tuple(identity for one in to for identity in _ids(one))
