"""The HTTP calls for accounts: signing in, up and out, tokens, passwords, one's own profile.

Facts: docs/protocol/generation-1.md section 2.2 rows 1 to 9, 13 and 14; generation 0 has rows 1, 9
and 13 in the same form. What is allowed is decided in ``rules_accounts`` and ``rules_http``.
"""

from __future__ import annotations

from typing import Final

import attrs
from starlette.requests import Request

from moobius_trio.codec import http1
from moobius_trio.codec.generations import Generation, generation_of_client
from moobius_trio.local import rules_accounts as rules
from moobius_trio.local.api import read_body, signed_body, signed_in
from moobius_trio.local.codes import Codes
from moobius_trio.local.credentials import password_matches
from moobius_trio.local.records import Account
from moobius_trio.local.rules_http import Refused, new_account
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.state import State
from moobius_trio.types import Secret, UserId

__all__ = ("Accounts",)

_PASSWORD_LENGTH: Final = 1_000


class Accounts:
    """The handlers. Each gives the ``data`` of its reply, or raises ``Refused``."""

    def __init__(self, state: State, sessions: Sessions) -> None:
        self._state = state
        self._sessions = sessions
        self._codes = Codes()

    async def sign_in(self, request: Request) -> object:
        """The first one of an e-mail makes the account (docs/architecture.md section 8)."""
        body = http1.decode_sign_in(await read_body(request))
        _check_password(body.password)
        account = self._state.world.account(body.email)
        if account is None:
            password_hash = await self._state.hash_password(body.password)
            account = self._state.world.account(body.email)  # another call may have been faster
            if account is None:
                user_id = UserId(self._state.new_id())
                account = new_account(self._state.world, body.email, password_hash, user_id)
                return await self._let_in(account, request)
        account = await self._check(account, body.password)
        if not account.confirmed:
            raise Refused(403, rules.NOT_CONFIRMED.format(email=body.email))
        return await self._let_in(account, request)

    async def _check(self, account: Account, password: Secret) -> Account:
        """The account as it is now, if it has this password still."""
        matches = await self._state.run_sync(password_matches, password, account.password_hash)
        now = self._state.world.accounts.get(account.user_id)
        if not matches or now is None or now.password_hash != account.password_hash:
            raise Refused(401, f"the account {account.login} exists here with another password")
        return now

    async def _let_in(self, account: Account, request: Request) -> object:
        await self._keep(account)
        generation = generation_of_client(request.headers.get("user-agent", ""))
        return http1.tokens_data(self._state.issue_tokens(account, generation or 0))

    async def _keep(self, account: Account) -> None:
        if self._state.world.accounts.get(account.user_id) != account:
            self._state.change(account)
            await self._state.saved()

    async def refresh(self, request: Request) -> object:
        body = http1.decode_refresh(await read_body(request))
        account = self._state.world.account(body.email)
        tokens, now = self._state.tokens, self._state.now
        user_id = tokens.refresh(body.refresh, now=now)
        if account is None or user_id != account.user_id:
            raise Refused(401, "the refresh token is wrong or has expired; sign in again")
        told = generation_of_client(request.headers.get("user-agent", ""))
        generation: Generation = tokens.generation(body.refresh.reveal()) if told is None else told
        fresh = tokens.issue_access(
            user_id,
            now=now,
            access_seconds=self._state.knobs.access_seconds,
            generation=generation,
        )
        return http1.tokens_data(fresh)

    async def sign_up(self, request: Request) -> object:
        body = http1.decode_sign_in(await read_body(request))
        _check_password(body.password)
        password_hash = await self._state.hash_password(body.password)
        fresh = UserId(self._state.new_id())
        await self._keep(rules.signed_up(self._state.world, body.email, password_hash, fresh))
        self._codes.send(body.email, "sign up", self._state.now)
        return None

    async def resend_confirmation(self, request: Request) -> object:
        email = http1.decode_username(await read_body(request))
        if rules.account_of(self._state.world, email).confirmed:
            raise Refused(409, f"the account {email} is confirmed already")
        self._codes.send(email, "sign up", self._state.now)
        return None

    async def confirm_sign_up(self, request: Request) -> object:
        body = http1.decode_confirm_sign_up(await read_body(request))
        account = rules.account_of(self._state.world, body.email)
        if not self._codes.take(body.email, "sign up", body.code, self._state.now):
            raise Refused(400, "the code is wrong or has expired; ask for another one")
        await self._keep(attrs.evolve(account, confirmed=True))
        return None

    async def forgot_password(self, request: Request) -> object:
        email = http1.decode_username(await read_body(request))
        rules.account_of(self._state.world, email)
        self._codes.send(email, "new password", self._state.now)
        return None

    async def reset_password(self, request: Request) -> object:
        body = http1.decode_reset_password(await read_body(request))
        _check_password(body.password)
        rules.account_of(self._state.world, body.email)
        if not self._codes.take(body.email, "new password", body.code, self._state.now):
            raise Refused(400, "the code is wrong or has expired; ask for another one")
        password_hash = await self._state.hash_password(body.password)
        account = rules.account_of(self._state.world, body.email)
        await self._keep(attrs.evolve(account, password_hash=password_hash, confirmed=True))
        return None

    async def sign_out(self, request: Request) -> object:
        """All tokens of the account end; it is not known whether a platform keeps others."""
        user_id, sent = await signed_body(self._state, request)
        token = http1.decode_sign_out(sent)
        if self._state.user_of(token.reveal()) != user_id:
            raise Refused(401, "the access token in the body is another account's, or expired")
        self._state.tokens.expire(refresh=True, of={user_id})
        return None

    async def delete_account(self, request: Request) -> object:
        body = http1.decode_sign_in(await read_body(request))
        account = rules.account_of(self._state.world, body.email)
        account = await self._check(account, body.password)
        self._state.tokens.expire(refresh=True, of={account.user_id})
        self._sessions.end_account(account)
        await self._state.saved()
        return None

    async def user_info(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        return http1.user_info_data(rules.user_info(self._state.world, user_id))

    async def update_user(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_update_user(sent)
        account = rules.changed_person(
            self._state.world, user_id, body.name, body.avatar, body.description
        )
        await self._keep(account)
        return http1.user_info_data(rules.user_info(self._state.world, user_id))

    async def codes(self, request: Request) -> object:
        """What would have been mailed, for whoever sits at this machine (no call of the
        protocol)."""
        return [
            {"email": each.email, "purpose": each.purpose, "code": each.code}
            for each in self._codes.shown(self._state.now)
        ]


def _check_password(password: Secret) -> None:
    if not 0 < len(password.reveal()) <= _PASSWORD_LENGTH:
        raise Refused(400, f"a password has 1 to {_PASSWORD_LENGTH:,} characters")
