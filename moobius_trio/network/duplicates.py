"""Messages that the platform delivers once more, as after a cut, are recognized here.

Only messages bear an id on the wire (docs/protocol/generation-0.md section 3.3); of anything
else nobody can say whether it came twice or was done twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from moobius_trio.types import ChannelId, GroupId, GroupMessage, MessageId, MessageUp, UserId

__all__ = ("Duplicates",)

REMEMBER_SECONDS: Final = 3600.0
REMEMBER_IN_A_BAND: Final = 10_000
REMEMBER_AT_ALL: Final = 200_000
"""Messages remembered; of more, the band that was silent for longest is forgotten first."""


class _Seen(NamedTuple):
    fingerprint: int
    at: float


class Duplicates:
    """The messages of the last hour, at most 10,000 of a band; for all connections of a link.

    A message counts as repeated only if everything in it is the same: an id that comes again with
    another content is another message. Contents are not kept.
    """

    def __init__(self) -> None:
        self._bands: OrderedDict[ChannelId, OrderedDict[MessageId, _Seen]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """How many messages are remembered."""
        return self._count

    def is_repeated(self, event: MessageUp | GroupMessage, now: float) -> bool:
        """Whether this very message came before; remembers it. ``now`` is trio's time."""
        recipients: GroupId | tuple[UserId, ...]
        if isinstance(event, GroupMessage):
            message, recipients = event.message, event.group_id
        else:
            message, recipients = event, event.recipients
        if not message.msg_id:
            return False
        fingerprint = _fingerprint(message, recipients)
        band = self._bands.get(message.channel_id)
        if band is None:
            band = self._bands[message.channel_id] = OrderedDict()
        self._bands.move_to_end(message.channel_id)
        seen = band.pop(message.msg_id, None)
        band[message.msg_id] = _Seen(fingerprint, now)
        if seen is None:
            self._count += 1
            self._forget(band, now)
        return seen is not None and (
            seen.fingerprint == fingerprint and now - seen.at < REMEMBER_SECONDS
        )

    def _forget(self, band: OrderedDict[MessageId, _Seen], now: float) -> None:
        """What is old, in this band and in the one that was silent for longest; what is much."""
        oldest = next(iter(self._bands))
        for some in (band, self._bands[oldest]):
            while some and now - next(iter(some.values())).at >= REMEMBER_SECONDS:
                some.popitem(last=False)
                self._count -= 1
        if len(band) > REMEMBER_IN_A_BAND:
            band.popitem(last=False)
            self._count -= 1
        if not self._bands[oldest]:
            del self._bands[oldest]
        elif self._count > REMEMBER_AT_ALL:
            self._count -= len(self._bands.pop(oldest))


def _fingerprint(message: MessageUp, recipients: GroupId | tuple[UserId, ...]) -> int:
    """All that a message says, in one number. (Of texts: a number may share its hash with its
    neighbour.)"""
    content = message.content
    return hash(
        (
            message.sender,
            recipients,
            message.subtype,
            str(message.timestamp),
            content.text,
            content.path,
            repr(dict(content.extra)) if content.extra else "",
        )
    )
