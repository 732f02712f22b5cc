"""What the service's process tells its parent: replies wait their turn, the trace never does.

The parent may not read at all; nothing of the service waits for it. No order is read here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import attrs
import trio

from moobius_trio.cli.develop.words import Lost, Report, write
from moobius_trio.codec.generation0 import name_of_frame
from moobius_trio.codec.text import dump
from moobius_trio.core.environment import TraceRecord, UnitRecord

__all__ = ("FRAME_LENGTH", "Reporter", "open_reporter", "report_last")

TRACE_ROOM: Final = 1_000
"""Records that wait for the parent; what is more is left out and counted."""

FRAME_LENGTH: Final = 20_000
"""Characters of a frame that is told whole; the parent has seen each of them itself."""

LAST_SECONDS: Final = 2.0
"""How long what waits at the end may take."""


class Reporter:
    """Says things to the parent; made by `open_reporter`."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Report](TRACE_ROOM)
        self._lost = 0

    async def tell(self, report: Report) -> None:
        """Say something that must arrive; waits for room."""
        await self._send.send(report)

    def trace(self, record: TraceRecord | UnitRecord) -> None:
        """Tell a record of the trace if there is room for it. Never waits."""
        if isinstance(record, TraceRecord) and len(record.frame) > FRAME_LENGTH:
            record = attrs.evolve(record, frame=_head(record.frame))
        try:
            self._send.send_nowait(record)
        except trio.WouldBlock:
            self._lost += 1
        except trio.ClosedResourceError:
            pass  # the end: nobody is told any more

    async def _write(self, fd: int) -> None:
        async with trio.lowlevel.FdStream(fd) as stream:
            async for report in self._receive:
                lost, self._lost = self._lost, 0
                line = write(Lost(records=lost)) if lost else b""
                with suppress(trio.BrokenResourceError):  # the parent is gone, and ends this soon
                    await stream.send_all(line + write(report))


def _head(frame: str) -> str:
    """What names a frame, without the rest."""
    request_id, kind = name_of_frame(frame)
    return dump({"type": kind, "request_id": request_id})


@asynccontextmanager
async def open_reporter(fd: int) -> AsyncIterator[Reporter]:
    """A reporter that writes into this pipe, which it closes; at its end what waits has 2 s."""
    reporter = Reporter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reporter._write, fd)
        try:
            yield reporter
        finally:
            reporter._send.close()
            nursery.cancel_scope.shield = True  # bounded by the next line
            nursery.cancel_scope.deadline = trio.current_time() + LAST_SECONDS


def report_last(fd: int, report: Report) -> None:
    """Say something when the event loop has ended. The parent reads, or is gone."""
    line = write(report)
    with suppress(OSError):
        while line:
            line = line[os.write(fd, line) :]
