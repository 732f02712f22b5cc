"""The platform's end of a service's socket, reduced to what a link can be tested against.

It logs in, answers with copies, and does wrong what it is told to do wrong. No rules of bands
and members: that is the local platform's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final, Literal

import attrs
import trio

from moobius_trio.codec import generation0
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.websocket import FrameStream
from moobius_trio.types import (
    Copy,
    MessageDown,
    Ping,
    RequestId,
    ServiceCommand,
    ServiceEvent,
    ServiceLogin,
    UnknownPayload,
    UserCommand,
)

__all__ = ("ReceivedFrame", "ScriptedPlatform")

GOING_AWAY: Final = 1001


@attrs.frozen(kw_only=True)
class ReceivedFrame:
    """A frame as the platform got it."""

    connection: int
    """Which connection it came on; the first is 1."""
    request_id: RequestId
    command: ServiceCommand | UserCommand | UnknownPayload
    at: float
    """When, by trio's clock."""


@attrs.define(eq=False)
class ScriptedPlatform:
    """One platform for any number of connections, each given to ``serve``."""

    copies: Literal["own", "foreign", "absent"] = "own"
    """Whose ids its copies carry, if it sends any."""
    answers_heartbeats: bool = True
    answers_logins: bool = True
    refuses: Callable[[ReceivedFrame], bool] = lambda frame: False
    """Which frames it answers with ``status: false``."""
    cut_after: Callable[[int], int | None] = lambda connection: None
    """After how many messages a connection is ended; None never."""
    cut_code: int | None = GOING_AWAY
    """The close code of such an end; None for none: the texts on the way are lost."""

    received: list[ReceivedFrame] = attrs.field(factory=list, init=False)
    taken: list[MessageDown] = attrs.field(factory=list, init=False)
    """Messages in the order in which they took effect: one for each request id."""
    repeated: int = attrs.field(default=0, init=False)
    """Messages whose request id had been seen before."""
    before_login: int = attrs.field(default=0, init=False)
    """Frames that came on a connection before its login."""
    connections: int = attrs.field(default=0, init=False)
    open_now: int = attrs.field(default=0, init=False)
    most_open: int = attrs.field(default=0, init=False)
    cuts: int = attrs.field(default=0, init=False)
    ends: list[ConnectionLost] = attrs.field(factory=list, init=False)
    """How connections ended, as seen from here."""
    _streams: dict[int, FrameStream] = attrs.field(factory=dict, init=False)
    _seen: set[RequestId] = attrs.field(factory=set, init=False)
    _foreign: itertools.count[int] = attrs.field(factory=itertools.count, init=False)

    @property
    def logins(self) -> list[ReceivedFrame]:
        """The logins it got."""
        return [frame for frame in self.received if isinstance(frame.command, ServiceLogin)]

    @property
    def heartbeats(self) -> list[ReceivedFrame]:
        """The heartbeats it got."""
        return [frame for frame in self.received if isinstance(frame.command, Ping)]

    async def serve(self, stream: FrameStream) -> None:
        """Play the platform on one connection, until it ends."""
        self.connections += 1
        number = self.connections
        self._streams[number] = stream
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            await self._answer_all(number, stream)
        except ConnectionLost as lost:
            self.ends.append(lost)
        finally:
            self.open_now -= 1
            del self._streams[number]

    async def tell(self, event: ServiceEvent) -> None:
        """Send an event to every service that is connected."""
        for stream in list(self._streams.values()):
            await stream.send_text(generation0.encode_for_service(event))

    async def send_raw(self, text: str) -> None:
        """Send any text to every service that is connected."""
        for stream in list(self._streams.values()):
            await stream.send_text(text)

    async def cut(self, code: int = GOING_AWAY) -> None:
        """Close every connection."""
        for stream in list(self._streams.values()):
            self.cuts += 1
            await stream.aclose(code, "cut")

    async def _answer_all(self, number: int, stream: FrameStream) -> None:
        logged_in = False
        messages = 0
        limit = self.cut_after(number)
        while True:
            frame = generation0.decode_from_client(await stream.receive_text())
            received = ReceivedFrame(
                connection=number,
                request_id=frame.request_id,
                command=frame.command,
                at=trio.current_time(),
            )
            self.received.append(received)
            command = frame.command
            accepted = not self.refuses(received)
            logged_in = logged_in or (isinstance(command, ServiceLogin) and accepted)
            self.before_login += not logged_in and not isinstance(command, ServiceLogin)
            if isinstance(command, MessageDown):
                if accepted:
                    self._take(received.request_id, command)
                messages += 1
                if limit is not None and messages >= limit:
                    self.cuts += 1
                    await self._end(stream)
                    return
            await self._acknowledge(stream, frame, accepted)

    def _take(self, request_id: RequestId, message: MessageDown) -> None:
        if request_id in self._seen:
            self.repeated += 1
        else:
            self._seen.add(request_id)
            self.taken.append(message)

    async def _end(self, stream: FrameStream) -> None:
        if self.cut_code is not None:
            await stream.aclose(self.cut_code, "cut")
            return
        cut: Callable[[], None] | None = getattr(stream, "cut", None)
        if cut is None:
            raise TypeError("only a memory stream can be cut without a goodbye")
        cut()

    async def _acknowledge(
        self, stream: FrameStream, frame: generation0.ClientFrame, accepted: bool
    ) -> None:
        unanswered = (isinstance(frame.command, Ping) and not self.answers_heartbeats) or (
            isinstance(frame.command, ServiceLogin) and not self.answers_logins
        )
        if self.copies == "absent" or unanswered:
            return
        own = self.copies == "own"
        copy = Copy(
            request_id=frame.request_id if own else RequestId(f"theirs-{next(self._foreign)}"),
            origin_type=frame.origin_type,
            status=accepted,
            context={} if accepted else {"message": "refused by script"},
        )
        await stream.send_text(generation0.encode_for_service(copy))
