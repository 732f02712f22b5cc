"""The account: its tokens, how they are got and kept fresh, and calls made in its name.

The only module that holds the password. Which calls there are is not its business, nor is how a
request is made.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import structlog
import trio

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.errors import ApiError, SignInRefused, Unreachable
from moobius_trio.network.http.calls import Call, NoReply, ignored, post
from moobius_trio.network.http.retry import full_jitter
from moobius_trio.types import Secret, Tokens

if TYPE_CHECKING:
    from moobius_trio.network.http.client import Client

__all__ = ("Account",)

T = TypeVar("T")

SIGN_IN_PATH = "/auth/sign_in"
REFRESH_PATH = "/auth/refresh"
SIGN_OUT_PATH = "/auth/sign_out"

HOUR = 3600.0
REFRESH_EVERY = 6 * HOUR
SOON = 600.0
"""Seconds within which a second wish for new tokens means that refreshed ones do not do."""
SIGN_IN_EVERY = 7 * 24 * HOUR
"""Intervals, and the lives they rest on: docs/protocol/generation-0.md section 2.4."""

FIRST_PAUSE = 60.0
LONGEST_PAUSE = HOUR
"""Between failed renewals. An access token lives for a day, so there is time to be polite."""

log = structlog.get_logger()


class Account:
    """One account on one platform.

    Only one renewal of the tokens runs at a time, and whoever needs one while it runs waits for it
    and shares its outcome.
    """

    def __init__(
        self,
        client: Client,
        *,
        email: str,
        password: Secret,
        random: random.Random,
        on_tokens: Callable[[Tokens], None],
    ) -> None:
        self.client = client
        self._on_tokens = on_tokens
        self._email = email
        self._password = password
        self._random = random
        self._tokens: Tokens | None = None
        self._signed_in_at = 0.0
        self._refreshed_at = -math.inf
        self._one_at_a_time = trio.Lock()
        self._renewed = 0
        self._failed = 0
        self._failure: ApiError | SignInRefused | Unreachable | None = None

    @property
    def access_token(self) -> Secret:
        """The access token of the last sign-in or refresh.

        Raises:
            RuntimeError: nobody has signed in yet.
        """
        if self._tokens is None:
            raise RuntimeError("not signed in yet: `await http_api.authenticate()` comes first")
        return self._tokens.access

    async def call(self, call: Call, decode: Callable[[object], T]) -> T:
        """Make a call in the account's name and decode the data of its answer.

        HTTP 401 means that the token is spent and the call, whatever it is, was not done: the
        token is renewed and the call made once more.

        Raises:
            ApiError: as ``Client.request``.
            SignInRefused, Unreachable: the token was spent, and as ``sign_in``.
            RuntimeError: nobody has signed in yet.
        """
        renewed = self._renewed
        try:
            return await self.client.request(call, decode, token=self.access_token)
        except ApiError as error:
            if error.status != 401:
                raise
        await self._renew_unless_done(renewed)
        return await self.client.request(call, decode, token=self.access_token)

    async def tell(self, path: str, encode: Callable[[str, Secret], bytes]) -> None:
        """Make a call that bears no token; ``encode`` writes its body of e-mail and password.

        Not made again after a failure that may have come too late: most of them send a mail.

        Raises:
            ApiError: as ``Client.request``.
        """
        call = post(path, encode(self._email, self._password), idempotent=False)
        await self.client.request(call, ignored)

    async def sign_out(self) -> None:
        """End the access token, then forget both.

        Raises:
            ApiError: it was refused, or there was no answer; the tokens stay.
            RuntimeError: nobody has signed in yet.
        """
        async with self._one_at_a_time:
            token = self.access_token
            call = post(SIGN_OUT_PATH, http1.encode_sign_out(token), idempotent=True)
            await self.client.request(call, ignored, token=token)
            self.forget()

    def forget(self) -> None:
        """Have no tokens, as before the first sign-in."""
        self._tokens = None

    async def sign_in(self) -> None:
        """Get both tokens with the password.

        Raises:
            SignInRefused: the platform said no.
            Unreachable: it did not answer.
            ApiError: it answered neither yes nor no.
        """
        async with self._one_at_a_time:
            await self._sign_in()

    async def refresh(self) -> None:
        """Get a new access token with the refresh token.

        Raises:
            ApiError: it was refused, or there was no answer; the old token stays.
            RuntimeError: nobody has signed in yet.
        """
        async with self._one_at_a_time:
            await self._refresh()

    async def renew(self) -> None:
        """Refresh, and sign in if that fails (or nobody has signed in yet).

        Asked again within `SOON`, the refreshed token was of no use: then sign in at once.

        Raises:
            SignInRefused, Unreachable, ApiError: as ``sign_in``; the old tokens stay.
        """
        if trio.current_time() < self._refreshed_at + SOON:
            await self.sign_in()
        else:
            await self._renew_unless_done(self._renewed)

    async def keep_fresh(self) -> None:
        """Refresh every 6 hours and sign in every 7 days, until cancelled.

        A failure is logged and tried again after a pause of up to an hour; nothing is raised.
        """
        failures = 0
        pause = REFRESH_EVERY
        while True:
            await trio.sleep(pause)
            try:
                await self._renew_in_time()
            except Exception as error:
                # Boundary: the service can live on the token it has, and must not die of a new one.
                failures += 1
                pause = full_jitter(
                    self._random, failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE
                )
                log.warning(
                    "token renewal failed and is tried again",
                    error=str(error),
                    failures=failures,
                    pause=pause,
                )
            else:
                failures = 0
                pause = REFRESH_EVERY

    async def _renew_in_time(self) -> None:
        """The regular renewal: a sign-in if one is due, else or if that fails a refresh."""
        if trio.current_time() - self._signed_in_at >= SIGN_IN_EVERY:
            try:
                return await self.sign_in()
            except (ApiError, SignInRefused, Unreachable) as error:
                log.warning("regular sign-in failed, the token is refreshed", error=str(error))
        return await self.renew()

    async def _renew_unless_done(self, renewed: int) -> None:
        """Renew the tokens, unless they are newer than the ``renewed``-th.

        Of many tasks that ask at once the first does it, under the lock; when the others get the
        lock they find its tokens, or its failure. If it was cancelled, the next one does it.
        """
        failed = self._failed
        async with self._one_at_a_time:
            if self._renewed != renewed:
                return
            if self._failure is not None and self._failed != failed:
                raise self._failure
            try:
                await self._refresh_or_sign_in()
            except (ApiError, SignInRefused, Unreachable) as error:
                self._failed += 1
                self._failure = error
                raise

    async def _refresh_or_sign_in(self) -> None:
        if self._tokens is not None:
            try:
                await self._refresh()
            except ApiError as error:
                log.warning("token refresh failed, signing in again", error=str(error))
            else:
                return
        await self._sign_in()

    async def _refresh(self) -> None:
        if self._tokens is None:
            raise RuntimeError("not signed in yet: `await http_api.authenticate()` comes first")
        refresh = self._tokens.refresh
        if refresh is None:
            raise ApiError(REFRESH_PATH, "the platform gave no refresh token")
        # Idempotent: asked twice, the platform gives two tokens, and the second one is used.
        call = post(REFRESH_PATH, http0.encode_refresh(self._email, refresh), idempotent=True)
        tokens = await self.client.request(call, http0.decode_tokens)
        self._accept(Tokens(access=tokens.access, refresh=tokens.refresh or refresh), REFRESH_PATH)
        self._refreshed_at = trio.current_time()

    async def _sign_in(self) -> None:
        call = post(
            SIGN_IN_PATH, http0.encode_sign_in(self._email, self._password), idempotent=True
        )
        try:
            tokens = await self.client.request(call, http0.decode_tokens)
        except NoReply as error:
            address = self.client.address.url
            raise Unreachable(address, error.attempts, error.reason) from None
        except ApiError as error:
            if _is_refusal(error):
                raise SignInRefused(self._email, error.message) from None
            raise
        self._accept(tokens, SIGN_IN_PATH)
        self._signed_in_at = trio.current_time()

    def _accept(self, tokens: Tokens, path: str) -> None:
        if not tokens.access or not all("!" <= sign <= "~" for sign in tokens.access.reveal()):
            # It would break out of the header, or be shown in the error that says it cannot.
            raise ApiError(path, "the platform gave a token that no header can hold", status=200)
        self._tokens = tokens
        self._on_tokens(tokens)
        self._renewed += 1
        self._failure = None


def _is_refusal(error: ApiError) -> bool:
    """True when the platform said no, and not that it could not be asked now."""
    busy = error.status is not None and (error.status == 429 or error.status >= 500)
    return not busy and (error.code is not None or error.status in (401, 403))
