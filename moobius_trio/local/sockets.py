"""What the local platform asks of a socket, and Starlette's WebSocket in that form.

No rule of the platform and no frame format here: texts and close codes only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final, Protocol

import trio
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from moobius_trio.errors import ConnectionLost
from moobius_trio.local.frame_sizes import FrameSizes
from moobius_trio.serving import ABORT, WIRE, Wire

__all__ = ("GOING_AWAY", "POLICY_VIOLATION", "TOO_BIG", "Socket", "StarletteSocket")

GOING_AWAY: Final = 1001
UNSUPPORTED: Final = 1003
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009

CLOSE_SECONDS: Final = 1.0
"""How long a peer has to answer a close frame before its connection is dropped."""


_PATIENCE_BYTES: Final = 8 * 1024 * 1024
"""How much of one message may come before the connection is dropped without a word. A client that
sends less has read the 1009 for its message when it is through."""


class Socket(Protocol):
    """A connection of texts. ``send_text`` and ``receive_text`` run in one task each.

    ``aclose`` may be called from a third one. It is bounded by itself, and a ``send_text`` or
    ``receive_text`` that waits ends with ``ConnectionLost``.

    Attributes:
        answers_pings: False leaves the peer's pings without a pong.
        largest_frame: bytes of the largest frame of the text received last, as they came; None
            where a text is one frame, or that cannot be known.
    """

    answers_pings: bool

    @property
    def largest_frame(self) -> int | None: ...

    async def send_text(self, text: str) -> None: ...

    async def send_payload(self, payload: bytes) -> None:
        """Send these bytes as a text, whether or not they are one."""
        ...

    async def receive_text(self) -> str: ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None: ...


class StarletteSocket:
    """An accepted WebSocket of Starlette as a ``Socket``.

    A server's send may wait for a slow peer in a way that no cancellation reaches (Hypercorn
    shields it). So closing does not rely on it: the peer has ``CLOSE_SECONDS`` to answer, then
    the connection below is dropped, by the call that ``serving`` puts into the scope.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        extensions = websocket.scope.get("extensions") or {}
        self._abort: Callable[[], None] = extensions.get(ABORT, lambda: None)
        self._wire: Wire | None = extensions.get(WIRE)
        self._sizes = FrameSizes()
        self.largest_frame: int | None = None
        if self._wire is not None:
            self._wire.on_received = self._take_note
        self._gone = trio.Event()
        self._nobody_reads = trio.Event()
        self._code: int | None = None
        self._reason = ""

    def _take_note(self, data: bytes) -> None:
        self._sizes.feed(data)
        # The server has sent 1009 by now, and would gather the message for as long as it comes.
        if self._sizes.message_bytes > _PATIENCE_BYTES:
            self._abort()

    @property
    def answers_pings(self) -> bool:
        return self._wire is None or self._wire.answers_pings

    @answers_pings.setter
    def answers_pings(self, answers: bool) -> None:
        if self._wire is not None:
            self._wire.answers_pings = answers

    async def send_payload(self, payload: bytes) -> None:
        if self._wire is None:
            await self.send_text(payload.decode("utf-8", "replace"))
            return
        if self._gone.is_set() or self._code is not None:
            raise self._lost()
        try:
            await self._wire.send_all(_text_frame(payload))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._lost() from None

    async def send_text(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (RuntimeError, WebSocketDisconnect):  # Starlette's words for "closed"
            raise self._lost() from None

    async def receive_text(self) -> str:
        try:
            message = await self._receive()
        except trio.Cancelled:
            self._nobody_reads.set()
            raise
        if message["type"] == "websocket.disconnect":
            raise self._lost()
        text = message.get("text")
        if text is None:
            self._nobody_reads.set()
            raise ConnectionLost(UNSUPPORTED, "frames are texts")
        self.largest_frame = self._sizes.take_message()
        return str(text)

    async def _receive(self) -> Message:
        if self._gone.is_set():
            raise self._lost()
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            if self._code is None:
                self._code = message.get("code") or 1005  # "no code", as the RFC writes it
                self._reason = message.get("reason") or ""
            self._gone.set()
            self._nobody_reads.set()
        return message

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if self._code is not None:
            return
        self._code, self._reason = code, reason
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drop_later)
            await self._send_close(code, reason)
            # The peer's answer comes to the reader, or to us when the reader has been cancelled.
            await self._nobody_reads.wait()
            while not self._gone.is_set():
                await self._receive()
            nursery.cancel_scope.cancel()

    async def _drop_later(self) -> None:
        await trio.sleep(CLOSE_SECONDS)
        self._abort()

    async def _send_close(self, code: int, reason: str) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            # Closed already: the peer was faster.
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._websocket.close(code, reason)

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(self._code, self._reason)


def _text_frame(payload: bytes) -> bytes:
    """A whole WebSocket frame of a text, as a server sends it (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return bytes((0x81, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x81, 127)) + size.to_bytes(8, "big") + payload
