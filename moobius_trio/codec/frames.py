"""What is common to all frames: reading the envelope, and a client's frame as a value.

No body is read here and no type is told from another.
"""

from __future__ import annotations

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.tags import MENU_ITEM_CLICK, origin_type
from moobius_trio.codec.text import parse_object
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import RequestId, ServiceCommand, UnknownPayload, UserCommand

__all__ = (
    "ClientFrame",
    "ClientHead",
    "body_of",
    "is_menu_item_click",
    "name_of_frame",
    "type_of",
    "unknown",
)


@attrs.frozen
class ClientFrame:
    """A frame that a service or a user's client sent to the platform."""

    request_id: RequestId
    client_id: str | None
    """Whom the client says it is; None where the frame has none, as in a login."""
    command: ServiceCommand | UserCommand | UnknownPayload
    origin_type: str = attrs.field(
        default=attrs.Factory(lambda self: origin_type(self.command), takes_self=True),
        eq=False,
        kw_only=True,
    )
    """The word by which a receipt names the frame (``Copy.origin_type``)."""


@attrs.define
class ClientHead:
    """The keys that every client frame has beside its body (section 3.2)."""

    request_id: RequestId
    client_id: str | None = None


@attrs.define
class _Named:
    request_id: RequestId


def name_of_frame(text: str | bytes) -> tuple[RequestId, str]:
    """What a receipt calls a client's frame: its request id and type; both empty if it has none.

    For frames that ``decode_from_client`` refuses, so that their sender learns which it was; of
    either generation.
    """
    try:
        frame = parse_object(text, "frame")
        kind = type_of(frame)
        return structure(frame, _Named, what=kind).request_id, kind
    except MalformedPayload:
        return RequestId(""), ""


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
