"""The platform's HTTP API as a service sees it: one object with the original's method names.

What a call asks and gives is in the modules by subject, the tokens are in auth.py. Nothing but
opening it and naming the account's own methods belongs here.
"""

from __future__ import annotations

import random as random_module
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from moobius_trio.lean import importing
from moobius_trio.network.http.address import parse_base_address
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import ProtocolName
from moobius_trio.network.http.channels import ChannelCalls
from moobius_trio.network.http.downloads import DownloadCalls
from moobius_trio.network.http.files import FileCalls
from moobius_trio.network.http.groups import GroupCalls
from moobius_trio.network.http.history import HistoryCalls
from moobius_trio.network.http.registration import RegistrationCalls
from moobius_trio.network.http.services import ServiceCalls
from moobius_trio.network.http.uploaded import Uploaded
from moobius_trio.types import RunSync, Secret, Tokens

if TYPE_CHECKING:
    import httpx

__all__ = ("HttpApi", "open_http_api")

UNUSED: Final = ("httpx._main", "httpcore._async.http2", "httpcore._sync.http2")
"""Parts of httpx that no call here needs: its command line, and HTTP/2."""


class HttpApi(
    ServiceCalls,
    ChannelCalls,
    GroupCalls,
    HistoryCalls,
    FileCalls,
    DownloadCalls,
    RegistrationCalls,
):
    """Every call of the platform's HTTP API, in both generations of the protocol (section 2 of
    docs/protocol/generation-0.md and generation-1.md).

    Made by ``open_http_api``; ``authenticate`` comes first. All calls may run side by side. A call
    that the generation spoken does not have raises ``NotInGeneration`` and asks nothing. For each
    of them:

    - It takes at most 45 s, not counting pauses of up to 60 s that the platform asks for; posting
      a file takes at most 150 s. Those that can be done twice are tried up to four times.
    - Raises ``ApiError`` for everything else than a good answer, ``SignInRefused`` or
      ``Unreachable`` if the token was spent and none is to be had, ``RuntimeError`` before
      ``authenticate``. None is never an error in disguise.
    - Cancelled, it stops at once; whether the platform has done it is then unknown.
    """

    def __init__(self, account: Account, run_sync: RunSync, protocol: ProtocolName) -> None:
        self._account = account
        self._run_sync = run_sync
        self._protocol = protocol
        self._uploaded = Uploaded()

    @property
    def protocol(self) -> ProtocolName:
        """Which generation is spoken, as ``protocol`` in service.json says it."""
        return self._protocol

    @property
    def access_token(self) -> Secret:
        """The token for the next login. A ``RuntimeError`` before ``authenticate``."""
        return self._account.access_token

    async def authenticate(self) -> None:
        """Sign in with e-mail and password.

        Raises:
            SignInRefused: the platform said no.
            Unreachable: it did not answer.
            ApiError: it answered neither yes nor no.
        """
        await self._account.sign_in()

    async def refresh(self) -> None:
        """Get a new access token with the refresh token; the old one stays if that fails."""
        await self._account.refresh()

    async def renew(self) -> None:
        """Refresh, and sign in if that fails. Tasks that ask at the same time share one renewal.

        Raises:
            SignInRefused, Unreachable, ApiError: as ``authenticate``; the old token stays.
        """
        await self._account.renew()

    async def keep_tokens_fresh(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """A task beside the others: refresh every 6 hours, sign in every 7 days, until cancelled.

        Ready at once. A failure is logged and tried again; it raises nothing
        (docs/protocol/generation-0.md section 2.4).
        """
        task_status.started()
        await self._account.keep_fresh()


@asynccontextmanager
async def open_http_api(
    base_url: str,
    *,
    email: str,
    password: Secret,
    run_sync: RunSync,
    transport: httpx.AsyncBaseTransport | None = None,
    tls: ssl.SSLContext | None = None,
    random: random_module.Random | None = None,
    on_tokens: Callable[[Tokens], None] = lambda tokens: None,
    protocol: ProtocolName = "0.0.1",
) -> AsyncIterator[HttpApi]:
    """The API of the platform at ``base_url``, for one account; nothing is sent yet.

    Connections are opened as needed and closed at the end of the block. ``run_sync`` reads files;
    ``transport`` stands in for the network in tests; ``random`` spreads the pauses between
    attempts; ``on_tokens`` is told of new tokens, so that they can be kept out of the log;
    ``tls`` says whose certificates are good (``network.tls.trusting``), None: httpx's usual ones;
    ``protocol`` is the generation that the platform speaks.

    Raises:
        ConfigError: ``base_url`` (``http_server_uri``) is no address, or plain http to another
            machine.
    """
    address = parse_base_address(base_url)
    with importing(without=UNUSED):
        from moobius_trio.network.http.client import open_client  # late: it imports httpx

    source = random if random is not None else random_module.Random()  # noqa: S311 (no secret)
    async with open_client(
        address, transport=transport, tls=tls, random=source, protocol=protocol
    ) as client:
        account = Account(
            client, email=email, password=password, random=source, on_tokens=on_tokens
        )
        yield HttpApi(account, run_sync, protocol)
