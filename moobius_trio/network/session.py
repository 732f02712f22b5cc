"""One connection: log in, then read, write and beat until any of them fails.

No connecting and no second connection here; that is the link's. Frames are read and written
through the wire that was handed in (docs/architecture.md section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import attrs
import structlog
import trio

from moobius_trio.errors import ConnectionLost, MalformedPayload
from moobius_trio.network.acknowledgement import Acknowledgement
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.items import ServiceWire
from moobius_trio.network.masking import masked
from moobius_trio.network.outbox import WRITE_SECONDS, Outbox
from moobius_trio.network.patience import sleep_until_settled
from moobius_trio.network.streams import FrameStream
from moobius_trio.types import (
    Copy,
    Ping,
    PlatformError,
    RequestId,
    ServiceCommand,
    ServiceEvent,
    ServiceLogin,
)

__all__ = ("Counters", "LoginRefused", "Session")

log = structlog.get_logger()

HEARTBEAT_SECONDS: Final = 30.0
DECIDE_SECONDS: Final = 5.0
"""After the first heartbeat: by then an answer has come, or none will."""
SILENCE_SECONDS: Final = 15.0
"""After a heartbeat: without a sign of life a platform that has answered before is dead."""
GRACE_SECONDS: Final = 2.0
"""For a login on a platform that has never answered one."""
LOGIN_SECONDS: Final = 20.0
"""For a login on a platform that has answered one before."""
FRESH_SECONDS: Final = 20.0
"""A login so recent is valid: a refused frame was refused for itself. Bounds logins, too."""


@attrs.define
class Counters:
    """What has happened over all connections of a link."""

    connections: int = 0
    logins: int = 0
    heartbeats: int = 0
    received: int = 0
    malformed: int = 0
    platform_errors: int = 0


class LoginRefused(Exception):  # none of errors.py: the link decides what becomes of it
    """The platform answered a login with no."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Session:
    """One connection from its first frame to its end.

    Attributes:
        quiet_since: a time after which nothing may have come in, by trio's clock.
    """

    def __init__(
        self,
        stream: FrameStream,
        *,
        wire: ServiceWire,
        outbox: Outbox,
        login: Callable[[], ServiceLogin],
        acknowledgement: Acknowledgement,
        counters: Counters,
        on_event: Callable[[ServiceEvent], None],
    ) -> None:
        self._stream = stream
        self._wire = wire
        self._outbox = outbox
        self._login = login
        self._ack = acknowledgement
        self._counters = counters
        self._on_event = on_event
        self._login_id: RequestId | None = None  # the last login while it has no answer
        self._logging_in = False
        self._login_type = ""
        self._login_copy: Copy | None = None
        self._login_answered = trio.Event()
        self._login_wanted = trio.Event()
        self._logged_in_at = 0.0
        self._heartbeat_type = ""
        self._pinging = False
        self._looked_at = self.quiet_since = trio.current_time()
        self._heard = stream.heard

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Log in, call ``on_ready``, and serve the outbox; ends only by raising.

        Raises:
            LoginRefused: the platform does not let the service in.
            ConnectionLost: the connection is closed, or dead.
        """
        with unwrapped(LoginRefused, ConnectionLost):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                await self._log_in()
                on_ready()
                self._outbox.resume()
                nursery.start_soon(self._outbox.write_to, self._stream)
                nursery.start_soon(self._outbox.watch, self._stream)
                nursery.start_soon(self._beat, nursery)
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
            raise LoginRefused(str(dict(copy.context))[:200])

    async def _log_in_when_wanted(self) -> NoReturn:
        while True:
            await self._login_wanted.wait()
            self._login_wanted = trio.Event()
            await self._log_in()
            self._outbox.resume()

    async def _send_apart(self, command: ServiceCommand) -> None:
        """Write a frame that never queues behind others: a login or a heartbeat."""
        request_id, text = self._outbox.encode(command)
        self._ack.note_sent(request_id)
        if isinstance(command, ServiceLogin):
            self._login_id = request_id  # its answer may be read before the write returns
        with trio.move_on_after(WRITE_SECONDS) as scope:
            await self._stream.send_text(text)
        if scope.cancelled_caught:
            raise ConnectionLost(None, f"a write did not end within {WRITE_SECONDS:g} s")

    async def _read(self) -> NoReturn:
        """Take what comes. Nothing here waits for anything but the next frame."""
        receive_text, decode = self._stream.receive_text, self._wire.decode_for_service
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
            if isinstance(event, Copy):
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
        if self._logging_in:
            return
        if trio.current_time() < self._logged_in_at + FRESH_SECONDS:
            self._outbox.resume()
        else:
            self._outbox.pause()
            self._login_wanted.set()

    async def _beat(self, nursery: trio.Nursery) -> NoReturn:
        beat = trio.current_time()
        while True:
            await trio.sleep_until(beat + HEARTBEAT_SECONDS)
            beat = trio.current_time()
            self._look_for_life()
            heard = self._stream.heard
            self._heartbeat_type = self._wire.origin_type(Ping())
            await self._send_apart(Ping())
            self._counters.heartbeats += 1
            if not self._pinging:
                nursery.start_soon(self._ping)
            await sleep_until_settled(beat + DECIDE_SECONDS)
            self._ack.decide()
            await sleep_until_settled(beat + SILENCE_SECONDS)
            self._look_for_life()
            if self._stream.heard == heard and self._ack.heartbeat_answered:
                raise ConnectionLost(
                    None, f"no sign of life for {SILENCE_SECONDS:g} s after a heartbeat"
                )

    async def _ping(self) -> None:
        """One ping at a time: where pongs never come, none of the later ones would be heard."""
        self._pinging = True
        await self._stream.ping()
        self._ack.heartbeat_answered = True
        self._pinging = False

    def _look_for_life(self) -> None:
        now = trio.current_time()
        if self._stream.heard != self._heard:
            self._heard = self._stream.heard
            self.quiet_since = self._looked_at
        self._looked_at = now
