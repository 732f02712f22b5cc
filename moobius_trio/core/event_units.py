"""The unit of work that an event begins: whose, where, and about what.

Which handler takes the event, and when, is the dispatcher's.
"""

from __future__ import annotations

from moobius_trio.core.actions import is_view_request
from moobius_trio.core.units import Unit
from moobius_trio.types import Action, MessageUp, UserId

__all__ = ("unit_of",)


def unit_of(event: object, handler: str, started: float) -> Unit:
    """The unit in which ``handler``, in its lane, is called with the event.

    Args:
        started: when the event was taken, by trio's clock.
    """
    if isinstance(event, MessageUp):  # by far the most frequent
        return Unit(
            handler=handler,
            channel_id=event.channel_id,
            user_id=event.sender,
            msg_id=event.msg_id,
            picked=event.recipients,
            in_lane=True,
            started=started,
        )
    return Unit(
        handler=handler,
        channel_id=getattr(event, "channel_id", None),
        user_id=getattr(event, "sender", None),
        request_id=getattr(event, "request_id", None),
        msg_id=getattr(event, "msg_id", None),
        picked=_who_asks(event),
        in_lane=True,
        started=started,
    )


def _who_asks(event: object) -> tuple[UserId, ...] | None:
    """To whom the author need not look: who asks for a part of the screen (and may leave)."""
    if isinstance(event, Action) and is_view_request(event):
        return (event.sender,)
    return None
