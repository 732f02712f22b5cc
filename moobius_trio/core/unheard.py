"""Finds frames that somebody they are meant for will never get, and says in which handler and line.

The platform passes over such recipients without a word (docs/architecture.md section 8), so that
nobody else would tell. Nothing here keeps a frame back or changes one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

import attrs
import structlog

from moobius_trio.core.places import place_of_frame
from moobius_trio.core.units import Unit
from moobius_trio.types import (
    ChannelId,
    MessageDown,
    RawPayload,
    Update,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
)

__all__ = ("Unheard", "UnheardWatch")

log = structlog.get_logger()

PLACES_NAMED: Final = 100
"""In one run; each once. A handler that errs does so for every event."""
NAMED_AT_ONCE: Final = 5

_WHAT: Final[Mapping[type, str]] = {
    MessageDown: "a message",
    UpdateFeatures: "keys",
    UpdateMenu: "a menu",
    UpdatePlayground: "a stage",
    UpdateStyle: "a style",
    UpdateUserList: "a character list",
}


@attrs.frozen(kw_only=True)
class Unheard:
    """One frame for nobody, or for somebody who is not in the band.

    Attributes:
        handler: class and method, such as ``Demo.on_msg_up``.
        where: the author's function with file and line.
        recipients: those who will not get it; empty if it was for nobody at all.
        reason: what it was, and why they will not.
    """

    handler: str
    where: str
    channel_id: ChannelId
    recipients: tuple[UserId, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.where} sent {self.reason}, in band {self.channel_id}"


class UnheardWatch:
    """Looks at what a service sends.

    Args:
        bands: the bands it holds.
        figures: ids of its own characters.
        tell: told of each; None: the log is, once for each place.
    """

    def __init__(
        self,
        *,
        bands: Mapping[ChannelId, Any],
        figures: Callable[[], Container[UserId]],
        tell: Callable[[Unheard], None] | None,
    ) -> None:
        self._bands = bands
        self._figures = figures
        self._tell = tell
        self._places: set[str] = set()

    def look(self, payload: MessageDown | Update | RawPayload, unit: Unit) -> None:
        """Report the frame if somebody will not get it; called where the author's code sends.

        Whom a person has picked is that person's choice: what is passed on to them, or said to
        them because of it, is never reported. A band with one person in it has no others, so that
        nothing is wrong with a frame for nobody there.
        """
        if type(payload) not in _WHAT:
            return
        channel_id: ChannelId = payload.channel_id  # type: ignore[union-attr]  # those have both
        recipients: tuple[UserId, ...] = payload.recipients  # type: ignore[union-attr]
        try:
            band = self._bands[channel_id]
        except KeyError:
            return
        members, picked = band.members, unit.picked
        if len(recipients) == 1 and recipients[0] in members:
            return  # by far the most frequent
        missing = tuple(
            one for one in recipients if one not in members and (not picked or one not in picked)
        )
        if recipients and not missing:
            return
        nobody_was_picked = picked is not None and set(picked) <= {unit.user_id}
        if not recipients and (len(members) < 2 or nobody_was_picked):
            return
        unheard = Unheard(
            handler=unit.handler,
            where=place_of_frame(sys._getframe()),
            channel_id=band.channel_id,
            recipients=missing,
            reason=f"{_WHAT[type(payload)]} {self._reason(band, missing)}",
        )
        if self._tell is not None:
            self._tell(unheard)
        elif unheard.where not in self._places and len(self._places) < PLACES_NAMED:
            self._places.add(unheard.where)
            log.warning(
                "a frame that somebody will not get", where=unheard.where, reason=unheard.reason
            )

    def _reason(self, band: Any, missing: tuple[UserId, ...]) -> str:
        if not missing:
            return f"to nobody, while {len(band.members)} people are there"
        figures = self._figures()
        reasons = []
        for one in missing[:NAMED_AT_ONCE]:
            if one in figures:
                reasons.append(f"{one!r}, a character of the service's own, which reads nothing")
            elif (known := band._members.known(one)) is not None:
                reasons.append(f"{one!r} ({known.nickname}), who has left")
            else:
                reasons.append(f"{one!r}, which is the id of nobody there (a nickname is no id)")
        more = len(missing) - NAMED_AT_ONCE
        return f"to {', and to '.join(reasons)}" + (f", and {more} more" if more > 0 else "")
