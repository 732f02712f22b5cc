"""Generation 0 of the protocol, all three sides of it, under one name.

Only names from the modules of the sides; no code of its own. As a module this satisfies the
protocol that the outbox and the link ask of a wire (docs/architecture.md section 3).
"""

from __future__ import annotations

from moobius_trio.codec.frames import ClientFrame, name_of_frame
from moobius_trio.codec.generation0_platform import (
    decode_from_client,
    encode_for_service,
    encode_for_user,
)
from moobius_trio.codec.generation0_service import decode_for_service, encode_from_service
from moobius_trio.codec.generation0_user import decode_for_user, encode_from_user
from moobius_trio.codec.tags import ROGER, origin_type

__all__ = (
    "ROGER",
    "ClientFrame",
    "decode_for_service",
    "decode_for_user",
    "decode_from_client",
    "encode_for_service",
    "encode_for_user",
    "encode_from_service",
    "encode_from_user",
    "name_of_frame",
    "origin_type",
)
