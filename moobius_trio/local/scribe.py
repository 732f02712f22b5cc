"""What the sessions let the inspector know: who sent which frame, and for whom it was.

Values in, notes out. Whether a frame is accepted is decided in ``rules`` and ``sessions``; what is
kept and told of it, in ``inspector``.
"""

from __future__ import annotations

from moobius_trio.codec.generation0 import ClientFrame, encode_for_service, origin_type
from moobius_trio.codec.tags import subtype_of, subtype_to_wire
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
    UserLogin,
)

__all__ = ("Scribe",)

SERVICE = "service"
PLATFORM = "platform"


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
        command = frame.command
        link = isinstance(command, Ping | UserLogin | ServiceLogin)
        seen = _from_client(session, text)
        seen.type_, seen.subtype = frame.origin_type, subtype_of(command)
        seen.band = getattr(command, "channel_id", "")
        seen.refused = outcome.refusal
        seen.link = link
        if isinstance(command, ServiceLogin):
            seen.direction, seen.from_ = "down", SERVICE
        if session.role is Role.SERVICE and not link:
            seen.request_id = frame.request_id
        if not outcome.refusal and not link:
            self._for_whom(seen, outcome)
        self._inspector.note(seen)

    def _for_whom(self, seen: Seen, outcome: Outcome) -> None:
        """Whom the frame goes to, and why to nobody if that is so."""
        if not outcome.frames:
            seen.refused = outcome.note
            return
        (delivery,) = outcome.frames  # no rule tells of more than one
        if not isinstance(delivery, ToService):
            seen.to = delivery.users
            if not delivery.users:
                seen.refused = "none of its recipients is a member of the band"
        elif delivery.service_id not in self._services:
            seen.refused = "received; the service that holds this band is not connected"
        else:
            seen.to = (SERVICE,)
            if isinstance(delivery.event, MessageUp | Action | FeatureCall):
                seen.event = delivery.event

    def done(self, outcome: Outcome) -> None:
        """The platform itself did what a user may do, and the service is told of it as ever."""
        for delivery in outcome.frames:
            if isinstance(delivery, ToService) and isinstance(delivery.event, Action):
                event = delivery.event
                text = encode_for_service(event)
                seen = Seen(
                    direction="up",
                    type_=origin_type(event),
                    subtype=subtype_to_wire(event.subtype),
                    band=event.channel_id,
                    from_=event.sender,
                    to=(),
                    text=text,
                    size=_bytes(text),
                )
                self._for_whom(seen, outcome)
                self._inspector.note(seen)

    def unreadable(self, session: Session, text: str, type_: str, reason: str) -> None:
        """A client's text is none that the platform takes."""
        seen = _from_client(session, text)
        seen.type_, seen.refused = type_, reason
        self._inspector.note(seen)

    def receipt(self, session: Session, text: str, copy: Copy) -> None:
        """The platform answers a client's frame."""
        to_user = session.role is Role.USER
        self._inspector.note(
            Seen(
                direction="down" if to_user else "up",
                type_=origin_type(copy),
                subtype=copy.origin_type,
                band="",
                from_=PLATFORM,
                to=(session.user_id or "",) if to_user else (SERVICE,),
                text=text,
                size=_bytes(text),
                link=True,
            )
        )


def _from_client(session: Session, text: str) -> Seen:
    is_service = session.role is Role.SERVICE
    return Seen(
        direction="down" if is_service else "up",
        type_="",
        subtype="",
        band="",
        from_=SERVICE if is_service else session.user_id or "",
        to=(),
        text=text[:BEGINNING],
        size=_bytes(text),
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
