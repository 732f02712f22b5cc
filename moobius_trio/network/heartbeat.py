"""The heartbeat of one connection, and what its answers tell: is the platform still there?

It judges silence and nothing else; what a frame means is the session's business
(docs/architecture.md section 5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import trio

from moobius_trio.errors import ConnectionLost
from moobius_trio.network.acknowledgement import Acknowledgement
from moobius_trio.network.patience import sleep_until_read
from moobius_trio.network.streams import FrameStream

__all__ = ("Heartbeat",)

HEARTBEAT_SECONDS: Final = 30.0
DECIDE_SECONDS: Final = 5.0
"""After a heartbeat: by then an answer has come, or none will."""
SILENCE_SECONDS: Final = 15.0
"""After a heartbeat: without a sign of life a platform that has answered before is dead."""
CHECK_SECONDS: Final = 5.0
"""The same after a heartbeat that was sent because something is suspected."""


class Heartbeat:
    """Beats right after the login, so that soon all is known, and every 30 s from then on.

    Attributes:
        count: heartbeats sent.
        quiet_since: a time after which nothing may have come in, by trio's clock.
    """

    def __init__(
        self,
        stream: FrameStream,
        acknowledgement: Acknowledgement,
        send: Callable[[], Awaitable[None]],
    ) -> None:
        """``send`` writes one heartbeat frame; not to be cancelled, as any write."""
        self._stream = stream
        self._ack = acknowledgement
        self._send = send
        self._pinging = False
        self._suspected = False
        self._waiting = trio.CancelScope()
        self._looked_at = self.quiet_since = trio.current_time()
        self._heard = stream.heard

    def check(self) -> None:
        """Beat now: the connection may have died without a word."""
        self._suspected = True
        self._waiting.cancel()

    async def serve(self, nursery: trio.Nursery) -> NoReturn:
        """Beat until the connection ends; pings wait for their pongs in ``nursery``.

        Raises:
            ConnectionLost: no sign of life, from a platform that has given some before.
        """
        while True:
            began, heard = trio.current_time(), self._stream.heard
            patience = CHECK_SECONDS if self._suspected else SILENCE_SECONDS
            self._suspected = False
            self._look_for_life()
            await self._send()
            if not self._pinging:
                nursery.start_soon(self._ping)
            with trio.CancelScope() as self._waiting:
                if self._suspected:
                    self._waiting.cancel()
                if self._ack.mode == "undecided":
                    await sleep_until_read(began + DECIDE_SECONDS)
                    self._ack.decide()
                await self._judge(heard, began + patience, patience)
                await trio.sleep_until(began + HEARTBEAT_SECONDS)

    async def _judge(self, heard: int, deadline: float, patience: float) -> None:
        await sleep_until_read(deadline, lambda: self._stream.heard != heard)
        self._look_for_life()
        if self._stream.heard == heard and self._ack.heartbeat_answered:
            raise ConnectionLost(None, f"no sign of life for {patience:g} s after a heartbeat")

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
