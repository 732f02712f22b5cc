"""Codes that a real platform would mail: for signing up, and for a new password.

There is no mail here. The codes stand in the log and are shown to whoever sits at the machine.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final, Literal, TypeAlias

import attrs
import structlog

from moobius_trio.types import Secret

__all__ = ("Codes", "Letter", "Purpose")

Purpose: TypeAlias = Literal["sign up", "new password"]

GOOD_SECONDS: Final = 3600.0
TRIES: Final = 5
"""Wrong codes after which a letter is good no more."""

_LETTERS: Final = 1_000

_log = structlog.get_logger()


@attrs.define
class Letter:
    """A code on its way to somebody."""

    email: str
    purpose: Purpose
    code: str = attrs.field(repr=False)
    until: float
    """Seconds since 1970."""
    tries: int = TRIES


class Codes:
    """The letters that are good now. They live in memory only."""

    def __init__(self) -> None:
        self._letters: dict[tuple[str, Purpose], Letter] = {}

    def send(self, email: str, purpose: Purpose, now: float) -> None:
        """Write a letter; an earlier one for the same is good no more."""
        self._letters.pop((email, purpose), None)
        letter = Letter(email, purpose, f"{secrets.randbelow(1_000_000):06}", now + GOOD_SECONDS)
        self._letters[email, purpose] = letter
        if len(self._letters) > _LETTERS:
            del self._letters[next(iter(self._letters))]
        # This code is no secret of anybody's: the platform has no other way to hand it over.
        _log.info("code instead of a mail", email=email, purpose=purpose, code=letter.code)

    def take(self, email: str, purpose: Purpose, code: Secret, now: float) -> bool:
        """Whether this is the code; the right one is used up by this, as is one guessed at too
        often."""
        letter = self._letters.get((email, purpose))
        if letter is None or now >= letter.until or letter.tries <= 0:
            return False
        given = code.reveal().strip().encode("utf-8", "surrogatepass")
        if hmac.compare_digest(given, letter.code.encode()):
            del self._letters[email, purpose]
            return True
        letter.tries -= 1
        return False

    def shown(self, now: float) -> list[Letter]:
        """Those that are good, oldest first."""
        return [each for each in self._letters.values() if now < each.until and each.tries > 0]
