"""The one module that knows the client library: a connection whose failures are of two kinds.

What the commands mean is the engine's matter, and when to connect again the owner's. Nothing of
the library's errors is passed on but words: its frames hold the password.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import anyio
import attrs
import coredis
import trio
from coredis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    NoScriptError,
    ReadOnlyError,
    RedisClusterError,
    RedisError,
    TryAgainError,
    UnknownCommandError,
    WrongTypeError,
)
from coredis.retry import NoRetryPolicy

from moobius_trio.database.redis_settings import RedisSettings

__all__ = ("Connection", "Limits", "Outage", "Refused", "open_connection")

T = TypeVar("T")

# It logs every attempt that fails, with a traceback; an outage is logged by the owner, once.
logging.getLogger("coredis").setLevel(logging.CRITICAL)

BYTES_PER_SECOND: Final = 1_000_000
"""What the slowest line is expected to carry; a large command is given so much more time."""

_SCAN_BYTES: Final = 256 * 1024
_SCAN_MOST: Final = 500

_OUTAGES: Final = ("BUSY ", "LOADING ", "MASTERDOWN ", "NOREPLICAS ", "UNKILLABLE ")


@attrs.frozen(kw_only=True)
class Limits:
    """How long is waited for what, in seconds."""

    connect: float = 5.0
    reply: float = 5.0
    lease: float = 30.0
    """How long the lease of a process that does not answer any more is honoured."""
    longest_pause: float = 5.0
    """Between two attempts to connect."""
    close: float = 2.0
    """For what is under way, and to give the lease back, at the end."""


class Outage(Exception):
    """The server did not do what it was told, or nobody knows whether it did."""

    def __init__(
        self, problem: str, remedy: str = "Start the server, or mend the way to it"
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class Refused(Exception):
    """The server answered that it will not; nothing of that command was done."""


class Connection:
    """The commands the engine needs. Each raises `Outage` or `Refused`."""

    def __init__(
        self, client: coredis.Redis[bytes] | coredis.RedisCluster[bytes], limits: Limits
    ) -> None:
        self._client = client
        self._limits = limits

    async def ping(self) -> None:
        """Come back when the server has answered."""
        # PING would be answered by a server that is still loading its data.
        await self._bounded(self._client.exists([b"moobius:{ping}"]))

    async def script(self, text: str, keys: Sequence[bytes], args: Sequence[bytes]) -> object:
        """Run a script; it is sent whole only to a server that has not seen it."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        size = sum(map(len, args))

        async def run() -> object:
            # Not through the library's own scripts: their second try hides a broken connection.
            try:
                return await self._client.evalsha(digest, keys, args)
            except NoScriptError:
                return await self._client.eval(text, keys, args)

        return await self._bounded(run(), size)

    async def get(self, key: bytes) -> bytes | None:
        """The text under a key."""
        return await self._bounded(self._client.get(key))

    async def put(self, key: bytes, text: bytes) -> None:
        """Set the text under a key."""
        await self._bounded(self._client.set(key, text))

    async def fields(self, key: bytes) -> list[tuple[bytes, bytes]]:
        """Every field of a hash with its value, each once, read in parts."""
        found: dict[bytes, bytes] = {}
        cursor, count = -1, 10
        while cursor != 0:
            cursor, part = await self._bounded(
                self._client.hscan(key, max(cursor, 0), count=count), _SCAN_BYTES
            )
            found |= part
            size = sum(map(len, part)) + sum(map(len, part.values()))
            count = max(1, min(_SCAN_MOST, _SCAN_BYTES * (len(part) + 1) // (size + 1)))
        return list(found.items())

    async def hashes(self, pattern: bytes) -> list[bytes]:
        """The keys of hashes that match a pattern, each once, on every node."""
        found: dict[bytes, None] = {}

        async def scan() -> None:
            async for key in self._client.scan_iter(match=pattern, count=1_000, type_=b"hash"):
                found[key] = None
                bound.deadline = trio.current_time() + self._limits.reply

        with trio.CancelScope(deadline=trio.current_time() + self._limits.reply) as bound:
            await self._translated(scan(), self._limits.reply, bound)
        if bound.cancelled_caught:
            raise Outage(_silent(self._limits.reply))
        return list(found)

    async def setting(self, name: str) -> list[str] | None:
        """A setting of the server, of each node; None when it is not told."""
        return await self._bounded(self._setting(name))

    async def _setting(self, name: str) -> list[str] | None:
        if isinstance(self._client, coredis.Redis):
            value = await _setting_of(self._client, name)
            return None if value is None else [value]
        values = []
        for node in self._client.primaries:
            async with node:
                values.append(await _setting_of(node, name))
        return [value for value in values if value is not None] if all(values) else None

    async def _bounded(self, command: Awaitable[T], size: int = 0) -> T:
        seconds = self._limits.reply + size / BYTES_PER_SECOND
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            return await self._translated(command, seconds, scope)
        assert scope.cancelled_caught  # noqa: S101
        raise Outage(_silent(seconds))

    async def _translated(
        self, command: Awaitable[T], seconds: float, scope: trio.CancelScope
    ) -> T:
        try:
            return await command
        except Exception as exc:  # the library's own, of many kinds
            # Cancelled while it connects, it says that it could not connect.
            failure = Outage(_silent(seconds)) if scope.cancel_called else _translate(exc, seconds)
        raise failure  # out of the block above, so that it holds nothing of the library's error


async def _setting_of(node: coredis.Redis[bytes], name: str) -> str | None:
    try:
        found = await node.config_get([name])
    except (AuthorizationError, UnknownCommandError):
        return None
    value = found.get(name.encode())
    return None if value is None else value.decode()


@asynccontextmanager
async def open_connection(settings: RedisSettings, limits: Limits) -> AsyncIterator[Connection]:
    """A client for the block, with one connection to each node; errors leave it in no group.

    Raises:
        Outage: the server cannot be reached, or will not have us.
    """
    failure: Exception | None = None
    opening = limits.connect + limits.reply
    with trio.CancelScope(deadline=trio.current_time() + opening) as scope:
        try:
            async with _client(settings, limits) as client:
                try:
                    connection = Connection(client, limits)
                    await connection.ping()
                    scope.deadline = math.inf
                    yield connection
                except Exception as exc:  # raised again below, outside the library's task group
                    failure = exc
        except Exception as exc:  # the library's own, of many kinds
            failure = failure or _translate(exc, opening)
    if failure is None and scope.cancelled_caught:
        failure = Outage(_silent(opening))
    if failure is not None:
        raise failure


def _client(
    settings: RedisSettings, limits: Limits
) -> coredis.Redis[bytes] | coredis.RedisCluster[bytes]:
    password = settings.password.reveal() if settings.password is not None else None
    if settings.cluster:
        return coredis.RedisCluster(
            settings.host,
            settings.port,
            username=settings.username,
            password=password,
            ssl_context=settings.tls,
            connect_timeout=limits.connect,
            stream_timeout=limits.reply,
            max_connections=1,
            max_connections_per_node=True,
            verify_version=False,
            retry_policy=NoRetryPolicy(),
        )
    return coredis.Redis(
        settings.host,
        settings.port,
        settings.db,
        username=settings.username,
        password=password,
        ssl_context=settings.tls,
        connect_timeout=limits.connect,
        # One connection carries everything at once. That also keeps clear of the pool's faults
        # with several: it loses places to cancelled commands.
        max_connections=1,
        verify_version=False,
        retry_policy=NoRetryPolicy(),
    )


def _translate(exc: Exception, seconds: float) -> Exception:
    chain = list(_chain(exc))
    for one in reversed(chain):
        match one:
            case ssl.SSLCertVerificationError():
                return Outage(
                    f"its certificate was refused ({one.verify_message})",
                    "Name the authority's file and the host as the certificate has it "
                    "(settings, tls and host)",
                )
            case AuthenticationError():
                return Outage(
                    f"refuses the user or password ({one})",
                    "Check username and password in db.json",
                )
            case BusyLoadingError():
                return Outage("is still loading its data", "Wait until it has done so")
            case ReadOnlyError():
                return Outage("is a replica that takes no changes", "Name the primary")
            case TimeoutError() | trio.TooSlowError():
                return Outage(_silent(seconds))
            case OSError():
                # Its own text may hold the address in another form. A name that is not found has
                # a number of another kind.
                known = one.errno is not None and one.errno > 0
                text = os.strerror(one.errno or 0) if known else one.strerror or str(one)
                return Outage(f"cannot be reached ({text.lower()})")
    outer = chain[0]
    text = str(outer)
    match outer:
        case ConnectionError() | ClusterDownError() | TryAgainError():
            return Outage(f"cannot be reached ({text})")
        case WrongTypeError():  # the library takes the first word of some errors away
            return Refused(f"WRONGTYPE {text}")
        case AuthorizationError():
            return Refused(f"NOPERM {text}")
        case anyio.BrokenResourceError() | anyio.ClosedResourceError() | anyio.EndOfStream():
            return Outage("cannot be reached (the connection was lost)")
        case RedisClusterError():
            return Outage(f"is a cluster that cannot be used ({text})")
        case RedisError() if text.startswith(_OUTAGES):
            return Outage(f"cannot answer now ({text})")
        case RedisError():
            return Refused(text)
    # Without the library's frames, as above.
    return RuntimeError(f"the client library failed: {outer!r}")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, the innermost last; of a group the first member counts."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        else:
            yield cause
            cause = cause.__cause__


def _silent(seconds: float) -> str:
    return f"did not answer within {seconds:g} s"
