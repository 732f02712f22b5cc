"""Power lost at any moment: what the file engines acknowledged is there, whole, after a restart.

The engines run for real while every step on their files is written down; then disks are drawn that
a loss of power could have left, and the engines open these.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import attrs
import pytest

from moobius_trio.database import (
    ENGINES,
    Change,
    Engine,
    EngineSite,
    Place,
    durable,
    files,
    json_engine,
)
from moobius_trio.database.files import failing_as
from moobius_trio.errors import StorageError
from moobius_trio.testing.disk_recorder import Call, DiskRecorder
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.power_loss import (
    Acknowledge,
    PowerLoss,
    Snapshot,
    Step,
    SyncFile,
    SyncFolder,
    Tree,
    read_tree,
    write_tree,
)
from moobius_trio.testing.sqlite_vfs import recorded_sqlite, why_sqlite_cannot_be_recorded
from moobius_trio.types import ChannelId, ServiceId

STATES = int(os.environ.get("MOOBIUS_TRIO_POWER_LOSS_STATES", "300"))
LIVES = 20
SABOTAGED = 2_000
SERVICE = ServiceId("s1")
REASON = why_sqlite_cannot_be_recorded()
SQLITE = pytest.param(
    "sqlite", marks=pytest.mark.skipif(REASON is not None, reason=REASON or "it can be recorded")
)
FILE_ENGINES = [SQLITE, "json"]
MOMENTS: list[tuple[Call | None, int]] = [
    (None, 8),
    (None, 40),
    ("sync file", 12),
    ("sync folder", 8),
    ("sync folder", 30),
]
"""Before the n-th call of which kind a process is killed; n is less than that."""
SMALL = 4_096
LARGE = 20_000

PLACES = [
    Place(band, container)
    for band in (ChannelId("b"), ChannelId("../" + "x" * 300), None)
    for container in ("box", "y" * 250)
]
KEYS = [b"a", b"A", b"../x", b"k" * 300, b"\x00"]
Content = Mapping[tuple[Place, bytes], bytes]


@attrs.define
class History:
    """What an engine was asked for, and all it did to its files meanwhile."""

    start: Snapshot
    steps: list[Step]
    contents: list[Content]
    """What is stored once so many calls are acknowledged."""


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of files are synced here to no end."""
    shared = Path("/dev/shm")  # noqa: S108  # only asked whether it is there
    above = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=above) as folder:
        yield Path(folder).resolve()


@asynccontextmanager
async def opened(engine: str, folder: Path) -> AsyncIterator[Engine]:
    site = EngineSite(service_id=SERVICE, folder=folder / "new", run_sync=run_inline)
    async with ENGINES[engine]({"root_dir": "data"}, site) as one:
        yield one


@contextmanager
def checkpoints_often() -> Iterator[None]:
    """SQLite's log starts again after few pages, so that this happens many times."""
    connect = sqlite3.connect

    def connected(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute("PRAGMA wal_autocheckpoint = 12")
        return connection

    with mock.patch.object(sqlite3, "connect", connected):
        yield


@contextmanager
def recording(folder: Path, engine: str) -> Iterator[DiskRecorder]:
    recorder = DiskRecorder(folder)
    with ExitStack() as stack:
        stack.enter_context(recorder.recording())
        if engine == "sqlite":
            stack.enter_context(checkpoints_often())
            stack.enter_context(recorded_sqlite(recorder))
        yield recorder
    recorder.check_complete("-shm")


async def lived(
    engine: str, folder: Path, source: Random, before: Content | None = None
) -> History:
    """Starts with commits of all kinds; some end by SIGKILL, at a moment of their own."""
    contents: list[Content] = [dict(before or {})]
    with recording(folder, engine) as recorder:
        for _ in range(4):
            if source.random() < 0.5:
                at, calls = source.choice(MOMENTS)
                with recorder.killed(after=source.randrange(calls), at=at), suppress(StorageError):
                    await one_life(engine, folder, source, contents, recorder)
            else:
                await one_life(engine, folder, source, contents, recorder)
    return History(recorder.start, recorder.steps, contents)


async def one_life(
    engine: str, folder: Path, source: Random, contents: list[Content], recorder: DiskRecorder
) -> None:
    async with opened(engine, folder) as store:
        content = dict(await everything(store))
        contents.append(dict(content))
        recorder.acknowledge(len(contents) - 1)  # a service that reads it speaks of it
        for _ in range(5):
            if source.random() < 0.1:
                place = source.choice(PLACES)
                content = {at: one for at, one in content.items() if at[0] != place}
                contents.append(dict(content))
                await store.clear(place)
            else:
                changes = some_changes(source, content, len(contents))
                contents.append(dict(content))
                await store.commit(changes)
            recorder.acknowledge(len(contents) - 1)


def some_changes(
    source: Random, content: dict[tuple[Place, bytes], bytes], number: int
) -> Sequence[Change]:
    """One commit; it is done to ``content`` as well."""
    changes = []
    for at in source.sample([(place, key) for place in PLACES for key in KEYS], 4):
        if source.random() < 0.2:
            changes.append(Change(*at, None))
            content.pop(at, None)
        else:
            length = source.choice([1, 100, SMALL, LARGE])
            value = json.dumps({"n": number, "filling": "x" * length}, separators=(",", ":"))
            changes.append(Change(*at, value.encode(), fresh=at not in content))
            content[at] = value.encode()
    return changes


async def everything(store: Engine) -> Content:
    """What the engine finds; nothing is set aside."""
    content = {}
    for place in await store.places():
        loaded = await store.load(place)
        assert not loaded.problems
        content.update({(place, key): value for key, value in loaded.records})
    return content


def whole(engine: str, found: Content, contents: Sequence[Content]) -> bool:
    """Whether this is what was acknowledged, or goes on to what was being stored."""
    if engine == "sqlite":
        return found in contents
    ats = {at for content in (*contents, found) for at in content}
    return all(found.get(at) in [content.get(at) for content in contents] for at in ats)


async def counterexample(
    engine: str,
    history: History,
    scratch: Path,
    states: int,
    source: Random,
    also: Callable[[Path], None],
) -> str | None:
    """The first of so many states that does not open as it should."""
    disk = PowerLoss(history.start)
    numbers = [step.number for step in history.steps if isinstance(step, Acknowledge)]
    for number, tree in enumerate(disk.states(history.steps, states, source)):
        folder = scratch / "state"
        folder.mkdir()
        write_tree(with_garbage(tree, source), folder)
        said = disk.acknowledged
        try:
            async with opened(engine, folder) as store:
                found = await everything(store)
            after = next((one for one in numbers if one > said), len(history.contents))
            assert whole(engine, found, history.contents[said : after + 1]), "torn or lost"
            left = [name for name in read_tree(folder) if ".new-" in name or "corrupt" in name]
            assert left == []
            also(folder)
        except Exception as exc:  # whatever it is, such a disk must not bring it about
            return f"state {number} of {states}, {said} acknowledged: {exc!r}"
        shutil.rmtree(folder)
    return None


def with_garbage(tree: Tree, source: Random) -> Tree:
    """SQLite's shared memory is made new at each start, whatever is there."""
    name = f"new/data/service_{SERVICE}.sqlite3"
    if name in tree and source.random() < 0.5:
        return {**tree, f"{name}-shm": source.randbytes(32_768)}
    return tree


def nothing(folder: Path) -> None:
    """No further check."""


async def in_many_lives(
    engine: str, scratch: Path, states: int = SABOTAGED, without: type[Step] | None = None
) -> str | None:
    """The first counterexample in so many lives of an engine; None if there is none.

    Args:
        without: steps of this kind are left out, as if the engine had not done them.
    """
    source = Random(engine)
    for number in range(LIVES):
        life = scratch / f"life {number}"
        life.mkdir()
        history = await lived(engine, life, source)
        if without is not None:
            history.steps = [one for one in history.steps if not isinstance(one, without)]
        found = await counterexample(engine, history, scratch, states // LIVES, source, nothing)
        if found is not None:
            return f"life {number}: {found}"
    return None


@pytest.mark.soak
@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_no_loss_of_power_takes_what_was_acknowledged(scratch: Path, engine: str) -> None:
    """Each acknowledged commit is there, none is torn, nothing is set aside, no file is left (F40).

    What a restarted engine finds stays too, though the process that wrote it was killed.
    """
    assert await in_many_lives(engine, scratch, STATES) is None


async def copied(scratch: Path, states: int) -> str | None:
    """The first counterexample in the life of a folder that the original made."""
    life = scratch / "life"
    boxes = life / "new/data" / f"service_{SERVICE}" / "band_b" / "box"
    boxes.mkdir(parents=True)
    before = {}
    for number in range(4):
        text = json.dumps({f"k{number}": "x" * 1_000, "_type": "str"})
        (boxes / f"k{number}.json").write_text(text)
        before[PLACES[0], f"k{number}".encode()] = json.dumps("x" * 1_000).encode()
    original = read_tree(boxes.parents[1])
    history = await lived("json", life, Random(0), before)

    def is_copied(folder: Path) -> None:
        copy = folder / "new/data" / f"service_{SERVICE}.format-0"
        assert read_tree(copy) == original, "the copy is not whole"
        assert not copy.with_name(copy.name + ".part").exists()

    return await counterexample("json", history, scratch, states, Random(1), is_copied)


@pytest.mark.soak
async def test_a_folder_of_the_original_is_copied_whole_before_it_is_changed(
    scratch: Path,
) -> None:
    """The copy has every file as it was, and so have the records, wherever power is lost."""
    assert await copied(scratch, STATES // 2) is None


@pytest.mark.parametrize("engine", FILE_ENGINES)
@pytest.mark.parametrize("kind", [SyncFile, SyncFolder])
async def test_without_one_kind_of_sync_it_would_be_lost(
    scratch: Path, engine: str, kind: type[Step]
) -> None:
    """The same lives on a disk that does not sync files, or folders, have a counterexample."""
    assert await in_many_lives(engine, scratch, without=kind) is not None


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (durable, "fsync"),  # a file before it gets its name
        (files, "sync_folder"),  # new folders
        (json_engine, "sync_folder"),  # records
        (json_engine, "left_open"),  # what a killed process left half done
    ],
)
async def test_the_json_engine_needs_each_of_its_syncs(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, module: Any, function: str
) -> None:
    """Without any one of them there is a counterexample."""
    monkeypatch.setattr(module, function, lambda *args: None)
    found = await in_many_lives("json", scratch)
    assert found is not None


@pytest.mark.parametrize("function", ["fsync", "sync_folder"])
async def test_the_copy_needs_its_syncs(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """A copy that is not synced before it gets its name has a counterexample."""
    monkeypatch.setattr(durable, function, lambda *args: None)
    assert "copy is not whole" in str(await copied(scratch, SABOTAGED))


@pytest.mark.skipif(REASON is not None, reason=REASON or "it can be recorded")
@pytest.mark.parametrize(
    ("setting", "weaker"),
    [
        ("PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),
        ("PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
        ("PRAGMA wal_checkpoint", "SELECT 1"),
    ],
)
async def test_the_sqlite_engine_needs_its_settings(
    scratch: Path, setting: str, weaker: str
) -> None:
    """Anything below ``FULL`` has a counterexample, and so has a start without a checkpoint."""
    real = sqlite3.connect

    class Weaker(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return super().execute(weaker if sql == setting else sql, *args)

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        return real(*args, **options, factory=Weaker)

    with mock.patch.object(sqlite3, "connect", connect):
        assert await in_many_lives("sqlite", scratch) is not None


async def test_writing_in_place_would_tear_records(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are not replaced whole have a counterexample, although all of it is synced."""

    @failing_as("in place")
    def in_place(self: Any, changes: Sequence[Change]) -> None:
        for change in changes:
            path = self._path(change.place, change.key)
            if change.value is None:
                path.unlink(missing_ok=True)
                continue
            self._make_folder(change.place, path.parent)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                content = json_engine.write_record(change.key, change.value, named=False)
                os.write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for folder in {self._path(change.place, change.key).parent for change in changes}:
            if folder.is_dir():
                files.sync_folder(folder)

    monkeypatch.setattr(json_engine._JsonFolder, "commit", in_place)
    assert await in_many_lives("json", scratch) is not None
