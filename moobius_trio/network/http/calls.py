"""What is asked and what comes back, as values. No httpx, no trio, no wire names of bodies here.

Bodies and replies hold passwords and tokens, so neither shows in a repr: not in a log, and not in
a traceback that prints local variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import attrs

from moobius_trio.codec.text import MAX_REPLY_BYTES
from moobius_trio.errors import ApiError

__all__ = (
    "PATIENT",
    "QUICK",
    "Call",
    "NoReply",
    "Patience",
    "ProtocolName",
    "Reply",
    "get",
    "ignored",
    "post",
)

ProtocolName: TypeAlias = Literal["0.0.1", "1.8"]
"""What ``protocol`` in service.json may say: the SDK version that spoke so."""

NO_QUERY: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Patience:
    """How long one call may take, in seconds."""

    attempt: float
    """One attempt, from connecting to the last byte of the reply."""
    together: float
    """All attempts and our own pauses. Pauses that the platform asks for come on top."""


QUICK = Patience(attempt=30, together=45)
"""Every call of the API."""

PATIENT = Patience(attempt=120, together=150)
"""Posting a file, which may be large and the line slow. A line that stands still ends it sooner."""


@attrs.frozen(kw_only=True)
class Call:
    """One call of the API."""

    method: Literal["GET", "POST"]
    path: str
    query: Mapping[str, str] = NO_QUERY
    body: bytes | None = attrs.field(default=None, repr=False)
    idempotent: bool
    """True: done twice it is as if done once, so it may be made again after a failure."""
    max_bytes: int = MAX_REPLY_BYTES
    """A reply of more is not read to its end."""


def get(
    path: str, query: Mapping[str, str] = NO_QUERY, *, max_bytes: int = MAX_REPLY_BYTES
) -> Call:
    """A call that only reads."""
    return Call(method="GET", path=path, query=query, idempotent=True, max_bytes=max_bytes)


def post(path: str, body: bytes, *, idempotent: bool) -> Call:
    """A call with a JSON body."""
    return Call(method="POST", path=path, body=body, idempotent=idempotent)


def ignored(data: object) -> None:
    """For answers whose data says nothing."""


@attrs.frozen(kw_only=True)
class Reply:
    """A complete reply of any status."""

    status: int
    content: bytes = attrs.field(repr=False)
    retry_after: float | None = None
    """Seconds the platform asks to be left alone, if it said so."""
    length: int | None = None
    """The bytes of the body as the header tells them, which is all that a HEAD gives."""

    @property
    def busy(self) -> bool:
        """True when the same call may well succeed later: too many requests, or its own fault."""
        return self.status == 429 or self.status >= 500


class NoReply(ApiError):
    """The network failed: no complete reply came.

    Attributes:
        reason: what the transport reported.
        sent: False when nothing of the call can have reached the platform.
        attempts: how often it was tried.
    """

    def __init__(self, path: str, reason: str, *, sent: bool, attempts: int = 1) -> None:
        tried = f"in {attempts} attempts" if attempts > 1 else "in one attempt"
        super().__init__(path, f"no reply {tried} ({reason})")
        self.reason = reason
        self.sent = sent
        self.attempts = attempts

    def after(self, attempts: int) -> NoReply:
        """The same failure as the last of several attempts."""
        return NoReply(self.path, self.reason, sent=self.sent, attempts=attempts)
