"""Disks that fail under the file engines: an error for the author, and nothing that is not so.

Each single call of a commit fails once, in the real engine; whatever it was, memory and disk agree
afterwards.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio.testing

from moobius_trio.database import (
    ENGINES,
    EngineSite,
    StoreBroken,
    Stores,
    container,
    open_stores,
)
from moobius_trio.database.encoding import Format
from moobius_trio.database.loading import read_records
from moobius_trio.errors import StorageError
from moobius_trio.testing.disk_recorder import Call, DiskRecorder
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.power_loss import read_tree
from moobius_trio.testing.sqlite_vfs import recorded_sqlite, why_sqlite_cannot_be_recorded
from moobius_trio.types import ChannelId, ServiceId

REASON = why_sqlite_cannot_be_recorded()
SQLITE = pytest.mark.skipif(REASON is not None, reason=REASON or "it can be recorded")
SERVICE = ServiceId("s1")
BANDS = [ChannelId("b"), ChannelId("c")]
DECLARED = {"box": container(object, key=object)}
MOST_CALLS = 40


@attrs.frozen
class Failing:
    """One kind of call that fails, and whether the store can be trusted afterwards."""

    engine: str
    call: Call
    number: int
    broken: bool

    def __str__(self) -> str:
        return f"{self.engine}, {self.call}, {errno.errorcode[self.number]}"


FAULTS = [
    pytest.param(fault, id=str(fault), marks=[SQLITE] if fault.engine == "sqlite" else [])
    for fault in [
        Failing("sqlite", "write", errno.EIO, broken=False),
        Failing("sqlite", "write", errno.ENOSPC, broken=False),
        Failing("sqlite", "sync file", errno.EIO, broken=True),
        Failing("json", "create", errno.EIO, broken=False),
        Failing("json", "mkdir", errno.ENOSPC, broken=False),
        Failing("json", "write", errno.EIO, broken=False),
        Failing("json", "write", errno.ENOSPC, broken=False),
        Failing("json", "sync file", errno.ENOSPC, broken=False),
        Failing("json", "sync file", errno.EIO, broken=True),
        Failing("json", "rename", errno.EIO, broken=True),
        Failing("json", "unlink", errno.EIO, broken=True),
        Failing("json", "sync folder", errno.EIO, broken=True),
    ]
]


@contextmanager
def recorded(root: Path) -> Iterator[DiskRecorder]:
    recorder = DiskRecorder(root)
    with recorder.recording():
        if REASON is not None:
            yield recorder
            return
        with recorded_sqlite(recorder):
            yield recorder


@asynccontextmanager
async def opened(
    engine: str, root: Path, problems: list[StorageError] | None = None
) -> AsyncIterator[Stores]:
    found: list[StorageError] = []
    async with open_stores(
        [],
        service_id=SERVICE,
        folder=root,
        run_sync=run_inline,
        default_engine=engine,
        on_problem=(found if problems is None else problems).append,
    ) as stores:
        yield stores
    assert found == []


async def boxes_of(stores: Stores) -> list[Any]:
    return [(await stores.storage(band, DECLARED)).box for band in BANDS]


async def on_disk(engine: str, root: Path) -> list[dict[Any, Any]]:
    """What another process would find there now."""
    site = EngineSite(service_id=SERVICE, folder=root, run_sync=run_inline, read_only=True)
    found = []
    async with ENGINES[engine]({}, site) as looking:
        problems: list[StorageError] = []
        places = {place.band: place for place in await looking.places()}
        for band in BANDS:
            records = (
                await read_records(looking, places[band], Format(object, object), problems.append)
                if band in places
                else []
            )
            found.append({record.key: record.value for record in records})
        assert problems == []
    return found


def temporary_files(root: Path) -> list[str]:
    return [name for name in read_tree(root) if ".new-" in name]


def change(boxes: list[Any]) -> None:
    """Changed, removed and new records, of one band that is stored already and of a new one."""
    first, second = boxes
    first["list"].append(2)
    del first["gone"]
    first["new"] = "x" * 10_000
    second["other"] = [1]
    second["k" * 300] = 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_whichever_call_fails_memory_and_disk_agree(tmp_path: Path, fault: Failing) -> None:
    """Each call of a commit fails once. The author is told; what can be trusted works on, and a
    store that can not takes nothing more until it is opened again, with what was acknowledged.

    (F41, F42)
    """
    hits = 0
    for after in range(MOST_CALLS):
        root = tmp_path / str(after)
        root.mkdir()
        with recorded(root) as recorder:
            hit = await one_fault(recorder, root, fault, after)
        if not hit:
            break
        hits += 1
    assert hits, "the commit makes no such call"
    assert hits < MOST_CALLS


async def one_fault(recorder: DiskRecorder, root: Path, fault: Failing, after: int) -> bool:
    """Whether the commit made so many calls that one failed."""
    problems: list[StorageError] = []
    before = {"list": [1], "gone": 2, "same": 3}
    async with opened(fault.engine, root, problems) as stores:
        boxes = await boxes_of(stores)
        boxes[0].update(list=[1], gone=2, same=3)
        await stores.flush()
        with recorder.failing(fault.call, fault.number, after=after) as failing:
            change(boxes)
            try:
                await stores.flush()
            except StorageError as exc:
                refused = exc
            await trio.testing.wait_all_tasks_blocked()  # the other band is tried by itself
        if not failing.hits:
            return False
        assert problems, refused
        assert "\n" not in str(refused)
        if fault.broken:
            await takes_nothing(stores, boxes, before)
        else:
            assert [dict(box) for box in boxes] == await on_disk(fault.engine, root)
            assert dict(boxes[0]) in (before, {**before, "list": [1, 2]}, changed(before))
            assert temporary_files(root) == []
            change_again(boxes)
            await stores.flush()
            assert [dict(box) for box in boxes] == await on_disk(fault.engine, root)
            assert boxes[0]["again"] == 5
    async with opened(fault.engine, root) as stores:
        first, second = [dict(box) for box in await boxes_of(stores)]
        if fault.broken:
            stored_or_not(fault.engine, first, before, changed(before))
            assert set(second) <= {"other", "k" * 300}
        else:
            assert first["again"] == 5
    assert temporary_files(root) == []
    return True


def changed(before: Mapping[str, Any]) -> dict[str, Any]:
    return {"list": [1, 2], "same": before["same"], "new": "x" * 10_000}


def change_again(boxes: list[Any]) -> None:
    boxes[0]["again"] = 5
    boxes[1]["again"] = 6


def stored_or_not(
    engine: str, found: dict[str, Any], old: dict[str, Any], new: dict[str, Any]
) -> None:
    """What was acknowledged is there; of what was not, all or nothing, for json in each record."""
    if engine == "sqlite":
        assert found in (old, new)
    for key in {*found, *old, *new}:
        assert found.get(key) in (old.get(key), new.get(key))


async def takes_nothing(stores: Stores, boxes: list[Any], before: dict[str, Any]) -> None:
    """Nothing is acknowledged after the fault, and nothing changes in memory."""
    [statistics] = stores.statistics()
    assert statistics.broken is not None
    assert dict(boxes[0]) == before
    for box in boxes:
        with pytest.raises(StoreBroken):
            box["later"] = 1
    boxes[0]["list"].append(9)
    with pytest.raises(StoreBroken):
        boxes[0].save("list")
    with pytest.raises(StoreBroken):
        await stores.flush()
    assert dict(boxes[0]) == before
    [later] = stores.statistics()
    assert (later.commits, later.records) == (statistics.commits, statistics.records)


@SQLITE
async def test_a_checkpoint_that_fails_takes_nothing_away(tmp_path: Path) -> None:
    """When the main file cannot be synced, the journal beside it is kept and has everything."""
    with recorded(tmp_path) as recorder:
        # Creating the file syncs it as well.
        failing = recorder.failing("sync file", errno.EIO, suffix=".sqlite3")
        with failing, pytest.raises(StoreBroken):
            async with opened("sqlite", tmp_path) as stores:
                await boxes_of(stores)
        async with opened("sqlite", tmp_path) as stores:
            [box, _] = await boxes_of(stores)
            with recorder.failing("sync file", errno.EIO, suffix=".sqlite3") as fault:
                for number in range(8):
                    box.update({f"{number} {one}": "x" * 10_000 for one in range(200)})
                    await stores.flush()
                assert fault.hits, "no checkpoint came"
            assert [dict(box), {}] == await on_disk("sqlite", tmp_path)


@pytest.mark.parametrize("engine", ["sqlite", "json"])
@pytest.mark.parametrize("what", ["all", "one", "replaced"])
async def test_a_store_that_was_removed_takes_nothing(
    tmp_path: Path, engine: str, what: str
) -> None:
    """What would be written where nobody finds it is refused, in one line."""
    root = tmp_path / "root"
    async with opened(engine, root) as stores:
        (await boxes_of(stores))[0]["k"] = [1]
    problems: list[StorageError] = []
    async with opened(engine, root, problems) as stores:
        [box, _] = await boxes_of(stores)
        if what == "one" and engine == "sqlite":
            (root / "service_s1.sqlite3").unlink()
        elif what == "one":
            (root / "service_s1" / "band_b" / "box").rename(tmp_path / "away")
        else:
            root.rename(tmp_path / "away")
            if what == "replaced":
                async with opened(engine, root) as other:
                    (await boxes_of(other))[0]["k"] = ["other"]
        for _ in range(2):
            with pytest.raises(StoreBroken, match=r"removed .*while it was open") as caught:
                box["k"] = [2]
                await stores.flush()
            assert "\n" not in str(caught.value)
        assert dict(box) == {"k": [1]}
    if what == "replaced":
        async with opened(engine, root) as stores:
            assert dict((await boxes_of(stores))[0]) == {"k": ["other"]}


async def test_a_lock_that_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    """A start that fails on a full disk leaves the store free for the next one."""
    with recorded(tmp_path) as recorder:
        failing = recorder.failing("write", errno.ENOSPC, suffix=".lock")
        with failing, pytest.raises(StorageError, match=r"no space left.*Free some space"):
            async with opened("json", tmp_path) as stores:
                await boxes_of(stores)
        async with opened("json", tmp_path) as stores:
            assert [dict(box) for box in await boxes_of(stores)] == [{}, {}]
    assert os.listdir(tmp_path) == ["service_s1"]  # noqa: PTH208
