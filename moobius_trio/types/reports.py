"""What the SDK itself tells a service: time it was away, and events it could not keep."""

from __future__ import annotations

from datetime import datetime

import attrs

from moobius_trio.types.ids import ChannelId, UserId, as_user_ids

__all__ = ("Gap", "Overflow")


@attrs.frozen(kw_only=True)
class Gap:
    """A time in which the service had no connection, as one band saw it.

    The platform does not deliver again what happened meanwhile (docs/architecture.md section 5).
    """

    channel_id: ChannelId
    since: datetime
    until: datetime
    reason: str
    joined: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    """Who is a member now and was none before; their join was not seen."""
    left: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    """Who was a member before and is none now."""


@attrs.frozen(kw_only=True)
class Overflow:
    """Events that were shed because too many waited, or too much.

    Of each band, or of what belongs to none, there is one report a second at most. The sum of
    ``shed`` over all reports is what the statistics count (docs/architecture.md section 4).
    """

    channel_id: ChannelId | None
    """None: what belongs to no band, which is copies and unknown frames."""
    shed: int
    """How many since the last report."""
    waiting: int
    """How many wait or run in the band's lane now."""
