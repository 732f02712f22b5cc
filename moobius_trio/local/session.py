"""One connection: a reader, a bounded queue, a writer, and a close that always ends.

What a frame means is none of this module's business; it hands texts on and takes texts.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
import trio

from moobius_trio.codec.generations import Generation
from moobius_trio.errors import ConnectionLost
from moobius_trio.local.later import Later
from moobius_trio.local.sockets import GOING_AWAY, POLICY_VIOLATION, Socket
from moobius_trio.types import ServiceId, UserId

__all__ = ("QUEUE_BYTES", "QUEUE_FRAMES", "Role", "Session")

QUEUE_FRAMES: Final = 10_000
QUEUE_BYTES: Final = 16 * 1024 * 1024
"""What may wait for one reader; one slower than that is closed, so that it never holds up
others."""

EARLY_FRAMES: Final = 100
EARLY_CHARACTERS: Final = 1024 * 1024
"""What may wait for the login of one connection."""

CLOSE_SECONDS: Final = 1.5
"""The bound of a close, above the socket's own."""

_log = structlog.get_logger()


class Role(enum.Enum):
    """What a connection turned out to be with its first login."""

    NOBODY = enum.auto()
    SERVICE = enum.auto()
    USER = enum.auto()


class Session:
    """A connection and whoever logged in on it."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._queue: deque[str | bytes] = deque()
        self._queued_bytes = 0
        self._writing = 0
        self._more = trio.Event()
        self._written = trio.lowlevel.ParkingLot()
        self._closing = trio.Event()
        self._code = GOING_AWAY
        self._reason = "the platform is shutting down"
        self._later = Later()
        self._due = -math.inf
        self.access_token = ""
        """The token of the last login."""
        self.generation: Generation = 0
        """Which generation of the protocol the client speaks, as far as is known."""
        self.settled = False
        """Whether a frame has told the generation for good."""
        self._early: list[str] = []
        self.refused_logins = 0
        """How many logins on it were refused."""
        self.heard_at = trio.current_time()
        """When the last text came, by trio's clock."""
        self.role = Role.NOBODY
        self.user_id: UserId | None = None
        """The account whose token was used to log in."""
        self.service_id: ServiceId | None = None
        """The service that logged in; None for users, and while a service has no id yet."""

    @property
    def waiting(self) -> int:
        """Frames accepted for this socket and not yet handed over to it."""
        return len(self._queue) + self._writing + self._later.effects

    @property
    def largest_frame(self) -> int | None:
        """Bytes of the largest frame of the last text; None where that cannot be known."""
        return self._socket.largest_frame

    def answer_pings(self, answers: bool) -> None:
        """Whether the WebSocket's own pings get their pongs."""
        self._socket.answers_pings = answers

    def after(self, seconds: float, do: Callable[[], None], *, effect: bool = True) -> None:
        """Call ``do`` in so many seconds, or now with 0; if the connection ends before, then,
        or, if it is no ``effect`` but a timer, never."""
        if seconds > 0:
            self._later.call(seconds, do, effect=effect)
        else:
            do()

    def in_order(self, seconds: float, do: Callable[[], None]) -> None:
        """As ``after``, but never before what was given to this before."""
        now = trio.current_time()
        self._due = max(self._due, now + seconds)
        if self._due > now:
            self._later.call_at(self._due, do)
        else:
            do()

    def finish(self) -> None:
        """The connection has ended: let what it said take effect."""
        self._later.finish()

    def hold(self, text: str) -> bool:
        """Keep a text that came before the login; False when too much waits already."""
        size = sum(map(len, self._early)) + len(text)
        if len(self._early) >= EARLY_FRAMES or size > EARLY_CHARACTERS:
            return False
        self._early.append(text)
        return True

    def release(self) -> list[str]:
        """The texts that were kept, oldest first; they are kept no longer."""
        early, self._early = self._early, []
        return early

    @property
    def closing(self) -> bool:
        """True once the connection is being closed from this side; nothing is sent any more."""
        return self._closing.is_set()

    def send_nowait(self, text: str | bytes) -> None:
        """Queue a frame; bytes are sent as a text, which they may not be.

        A full queue closes the connection instead, and says so in the log.
        """
        if self.closing:
            return
        if len(self._queue) >= QUEUE_FRAMES or self._queued_bytes + len(text) > QUEUE_BYTES:
            _log.warning("slow reader closed", user_id=self.user_id, service_id=self.service_id)
            self.close(POLICY_VIOLATION, "reading too slowly")
            return
        self._queue.append(text)
        self._queued_bytes += len(text)
        self._more.set()

    async def wait_written(self) -> None:
        """Wait until everything queued was handed over to the socket."""
        await trio.lowlevel.checkpoint()
        while self._queue or self._writing:
            await self._written.park()

    def close(self, code: int, reason: str) -> None:
        """Begin to close the connection; what still waits for it is dropped."""
        if not self.closing:
            self._code, self._reason = code, reason
            self._queue.clear()
            self._queued_bytes = 0
            self._closing.set()

    async def run(self, on_text: Callable[[str], None]) -> ConnectionLost:
        """Read until the connection ends, calling ``on_text`` for each text; give how it ended.

        Cancelled, it closes the connection with 1001 first (bounded).
        """
        lost: ConnectionLost | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            nursery.start_soon(self._later.run)
            nursery.start_soon(self._close_when_asked, nursery.cancel_scope)
            lost = await self._read(on_text)
            self.close(lost.code or GOING_AWAY, lost.reason)
        # Closed from this side, the reader may be cancelled before it has seen the end.
        return lost or ConnectionLost(self._code, self._reason)

    async def _read(self, on_text: Callable[[str], None]) -> ConnectionLost:
        try:
            while True:
                text = await self._socket.receive_text()
                self.heard_at = trio.current_time()
                if not self.closing:  # afterwards only the peer's answer is waited for
                    on_text(text)
        except ConnectionLost as lost:
            return lost

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            self._more = trio.Event()
            # A cancelled write would end the connection before a close frame could be sent. The
            # shield is bounded by the close: it empties the queue and ends a write that waits.
            with trio.CancelScope(shield=True):
                while self._queue:
                    text = self._queue.popleft()
                    self._queued_bytes -= len(text)
                    self._writing = 1
                    try:
                        if isinstance(text, str):
                            await self._socket.send_text(text)
                        else:
                            await self._socket.send_payload(text)
                    except ConnectionLost:
                        return  # the reader sees it too, and ends the session
                    finally:
                        self._writing = 0
            self._written.unpark_all()

    async def _close_when_asked(self, scope: trio.CancelScope) -> None:
        try:
            await self._closing.wait()
        finally:
            self.close(self._code, self._reason)  # cancelled or not, nothing more goes out
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._socket.aclose(self._code, self._reason)
            scope.cancel()
