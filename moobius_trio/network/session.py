"""One connection: log in, then read and write until something fails or its time is over.

No connecting and no second connection here; that is the link's. Frames are read and written
through the wire that was handed in (docs/architecture.md section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, NoReturn

import attrs
import structlog
import trio
from typing_extensions import TypeVar

from moobius_trio.errors import ConnectionLost, MalformedPayload
from moobius_trio.network.acknowledgement import Acknowledgement
from moobius_trio.network.duplicates import Duplicates
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.heartbeat import Heartbeat
from moobius_trio.network.items import Side
from moobius_trio.network.masking import masked
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.streams import FrameStream
from moobius_trio.network.writing import WRITE_SECONDS
from moobius_trio.types import (
    Copy,
    GroupMessage,
    MessageUp,
    Ping,
    PlatformError,
    RequestId,
    ServiceCommand,
    ServiceFrame,
)

__all__ = ("Counters", "LoginRefused", "RotationDue", "Session")

log = structlog.get_logger()

C = TypeVar("C", default=ServiceCommand)
E = TypeVar("E", default=ServiceFrame)

GRACE_SECONDS: Final = 2.0
"""For a login on a platform that has never answered one."""
LOGIN_SECONDS: Final = 20.0
"""For a login on a platform that has answered one before."""
FRESH_SECONDS: Final = 20.0
"""A login so recent is valid: a refused frame was refused for itself. Bounds logins, too."""
SECOND_TRY_SECONDS: Final = 0.5
"""Before what was refused is written again: the same refusal, come twice, must not count as two."""
QUIET_SECONDS: Final = 2.0
"""Without a frame in either direction for so long, a moment is good for a planned end."""
ROTATION_PATIENCE: Final = 240.0
"""How long such a moment is waited for."""
DRAIN_SECONDS: Final = 5.0
"""For the answers to what was written before a planned end."""


_MESSAGES: Final = (MessageUp, GroupMessage)


@attrs.define
class Counters:
    """What has happened over all connections of a link."""

    connections: int = 0
    logins: int = 0
    heartbeats: int = 0
    received: int = 0
    malformed: int = 0
    platform_errors: int = 0
    duplicates: int = 0


class RotationDue(Exception):  # no error: it ends a connection as planned
    """The connection has been used for as long as one should be.

    Attributes:
        since: a time, by trio's clock, from which on something that came may not have been read.
    """

    def __init__(self, since: float) -> None:
        super().__init__(since)
        self.since = since


class LoginRefused(Exception):  # none of errors.py: the link decides what becomes of it
    """The platform answered a login with no."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Session(Generic[C, E]):
    """One connection from its first frame to its end."""

    def __init__(
        self,
        stream: FrameStream,
        *,
        wire: Side[C, E],
        outbox: Outbox[C],
        login: Callable[[], C],
        acknowledgement: Acknowledgement,
        counters: Counters,
        duplicates: Duplicates,
        on_event: Callable[[E], None],
        seconds: float,
    ) -> None:
        """A session that has not begun; ``seconds``: after which a good moment to end it is
        looked for."""
        self._stream = stream
        self._wire = wire
        self._outbox = outbox
        self._login = login
        self._ack = acknowledgement
        self._counters = counters
        self._duplicates = duplicates
        self._on_event = on_event
        self._login_id: RequestId | None = None  # the last login while it has no answer
        self._logging_in = False
        self._login_type = ""
        self._login_copy: Copy | None = None
        self._login_answered = trio.Event()
        self._login_wanted = trio.Event()
        self._logged_in_at = 0.0
        self._heartbeat_type = ""
        self._heartbeat = Heartbeat(stream, acknowledgement, self._send_heartbeat)
        self._rotate_at = trio.current_time() + seconds
        self._leaving = False

    @property
    def quiet_since(self) -> float:
        """A time after which nothing may have come in, by trio's clock."""
        return self._heartbeat.quiet_since

    def check(self) -> None:
        """Find out soon whether the connection still lives."""
        self._heartbeat.check()

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Log in, call ``on_ready``, and serve the outbox; ends only by raising.

        Raises:
            LoginRefused: the platform does not let the client in.
            ConnectionLost: the connection is closed, or dead.
            RotationDue: its time is over; nothing is being written, and within 5 s all that was
                written has been answered.
        """
        with unwrapped(LoginRefused, ConnectionLost, RotationDue):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                await self._log_in()
                on_ready()
                self._outbox.resume()
                nursery.start_soon(self._outbox.write_to, self._stream)
                nursery.start_soon(self._outbox.watch, self._stream)
                nursery.start_soon(self._heartbeat.serve, nursery)
                nursery.start_soon(self._leave_in_time)
                await self._log_in_when_wanted()

    async def _log_in(self) -> None:
        """Send a login and wait for its answer; nothing else is written meanwhile."""
        command = self._login()
        self._login_type = self._wire.origin_type(command)
        self._login_answered, self._login_copy = trio.Event(), None
        self._logging_in = True
        await self._send_apart(command)
        self._counters.logins += 1
        required = self._ack.login_answered
        with trio.move_on_after(LOGIN_SECONDS if required else GRACE_SECONDS):
            await self._login_answered.wait()
        self._logging_in = False
        if self._login_copy is not None:
            self._judge_login(self._login_copy)
        elif required:
            raise ConnectionLost(None, f"the login was not answered within {LOGIN_SECONDS:g} s")
        self._logged_in_at = trio.current_time()

    def _judge_login(self, copy: Copy) -> None:
        self._ack.login_answered = True
        if not copy.status:
            raise LoginRefused(copy.reason)

    async def _log_in_when_wanted(self) -> NoReturn:
        while True:
            await self._login_wanted.wait()
            self._login_wanted = trio.Event()
            if self._is_fresh:
                await trio.sleep(SECOND_TRY_SECONDS)
            else:
                self._outbox.pause()
                await self._log_in()
            self._write_on()

    @property
    def _is_fresh(self) -> bool:
        return trio.current_time() < self._logged_in_at + FRESH_SECONDS

    def _write_on(self) -> None:
        if not self._leaving:
            self._outbox.resume()

    async def _leave_in_time(self) -> NoReturn:
        """The planned end: in a quiet moment if there is one, and with nothing on its way."""
        await trio.sleep_until(self._rotate_at)
        with trio.move_on_after(ROTATION_PATIENCE):
            await self._quiet_moment()
        self._leaving = True
        since = trio.current_time()
        await self._outbox.drain(DRAIN_SECONDS)
        raise RotationDue(since)

    async def _quiet_moment(self) -> None:
        before = None
        while before != (now := (self._outbox.written, self._counters.received)):
            before = now
            await trio.sleep(QUIET_SECONDS)

    async def _send_heartbeat(self) -> None:
        self._heartbeat_type = self._wire.origin_type(Ping())
        await self._send_apart(Ping())
        self._counters.heartbeats += 1

    async def _send_apart(self, command: C | Ping) -> None:
        """Write a frame that never queues behind others: a login or a heartbeat."""
        request_id, text = self._outbox.encode(command)
        self._ack.note_sent(request_id)
        if not isinstance(command, Ping):
            self._login_id = request_id  # its answer may be read before the write returns
        with trio.move_on_after(WRITE_SECONDS) as scope:
            await self._stream.send_text(text)
        if scope.cancelled_caught:
            raise ConnectionLost(None, f"a write did not end within {WRITE_SECONDS:g} s")

    async def _read(self) -> NoReturn:
        """Take what comes. Nothing here waits for anything but the next frame."""
        receive_text, decode = self._stream.receive_text, self._wire.decode
        now = trio.lowlevel.current_clock().current_time  # current_time() asks for it each time
        while True:
            text = await receive_text()
            self._counters.received += 1
            try:
                event = decode(text)
            except MalformedPayload as fault:
                self._counters.malformed += 1
                log.warning("a frame could not be read", what=fault.what, faults=fault.faults)
                log.debug("the frame that could not be read", frame=masked(text))
                continue
            if isinstance(event, _MESSAGES):  # the most frequent first
                if self._duplicates.is_repeated(event, now()):
                    self._counters.duplicates += 1
                    continue
            elif isinstance(event, Copy):
                self._take_copy(event)
            elif isinstance(event, PlatformError):
                self._counters.platform_errors += 1
            self._on_event(event)

    def _take_copy(self, copy: Copy) -> None:
        fate = self._outbox.on_copy(copy)
        if fate != "unknown":
            self._ack.note_own()
            if fate == "refused":
                self._want_login()
        elif copy.request_id == self._login_id:
            self._ack.note_own()
            self._answer_login(copy)
        elif self._ack.is_ours(copy.request_id):
            self._ack.note_own()
            self._take_late_copy(copy)
        else:
            self._take_foreign_copy(copy)

    def _take_late_copy(self, copy: Copy) -> None:
        """The answer to a heartbeat, or to a login that another one has followed."""
        if copy.origin_type != self._login_type:
            self._ack.heartbeat_answered = True
            if not copy.status:
                self._want_login()

    def _take_foreign_copy(self, copy: Copy) -> None:
        """An id that is not ours says nothing of a frame; the kind of frame it names may."""
        self._ack.note_foreign()
        if copy.origin_type == self._login_type:
            if self._login_id is not None:
                self._answer_login(copy)
        elif self._ack.mode != "proven":
            if copy.origin_type == self._heartbeat_type:
                self._ack.heartbeat_answered = True
            if not copy.status:
                self._want_login()

    def _answer_login(self, copy: Copy) -> None:
        self._login_id = None
        if self._logging_in:
            self._login_copy = copy
            self._login_answered.set()
        else:
            self._judge_login(copy)  # it came after the grace

    def _want_login(self) -> None:
        """Something was refused: log in again, unless that was done just now."""
        if self._logging_in or self._leaving:
            return
        if not self._is_fresh:
            self._outbox.pause()
        self._login_wanted.set()
