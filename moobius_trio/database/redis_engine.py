"""Records on a Redis server: one hash for each container, one script for each band's commit.

A server that is away is waited for (`redis_owner`). What a value's bytes mean is not known here,
nor is the client library.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

from moobius_trio.database.engine import (
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    NotAllStored,
    Owner,
    Place,
    StoreBroken,
)
from moobius_trio.database.redis_client import Connection, Limits
from moobius_trio.database.redis_commits import (
    FIRST_CONTAINER,
    ApplyJob,
    AsideJob,
    Band,
    Entry,
    Job,
    do_jobs,
)
from moobius_trio.database.redis_lease import Lease
from moobius_trio.database.redis_owner import RedisOwner
from moobius_trio.database.redis_scripts import Keys
from moobius_trio.database.redis_settings import read_redis_settings
from moobius_trio.types import ChannelId, JsonValue

__all__ = ("LIMITS", "open_redis")

LIMITS: Final = Limits()

SLICE: Final = 500


class _RedisEngine:
    atomic: Final[Atomicity] = "band"
    keeps_order: Final = False

    def __init__(
        self, owner: RedisOwner, lease: Lease, keys: Keys, where: str, *, read_only: bool
    ) -> None:
        self._where = where
        self._owner = owner
        self._lease = lease
        self._keys = keys
        self._read_only = read_only
        self._bands: dict[ChannelId | None, Band] = {}

    @property
    def where(self) -> str:
        return self._where

    @property
    def level(self) -> Level:
        return self._lease.level

    async def owner(self) -> Owner | None:
        return await self._owner.do(self._lease.owner)

    async def places(self) -> Sequence[Place]:
        async def attempt(connection: Connection) -> list[Place]:
            found = map(self._keys.place, await connection.hashes(self._keys.pattern))
            return [place for place in found if place is not None]

        return await self._owner.do(attempt)

    async def load(self, place: Place) -> Loaded:
        async def attempt(connection: Connection) -> Loaded:
            if not self._read_only:
                await self._band(place.band).claim(connection)
            return Loaded(await connection.fields(self._keys.container(place)))

        return await self._owner.do(attempt)

    async def commit(self, changes: Sequence[Change]) -> None:
        jobs = await self._jobs(changes)
        await self._do(*jobs.values())
        errors = {band: job.error for band, job in jobs.items() if job.error is not None}
        for error in errors.values():
            if isinstance(error, StoreBroken) or len(jobs) == 1:
                raise error
        if len(errors) == len(jobs):
            raise next(iter(errors.values()))
        if errors:
            raise NotAllStored(self.where, errors)

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        container, aside = self._keys.container(place), self._keys.aside(place)
        text = problem.encode("utf-8", "backslashreplace")
        await self._one(AsideJob(self._band(place.band), container, aside, key, text))
        return f"the list {aside.decode()}"

    async def clear(self, place: Place) -> None:
        empty = (b"e", str(FIRST_CONTAINER).encode(), b"", b"")
        keys = [self._keys.container(place)]
        await self._one(ApplyJob(self._band(place.band), keys, [empty]))

    async def _one(self, job: Job) -> None:
        await self._do(job)
        if job.error is not None:
            raise job.error

    async def _do(self, *jobs: Job) -> None:
        await self._owner.do(partial(do_jobs, jobs))

    async def _jobs(self, changes: Sequence[Change]) -> dict[ChannelId | None, ApplyJob]:
        """A job for each band; its sets come before its deletions."""
        keys: dict[Place, bytes] = {}
        places: dict[ChannelId | None, list[Place]] = {}
        sets: dict[ChannelId | None, list[Entry]] = {}
        deletes: dict[ChannelId | None, list[Entry]] = {}
        for count, change in enumerate(changes, 1):
            place = change.place
            if place not in keys:
                known = places.setdefault(place.band, [])
                keys[place] = str(len(known) + FIRST_CONTAINER).encode()
                known.append(place)
                sets.setdefault(place.band, [])
                deletes.setdefault(place.band, [])
            if change.value is None:
                deletes[place.band].append((b"d", keys[place], change.key, b""))
            else:
                sets[place.band].append((b"s", keys[place], change.key, change.value))
            if count % SLICE == 0:
                await trio.lowlevel.checkpoint()
        return {
            band: ApplyJob(
                self._band(band),
                [self._keys.container(place) for place in known],
                sets[band] + deletes[band],
            )
            for band, known in places.items()
        }

    def _band(self, band: ChannelId | None) -> Band:
        if band not in self._bands:
            self._bands[band] = Band(
                where=self._where,
                token=self._lease.token,
                meta=self._keys.meta(band),
                staged=self._keys.staged(band),
            )
        return self._bands[band]


@asynccontextmanager
async def open_redis(
    settings: Mapping[str, JsonValue], site: EngineSite, limits: Limits = LIMITS
) -> AsyncIterator[Engine]:
    """Open the records of a service on a Redis server (docs/how-to/redis.md).

    Once open, an outage of the server is waited for: what is asked meanwhile is done when it
    answers again. A caller that is cancelled leaves; what it asked for goes on.

    Args:
        limits: how long is waited for what.

    Raises:
        ConfigError: a setting is wrong, or the server gives less than is asked of it.
        StoreLocked: another process has it open.
        StorageError: the server cannot be reached, or the store on it not be used.
    """
    known = read_redis_settings(settings, site.folder)
    where = known.address
    keys = Keys(site.service_id)
    lease = Lease(keys, limits, where, known.durability, site.read_only)
    owner = RedisOwner(known, limits, where, lease)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(owner.run)
            yield _RedisEngine(owner, lease, keys, where, read_only=site.read_only)
        except Exception as exc:  # raised again below, outside the nursery, which would wrap it
            failure = exc
        finally:
            with trio.CancelScope(shield=True):
                await owner.close()
    if failure is not None:
        raise failure
