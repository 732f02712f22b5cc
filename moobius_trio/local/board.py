"""What pages see of bands and services, and its being pushed to them when it changes.

The form of it is the page's own and no part of the protocol: it is read by
``page/wire.js``. No rule of the platform here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

import attrs

from moobius_trio.codec.text import dump
from moobius_trio.local.control import Control
from moobius_trio.local.records import Band
from moobius_trio.local.session import Session
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId, ServiceId

__all__ = ("Board",)

Row: TypeAlias = dict[str, str | int | bool | None]


class Board:
    """Every band with its service: who it is, whether it is connected, and its session number.

    The session number of a band rises whenever its service logs in on a new connection, or comes
    to hold the band, so that a page knows when to ask the service anew. Its reset number rises when
    it is emptied, so that a page knows when to begin anew.
    """

    def __init__(self, state: State, is_online: Callable[[ServiceId], bool]) -> None:
        self._state = state
        self._is_online = is_online
        self._control: Control | None = None
        self._watchers: dict[Session, bool] = {}
        # It starts at the time of day, so that it rises over a restart of the platform too.
        self._numbers = itertools.count(int(state.now))
        self._session_of: dict[ChannelId, int] = {}
        self._reset_of: dict[ChannelId, int] = {}

    @property
    def control(self) -> Control | None:
        """What the program that runs the service offers; None where services run elsewhere."""
        return self._control

    @control.setter
    def control(self, control: Control | None) -> None:
        self._control = control
        if control is not None:
            control.on_change(self.changed)
        self.changed()

    def rows(self) -> list[Row]:
        """The list as plain data."""
        return [
            {
                "channel_id": band.channel_id,
                "name": band.name,
                "service_id": band.service_id,
                "service_name": self._name_of(band.service_id),
                "online": band.service_id is not None and self._is_online(band.service_id),
                "state": self._state_of(band),
                "session": self._session_of.get(band.channel_id, 0),
                "reset": self._reset_of.get(band.channel_id, 0),
            }
            for band in self._state.world.bands.values()
        ]

    def _state_of(self, band: Band) -> str:
        if band.service_id is not None and self._is_online(band.service_id):
            return "online"
        otherwise = "none" if band.service_id is None else "offline"
        service = None if self._control is None else self._control.state()
        if service is None or service.state not in ("starting", "restarting", "crashed"):
            return otherwise
        # Before it was ready for the first time, nobody knows which bands it will hold.
        return otherwise if band.service_id is None and service.name else service.state

    @property
    def watchers(self) -> int:
        """How many pages watch."""
        return len(self._watchers)

    def _name_of(self, service_id: ServiceId | None) -> str | None:
        if service_id is None:
            return None
        service = self._state.world.services.get(service_id)
        return service.description if service is not None else None

    def add(self, session: Session, *, builds: bool = True) -> None:
        """Send the list to this page now, and after every change.

        Args:
            builds: False for a guest from outside, who is not told what the author's code says.
        """
        self._watchers[session] = builds
        session.send_nowait(self._text(builds=builds))

    def remove(self, session: Session) -> None:
        """The page watches no more; also for a session that never did."""
        self._watchers.pop(session, None)

    def service_began(self, *channel_ids: ChannelId) -> None:
        """The service of these bands has just connected, or has just come to hold them."""
        number = next(self._numbers)
        for channel_id in channel_ids:
            self._session_of[channel_id] = number
        self.changed()

    def emptied(self, channel_id: ChannelId) -> None:
        """Everybody has left the band, and what was said there is forgotten."""
        self._reset_of[channel_id] = next(self._numbers)
        self.changed()

    def changed(self) -> None:
        """Send the list to all pages that watch."""
        if self._watchers:
            texts = {builds: self._text(builds=builds) for builds in set(self._watchers.values())}
            for session, builds in tuple(self._watchers.items()):
                session.send_nowait(texts[builds])

    def _text(self, *, builds: bool) -> str:
        state = None if self._control is None else self._control.state()
        if state is not None and not builds:
            state = attrs.evolve(state, problem=None)
        service = None if state is None else attrs.asdict(state)
        return dump({"bands": self.rows(), "service": service, "builds": builds})
