"""How large the frames of a client's WebSocket messages are, read from its bytes (RFC 6455).

Servers give messages only, put together already. No content is looked at.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ("FrameSizes",)

_CONTROL: Final = 8
"""Operation codes from here on are pings, pongs and closes, which come between the frames."""

_CONTINUATION: Final = 0
_FINAL: Final = 0x80
_MASKED: Final = 0x80


class FrameSizes:
    """Takes the bytes behind a handshake, in whatever pieces they come."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._skip = 0
        self._largest = 0
        self._messages: deque[int] = deque()
        self.message_bytes = 0
        """What has come of the newest message, the control frames within it included."""

    def take_message(self) -> int | None:
        """Bytes of the largest frame of the oldest message not asked for; None: none has come."""
        return self._messages.popleft() if self._messages else None

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        place = 0
        while place < len(data):
            if self._skip:
                step = min(self._skip, len(data) - place)
                self._skip -= step
                self.message_bytes += step
            else:
                step = min(self._missing(), len(data) - place)
                self._header += data[place : place + step]
                if not self._missing():
                    self._end_header()
            place += step

    def _missing(self) -> int:
        """Bytes that the header still lacks, as far as it tells by now."""
        if len(self._header) < 2:
            return 2 - len(self._header)
        mask = 4 if self._header[1] & _MASKED else 0
        return 2 + self._length_bytes() + mask - len(self._header)

    def _length_bytes(self) -> int:
        return {126: 2, 127: 8}.get(self._header[1] & 0x7F, 0)

    def _end_header(self) -> None:
        extra = self._length_bytes()
        size = int.from_bytes(self._header[2 : 2 + extra], "big")
        self._skip = size if extra else self._header[1] & 0x7F
        operation = self._header[0] & 0x0F
        if operation < _CONTROL:
            self._largest = max(self._largest, self._skip)
            if operation != _CONTINUATION:
                self.message_bytes = 0
            if self._header[0] & _FINAL:
                self._messages.append(self._largest)
                self._largest = 0
        self._header.clear()
