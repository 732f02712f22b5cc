"""What is done to the bands of a Redis store, once each, however often it has to be tried.

Everything here runs in the owner's task; when it is called again, and on which connection, is the
owner's to say (`redis_owner`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import trio

from moobius_trio.database.engine import StoreBroken
from moobius_trio.database.redis_client import Connection, Outage, Refused
from moobius_trio.database.redis_owner import refusal
from moobius_trio.database.redis_scripts import APPLY, ASIDE, CLAIM, FENCE, STAGE
from moobius_trio.errors import StorageError

__all__ = ("FIRST_CONTAINER", "ApplyJob", "AsideJob", "Band", "Entry", "Job", "do_jobs")

PART_RECORDS: Final = 200
PART_BYTES: Final = 128 * 1024
"""A commit of more is sent in parts, so that none of them holds up the loop for long."""

FIRST_CONTAINER: Final = 3  # KEYS[1] is the meta hash, KEYS[2] the staged list

RESTARTS: Final = 5

Entry = tuple[bytes, bytes, bytes, bytes]
"""One change as `APPLY` takes it."""


@attrs.define(eq=False)
class Band:
    """What is known of one band on the server."""

    where: str
    """The store in words, for messages."""
    token: str
    """Of this opening of the store."""
    meta: bytes
    staged: bytes
    owner: str = attrs.field(default=attrs.Factory(lambda self: self.token, takes_self=True))
    """What the scripts speak as."""
    found: str = attrs.field(default=attrs.Factory(lambda self: self.token, takes_self=True))
    """The owner that the next one may find instead; empty after a fence."""
    claimed: bool = False
    numbers: int = 0
    """The last number that was given out."""
    done: int = 0
    """The last one that was acknowledged."""
    fences: int = 0

    def number(self) -> int:
        """The next one."""
        self.numbers += 1
        return self.numbers

    def guard(self, number: int) -> list[bytes]:
        """The arguments with which every script begins that changes records."""
        numbers = (str(self.done).encode(), str(number).encode())
        return [self.owner.encode(), self.found.encode(), *numbers]

    async def claim(self, connection: Connection) -> None:
        """Make it ours, once."""
        if not self.claimed:
            await connection.script(CLAIM, [self.meta, self.staged], [self.owner.encode()])
            self.claimed = True

    async def fence(self, connection: Connection) -> None:
        """See to it that nothing that was sent before can still be done."""
        await connection.script(FENCE, [self.meta, self.staged], [self.owner.encode()])
        self.fences += 1
        self.owner, self.found = f"{self.token}.{self.fences}", ""


class Job:
    """One numbered change of a band. Subclasses say what is sent."""

    def __init__(self, band: Band) -> None:
        self.band = band
        self.number = band.number()
        self.done = False
        self.error: StorageError | None = None
        """Why it was refused; then nothing of it is stored."""
        self.uncertain = False
        """True once something was sent that may still be done after it was refused."""

    async def send(self, connection: Connection) -> bytes:
        """Send it; gives what the script says."""
        raise NotImplementedError

    async def run(self, connection: Connection) -> None:
        """Do it, or find that it is done already, or refused; `Outage` if neither is known."""
        if self.error is None:
            try:
                await self.band.claim(connection)
                self._judge(await self.send(connection))
            except Refused as exc:
                self.error = refusal(self.band.where, exc)
            except Outage:
                self.uncertain = True
                raise
        if self.error is not None and self.uncertain and not isinstance(self.error, StoreBroken):
            try:
                await self.band.fence(connection)
            except Refused as exc:
                self.error = StoreBroken(self.band.where, f"nobody knows what is stored ({exc})")
        self.done = True

    def _judge(self, reply: bytes) -> None:
        where = self.band.where
        if reply in (b"ok", b"done"):
            self.band.done = self.number
            self.band.found = self.band.owner
        elif reply == b"taken":
            self.error = StoreBroken(where, "another process has taken it over")
        elif reply == b"lost":
            self.error = StoreBroken(where, "the server lost what was stored there")
        else:
            key = reply.removeprefix(b"foreign ").decode("ascii", "replace")
            self.error = StorageError(where, f"under {key} lies something else", "Move it away")


class ApplyJob(Job):
    """Records to be set, removed or emptied.

    Args:
        keys: of the containers, in the order of their numbers in ``entries``.
    """

    def __init__(self, band: Band, keys: Sequence[bytes], entries: Sequence[Entry]) -> None:
        super().__init__(band)
        self._keys = [band.meta, band.staged, *keys]
        self._entries = entries

    async def send(self, connection: Connection) -> bytes:
        """In parts if it is large; what is seen of it is all or nothing."""
        for _ in range(RESTARTS):
            reply = await self._send_parts(connection)
            if reply != b"restart":
                return reply
        raise Outage("lost its place in a large commit")

    async def _send_parts(self, connection: Connection) -> bytes:
        count = 0
        last: list[bytes] = []
        for number, part in enumerate(self._parts()):
            if number:
                self.uncertain = True  # or what was staged would stay, if the rest is refused
                reply = await self._script(connection, STAGE, self._keys[:2], number - 1, last)
                if reply != b"ok":
                    return reply
            count, last = number, part
        return await self._script(connection, APPLY, self._keys, count, last)

    async def _script(
        self, connection: Connection, script: str, keys: list[bytes], number: int, part: list[bytes]
    ) -> bytes:
        guard = self.band.guard(self.number)
        reply = await connection.script(script, keys, [*guard, str(number).encode(), *part])
        assert isinstance(reply, bytes)  # noqa: S101
        return reply

    def _parts(self) -> Iterator[list[bytes]]:
        part: list[bytes] = []
        size = 0
        for entry in self._entries:
            length = len(entry[2]) + len(entry[3])
            if part and (len(part) >= 4 * PART_RECORDS or size + length > PART_BYTES):
                yield part
                part, size = [], 0
            part.extend(entry)
            size += length
        yield part


class AsideJob(Job):
    """A record to be moved out of its container."""

    def __init__(
        self, band: Band, container: bytes, aside: bytes, key: bytes, problem: bytes
    ) -> None:
        super().__init__(band)
        self._keys = [band.meta, container, aside]
        self._record = [key, problem]

    async def send(self, connection: Connection) -> bytes:
        """In one script."""
        args = [*self.band.guard(self.number), *self._record]
        reply = await connection.script(ASIDE, self._keys, args)
        assert isinstance(reply, bytes)  # noqa: S101
        return reply


async def do_jobs(jobs: Sequence[Job], connection: Connection) -> None:
    """Do them side by side; those that are done stay so when it is called again.

    Raises:
        Outage: of at least one it is not known whether it is done.
    """
    outages: list[Outage] = []

    async def do(job: Job) -> None:
        try:
            await job.run(connection)
        except Outage as exc:
            outages.append(exc)

    async with trio.open_nursery() as nursery:
        for job in jobs:
            if not job.done:
                nursery.start_soon(do, job)
    if outages:
        raise outages[0]
