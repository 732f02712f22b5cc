"""Calls about the account itself: making it, its codes, its end (docs/protocol/generation-1.md
section 2.2 rows 2 to 8).

E-mail and password are those that the API was opened with; the password is never seen here.
"""

from __future__ import annotations

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.network.http.subject import Subject
from moobius_trio.types import Secret

__all__ = ("RegistrationCalls",)


class RegistrationCalls(Subject):
    """The part of ``HttpApi`` about the account. None of it is in generation 0, whose accounts are
    made elsewhere: each raises ``NotInGeneration`` there."""

    async def sign_up(self) -> None:
        """Make the account; the platform sends a code, which ``confirm_sign_up`` wants."""
        self._needs_generation_1("sign_up")
        await self._account.tell("/auth/sign_up", http0.encode_sign_in)

    async def confirm_sign_up(self, code: str) -> None:
        """Give the code that came by mail; after it ``authenticate`` can succeed."""
        self._needs_generation_1("confirm_sign_up")
        await self._account.tell(
            "/auth/confirm_sign_up",
            lambda email, password: http1.encode_confirm_sign_up(email, Secret(code)),
        )

    async def resend_confirmation(self) -> None:
        """Have the code for ``confirm_sign_up`` sent once more."""
        self._needs_generation_1("resend_confirmation")
        await self._account.tell(
            "/auth/resend_confirmation", lambda email, password: http1.encode_username(email)
        )

    async def request_password_reset_code(self) -> None:
        """Have a code sent for ``reset_password_with_code``."""
        self._needs_generation_1("request_password_reset_code")
        await self._account.tell(
            "/auth/forgot_password", lambda email, password: http1.encode_username(email)
        )

    async def reset_password_with_code(self, code: str) -> None:
        """Make the password that the API was opened with the account's, by a code from a mail."""
        self._needs_generation_1("reset_password_with_code")
        await self._account.tell(
            "/auth/confirm_reset_password",
            lambda email, password: http1.encode_reset_password(email, password, Secret(code)),
        )

    async def sign_out(self) -> None:
        """End the access token and forget both tokens; ``authenticate`` gives new ones.

        Not for a service that runs: it would sign in again as soon as it needs to.

        Raises:
            RuntimeError: nobody has signed in yet.
        """
        self._needs_generation_1("sign_out")
        await self._account.sign_out()

    async def delete_account(self) -> None:
        """Delete the account with all that it has. There is no way back."""
        self._needs_generation_1("delete_account")
        await self._account.tell("/auth/delete_account", http0.encode_sign_in)
        self._account.forget()
