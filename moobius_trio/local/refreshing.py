"""What a user's screen needs, between clients and services of either generation.

Generation 0 asks for each part of the screen by itself, generation 1 for everything at once
(docs/protocol/generation-1.md section 7). Events in, events out; nothing is sent here.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from moobius_trio.codec.generations import Generation
from moobius_trio.local.rules import JOIN, PARTS, REFRESH
from moobius_trio.types import Action, ChannelId, ServiceEvent, ServiceId, UserId

__all__ = ("COVERED_SECONDS", "Refreshing")

_FETCH: Final = "fetch_"

COVERED_SECONDS: Final = 1.0
"""How long a refresh stands for the parts that a client asks for behind it. A page asks for all of
them in one go."""

_REMEMBERED: Final = 10_000


@attrs.define
class _Sent:
    until: float
    parts: set[str] = attrs.field(factory=set)
    """What has been asked for since."""


class Refreshing:
    """Puts the requests of users into the words of their services."""

    def __init__(self) -> None:
        self._sent: dict[tuple[ServiceId, ChannelId, UserId], _Sent] = {}

    def forget(self, service_id: ServiceId) -> None:
        """The service begins anew: what it was asked before does not count."""
        self._sent = {key: sent for key, sent in self._sent.items() if key[0] != service_id}

    def events(
        self, generation: Generation, service_id: ServiceId, event: ServiceEvent
    ) -> tuple[ServiceEvent, ...]:
        """What a service of this generation is told instead of ``event``; nothing where the
        refresh that it was told last stands for it."""
        if not isinstance(event, Action):
            return (event,)
        if generation == 0:
            if event.subtype == REFRESH:
                return tuple(attrs.evolve(event, subtype=part) for part in PARTS)
            return (event,)
        key = (service_id, event.channel_id, event.sender)
        refresh = attrs.evolve(event, subtype=REFRESH)
        if event.subtype == JOIN:  # section 5.4: a refresh of the same member follows
            self._begin(key)
            return (event, refresh)
        if event.subtype.startswith(_FETCH):
            return () if self._is_covered(key, event.subtype) else (refresh,)
        return (event,)

    def _begin(self, key: tuple[ServiceId, ChannelId, UserId], *parts: str) -> None:
        self._sent.pop(key, None)
        self._sent[key] = _Sent(trio.current_time() + COVERED_SECONDS, set(parts))
        if len(self._sent) > _REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def _is_covered(self, key: tuple[ServiceId, ChannelId, UserId], part: str) -> bool:
        sent = self._sent.get(key)
        if sent is None or part in sent.parts or trio.current_time() > sent.until:
            self._begin(key, part)
            return False
        sent.parts.add(part)
        return True
