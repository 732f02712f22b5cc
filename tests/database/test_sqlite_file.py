"""The sqlite engine's file: who may read it, what it promises, and files that are not ours."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from moobius_trio.database import Stores, container, open_stores
from moobius_trio.database import sqlite_engine as module
from moobius_trio.database.sqlite_errors import failing_as_sqlite
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, ServiceId

BAND = ChannelId("b")
DECLARED = {"box": container(object, key=object)}


@asynccontextmanager
async def opened(root: Path, problems: list[StorageError] | None = None) -> AsyncIterator[Stores]:
    found: list[StorageError] = []
    async with open_stores(
        [],
        service_id=ServiceId("s1"),
        folder=root,
        run_sync=run_inline,
        on_problem=(found if problems is None else problems).append,
    ) as stores:
        yield stores
    assert found == []


async def test_it_lies_in_one_private_file_of_the_service(tmp_path: Path) -> None:
    """``service_ID.sqlite3`` in the folder given; it, its journal and its lock are 0600."""
    root = tmp_path / "new" / "folder"
    async with opened(root) as stores:
        (await stores.storage(BAND, DECLARED)).box["k"] = 1
        await stores.flush()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()}
        assert modes == {
            "service_s1.sqlite3": 0o600,
            "service_s1.sqlite3-wal": 0o600,
            "service_s1.sqlite3-shm": 0o600,
            "service_s1.sqlite3.lock": 0o600,
        }
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert [one.level for one in stores.statistics()] == ["power"]


async def test_every_commit_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection runs in WAL mode with ``synchronous = FULL`` (F40)."""
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noted(path: Path, **options: Any) -> sqlite3.Connection:
        connections.append(connect(path, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", noted)
    async with opened(tmp_path) as stores:
        await stores.storage(BAND, DECLARED)
        [connection] = connections
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_files_that_are_not_ours_are_refused_in_one_line(tmp_path: Path) -> None:
    """Another program's database, a newer format and no database at all: each says so."""
    path = tmp_path / "service_s1.sqlite3"

    async def refused() -> str:
        with pytest.raises(StorageError) as caught:
            async with opened(tmp_path) as stores:
                await stores.storage(BAND, DECLARED)
        text = str(caught.value)
        assert text.startswith(str(path))
        assert "\n" not in text
        return text

    path.write_bytes(b"this is no database, " * 100)
    assert "file is not a database" in await refused()
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mail (text)")
    assert "another program's" in await refused()
    path.unlink()
    async with opened(tmp_path) as stores:
        await stores.storage(BAND, DECLARED)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 2")
    assert "has format 2, this version reads up to 1" in await refused()


async def test_an_unreadable_record_is_kept_in_a_table_of_its_own(tmp_path: Path) -> None:
    """It is moved out of the container with the reason; the rest loads."""
    async with opened(tmp_path) as stores:
        (await stores.storage(BAND, DECLARED)).box.update(good=1, bad=2)
    path = tmp_path / "service_s1.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE record SET value = CAST('{\"n\": [1' AS BLOB) WHERE value = X'32'")
        other.commit()
    problems: list[StorageError] = []
    async with opened(tmp_path, problems) as stores:
        assert dict((await stores.storage(BAND, DECLARED)).box) == {"good": 1}
    [problem] = problems
    assert "box of band b['bad']" in str(problem)
    with closing(sqlite3.connect(path)) as other:
        [(key, value)] = other.execute("SELECT key, value FROM set_aside").fetchall()
    assert (key, value) == (b"bad", b'{"n": [1')


@pytest.mark.parametrize("damage", ["cut", "zeros in a page", "garbage in a page", "garbage"])
async def test_no_damage_loses_a_record_silently(tmp_path: Path, damage: str) -> None:
    """Cut off anywhere, or with any page overwritten: every record is there, or the file is
    refused in one line and left as it is (F43)."""
    model = {f"user {n}": {"n": n, "text": f"name {n} " * (n % 50)} for n in range(200)}
    async with opened(tmp_path) as stores:
        (await stores.storage(BAND, DECLARED)).box.update(model)
    path = tmp_path / "service_s1.sqlite3"
    whole = path.read_bytes()
    source = Random(damage)
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        size = 512 if damage == "garbage" else 4096
        start = source.randrange(len(content) // size) * size
        if damage == "cut":
            del content[source.randrange(1, len(content)) :]
        else:
            fill = bytes if damage.startswith("zeros") else source.randbytes
            content[start : start + size] = fill(size)
        path.write_bytes(content)
        error: StorageError | None = None
        try:
            async with opened(tmp_path) as stores:
                assert dict((await stores.storage(BAND, DECLARED)).box) == model
        except StorageError as exc:
            error = exc
        if error is not None:
            refused += 1
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
            assert path.read_bytes() == content
    assert refused > 40


async def test_a_damaged_file_is_reported_and_not_overwritten(tmp_path: Path) -> None:
    """A database with garbage in its pages is refused with its name."""
    async with opened(tmp_path) as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        box.update({f"k{n}": "x" * 2_000 for n in range(50)})
    path = tmp_path / "service_s1.sqlite3"
    content = bytearray(path.read_bytes())
    content[8_192:60_000] = b"\xaa" * (60_000 - 8_192)
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged .*move it away"):
        async with opened(tmp_path) as stores:
            await stores.storage(BAND, DECLARED)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("code", "broken"),
    [("SQLITE_IOERR_FSYNC", True), ("SQLITE_CORRUPT", True), ("SQLITE_FULL", False)],
)
async def test_only_faults_that_leave_the_file_unknown_break_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, broken: bool
) -> None:
    """A full disk can be tried again; a failed sync can not."""

    def failing(self: object, changes: object) -> None:
        error = sqlite3.OperationalError("it failed")
        error.sqlite_errorname = code
        with failing_as_sqlite("the file"):
            raise error

    async with opened(tmp_path, []) as stores:
        box = (await stores.storage(BAND, DECLARED)).box
        with monkeypatch.context() as patch:
            patch.setattr(module._SqliteFile, "commit", failing)
            box["k"] = 1
            with pytest.raises(StorageError, match=r"it failed|no space left"):
                await stores.flush()
        assert (stores.statistics()[0].broken is not None) is broken
        if not broken:
            box["k"] = 2
            await stores.flush()
        assert dict(box) == ({} if broken else {"k": 2})
