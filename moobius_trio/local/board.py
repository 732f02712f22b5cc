"""The list of bands as pages see it, and its being pushed to them when it changes.

The form of this list is the page's own and no part of the protocol: it is read by
``page/wire.js``. No rule of the platform here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

from moobius_trio.codec.text import dump
from moobius_trio.local.session import Session
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId, ServiceId

__all__ = ("Board",)

Row: TypeAlias = dict[str, str | int | bool | None]


class Board:
    """Every band with its service: who it is, whether it is connected, and its session number.

    The session number of a band rises whenever its service logs in on a new connection, or comes
    to hold the band, so that a page knows when to ask the service anew.
    """

    def __init__(self, state: State, is_online: Callable[[ServiceId], bool]) -> None:
        self._state = state
        self._is_online = is_online
        self._watchers: dict[Session, None] = {}
        # It starts at the time of day, so that it rises over a restart of the platform too.
        self._numbers = itertools.count(int(state.now))
        self._session_of: dict[ChannelId, int] = {}

    def rows(self) -> list[Row]:
        """The list as plain data."""
        return [
            {
                "channel_id": band.channel_id,
                "name": band.name,
                "service_id": band.service_id,
                "service_name": self._name_of(band.service_id),
                "online": band.service_id is not None and self._is_online(band.service_id),
                "session": self._session_of.get(band.channel_id, 0),
            }
            for band in self._state.world.bands.values()
        ]

    def _name_of(self, service_id: ServiceId | None) -> str | None:
        if service_id is None:
            return None
        service = self._state.world.services.get(service_id)
        return service.description if service is not None else None

    def add(self, session: Session) -> None:
        """Send the list to this page now, and after every change."""
        self._watchers[session] = None
        session.send_nowait(self._text())

    def remove(self, session: Session) -> None:
        """The page watches no more; also for a session that never did."""
        self._watchers.pop(session, None)

    def service_began(self, *channel_ids: ChannelId) -> None:
        """The service of these bands has just connected, or has just come to hold them."""
        number = next(self._numbers)
        for channel_id in channel_ids:
            self._session_of[channel_id] = number
        self.changed()

    def changed(self) -> None:
        """Send the list to all pages that watch."""
        if self._watchers:
            text = self._text()
            for session in tuple(self._watchers):
                session.send_nowait(text)

    def _text(self) -> str:
        return dump({"bands": self.rows()})
