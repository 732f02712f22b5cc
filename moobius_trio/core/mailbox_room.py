"""How much may wait in the lanes: per band and in all, in events and in bytes.

Only the counting. What becomes of an event for which there is no room is not decided here
(docs/architecture.md section 4).
"""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from moobius_trio.types import ChannelId, UserId

__all__ = ("SERVICE_LANE", "LaneKey", "Limits", "MailboxRoom")

LaneKey: TypeAlias = tuple[str, ChannelId | None, UserId | None]
"""Kind of lane, band, user."""

SERVICE_LANE: LaneKey = ("service", None, None)

RESERVED_EVENTS: Final = 10
RESERVED_BYTES: Final = 64 * 1024
"""What a band has room for however many others are flooded."""


@attrs.frozen(kw_only=True)
class Limits:
    """How much may wait; what runs counts too, until it has ended."""

    user_events: int = 100
    """In a lane that is one user's alone."""
    band_events: int = 1_000
    """In all lanes of one kind of a band: its own, or those of its views."""
    band_bytes: int = 8 * 2**20
    total_events: int = 20_000
    total_bytes: int = 64 * 2**20


@attrs.define(eq=False)
class _Load:
    events: int = 0
    size: int = 0


class MailboxRoom:
    """What the lanes of one service hold at the moment."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.size = 0
        """Bytes of all events."""
        self._events = 0
        self._bands: dict[tuple[str, ChannelId | None], _Load] = {}

    def events(self, key: LaneKey) -> int:
        """How many events the lanes of this kind of this band hold."""
        load = self._bands.get(key[:2])
        return load.events if load is not None else 0

    def take(self, key: LaneKey, size: int) -> bool:
        """Let an event in; False when there is no room for it."""
        limits = self.limits
        share = key[:2]
        load = self._bands.get(share)
        if load is None:
            load = _Load()
        size_with = load.size + size
        if load.events >= limits.band_events or size_with > limits.band_bytes:
            return False
        full = self._events >= limits.total_events or self.size + size > limits.total_bytes
        if full and (load.events >= RESERVED_EVENTS or size_with > RESERVED_BYTES):
            return False
        self._bands[share] = load
        load.events += 1
        load.size = size_with
        self._events += 1
        self.size += size
        return True

    def give_back(self, key: LaneKey, size: int) -> None:
        """An event that was let in has ended."""
        share = key[:2]
        load = self._bands[share]
        load.events -= 1
        load.size -= size
        self._events -= 1
        self.size -= size
        if not load.events:
            del self._bands[share]
