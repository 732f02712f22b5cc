"""Generation 1 of the protocol, all three sides of it, under one name.

Only names from the modules of the sides; no code of its own. Unlike generation 0 it speaks of
groups, so what is encoded or decoded here asks its caller for them (``GroupOf``, ``MembersOf``).
"""

from __future__ import annotations

from moobius_trio.codec.frames import ClientFrame, name_of_frame
from moobius_trio.codec.generation1_platform import (
    decode_from_client,
    encode_for_service,
    encode_for_user,
)
from moobius_trio.codec.generation1_service import decode_for_service, encode_from_service
from moobius_trio.codec.generation1_user import decode_for_user, encode_from_user
from moobius_trio.codec.groups1 import GroupOf, MembersOf, as_recipients
from moobius_trio.codec.losses1 import ProfileOf, losses
from moobius_trio.codec.tags import TO_SERVICE
from moobius_trio.codec.tags1 import origin_type

__all__ = (
    "TO_SERVICE",
    "ClientFrame",
    "GroupOf",
    "MembersOf",
    "ProfileOf",
    "as_recipients",
    "decode_for_service",
    "decode_for_user",
    "decode_from_client",
    "encode_for_service",
    "encode_for_user",
    "encode_from_service",
    "encode_from_user",
    "losses",
    "name_of_frame",
    "origin_type",
)
