"""The two pipes between the parent and the service's process, line by line.

No word is understood here and no process started.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import structlog
import trio

from moobius_trio.cli.develop.words import LINE_BYTES

__all__ = ("Words",)

CHUNK: Final = 65_536

log = structlog.get_logger()

T = TypeVar("T")


class Words(Generic[T]):
    """What stands in each line of a stream, in order.

    A line that is none of ours, or too long to be one, is left out and named in the log: the
    author's code can write into the pipe too.

    Args:
        read: from a line to what it says; raises ValueError where it says nothing.
    """

    def __init__(self, stream: trio.abc.ReceiveStream, read: Callable[[bytes], T]) -> None:
        self._stream = stream
        self._read = read
        self._waiting: deque[T] = deque()
        self._kept = b""
        self._too_long = False

    async def next(self) -> T | None:
        """The next words; None when the other side has closed its end. Safe to cancel."""
        while not self._waiting:
            chunk = await self._stream.receive_some(CHUNK)
            if not chunk:
                return None
            self._take(chunk)
        return self._waiting.popleft()

    def _take(self, chunk: bytes | bytearray) -> None:
        *lines, rest = (self._kept + chunk).split(b"\n")
        for line in lines:
            if self._too_long or len(line) > LINE_BYTES:
                self._too_long = False
                log.warning("a line between dev and the service was too long", limit=LINE_BYTES)
                continue
            try:
                self._waiting.append(self._read(line))
            except ValueError as exc:
                log.warning("a line between dev and the service was not read", problem=str(exc))
        self._too_long = self._too_long or len(rest) > LINE_BYTES
        self._kept = b"" if self._too_long else rest
