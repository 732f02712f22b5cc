"""What must hold for every storage engine whose process is killed, tried as often as one likes.

    def test_killed_while_writing(tmp_path):
        found = kill_writers(open_mine, tmp_path, kills=100)
        assert found.holds, found

Engines are seen only through `open_stores`: no file, table or server is known here.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.database import (
    Atomicity,
    CachedDict,
    Change,
    ContainerSpec,
    Engine,
    EngineSite,
    OpenEngine,
    Stores,
    open_stores,
)
from moobius_trio.errors import StorageError
from moobius_trio.testing.forks import Fork, Mark, find_function, name_function, open_forks, say
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, JsonValue, RunSync, ServiceId, empty_mapping

__all__ = ("Kills", "Marked", "kill_writers", "marked")

BANDS: Final = (ChannelId("band-1"), ChannelId("band-2"))
PLACES: Final = tuple((band, str(number)) for band in BANDS for number in range(10))
SERVICE: Final = ServiceId("service-1")
LARGE_BYTES: Final = 100_000
SMALL_BYTES: Final = 300

EARLY: Final = 0.1
"""How many are killed while they open the store; of the others
half are killed inside a commit."""

Record = dict[str, Any] | None
State = dict[tuple[ChannelId, str], Record]


@attrs.define(kw_only=True)
class Kills:
    """What came of killing a writer again and again."""

    kills: int = 0
    inside: int = 0
    """How many of them hit it inside a commit."""
    rounds: int = 0
    """Rounds of changes that were acknowledged."""
    torn: int = 0
    """Records that no round has written, or that cannot be read; and the times when a commit was
    there in part although the engine says that it appears all or not at all."""
    lost: int = 0
    """Records older than what was acknowledged, or missing."""
    left: int = 0
    """Files that are there after reopening, and would not be had nobody been killed."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was torn, lost or left over."""
        return self.torn == self.lost == self.left == 0


def kill_writers(
    open_engine: OpenEngine,
    folder: Path,
    *,
    kills: int,
    settings: Mapping[str, JsonValue] | None = None,
    imports: Sequence[str] = (),
    seed: int = 0,
) -> Kills:
    """Let a process write through this engine, kill it, open the store again; and once more.

    The process writes as a service does: units of work that add, replace, change inside and remove
    records of 300 bytes and of 100 KB in two bands, flushed one after the other, with blocking work
    in threads. One in ten is killed while it opens the store, half of the others inside a commit,
    the rest at any moment. Runs trio itself, so it is to be called outside of an event loop.

    Args:
        open_engine: at the top level of its module.
        folder: where the engine may keep files; nothing is in it yet.
        settings: of the engine.
        imports: modules that the engine imports only when it is opened.
        seed: for the choice of moments; the rest is the operating system's.

    Raises:
        AssertionError: a writer ended by itself; standard error says why.
        StorageError: the store could not be opened again.
    """
    begun, found = time.monotonic(), Kills()
    source = random.Random(seed)  # noqa: S311
    store = _Store(open_engine, folder, settings or empty_mapping())
    before, number = _round(0), 3
    with open_forks(_write, imports=imports) as forks:
        for _ in range(kills):
            fork = forks.start(*store.words(), str(number))
            told = _kill_some_time(fork, forks.mark, source)
            found.kills += 1
            found.inside += bool(forks.mark)
            found.rounds += len(told)
            if told:
                number = int(told[-1])
                before = _round(number)
                number += 1
            before = _judge(store, [before, _round(number)], found)
            number += 1
    found.seconds = time.monotonic() - begun
    return found


def _kill_some_time(fork: Fork, mark: Mark, source: random.Random) -> list[str]:
    """Kill a writer at a moment of one of three kinds; gives the rounds it said were stored."""
    if source.random() < EARLY:
        time.sleep(source.uniform(0, 0.02))
        return [line for line in fork.kill() if line != "open"]
    fork.read_line()
    told = [fork.read_line() for _ in range(source.randrange(4))]
    if source.random() < 0.5:
        mark.wait()
        time.sleep(source.choice([0.0, source.uniform(0, 0.002)]))
    else:
        time.sleep(source.uniform(0, 0.02))
    return told + fork.kill()


def _judge(store: _Store, allowed: list[State], found: Kills) -> State:
    """Open the store again and count what is wrong; gives what is stored."""
    state, atomic, problems = trio.run(store.read)
    found.torn += problems
    wrong = {place for place in PLACES if all(state[place] != one[place] for one in allowed)}
    for place in wrong:
        record = state[place]
        if record is None or record == _record(*place, record.get("n", 0)):
            found.lost += 1
        else:
            found.torn += 1
    for group in _groups(atomic):
        if not wrong.intersection(group):
            found.torn += not any(all(state[p] == one[p] for p in group) for one in allowed)
    found.left += store.left_over(state)
    return state


def _groups(atomic: Atomicity) -> list[list[tuple[ChannelId, str]]]:
    """The records that must be of one round."""
    if atomic == "store":
        return [list(PLACES)]
    if atomic == "band":
        return [[place for place in PLACES if place[0] == band] for band in BANDS]
    return []


def _round(n: int) -> State:
    """What is stored after this round; 0: nothing."""
    return {place: _record(*place, n) for place in PLACES}


def _record(band: ChannelId, key: str, n: int) -> Record:
    """A record as this round leaves it; None: it is not there."""
    number = int(key)
    if n == 0 or (number % 5 == 2 and n % 2):
        return None
    if number % 5 == 4:
        n -= n % 3  # stays as it is for three rounds
    size = LARGE_BYTES if number == 7 else SMALL_BYTES
    return {"n": n, "inner": {"of": band, "filling": str(n).rjust(10) * (size // 10)}}


def _change(box: CachedDict[str, Any], key: str, wanted: Record) -> None:
    """Write a record in the way that its number stands for."""
    if wanted is None:
        box.pop(key, None)
    elif int(key) % 2 and key in box:
        box[key]["n"] = wanted["n"]
        box[key]["inner"].update(wanted["inner"])
    else:
        box[key] = wanted


# The process that is killed


def _write(mark: Mark, engine: str, folder: str, settings: str, first: str) -> None:
    store = _Store(marked(find_function(engine), mark), Path(folder), json.loads(settings))
    trio.run(_write_rounds, store, int(first))


async def _write_rounds(store: _Store, first: int) -> None:
    problems: list[StorageError] = []  # a commit that is refused is raised by the flush
    async with store.open(run_in_thread, problems.append) as (stores, boxes):
        say("open")
        for n in itertools.count(first):
            async with unit_of_work(Unit(handler="writer")):
                for (band, key), wanted in _round(n).items():
                    _change(boxes[band], key, wanted)
            await stores.flush()
            say(str(n))


def marked(open_engine: OpenEngine, mark: Mark) -> OpenEngine:
    """The same engine with the mark set while it commits."""

    @asynccontextmanager
    async def open_marked(
        settings: Mapping[str, JsonValue], site: EngineSite
    ) -> AsyncIterator[Engine]:
        async with open_engine(settings, site) as engine:
            yield Marked(engine, mark)

    return open_marked


@attrs.frozen(eq=False)
class Marked:
    """An engine that sets the mark while it commits; all else is the other engine's."""

    _engine: Engine
    _mark: Mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def commit(self, changes: Sequence[Change]) -> None:
        """Store the changes."""
        with self._mark.held():
            await self._engine.commit(changes)


# The store between two processes


@attrs.frozen(eq=False)
class _Store:
    """Where a store is, and how it is opened."""

    open_engine: OpenEngine
    folder: Path
    settings: Mapping[str, JsonValue]
    _clean: dict[frozenset[tuple[ChannelId, str]], frozenset[str]] = attrs.field(factory=dict)

    def words(self) -> tuple[str, str, str]:
        """The same for another process."""
        return name_function(self.open_engine), str(self.folder), json.dumps(dict(self.settings))

    @asynccontextmanager
    async def open(
        self, run_sync: RunSync, on_problem: Callable[[StorageError], None]
    ) -> AsyncIterator[tuple[Stores, dict[ChannelId, CachedDict[str, Any]]]]:
        """The open stores with the container of each band."""
        spec = ContainerSpec(name="box", implementation="tried", settings=self.settings)
        async with open_stores(
            [spec],
            service_id=SERVICE,
            folder=self.folder,
            run_sync=run_sync,
            on_problem=on_problem,
            engines={"tried": self.open_engine},
        ) as stores:
            yield stores, {band: (await stores.storage(band, {})).box for band in BANDS}

    async def read(self) -> tuple[State, Atomicity, int]:
        """What is stored, what of it appears together, and how much could not be read."""
        problems: list[StorageError] = []
        opened: list[Engine] = []

        @asynccontextmanager
        async def noting(
            settings: Mapping[str, JsonValue], site: EngineSite
        ) -> AsyncIterator[Engine]:
            async with self.open_engine(settings, site) as engine:
                opened.append(engine)
                yield engine

        store = attrs.evolve(self, open_engine=noting)
        async with store.open(run_inline, problems.append) as (_, boxes):
            state = {(band, key): boxes[band].get(key) for band, key in PLACES}
        return state, opened[0].atomic, len(problems)

    def left_over(self, state: State) -> int:
        """How many files are there that a store with these records would not have, had nobody
        been killed."""
        files = _files_in(self.folder)
        there = frozenset(place for place, record in state.items() if record is not None)
        if files and there not in self._clean:  # without files it lies where no folder matters
            with tempfile.TemporaryDirectory() as folder:
                trio.run(attrs.evolve(self, folder=Path(folder))._write_cleanly, there)
                self._clean[there] = _files_in(Path(folder))
        return len(files - self._clean.get(there, frozenset()))

    async def _write_cleanly(self, there: frozenset[tuple[ChannelId, str]]) -> None:
        async with self.open(run_inline, _raise) as (_, boxes):
            for band, key in there:
                boxes[band][key] = 0


def _files_in(folder: Path) -> frozenset[str]:
    return frozenset(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def _raise(problem: StorageError) -> None:
    raise problem
