"""The task that owns the connection: it does what it is asked, one request after the other.

What a request means is the engine's matter. Whoever asked may be cancelled; the request goes on.
A request whose end is not known is given again on the next connection, so it must be one that can
be: it changes nothing a second time.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import structlog
import trio

from moobius_trio.database.engine import StoreBroken
from moobius_trio.database.redis_client import Connection, Limits, Outage, Refused, open_connection
from moobius_trio.database.redis_settings import RedisSettings
from moobius_trio.errors import StorageError

__all__ = ("Housekeeping", "RedisOwner", "refusal")

log = structlog.get_logger()

T = TypeVar("T")

FIRST_PAUSE: Final = 0.1

_RIGHTS: Final = "Allow this user the commands and keys of the store (docs/how-to/redis.md)"
_REMEDIES: Final = {
    "OOM": "Give the server more memory (maxmemory) or remove something; later changes are stored",
    "MISCONF": "See in the server's log why it cannot write; later changes are stored",
    "WRONGTYPE": "Something else lies under a key of this store; move it away",
    "NOPERM": _RIGHTS,
    "ACL failure": _RIGHTS,
}


def refusal(where: str, exc: Refused) -> StorageError:
    """What an author is told of a command that the server refused."""
    text = str(exc)
    code = next((code for code in _REMEDIES if code in text), "")
    return StorageError(where, f"the server refused: {text}", _REMEDIES.get(code, ""))


class Housekeeping(Protocol):
    """What is done on each connection besides the requests."""

    every: float
    """Seconds between two calls of `renew`."""

    async def first(self, connection: Connection) -> None:
        """On the first connection: check the server, take the store."""

    async def renew(self, connection: Connection) -> None:
        """On each further connection, and now and then.

        Raises:
            StoreBroken: the store is somebody else's now.
        """

    async def last(self, connection: Connection) -> None:
        """At the end, if there is a connection."""


@attrs.define(eq=False)
class _Request(Generic[T]):
    attempt: Callable[[Connection], Awaitable[T]]
    ended: trio.Event = attrs.field(factory=trio.Event)
    result: list[T] = attrs.field(factory=list)
    error: Exception | None = None


class RedisOwner:
    """See the module."""

    def __init__(
        self, settings: RedisSettings, limits: Limits, where: str, housekeeping: Housekeeping
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._where = where
        self._housekeeping = housekeeping
        self._send, self._receive = trio.open_memory_channel[_Request[Any]](math.inf)
        self._current: _Request[Any] | None = None
        self._broken: StorageError | None = None
        self._stopping = trio.Event()
        self._ended = trio.Event()
        self._scope = trio.CancelScope()
        self._begun = self._started = False
        self._out_since: float | None = None
        self._random = random.Random()  # noqa: S311 - spreads attempts, hides nothing

    async def do(self, attempt: Callable[[Connection], Awaitable[T]]) -> T:
        """Have something done, however often the connection breaks meanwhile.

        Args:
            attempt: does it, or finds that it is done already. `Outage` has it called again.

        Raises:
            StorageError: it was refused.
            StoreBroken: the store cannot be used any more.
        """
        if self._broken is not None:
            raise self._broken
        request = _Request(attempt)
        self._send.send_nowait(request)
        await request.ended.wait()
        if request.error is not None:
            raise request.error
        return request.result[0]

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until `close`.

        Raises:
            StorageError: the first connection could not be made.
        """

        async def begin(connection: Connection) -> None:
            await self._housekeeping.first(connection)
            await trio.lowlevel.checkpoint_if_cancelled()
            # From here on only `close` ends it: a cancelled caller must not break a command.
            self._scope.shield = self._started = True
            task_status.started()

        self._begun = True
        try:
            with self._scope:
                await self._session(begin)
                pause = FIRST_PAUSE
                while not self._stopping.is_set():
                    with trio.move_on_after(pause * self._random.uniform(0.5, 1)):
                        await self._stopping.wait()
                        break
                    pause = min(2 * pause, self._limits.longest_pause)
                    if await self._session(self._housekeeping.renew):
                        pause = FIRST_PAUSE
        finally:
            self._ended.set()
            self._refuse_all(self._broken or StorageError(self._where, "is closed"))

    async def close(self) -> None:
        """End: what is under way is finished if the server answers soon, then the lease goes back.

        To be called behind a shield.
        """
        self._broken = self._broken or StorageError(self._where, "is closed")
        self._stopping.set()
        self._send.close()
        if self._begun:
            with trio.move_on_after(self._limits.close):
                await self._ended.wait()
        self._scope.cancel()
        if self._begun:
            await self._ended.wait()

    async def _session(self, begin: Callable[[Connection], Awaitable[None]]) -> bool:
        """One connection, until it breaks or `close`; True if it was good for something."""
        good = False
        failure: Outage | Refused | StorageError | None = None
        try:
            async with open_connection(self._settings, self._limits) as connection:
                await begin(connection)
                good = True
                self._note(None)
                await self._serve(connection)
        except (Outage, Refused, StorageError) as exc:
            failure = exc
        except Exception as exc:  # a fault of ours or of the library's ends the store, not the rest
            log.exception("the redis engine failed in a way of its own", store=self._where)
            failure = StoreBroken(self._where, f"the engine failed: {exc!r}")
        if failure is not None:
            # The client library takes a cancellation that meets it while it connects for a fault.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._failed(failure)
        return good

    def _failed(self, failure: Outage | Refused | StorageError) -> None:
        if isinstance(failure, Refused):
            failure = refusal(self._where, failure)
            if self._started:  # without a lease there is as good as no server
                failure = Outage(failure.problem)
        if isinstance(failure, Outage):
            if not self._started:
                raise StorageError(self._where, failure.problem, failure.remedy)
            self._note(failure)
        elif not self._started:
            raise failure
        else:
            self._broken = failure
            self._stopping.set()

    async def _serve(self, connection: Connection) -> None:
        due = trio.current_time() + self._housekeeping.every
        closed = False
        while not closed:
            if self._current is None:
                with trio.move_on_at(due):
                    try:
                        self._current = await self._receive.receive()
                    except trio.EndOfChannel:
                        closed = True
            if self._current is not None:
                await self._answer(connection, self._current)
                self._current = None
            if trio.current_time() >= due:
                due = trio.current_time() + self._housekeeping.every
                try:
                    await self._housekeeping.renew(connection)
                except Refused as exc:
                    log.warning(
                        "the lease of a store was not renewed", store=self._where, reason=str(exc)
                    )
        await self._housekeeping.last(connection)

    async def _answer(self, connection: Connection, request: _Request[Any]) -> None:
        try:
            request.result.append(await request.attempt(connection))
        except Outage:
            raise
        except Refused as exc:
            request.error = refusal(self._where, exc)
        except StorageError as exc:
            request.error = exc
        except Exception as exc:  # a fault of ours must not be taken for the server's
            log.exception("the redis engine failed in a way of its own", store=self._where)
            request.error = StoreBroken(self._where, f"the engine failed: {exc!r}")
        request.ended.set()

    def _refuse_all(self, error: StorageError) -> None:
        self._broken = error
        waiting = [self._current] if self._current is not None else []
        while True:
            try:
                waiting.append(self._receive.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        for request in waiting:
            request.error = error
            request.ended.set()

    def _note(self, outage: Outage | None) -> None:
        """Log an outage at its begin and at its end."""
        if outage is not None and self._out_since is None:
            self._out_since = trio.current_time()
            log.warning(
                "a Redis server is out of reach; changes wait for it",
                store=self._where,
                reason=outage.problem,
                remedy=outage.remedy,
            )
        elif outage is None and self._out_since is not None:
            seconds = trio.current_time() - self._out_since
            self._out_since = None
            log.warning(
                "a Redis server answers again", store=self._where, seconds=round(seconds, 1)
            )
