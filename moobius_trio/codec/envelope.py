"""The envelope of an HTTP reply, alike in both generations: success, or words that say why not.

No call and no data of one is known here. Facts: docs/protocol/generation-0.md and generation-1.md,
section 2.1 of each.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from moobius_trio.codec.text import MAX_REPLY_BYTES, dump, parse_object
from moobius_trio.errors import ApiError, MalformedPayload

__all__ = ("SUCCESS", "encode_failure", "encode_reply", "read_envelope")

SUCCESS: Final = 10_000
_LONGEST_WORDS: Final = 300


def read_envelope(
    content: bytes,
    *,
    path: str,
    status: int,
    success: Collection[int],
    max_bytes: int = MAX_REPLY_BYTES,
) -> object:
    """The ``data`` of a reply; None when a good reply has none.

    The HTTP status decides nothing; it is only told.

    Args:
        content: the whole body.
        path: the path of the call, for the error.
        status: the HTTP status, for the error.
        success: the codes that mean success.
        max_bytes: refuse more than this before anything is parsed.

    Raises:
        ApiError: the envelope says failure, or there is no envelope: not JSON, no ``code``.
    """
    try:
        envelope = parse_object(content, "reply", max_bytes=max_bytes)
    except MalformedPayload as exc:
        raise ApiError(path, str(exc), status=status) from None
    code = envelope.get("code")
    if type(code) is not int:
        words = _words(envelope, "the reply has no envelope")
        raise ApiError(path, words, status=status)
    if code not in success:
        raise ApiError(path, _words(envelope, "no reason given"), code=code, status=status)
    return envelope.get("data")


def _words(envelope: dict[str, object], otherwise: str) -> str:
    """The platform's own words, on one line: one generation says them in each key."""
    for key in ("msg", "message"):
        words = envelope.get(key)
        if isinstance(words, str) and words.strip():
            return " ".join(words[:_LONGEST_WORDS].split())
    return otherwise


def encode_reply(data: object) -> bytes:
    """The envelope of success round ``data``."""
    envelope = {"code": SUCCESS, "msg": "success", "message": "success", "data": data}
    return dump(envelope).encode()


def encode_failure(code: int, message: str) -> bytes:
    """The envelope of failure. Clients differ in where they look for the words: both have them."""
    envelope = {"code": code, "msg": message, "message": message, "data": None}
    return dump(envelope).encode()
