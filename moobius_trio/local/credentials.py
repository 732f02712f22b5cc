"""Passwords and tokens of the local platform.

The only module of ``local`` that sees either. Nothing here is logged, and no token is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Container
from typing import Final

import attrs

from moobius_trio.codec.generations import Generation
from moobius_trio.types import Secret, Tokens, UserId

__all__ = ("PASSWORD_WORK", "TokenBook", "hash_password", "password_matches", "without_tokens")

# Light on purpose (4 MiB, some milliseconds): the platform is on the machine of the one whose
# passwords these are. The numbers are kept in the hash, so that they can grow.
PASSWORD_WORK: Final = 2**12
"""How much work a hash is: scrypt's N, a power of two."""

_R, _P = 8, 1
_SALT_BYTES: Final = 16
_MAX_TOKENS: Final = 100_000
_TOKEN: Final = re.compile(r"\b[0-9a-f]{16}\.[\w-]{43}", re.ASCII)


def hash_password(password: Secret, work: int = PASSWORD_WORK) -> str:
    """A salted scrypt hash with its parameters. Slow by design: call it through ``run_sync``."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${work}${_R}${_P}${salt.hex()}${_scrypt(password, salt, work, _R, _P).hex()}"


def password_matches(password: Secret, password_hash: str) -> bool:
    """True when the hash was made of this password; False for every text that is no hash.

    Slow by design: call it through ``run_sync``.
    """
    try:
        _, n, r, p, salt, digest = password_hash.split("$")
        made = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
        return hmac.compare_digest(made, bytes.fromhex(digest))
    except ValueError:
        return False


def _scrypt(password: Secret, salt: bytes, n: int, r: int, p: int) -> bytes:
    # surrogatepass: JSON can carry texts that have no UTF-8; they are passwords like any other.
    raw = password.reveal().encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, dklen=32)


def without_tokens(text: str) -> str:
    """The text with ``***`` in place of whatever looks like a token of this platform, also where
    nothing says that it is one, as in a message."""
    return _TOKEN.sub("***", text)


@attrs.define
class _Issued:
    user_id: UserId
    kind: str
    secret: bytes = attrs.field(repr=False)
    expires: float
    generation: Generation


class TokenBook:
    """The tokens that are good now. They live in memory only: after a restart clients sign in.

    A token is ``HANDLE.SECRET``. It is found by its handle, and its secret is compared in constant
    time.
    """

    def __init__(self) -> None:
        self._issued: dict[str, _Issued] = {}

    def issue(
        self,
        user_id: UserId,
        *,
        now: float,
        access_seconds: float,
        refresh_seconds: float,
        generation: Generation = 0,
    ) -> Tokens:
        """A new access and a new refresh token, for a client that seems to speak this
        generation."""
        self._forget_expired(now)
        return Tokens(
            access=self._new(user_id, "access", now + access_seconds, generation),
            refresh=self._new(user_id, "refresh", now + refresh_seconds, generation),
        )

    def issue_access(
        self, user_id: UserId, *, now: float, access_seconds: float, generation: Generation = 0
    ) -> Tokens:
        """A new access token alone, as the answer to a refresh has it."""
        self._forget_expired(now)
        return Tokens(access=self._new(user_id, "access", now + access_seconds, generation))

    def generation(self, token: str) -> Generation:
        """Which generation of the protocol the client with this token speaks, as far as was
        heard (docs/protocol/generation-1.md section 8); 0 for a token that is nobody's."""
        issued = self._issued.get(token.partition(".")[0])
        return 0 if issued is None else issued.generation

    def learn(self, token: str, generation: Generation) -> None:
        """What the client with this good token did tells which generation it speaks."""
        issued = self._issued.get(token.partition(".")[0])
        if issued is not None:
            issued.generation = generation

    def access(self, token: str, *, now: float) -> UserId | None:
        """Whose access token this is; None when it is nobody's or has expired."""
        return self._find(token, "access", now)

    def refresh(self, token: Secret, *, now: float) -> UserId | None:
        """Whose refresh token this is; None when it is nobody's or has expired."""
        return self._find(token.reveal(), "refresh", now)

    def expire(self, *, refresh: bool, of: Container[UserId] | None = None) -> None:
        """Let the access tokens of these users, or of all, be no good any more, and with
        ``refresh`` the refresh tokens too. Whose words they were given for is still known."""
        for issued in self._issued.values():
            if (of is None or issued.user_id in of) and (issued.kind == "access" or refresh):
                issued.expires = -math.inf

    def _new(self, user_id: UserId, kind: str, expires: float, generation: Generation) -> Secret:
        handle, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        self._issued[handle] = _Issued(user_id, kind, secret.encode(), expires, generation)
        return Secret(f"{handle}.{secret}")

    def _find(self, token: str, kind: str, now: float) -> UserId | None:
        handle, _, secret = token.partition(".")
        issued = self._issued.get(handle)
        if issued is None or issued.kind != kind or now >= issued.expires:
            return None
        given = secret.encode("utf-8", "surrogatepass")
        return issued.user_id if hmac.compare_digest(given, issued.secret) else None

    def _forget_expired(self, now: float) -> None:
        if len(self._issued) >= _MAX_TOKENS:
            self._issued = {
                handle: issued for handle, issued in self._issued.items() if issued.expires > now
            }
        while len(self._issued) >= _MAX_TOKENS:  # the oldest go; their owners sign in again
            del self._issued[next(iter(self._issued))]
