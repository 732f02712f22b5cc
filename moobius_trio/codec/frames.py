"""What is common to all frames: reading the envelope, and a client's frame as a value.

No body is read here and no type is told from another.
"""

from __future__ import annotations

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.tags import MENU_ITEM_CLICK, origin_type
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import RequestId, ServiceCommand, UnknownPayload, UserCommand

__all__ = ("ClientFrame", "ClientHead", "body_of", "is_menu_item_click", "type_of", "unknown")


@attrs.frozen
class ClientFrame:
    """A frame that a service or a user's client sent to the platform."""

    request_id: RequestId
    client_id: str | None
    """Whom the client says it is; None where the frame has none, as in a login."""
    command: ServiceCommand | UserCommand | UnknownPayload

    @property
    def origin_type(self) -> str:
        """The word by which a receipt names the frame (``Copy.origin_type``)."""
        return origin_type(self.command)


@attrs.define
class ClientHead:
    """The keys that every client frame has beside its body (section 3.2)."""

    request_id: RequestId
    client_id: str | None = None


def type_of(frame: dict[str, object]) -> str:
    """The type of a frame.

    Raises:
        MalformedPayload: it has none, or one that is no text.
    """
    if "type" not in frame:
        raise MalformedPayload("frame", ["required field missing @ type"])
    kind = frame["type"]
    if type(kind) is not str:
        raise MalformedPayload("frame", ["expected a text @ type"])
    return kind


def body_of(frame: dict[str, object], what: str) -> object:
    """The body of a frame, whatever it is.

    Raises:
        MalformedPayload: there is none.
    """
    try:
        return frame["body"]
    except KeyError:
        raise MalformedPayload(what, ["required field missing @ body"]) from None


def is_menu_item_click(body: object) -> bool:
    """Whether the body of an action is a choice from a menu."""
    return isinstance(body, dict) and body.get("subtype") == MENU_ITEM_CLICK


def unknown(frame: dict[str, object], kind: str) -> UnknownPayload:
    """The frame as a value of its own, with everything that stood in it."""
    return UnknownPayload(type=kind, frame=structure(frame, JsonObject, what=kind))
