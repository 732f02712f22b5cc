"""Whose a store on a Redis server is, whether it is ours to read, and what the server promises.

No record is read or written here.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path
from typing import Final

import attrs
import structlog
import trio

from moobius_trio.database.engine import Level, Owner, StoreBroken
from moobius_trio.database.redis_client import Connection, Limits
from moobius_trio.database.redis_scripts import LEASE, RELEASE, Keys
from moobius_trio.database.redis_settings import LEVELS
from moobius_trio.errors import StorageError, StoreLocked, StoreMissing

__all__ = ("FORMAT", "Lease")

log = structlog.get_logger()

FORMAT: Final = 1

POLL_SECONDS: Final = 1.0


@attrs.frozen(kw_only=True)
class _Holder:
    """Who holds a lease; it is kept as JSON."""

    token: str
    pid: int
    host: str
    machine: str
    """Tells two machines of the same name apart, and two containers on one."""

    @classmethod
    def ourselves(cls) -> _Holder:
        return cls(
            token=secrets.token_hex(8),
            pid=os.getpid(),
            host=socket.gethostname(),
            machine=_machine(),
        )

    @classmethod
    def read(cls, text: bytes) -> _Holder | None:
        """None: it is none of our leases."""
        try:
            found = json.loads(text)
            holder = cls(
                token=str(found["token"]),
                pid=int(found["pid"]),
                host=str(found["host"]),
                machine=str(found["machine"]),
            )
            return holder if 0 < holder.pid < 2**31 else None
        except (ValueError, TypeError, KeyError):
            return None

    def text(self) -> bytes:
        return json.dumps(attrs.asdict(self)).encode()

    def shares_machine_with(self, other: _Holder) -> bool:
        return (self.host, self.machine) == (other.host, other.machine)

    @property
    def alive(self) -> bool:
        """For a process of this machine."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _machine() -> str:
    """What tells this kernel's start and this namespace of process ids from others."""
    found = []
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            one = Path(path)
            found.append(str(one.readlink()) if one.is_symlink() else one.read_text().strip())
        except OSError:
            found.append("")
    return " ".join(found)


class Lease:
    """The right to a service's store, kept by renewing it; the owner's `Housekeeping`.

    Args:
        durability: what is asked of the server; None takes what it gives.
        read_only: nothing is taken or written.
    """

    def __init__(
        self, keys: Keys, limits: Limits, where: str, durability: Level | None, read_only: bool
    ) -> None:
        self._keys = keys
        self._limits = limits
        self._where = where
        self._durability = durability
        self._read_only = read_only
        self._us = _Holder.ourselves()
        self.every = limits.lease / 3
        self.level: Level = "memory"
        """What the server gives; known after `first`."""

    @property
    def token(self) -> str:
        """Of this opening; no other has it."""
        return self._us.token

    async def first(self, connection: Connection) -> None:
        """Check what the server is, then take the lease.

        Raises:
            StoreLocked: another process has it.
            StorageError: the store is of a newer format, or the server gives less than is asked.
            StoreMissing: it is to be looked at and is not there.
        """
        await self._check_format(connection)
        self.level = await self._find_level(connection)
        if self._read_only:
            return
        await self._check_asked(connection)
        await self._take(connection)
        if await connection.get(self._keys.format) is None:
            await connection.put(self._keys.format, str(FORMAT).encode())

    async def renew(self, connection: Connection) -> None:
        """Keep the lease, or take it again after it ran out unnoticed.

        Raises:
            StoreBroken: another process has taken it.
        """
        if self._read_only:
            return
        found = await self._ask(connection)
        if found is not None:
            holder = _Holder.read(found[0])
            name = f" (pid {holder.pid} on {holder.host})" if holder is not None else ""
            raise StoreBroken(self._where, f"another process has taken it over{name}")

    async def last(self, connection: Connection) -> None:
        """Give the lease back."""
        if not self._read_only:
            await connection.script(RELEASE, [self._keys.lease], [self._us.text()])

    async def owner(self, connection: Connection) -> Owner | None:
        """Who has the lease; its process id if it is one of this machine."""
        text = await connection.get(self._keys.lease)
        holder = _Holder.read(text) if text is not None else None
        if holder is None:
            return None
        if not holder.shares_machine_with(self._us):
            return Owner(None)
        return Owner(holder.pid) if holder.alive else None

    async def _ask(self, connection: Connection, dead: bytes = b"") -> tuple[bytes, int] | None:
        """Take or keep the lease; None, or who has it and for how many milliseconds more."""
        reply = await connection.script(
            LEASE,
            [self._keys.lease],
            [self._us.text(), str(round(self._limits.lease * 1_000)).encode(), dead],
        )
        match reply:
            case [b"other", bytes() as text, int() as left]:
                return text, left
        return None

    async def _take(self, connection: Connection) -> None:
        dead = b""
        ends: float | None = None
        while (found := await self._ask(connection, dead)) is not None:
            text, left = found
            holder = _Holder.read(text)
            if holder is None or left < 0:
                raise StorageError(
                    self._where,
                    f"under the key {self._keys.lease.decode()} lies no lease of ours",
                    "Remove that key if no other program needs it",
                )
            here = holder.shares_machine_with(self._us)
            now_ends = trio.current_time() + left / 1_000
            if here and not holder.alive:
                dead = text
                continue
            if here or (ends is not None and now_ends > ends + POLL_SECONDS):
                raise StoreLocked(self._where, holder.pid, None if here else holder.host)
            if ends is None:
                log.warning(
                    "a store has a lease of another machine; waiting whether it is renewed",
                    store=self._where,
                    pid=holder.pid,
                    host=holder.host,
                    seconds=round(left / 1_000),
                )
                ends = now_ends
            await trio.sleep(min(POLL_SECONDS, left / 1_000))

    async def _check_format(self, connection: Connection) -> None:
        found = await connection.get(self._keys.format)
        if found is None and self._read_only:
            raise StoreMissing(self._where)
        if found is not None and not (found.isdigit() and int(found) <= FORMAT):
            raise StorageError(
                self._where,
                f"has format {found[:20].decode('ascii', 'replace')}, "
                f"this version reads up to {FORMAT}",
                "Update moobius_trio",
            )

    async def _find_level(self, connection: Connection) -> Level:
        logged = await connection.setting("appendonly")
        synced = await connection.setting("appendfsync")
        if logged is None or synced is None:
            if self._durability is None:
                log.warning(
                    "a Redis server does not tell its settings; nothing is taken for durable",
                    store=self._where,
                    remedy="allow this user CONFIG GET",
                )
            return "memory"
        if any(one != "yes" for one in logged):
            return "memory"
        return "power" if all(one == "always" for one in synced) else "process"

    async def _check_asked(self, connection: Connection) -> None:
        asked = self._durability or "memory"
        policies = await connection.setting("maxmemory-policy")
        evicting = next((one for one in policies or () if one != "noeviction"), None)
        if LEVELS.index(asked) > LEVELS.index(self.level):
            if policies is None:
                problem, remedy = "the server does not tell its settings", "Allow CONFIG GET"
            elif self.level == "memory":
                problem, remedy = "the server has appendonly no", "Set appendonly yes there"
            else:
                problem, remedy = "the server syncs now and then", "Set appendfsync always there"
            raise StorageError(
                self._where,
                f"durability {asked} is asked for, but {problem}",
                f"{remedy}, or ask for {self.level} (settings, durability)",
            )
        if evicting is None:
            return
        if asked != "memory":
            raise StorageError(
                self._where,
                f"durability {asked} is asked for, but the server may drop records "
                f"(maxmemory-policy {evicting})",
                "Set maxmemory-policy noeviction there",
            )
        log.warning(
            "a Redis server may drop what is stored when its memory is full",
            store=self._where,
            policy=evicting,
            remedy="set maxmemory-policy noeviction there",
        )
