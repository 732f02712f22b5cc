"""People of a band, as a test plays them: what they do, and what they see.

An actor is a real client of the platform: it speaks the users' side of the protocol
(docs/protocol/generation-0.md section 3.4) and knows nothing of the service.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import attrs
import structlog
import trio

from moobius_trio.codec import generation0
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.websocket import Connector, FrameStream
from moobius_trio.testing.forms import filled_in, pressed
from moobius_trio.testing.screen import Screen
from moobius_trio.testing.uploading import subtype_of
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Copy,
    FeatureCall,
    MenuItemClick,
    MessageDown,
    RequestId,
    Secret,
    UserAction,
    UserCommand,
    UserEvent,
    UserId,
    UserLogin,
    UserMessage,
)

__all__ = ("SERVICE", "Actor", "Target")

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours

log = structlog.get_logger()

SERVICE: tuple[UserId, ...] = ()
"""Recipients of a message to the Service (∞) and to nobody else."""

FETCHES = ("fetch_user_list", "fetch_features", "fetch_playground")


@attrs.define(eq=False)
class _Answer:
    """What the platform will say to one frame."""

    come: trio.Event = attrs.field(factory=trio.Event)
    refusal: str = ""


class Actor(Screen):
    """One person in one band.

    Every call returns when the platform has taken it and the service is idle again, so a test
    needs no waiting of its own. What is seen stays until something replaces it. A call raises
    AssertionError when the page would not let a person do this, and when the platform refuses it.

    Attributes:
        name: as the others see it.
        user_id: this person's id.
        channel_id: the band. The same name in another band is the same person.
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
        answered: Callable[[], bool] = lambda: True,
        upload: Callable[[Path], Awaitable[str]] | None = None,
    ) -> None:
        """Made by `LocalBand.join`.

        Args:
            settle: awaited at the end of each call.
            answered: False while the platform answers no frames.
            upload: gives a local file's address on the platform, for `send_file`.
        """
        super().__init__(name)
        self.user_id = user_id
        self.channel_id = channel_id
        self._token = token
        self._settle = settle
        self._upload = upload
        self._wall_clock_ms = wall_clock_ms
        self._answered = answered
        self._stream: FrameStream | None = None
        self._sent = 0
        self._awaited: deque[_Answer] = deque()
        self._lost = ""

    # What this person does

    async def say(self, text: str, to: Target | None = None, *, settle: bool = True) -> None:
        """Send a text.

        Args:
            to: actors, characters or ids; `SERVICE` for the Service; None: All, that is everybody
                on this person's list, in order, this person included.
            settle: False returns as soon as the platform has taken it, for people who talk at
                the same time.

        Raises:
            AssertionError: to All, while nobody is on the list.
        """
        await self.send(Content(text=text), to=to, settle=settle)

    async def send(
        self,
        content: Content,
        *,
        subtype: str = "text",
        to: Target | None = None,
        settle: bool = True,
    ) -> None:
        """Send a message of any kind, such as an image with ``Content(path=…)``; as `say`.

        `send_file` is for files of this machine.
        """
        if to is None and not self.characters:
            raise AssertionError(
                f"{self.name} sees nobody on the character list, so there is no All to speak to; "
                "name the recipients with to=[…], or to=SERVICE for the Service"
            )
        recipients = _ids(self.characters if to is None else to)
        message = UserMessage(
            channel_id=self.channel_id, content=content, recipients=recipients, subtype=subtype
        )
        await self._command(message)
        if settle:
            await self._settle()

    async def send_file(
        self, path: Path | str, *, subtype: str | None = None, to: Target | None = None
    ) -> None:
        """Upload a file and send it, as the page's button does; recipients and errors as `say`.

        Args:
            path: counts from the working directory.
            subtype: without it the file's name decides: ``image``, ``audio``, else ``file``.

        Raises:
            OSError: it cannot be read.
            ApiError: the platform did not take it.
        """
        if self._upload is None:
            raise RuntimeError(f"{self!r} was made without upload=…")
        address = await self._upload(Path(path))
        await self.send(Content(path=address), subtype=subtype or subtype_of(path), to=to)

    async def click(
        self,
        feature_id: str,
        arguments: Mapping[str, str | int] | None = None,
        /,
        *,
        bottom_button_id: str | None = None,
        **more: str | int,
    ) -> None:
        """Press a key that is on the screen, with its form filled in.

        ``click("key1", magic_type="Mickey")``; fields whose names are no Python names are given
        as a mapping.

        Args:
            bottom_button_id: which button of the form; None: the first that sends it.

        Raises:
            AssertionError: there is no such key, or its form does not allow these arguments or
                has no such button.
        """
        key = self.key(feature_id)
        filled = filled_in(key, {**(arguments or {}), **more})
        await self.act(
            FeatureCall(
                feature_id=feature_id,
                channel_id=self.channel_id,
                sender=self.user_id,
                arguments=filled,
                bottom_button_id=pressed(key, bottom_button_id),
            )
        )

    async def choose(
        self,
        menu_item_id: str,
        arguments: Mapping[str, str | int] | None = None,
        /,
        *,
        message: MessageDown | None = None,
        bottom_button_id: str | None = None,
        **more: str | int,
    ) -> None:
        """Choose an entry of a message's menu; the rest is as in `click`.

        Args:
            message: the message; None: the newest one.

        Raises:
            AssertionError: there is no such message, its kind has no such entry, or as `click`.
        """
        said = self.last if message is None else message
        item = self.menu_item(menu_item_id, said)
        filled = filled_in(item, {**(arguments or {}), **more})
        await self.act(
            MenuItemClick(
                menu_item_id=menu_item_id,
                channel_id=self.channel_id,
                sender=self.user_id,
                message_id=said.msg_id,
                message_subtype=said.subtype,
                message_content=said.content,
                arguments=filled,
                bottom_button_id=pressed(item, bottom_button_id),
            )
        )

    async def fetch(self, *subtypes: str) -> None:
        """Ask the service for the screen again, as a reload of the page does.

        Args:
            subtypes: only these, such as ``"fetch_features"``.
        """
        for subtype in subtypes or FETCHES:
            await self._command(UserAction(subtype=subtype, channel_id=self.channel_id))
        await self._settle()

    async def leave(self) -> None:
        """Leave the band; the connection stays."""
        await self.act(UserAction(subtype="leave_channel", channel_id=self.channel_id))

    async def rejoin(self) -> None:
        """Join the band again after leaving it, and ask for the screen."""
        await self.act(UserAction(subtype="join_channel", channel_id=self.channel_id))
        await self.fetch()

    async def act(self, command: UserCommand, *, settle: bool = True) -> None:
        """Send any frame of a user's, also one that the page would let nobody send; as `say`."""
        await self._command(command)
        if settle:
            await self._settle()

    # Inner matters

    async def serve(self, connect: Connector, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold this person's connection until cancelled; ``started()`` when logged in."""
        async with connect() as stream, trio.open_nursery() as nursery:
            self._stream = stream
            nursery.start_soon(self._read, stream)
            await self.catch_up()
            task_status.started()

    async def catch_up(self) -> None:
        """Wait until everything the platform has handed over for this person has been seen."""
        # A login is answered in any case, and a second one changes nothing.
        await self._command(UserLogin(access_token=self._token.reveal()))

    async def _read(self, stream: FrameStream) -> None:
        try:
            while True:
                self._see(generation0.decode_for_user(await stream.receive_text()))
        except ConnectionLost as exc:
            self._lost = str(exc)
            log.debug("an actor's connection ended", actor=self.name, reason=self._lost)
            while self._awaited:
                self._awaited.popleft().come.set()

    def _see(self, event: UserEvent) -> None:
        if isinstance(event, Copy):
            self._take_answer(event)
        elif getattr(event, "channel_id", self.channel_id) == self.channel_id:
            self.show(event)

    def _take_answer(self, copy: Copy) -> None:
        # By order, since a platform may answer with ids of its own.
        if self._awaited:
            answer = self._awaited.popleft()
            if not copy.status:
                answer.refusal = copy.reason
            answer.come.set()

    async def _command(self, command: UserCommand) -> None:
        """Send one frame and wait for the platform's receipt."""
        assert self._stream is not None  # noqa: S101  # serve() sets it before it says ready
        answer = _Answer()
        self._check_connected()
        self._sent += 1
        text = generation0.encode_from_user(
            command,
            request_id=RequestId(f"{self.user_id}-{self._sent}"),
            client_id=self.user_id,
            timestamp=self._wall_clock_ms(),
        )
        if self._answered():
            self._awaited.append(answer)
        else:
            answer.come.set()
        await self._stream.send_text(text)
        await answer.come.wait()
        if answer.refusal:
            raise AssertionError(
                f"the platform refused what {self.name} did: {answer.refusal}\n  {command!r}"
            )
        self._check_connected()

    def _check_connected(self) -> None:
        if self._lost:
            raise AssertionError(f"{self.name} is not connected any more: {self._lost}")

    def __repr__(self) -> str:
        return f"<Actor {self.name} in {self.channel_id}, {len(self.messages)} messages>"


Target: TypeAlias = Actor | Character | UserId | Iterable[Actor | Character | UserId]
"""Whom an actor speaks to."""


def _ids(to: Target) -> tuple[UserId, ...]:
    if isinstance(to, Actor | Character):
        return (to.user_id,)
    if isinstance(to, str):
        return (UserId(to),)
    return tuple(identity for one in to for identity in _ids(one))
