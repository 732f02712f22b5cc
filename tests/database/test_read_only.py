"""Stores that are looked at beside their owner, or after it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from moobius_trio.database import (
    ENGINES,
    Change,
    Engine,
    EngineSite,
    Owned,
    Owner,
    Place,
    sqlite_engine,
)
from moobius_trio.database.files import lock, unlock
from moobius_trio.errors import StorageError, StoreLocked, StoreMissing
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, ServiceId

BOX = Place(ChannelId("b"), "box")
ONE = (b"k", b"1")


@asynccontextmanager
async def opened(name: str, folder: Path, *, read_only: bool = False) -> AsyncIterator[Engine]:
    site = EngineSite(
        service_id=ServiceId("s1"), folder=folder, run_sync=run_inline, read_only=read_only
    )
    async with ENGINES[name]({}, site) as engine:
        yield engine


async def records(name: str, folder: Path) -> list[tuple[bytes, bytes]]:
    async with opened(name, folder, read_only=True) as engine:
        return list((await engine.load(BOX)).records)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def killed(folder: Path, copy: Path) -> Path:
    """The files as they are now, as if the process had been killed."""
    shutil.copytree(folder, copy)
    return copy


async def test_a_journal_that_a_crash_left_is_read_and_stays(tmp_path: Path) -> None:
    """Also with an index that is empty or holds anything at all; nothing is recovered on disk."""
    live = tmp_path / "live"
    async with opened("sqlite", live) as engine:
        await engine.commit([Change(BOX, *ONE, fresh=True)])
        left = [killed(live, tmp_path / f"left {number}") for number in range(4)]
    (left[1] / "service_s1.sqlite3-shm").write_bytes(b"")
    (left[2] / "service_s1.sqlite3-shm").write_bytes(os.urandom(32_768))
    (left[3] / "service_s1.sqlite3-shm").unlink()
    for folder in left[:3]:
        before = contents(folder)
        assert await records("sqlite", folder) == [ONE]
        assert contents(folder) == before
    before = contents(left[3])
    with pytest.raises(StorageError, match="without the file -shm beside it"):
        await records("sqlite", left[3])
    assert contents(left[3]) == before
    async with opened("sqlite", left[3]) as engine:
        assert list((await engine.load(BOX)).records) == [ONE]


async def test_a_file_that_is_changed_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner that comes while a closed file is read is noticed; what is given is of one state."""
    async with opened("sqlite", tmp_path) as engine:
        await engine.commit([Change(BOX, *ONE, fresh=True)])
    path = tmp_path / "service_s1.sqlite3"
    load, looks = sqlite_engine._load, []

    def late(connection: sqlite3.Connection, place: Place) -> object:
        found = load(connection, place)
        looks.append(found.records)
        if len(looks) == 1:
            with closing(sqlite3.connect(path)) as owner:
                owner.execute("UPDATE record SET value = X'32'")
                owner.commit()
        return found

    monkeypatch.setattr(sqlite_engine, "_load", late)
    assert await records("sqlite", tmp_path) == [(b"k", b"2")]
    assert looks == [[ONE], [(b"k", b"2")]]


async def test_unreadable_files_are_told_of_and_stay(tmp_path: Path) -> None:
    """A torn file is a problem with its name; it is neither moved nor removed."""
    async with opened("json", tmp_path) as engine:
        await engine.commit([Change(BOX, *ONE, fresh=True)])
    torn = tmp_path / "service_s1/band_b/box/torn.json"
    torn.write_text('{"torn": [1')
    (torn.parent / ".new-1").write_text("of a crash")
    before = contents(tmp_path)
    async with opened("json", tmp_path, read_only=True) as engine:
        loaded = await engine.load(BOX)
    assert list(loaded.records) == [ONE]
    [problem] = loaded.problems
    assert str(problem).startswith(f"{torn}: cannot be read")
    assert str(problem).endswith("It was left as it is; the rest is read.")
    assert contents(tmp_path) == before


async def test_a_store_of_the_original_is_read_and_not_marked(tmp_path: Path) -> None:
    """Files without a format number are read as they are; no copy is made."""
    file = tmp_path / "service_s1/band_b/box/k.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"k": 1, "_type": "int"}')
    before = contents(tmp_path)
    assert await records("json", tmp_path) == [ONE]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["json", "sqlite"])
async def test_where_there_is_no_store_none_is_made(name: str, tmp_path: Path) -> None:
    """Looking there is one line that names the place."""
    folder = tmp_path / "new"
    with pytest.raises(StoreMissing, match=r"service_s1.*: there is no store"):
        await records(name, folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["json", "sqlite"])
async def test_who_only_looks_cannot_change(name: str, tmp_path: Path) -> None:
    """The calls that write are refused and change nothing."""
    async with opened(name, tmp_path) as engine:
        await engine.commit([Change(BOX, *ONE, fresh=True)])
    async with opened(name, tmp_path, read_only=True) as engine:
        for call in (
            engine.commit([Change(BOX, b"k", b"2")]),
            engine.set_aside(BOX, b"k", "a reason"),
            engine.clear(BOX),
        ):
            with pytest.raises(StorageError, match="looked at only"):
                await call
    assert await records(name, tmp_path) == [ONE]


@pytest.mark.parametrize("name", ["json", "sqlite"])
async def test_the_owner_is_told(name: str, tmp_path: Path) -> None:
    """The process that has the store open, while it has; nobody afterwards."""
    async with (
        opened(name, tmp_path) as engine,
        opened(name, tmp_path, read_only=True) as looking,
    ):
        assert isinstance(engine, Owned)
        assert isinstance(looking, Owned)
        assert await engine.owner() == await looking.owner() == Owner(os.getpid())
    async with opened(name, tmp_path, read_only=True) as looking:
        assert isinstance(looking, Owned)
        assert await looking.owner() is None


def test_asking_for_the_owner_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes to lock a store while somebody asks waits for that moment."""
    path = tmp_path / ".lock"
    unlock(lock(path))
    asking = os.open(path, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    with pytest.raises(StoreLocked):
        lock(path)
    monkeypatch.setattr("moobius_trio.database.files.time.sleep", lambda _: os.close(asking))
    unlock(lock(path))
