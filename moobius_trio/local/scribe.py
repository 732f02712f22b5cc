"""What the sessions let the inspector know: who sent which frame, and for whom it was.

Values in, descriptions out, which are made when somebody looks. Whether a frame is accepted is
decided in ``rules`` and ``sessions``; what is kept and told of it, in ``inspector``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import attrs

from moobius_trio.codec.frames import ClientFrame
from moobius_trio.codec.generations import Generation
from moobius_trio.codec.tags import origin_type, subtype_of, subtype_to_wire
from moobius_trio.local.causes import UpEvent
from moobius_trio.local.dialects import Dialects
from moobius_trio.local.inspector import BEGINNING, Inspector, Seen
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Delivery, Outcome, ToService, ToUsers
from moobius_trio.local.session import Role, Session
from moobius_trio.types import (
    Action,
    Copy,
    FeatureCall,
    MenuItemClick,
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
_UP: Final = (MessageUp, Action, FeatureCall, MenuItemClick)

_RECIPIENT: Final = 100
"""Characters that one recipient counts for."""


class Scribe:
    """Notes frames for the inspector.

    Args:
        services: those that are connected.
    """

    def __init__(
        self, inspector: Inspector, dialects: Dialects, services: Roster[ServiceId]
    ) -> None:
        self._inspector = inspector
        self._dialects = dialects
        self._services = services

    def taken(
        self,
        session: Session,
        text: str,
        frame: ClientFrame,
        outcome: Outcome,
        told: Sequence[Delivery],
    ) -> None:
        """A client's frame was taken, or refused if the outcome says so.

        Args:
            told: for whom that is, in the words of each.
        """
        sender = None if session.role is Role.SERVICE else session.user_id or UserId("")
        if isinstance(frame.command, _LINK):
            describe = partial(_link_frame, sender, text, frame, outcome)
            self._inspector.note(describe, weight=len(text), link=True)
            return
        heard = self._heard(told)
        weight = len(text) + sum(
            _RECIPIENT * len(each.users) for each in told if isinstance(each, ToUsers)
        )
        shown = text if not heard else partial(self._text, heard[0])
        plain = partial(self._plain, outcome, heard, session.generation)
        self._inspector.note(
            partial(_client_frame, sender, shown, plain, frame, outcome, bool(heard)),
            weight=weight,
            request_id=frame.request_id if sender is None else "",
            events=_events(heard),
        )

    def _heard(self, told: Iterable[Delivery]) -> tuple[ToService, ...]:
        """What services are told; nothing while they are not connected."""
        return tuple(
            each
            for each in told
            if isinstance(each, ToService) and each.service_id in self._services
        )

    def _text(self, heard: ToService) -> str:
        return self._dialects.for_service(heard.generation, heard.event)

    def _plain(self, outcome: Outcome, heard: Sequence[ToService], generation: Generation) -> str:
        """The frame in generation 0, if it is not: of a user as they sent it."""
        if not outcome.frames:
            return ""
        first = outcome.frames[0]
        if isinstance(first, ToUsers):
            return self._dialects.for_user(0, first.event) if generation else ""
        if heard and heard[0].generation == 0 and heard[0].event is first.event:
            return ""
        return self._dialects.for_service(0, first.event)

    def done(self, outcome: Outcome, told: Sequence[Delivery]) -> None:
        """The platform itself did what a user may do, and the service is told of it as ever."""
        heard = self._heard(told)
        for delivery in outcome.frames:
            if isinstance(delivery, ToService) and isinstance(delivery.event, Action):
                text = partial(self._text, heard[0] if heard else delivery)
                plain = partial(self._plain, outcome, heard, 0)
                describe = partial(_deed, delivery.event, text, plain, told=bool(heard))
                self._inspector.note(describe, weight=_RECIPIENT, events=_events(heard))

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
    return attrs.evolve(seen, type_=origin_type(frame.command), refused=outcome.refusal)


def _client_frame(
    sender: UserId | None,
    text: str | Callable[[], str],
    plain: Callable[[], str],
    frame: ClientFrame,
    outcome: Outcome,
    heard: bool,
) -> Seen:
    to, refused = _for_whom(outcome, heard=heard)
    return attrs.evolve(
        _from_client(sender, text if isinstance(text, str) else text()),
        type_=origin_type(frame.command),
        subtype=getattr(frame.command, "feature_id", "") or subtype_of(frame.command),
        band=getattr(frame.command, "channel_id", ""),
        to=to,
        refused=refused,
        plain=plain,
    )


def _for_whom(outcome: Outcome, *, heard: bool) -> tuple[tuple[str, ...], str]:
    """Who gets what a frame led to, and why nobody does if that is so."""
    if heard:
        return (SERVICE,), ""
    if outcome.refusal or not outcome.frames:
        return (), outcome.refusal or outcome.note
    (delivery,) = outcome.frames
    if isinstance(delivery, ToService):
        return (), _AWAY
    return delivery.users, "" if delivery.users else _NO_MEMBER


def _deed(
    event: Action, written: Callable[[], str], plain: Callable[[], str], *, told: bool
) -> Seen:
    text = written()
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
        plain=plain,
    )


def _events(heard: Iterable[ToService]) -> tuple[UpEvent, ...]:
    """What the service's trace may name as a cause."""
    return tuple(each.event for each in heard if isinstance(each.event, _UP) and not each.covered)


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
