"""Messages that the platform delivers once more, as after a cut, are recognized here.

Only messages bear an id on the wire (docs/protocol/generation-0.md section 3.3); of anything
else nobody can say whether it came twice or was done twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeAlias

from moobius_trio.types import ChannelId, GroupId, GroupMessage, MessageId, MessageUp, UserId

__all__ = ("Duplicates",)

REMEMBER_SECONDS: Final = 3600.0
REMEMBER_IN_A_BAND: Final = 10_000
REMEMBER_AT_ALL: Final = 200_000
"""Messages remembered; of more, the band that was silent for longest is forgotten first."""


LOOK_SECONDS: Final = 1.0
"""So often silent bands are looked for: for each message it would cost as much as all else here."""

_Seen: TypeAlias = tuple[int, float]
"""All that a message said, in one number, and when it came."""


class Duplicates:
    """The messages of the last hour, at most 10,000 of a band; for all connections of a link.

    A message counts as repeated only if everything in it is the same: an id that comes again with
    another content is another message. Contents are not kept.
    """

    def __init__(self) -> None:
        self._bands: OrderedDict[ChannelId, OrderedDict[MessageId, _Seen]] = OrderedDict()
        self._count = 0
        self._look_at = 0.0

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
        channel_id = message.channel_id
        band = self._bands.get(channel_id)
        if band is None:
            band = self._bands[channel_id] = OrderedDict()
        self._bands.move_to_end(channel_id)
        seen = band.pop(message.msg_id, None)
        band[message.msg_id] = (fingerprint, now)
        if seen is not None:
            before, at = seen
            return before == fingerprint and now - at < REMEMBER_SECONDS
        self._count += 1
        while len(band) > REMEMBER_IN_A_BAND or _is_old(next(iter(band.values())), now):
            band.popitem(last=False)
            self._count -= 1
        if now >= self._look_at or self._count > REMEMBER_AT_ALL:
            self._look_at = now + LOOK_SECONDS
            self._forget_silent_bands(now)
        return False

    def _forget_silent_bands(self, now: float) -> None:
        """Those in which nothing came for so long; of too much, the one silent for longest."""
        while self._count > REMEMBER_AT_ALL or _is_old(self._last_of_the_most_silent(), now):
            _, band = self._bands.popitem(last=False)
            self._count -= len(band)

    def _last_of_the_most_silent(self) -> _Seen:
        return next(reversed(next(iter(self._bands.values())).values()))


def _is_old(seen: _Seen, now: float) -> bool:
    return now - seen[1] >= REMEMBER_SECONDS


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
