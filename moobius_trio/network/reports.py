"""What the outbox tells of itself and asks of others: values and one protocol, no behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from moobius_trio.types import ChannelId, RequestId

__all__ = ("FlushReport", "Hold", "OutboxStatistics", "WrittenFrame")


class Hold(Protocol):
    """Something a frame has to wait for: a record that is not stored yet."""

    @property
    def done(self) -> bool: ...

    @property
    def error(self) -> Exception | None:
        """Why it will never be stored; None unless done."""
        ...

    def on_done(self, callback: Callable[[], None], /) -> None:
        """Call back once, in trio's thread, when it is done."""
        ...


@attrs.frozen(kw_only=True)
class WrittenFrame:
    """A frame that the transport took, for the trace sink."""

    text: str
    request_id: RequestId
    channel_id: ChannelId | None
    unit: int | None
    """The unit of work that sent it."""


@attrs.frozen(kw_only=True)
class FlushReport:
    """What a flush had to leave."""

    unconfirmed: int
    """Frames written, without an answer so far."""
    unsent: int
    """Frames that wait to be written."""


@attrs.frozen(kw_only=True)
class OutboxStatistics:
    """A snapshot, in frames. What begins with ``written`` or ``ended`` counts since the start."""

    queued: int
    """Waiting to be written."""
    queued_bytes: int
    held: int
    """Those of them that may not leave yet, or stand behind one that may not."""
    unconfirmed: int
    """Written, the answer awaited."""
    written: int
    """Writes, repetitions included."""
    written_again: int
    """Frames queued again because a connection ended before their answer came."""
    ended_confirmed: int
    ended_refused: int
    ended_unconfirmed: int
    ended_dropped: int
    ended_superseded: int
    full: int
    """Times that ``OutboxFull`` was raised."""
