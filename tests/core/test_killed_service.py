"""A service that is killed: no user was told what it does not know when it comes back."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from moobius_trio import Band, MessageUp, MoobiusService, container
from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.threads import run_in_thread
from moobius_trio.database import (
    ENGINES,
    Change,
    Engine,
    EngineSite,
    OpenEngine,
    StorageUnit,
    declared_containers,
    open_stores,
)
from moobius_trio.local import DEFAULT_BAND, open_platform
from moobius_trio.network.memory import memory_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing import SERVICE, Actor
from moobius_trio.testing.forks import Forks, Mark, open_forks
from moobius_trio.testing.kill_suite import marked
from moobius_trio.types import ChannelId, JsonValue, Secret, ServiceId

KILLS = int(os.environ.get("MOOBIUS_TRIO_COUNTER_KILLS", "30"))

BAND = ChannelId(DEFAULT_BAND)
MOST_WORDS = 6


class Counting(Band):
    """What the service knows."""

    counter = container(dict[str, int], factory=lambda: {"told": 0})


class Counter(MoobiusService[Counting]):
    """Tells a number that nobody was told before."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band = self.bands[msg_up.channel_id]
        band.counter["n"]["told"] += 1
        await band.create_message(str(band.counter["n"]["told"]), band.members)


# The process that is killed


def serve(mark: Mark, address: str, engine: str, folder: str, known: str, holds: str) -> None:
    """Run the counter until it is killed; with `holds` empty, it speaks before it has stored."""
    if not holds:
        StorageUnit.settle = hold_nothing  # type: ignore[method-assign]
    service = Counter()
    service._environment = Environment(
        exclusive=False,
        settings=Settings(
            http_server_uri=f"http://{address}/",
            ws_server_uri=f"ws://{address}/",
            email="counter@example.org",
            password=Secret("a password of the test"),
            service_id=ServiceId(known) if known else None,
            channels=(BAND,),
        ),
        containers=(),
        engines={engine: marked(slowed(ENGINES[engine]), mark)},
        default_engine=engine,
        state=Path(folder),
        environ={},
    )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(service.serve)
            print(handle.service_id, flush=True)  # noqa: T201

    trio.run(main)


settle = StorageUnit.settle


def hold_nothing(self: StorageUnit) -> tuple[()]:
    """What `settle` is where frames wait for nothing."""
    settle(self)
    return ()


def slowed(open_engine: OpenEngine) -> OpenEngine:
    """The same engine on a slower disk, so that there is time to die in."""

    @asynccontextmanager
    async def open_slowed(
        settings: Mapping[str, JsonValue], site: EngineSite
    ) -> AsyncIterator[Engine]:
        async with open_engine(settings, site) as engine:
            yield Slowed(engine)

    return open_slowed


@attrs.frozen(eq=False)
class Slowed:
    """An engine whose commits take some milliseconds more."""

    _engine: Engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def commit(self, changes: Sequence[Change]) -> None:
        await trio.sleep(random.uniform(0, 0.01))
        await self._engine.commit(changes)


# The platform, whose users saw what they saw


@attrs.define(eq=False)
class Rig:
    """The platform with one user, and the service that comes and goes."""

    address: str
    alice: Actor
    sockets: Sockets
    forks: Forks
    folder: Path
    engine: str
    holds: bool
    source: random.Random
    service_id: str = ""
    kills: int = 0
    inside: int = 0

    @property
    def told(self) -> list[int]:
        """Every number that the user was ever told, in order."""
        return [int(text) for text in self.alice.texts]

    async def kill_once(self) -> None:
        """Start the service, talk to it, kill it, and see everything it said."""
        words = (self.engine, str(self.folder), self.service_id, "yes" if self.holds else "")
        fork = await trio.to_thread.run_sync(self.forks.start, self.address, *words)
        self.service_id = await trio.to_thread.run_sync(fork.read_line)
        before, said = self.alice.seen, self.source.randint(1, MOST_WORDS)
        for _ in range(said):
            await self.alice.say("count", to=SERVICE, settle=False)
        heard = before + self.source.randint(0, said)
        await until(lambda: self.alice.seen >= heard)
        if self.source.random() < 0.5:
            await self.alice.say("count", to=SERVICE, settle=False)
            await trio.to_thread.run_sync(self.forks.mark.wait)
        await trio.to_thread.run_sync(fork.kill)
        self.kills += 1
        self.inside += bool(self.forks.mark)
        await until(lambda: self.sockets.open == 0)
        await self.alice.catch_up()

    async def stored(self) -> int:
        """The number that the store has."""
        problems: list[Exception] = []
        async with open_stores(
            [],
            service_id=ServiceId(self.service_id),
            folder=self.folder,
            run_sync=run_in_thread,
            default_engine=self.engine,
            on_problem=problems.append,
        ) as stores:
            storage = await stores.storage(BAND, declared_containers(Counting))
            assert problems == []
            return storage.counter.get("n", {"told": 0})["told"]


class Sockets:
    """An application that counts its open WebSockets; only the service comes over one."""

    def __init__(self, app: Any) -> None:
        self.open = 0
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return await self._app(scope, receive, send)
        self.open += 1
        try:
            return await self._app(scope, receive, send)
        finally:
            self.open -= 1


async def until(predicate: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    with trio.fail_after(60):
        while True:
            if predicate():
                return
            await trio.sleep(0.001)


@asynccontextmanager
async def open_rig(folder: Path, engine: str, *, holds: bool) -> AsyncIterator[Rig]:
    """A platform on a real port with one user in the band."""
    source = random.Random(0)
    async with (
        open_platform(
            state=None, run_sync=run_in_thread, wall_clock=time.time, random=source
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        sockets = Sockets(platform.app)
        url: str = await nursery.start(serve_app, sockets)
        guest = platform.sign_in_guest("Alice")
        alice = Actor(
            name="Alice",
            user_id=guest.user_id,
            token=guest.tokens.access,
            channel_id=BAND,
            settle=trio.lowlevel.checkpoint,
            wall_clock_ms=lambda: time.time_ns() // 1_000_000,
        )
        await nursery.start(alice.serve, memory_connector(nursery, platform.serve_socket))
        await alice.rejoin()
        with open_forks(serve) as forks:
            yield Rig(
                address=url.removeprefix("http://"),
                alice=alice,
                sockets=sockets,
                forks=forks,
                folder=folder,
                engine=engine,
                holds=holds,
                source=source,
            )
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("engine", ["sqlite", "json"])
async def test_what_a_user_was_told_is_stored(tmp_path: Path, engine: str) -> None:
    """However often the service is killed, no number that a user saw is above the stored one, and
    none was told twice."""
    async with open_rig(tmp_path, engine, holds=True) as rig:
        for _ in range(KILLS):
            await rig.kill_once()
            assert max(rig.told, default=0) <= await rig.stored()
        told = rig.told
        sys.stdout.write(f"{engine}: kills {rig.kills}, inside {rig.inside}, told {len(told)}\n")
        assert len(set(told)) == len(told)
        assert len(told) >= KILLS / 2
        assert rig.inside >= 0.3 * KILLS


async def test_speaking_before_storing_is_found_out(tmp_path: Path) -> None:
    """With frames that wait for nothing, a user is told a number that the store does not have."""
    async with open_rig(tmp_path, "sqlite", holds=False) as rig:
        while rig.kills < KILLS:
            await rig.kill_once()
            if max(rig.told, default=0) > await rig.stored():
                break
        sys.stdout.write(f"found at kill {rig.kills}\n")
        assert max(rig.told) > await rig.stored()
