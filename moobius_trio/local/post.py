"""Frames to those they are for, to each connection in the generation that it speaks.

For whom an event is was decided in ``rules``; here it becomes texts in the queues of sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import attrs

from moobius_trio.codec.generations import Generation
from moobius_trio.local.dialects import Dialects
from moobius_trio.local.faults import Faults
from moobius_trio.local.refreshing import Refreshing
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Delivery, ToUsers
from moobius_trio.local.session import Session
from moobius_trio.types import ServiceEvent, ServiceId, UserId

__all__ = ("Post",)


class Post:
    """Hands frames over to sessions.

    Args:
        services: those that are connected.
        users: likewise.
    """

    def __init__(
        self,
        dialects: Dialects,
        faults: Faults,
        services: Roster[ServiceId],
        users: Roster[UserId],
    ) -> None:
        self._dialects = dialects
        self._faults = faults
        self._services = services
        self._users = users
        self._refreshing = Refreshing()

    def service_began(self, service_id: ServiceId) -> None:
        """The service logged in on a new connection."""
        self._refreshing.forget(service_id)

    def addressed(self, frames: Iterable[Delivery]) -> tuple[Delivery, ...]:
        """The same with the events for services in their own words; those for a service that is
        away stay as they are. To be called once for each outcome."""
        return tuple(each for frame in frames for each in self._spelled(frame))

    def _spelled(self, frame: Delivery) -> Iterator[Delivery]:
        if isinstance(frame, ToUsers) or frame.service_id not in self._services:
            yield frame
            return
        spoken: set[Generation] = {each.generation for each in self._services[frame.service_id]}
        for generation in sorted(spoken):
            told = attrs.evolve(frame, generation=generation)
            events = self._refreshing.events(generation, frame.service_id, frame.event)
            for event in events:
                yield told if event is frame.event else attrs.evolve(told, event=event)
            if not events:
                yield attrs.evolve(told, covered=True)

    def deliver(self, frames: Iterable[Delivery]) -> None:
        """Queue frames that were ``addressed``. Nothing here waits."""
        for frame in frames:
            if isinstance(frame, ToUsers):
                self._tell_users(frame)
            elif not frame.covered:
                self._tell_service(frame.service_id, frame.event, frame.generation)

    def _tell_users(self, frame: ToUsers) -> None:
        texts: dict[Generation, str] = {}
        for session in [each for user_id in frame.users for each in self._users[user_id]]:
            generation = session.generation
            if generation not in texts:
                texts[generation] = self._dialects.for_user(generation, frame.event)
            session.send_nowait(texts[generation])

    def _tell_service(
        self, service_id: ServiceId, event: ServiceEvent, generation: Generation
    ) -> None:
        sessions: list[Session] = [
            each for each in self._services[service_id] if each.generation == generation
        ]
        if not sessions:
            return
        text = self._dialects.for_service(generation, event)
        for seconds, payload in self._faults.events(service_id, text):
            for session in sessions:
                session.after(seconds, partial(session.send_nowait, payload))
