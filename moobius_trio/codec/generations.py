"""Which generation of the protocol a client speaks, as far as what it sends tells.

Nothing is decoded here beyond what tells the two apart. Facts: docs/protocol/generation-1.md
sections 2.1 and 8.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from moobius_trio.codec.text import parse_object
from moobius_trio.errors import MalformedPayload

__all__ = ("Generation", "generation_of_client", "generation_of_frame")

Generation: TypeAlias = Literal[0, 1]
"""The two that there are: that of SDK 0.0.1, and that of 1.8."""

_TYPES: Final[dict[object, Generation]] = {
    "ping": 0,
    "msg_up": 0,
    "msg_down": 0,
    "feature_call": 0,
    "heartbeat": 1,
    "message_up": 1,
    "message_down": 1,
    "refresh": 1,
}
_LOGINS: Final = frozenset(("service_login", "user_login"))
"""These are the same in both."""

_IDS: Final = ("service_id", "user_id", "character_id")
"""Under one of these generation 1 says who speaks."""


def generation_of_client(user_agent: str) -> Generation | None:
    """What the ``User-Agent`` of an HTTP call tells; None where it tells nothing.

    Programs of this package name their generation. The original of generation 1 calls with
    aiohttp, that of generation 0 with python-requests.
    """
    name = user_agent.lower()
    if "(generation 1)" in name or "aiohttp/" in name:
        return 1
    if "(generation 0)" in name or "python-requests/" in name:
        return 0
    return None


def generation_of_frame(text: str) -> Generation | None:
    """What a client's frame tells; None where both send the like, or it is no frame."""
    try:
        frame = parse_object(text, "frame")
    except MalformedPayload:
        return None
    kind = frame.get("type")
    if not isinstance(kind, str) or kind in _LOGINS:
        return None
    if kind in _TYPES:
        return _TYPES[kind]
    if "client_id" in frame:
        return 0
    return 1 if any(key in frame for key in _IDS) else None
