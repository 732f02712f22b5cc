"""A platform that runs on this machine, as its page speaks to it.

The calls below ``/local/`` and nothing else; what they are for is not known here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import attrs
import httpx

from moobius_trio.cli.output import say
from moobius_trio.codec.http0 import decode_reply, decode_tokens
from moobius_trio.codec.text import MAX_REPLY_BYTES
from moobius_trio.errors import ApiError, UsageError
from moobius_trio.types import JsonValue, Secret, UserId

__all__ = ("UNAVAILABLE", "Guest", "Remote", "open_remote")

UNAVAILABLE: Final = 69
"""The exit code where no platform answers (docs/architecture.md section 10)."""

SECONDS: Final = 10.0
FILE_BYTES: Final = 32 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Guest:
    """Somebody who came in by name."""

    user_id: UserId
    token: Secret


class Remote:
    """A local platform that runs in another process; made by `open_remote`."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url
        """Without a slash at its end."""

    def socket(self, path: str) -> str:
        """The address of one of its WebSockets."""
        return self.url.replace("http", "ws", 1) + path

    async def status(self) -> Mapping[str, JsonValue]:
        """What ``GET /local/tapes`` says.

        Raises:
            SystemExit: nobody answers, or not a platform of this version.
        """
        return await self._call("GET", "/local/tapes")

    async def bands(self) -> tuple[str, ...]:
        """The ids of its bands."""
        members = (await self.status()).get("members")
        return tuple(members) if isinstance(members, Mapping) else ()

    async def guest(self, name: str) -> Guest:
        """Come in by name.

        Raises:
            UsageError: nobody can have this name.
        """
        data = await self._call("POST", "/local/guest", {"name": name})
        return Guest(user_id=UserId(str(data.get("user_id"))), token=decode_tokens(data).access)

    async def file(self, key: str) -> bytes | None:
        """An uploaded file; None if there is none of this key, or it is very large."""
        try:
            reply = await self._http.get(f"{self.url}/bucket/{key}/{key}")
        except httpx.HTTPError:
            return None
        good = reply.status_code == httpx.codes.OK and len(reply.content) <= FILE_BYTES
        return reply.content if good else None

    async def _call(
        self, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> Mapping[str, JsonValue]:
        try:
            reply = await self._http.request(method, self.url + path, json=body)
            data = decode_reply(
                reply.content[: MAX_REPLY_BYTES + 1], path=path, status=reply.status_code
            )
        except httpx.HTTPError as exc:
            self._unavailable(str(exc) or type(exc).__name__)
        except ApiError as exc:
            if exc.status == httpx.codes.BAD_REQUEST:
                raise UsageError(f"{self.url}: {exc.message}.") from None
            self._unavailable(str(exc))
        if not isinstance(data, Mapping):
            self._unavailable("its answer is no object")
        return data

    def _unavailable(self, reason: str) -> NoReturn:
        say(
            f"{self.url}: no local platform of this version answers there ({reason}). Start one "
            "with `moobius-trio dev`, `demo` or `local`, or say with --url where it is."
        )
        raise SystemExit(UNAVAILABLE)


@asynccontextmanager
async def open_remote(url: str) -> AsyncIterator[Remote]:
    """A platform at this address, whether it is there or not.

    Raises:
        UsageError: it is no address of a local platform.
    """
    parts = httpx.URL(url) if _is_url(url) else None
    if parts is None or parts.scheme != "http" or not parts.host or parts.userinfo:
        raise UsageError(f"{url}: this is no address of a local platform; one begins with http://.")
    # No proxy of the environment's: this never leaves the machine.
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as http:
        yield Remote(http, f"http://{parts.netloc.decode()}")


def _is_url(text: str) -> bool:
    try:
        httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        return False
    return True
