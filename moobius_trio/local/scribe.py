"""What the sessions let the inspector know: who sent which frame, and for whom it was.

Values in, descriptions out, which are made when somebody looks. Whether a frame is accepted is
decided in ``rules`` and ``sessions``; what is kept and told of it, in ``inspector``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from moobius_trio.codec.generation0 import ClientFrame, encode_for_service, origin_type
from moobius_trio.codec.tags import subtype_of, subtype_to_wire
from moobius_trio.local.causes import UpEvent
from moobius_trio.local.inspector import BEGINNING, Inspector, Seen
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Outcome, ToService
from moobius_trio.local.session import Role, Session
from moobius_trio.types import (
    Action,
    Copy,
    FeatureCall,
    MessageUp,
    Ping,
    ServiceId,
    ServiceLogin,
    UserId,
    UserLogin,
)

__all__ = ("Scribe",)

SERVICE: Final = "service"
PLATFORM: Final = "platform"

_AWAY: Final = "received; the service that holds this band is not connected"
_NO_MEMBER: Final = "none of its recipients is a member of the band"
_LINK: Final = (Ping, UserLogin, ServiceLogin)
_UP: Final = (MessageUp, Action, FeatureCall)

_RECIPIENT: Final = 100
"""Characters that one recipient counts for."""


class Scribe:
    """Notes frames for the inspector.

    Args:
        services: those that are connected.
    """

    def __init__(self, inspector: Inspector, services: Roster[ServiceId]) -> None:
        self._inspector = inspector
        self._services = services

    def taken(self, session: Session, text: str, frame: ClientFrame, outcome: Outcome) -> None:
        """A client's frame was taken, or refused if the outcome says so."""
        sender = None if session.role is Role.SERVICE else session.user_id or UserId("")
        if isinstance(frame.command, _LINK):
            describe = partial(_link_frame, sender, text, frame, outcome)
            self._inspector.note(describe, weight=len(text), link=True)
            return
        event, weight = None, len(text)
        for delivery in outcome.frames:  # one, or none
            if isinstance(delivery, ToService):
                event = self._event_of(delivery)
            else:
                weight += _RECIPIENT * len(delivery.users)
        self._inspector.note(
            partial(_client_frame, sender, text, frame, outcome, event),
            weight=weight,
            request_id=frame.request_id if sender is None else "",
            event=event,
        )

    def _event_of(self, delivery: ToService) -> UpEvent | None:
        """What the service is told; None while it is not connected."""
        event = delivery.event
        return event if isinstance(event, _UP) and delivery.service_id in self._services else None

    def done(self, outcome: Outcome) -> None:
        """The platform itself did what a user may do, and the service is told of it as ever."""
        for delivery in outcome.frames:
            if isinstance(delivery, ToService) and isinstance(delivery.event, Action):
                event = self._event_of(delivery)
                describe = partial(_deed, delivery.event, told=event is not None)
                self._inspector.note(describe, weight=_RECIPIENT, event=event)

    def unreadable(self, session: Session, text: str, type_: str, reason: str) -> None:
        """A client's text is none that the platform takes."""
        sender = None if session.role is Role.SERVICE else session.user_id or UserId("")
        seen = attrs.evolve(_from_client(sender, text), type_=type_, refused=reason)
        self._inspector.note(lambda: seen, weight=len(seen.text))

    def receipt(self, session: Session, text: str, copy: Copy) -> None:
        """The platform answers a client's frame. As there is one for nearly each frame, they are
        noted only while somebody looks."""
        if not self._inspector.watched:
            return
        to = session.user_id if session.role is Role.USER else None
        describe = partial(_receipt, to, text, copy)
        self._inspector.note(describe, weight=len(text), link=True)


# How a frame is described. The sender is a user's id, "" for nobody known, or None for a service.


def _from_client(sender: UserId | None, text: str) -> Seen:
    return Seen(
        direction="down" if sender is None else "up",
        type_="",
        from_=SERVICE if sender is None else sender,
        text=text[:BEGINNING],
        size=_bytes(text),
    )


def _link_frame(sender: UserId | None, text: str, frame: ClientFrame, outcome: Outcome) -> Seen:
    if isinstance(frame.command, ServiceLogin):
        sender = None  # also before it was let in
    seen = _from_client(sender, text)
    return attrs.evolve(seen, type_=frame.origin_type, refused=outcome.refusal)


def _client_frame(
    sender: UserId | None,
    text: str,
    frame: ClientFrame,
    outcome: Outcome,
    event: UpEvent | None,
) -> Seen:
    to, refused = _for_whom(outcome, event)
    text = text if event is None else encode_for_service(event)
    return attrs.evolve(
        _from_client(sender, text),
        type_=frame.origin_type,
        subtype=getattr(frame.command, "feature_id", "") or subtype_of(frame.command),
        band=getattr(frame.command, "channel_id", ""),
        to=to,
        refused=refused,
    )


def _for_whom(outcome: Outcome, event: UpEvent | None) -> tuple[tuple[str, ...], str]:
    """Who gets what a frame led to, and why nobody does if that is so."""
    if event is not None:
        return (SERVICE,), ""
    if outcome.refusal or not outcome.frames:
        return (), outcome.refusal or outcome.note
    (delivery,) = outcome.frames
    if isinstance(delivery, ToService):
        return (), _AWAY
    return delivery.users, "" if delivery.users else _NO_MEMBER


def _deed(event: Action, *, told: bool) -> Seen:
    text = encode_for_service(event)
    return Seen(
        direction="up",
        type_=origin_type(event),
        subtype=subtype_to_wire(event.subtype),
        band=event.channel_id,
        from_=event.sender,
        to=(SERVICE,) if told else (),
        refused="" if told else _AWAY,
        text=text,
        size=_bytes(text),
    )


def _receipt(user_id: UserId | None, text: str, copy: Copy) -> Seen:
    return Seen(
        direction="up" if user_id is None else "down",
        type_=origin_type(copy),
        subtype=copy.origin_type,
        from_=PLATFORM,
        to=(SERVICE,) if user_id is None else (user_id,),
        text=text,
        size=_bytes(text),
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
