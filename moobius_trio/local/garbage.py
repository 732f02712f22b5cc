"""Frames that no client can expect, as bytes. None of them means anything."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from moobius_trio.local.knobs import Garbage

__all__ = ("GARBAGE",)

_DEEP: Final = 50_000
_HUGE: Final = 2 * 1024 * 1024

GARBAGE: Final[Mapping[Garbage, bytes]] = MappingProxyType(
    {
        "bad_json": b'{"type": "msg_up", "body": {"subtype": "te',
        "not_utf8": b'{"type": "msg_up", "body": {"subtype": "\xff\xfe"}}',
        "deep": b'{"type": "msg_up", "body": ' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        # What the host says by itself when its own parts fail (it is no frame of the protocol).
        "untyped": b'{"message": "Internal server error", "connectionId": "local-x=", '
        b'"requestId": "local-y="}',
        "unknown": b'{"type": "msg_sideways", "body": {}}',
        "oversized": b'{"type": "msg_up", "body": {"subtype": "' + b"a" * _HUGE + b'"}}',
    }
)
"""The texts by the names that the knob ``garbage`` has for them."""
