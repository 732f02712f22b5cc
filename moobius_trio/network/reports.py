"""What outbox and link tell of themselves and ask of others: values and a protocol, no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import attrs

from moobius_trio.network.acknowledgement import Mode
from moobius_trio.types import ChannelId, RequestId

__all__ = (
    "FlushReport",
    "Gap",
    "Hold",
    "LinkState",
    "LinkStatistics",
    "OutboxStatistics",
    "WrittenFrame",
)

LinkState: TypeAlias = Literal["connecting", "logging in", "connected", "waiting", "stopped"]


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


@attrs.frozen
class Gap:
    """A time without a connection, by trio's clock in seconds. What came then is not known."""

    since: float
    """Not later than the first event that was missed."""
    until: float
    reason: str


@attrs.frozen(kw_only=True)
class LinkStatistics:
    """A snapshot. What has no other unit counts since the start."""

    state: LinkState
    attempt: int
    """Connection attempts since the last login."""
    next_attempt_in: float | None
    """Seconds; None unless ``state`` is ``waiting``."""
    acknowledgement: Mode
    liveness: Literal["proven", "unproven"]
    """``unproven``: this platform never answered a heartbeat, so silence tells nothing."""
    connections: int
    rotations: int
    """Connections that were given up as planned, before the platform would have cut them."""
    logins: int
    """Logins sent."""
    refused_logins: int
    gaps: int
    heartbeats: int
    """Heartbeats sent."""
    received: int
    """Frames that came in."""
    malformed: int
    """Those of them that could not be read."""
    platform_errors: int
    duplicates: int
    """Messages that came once more and were left out."""
    foreign_copies: int
    """Copies with an id that no frame of ours has, or not any more."""
