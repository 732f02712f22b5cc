"""Killed at any moment, and out of space: nothing torn, nothing acknowledged lost."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from moobius_trio.database import (
    ENGINES,
    Atomicity,
    Change,
    Engine,
    EngineSite,
    Level,
    Loaded,
    Place,
)
from moobius_trio.errors import StorageError
from moobius_trio.testing.kill_suite import Kills, kill_writers
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.testing.scoreboard import note
from moobius_trio.types import JsonValue

KILLS = int(os.environ.get("MOOBIUS_TRIO_KILLS", "100"))

FILE_ENGINES = ["sqlite", "json"]

# Fills the disk, which is `limit` bytes a file here, and makes room again.
WRITER = """
import resource, sys
from pathlib import Path
import trio
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline

engine, folder, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

async def main():
    spec = ContainerSpec(name="box", implementation=engine)
    problems = []
    async with open_stores([spec], service_id="s1", folder=folder, run_sync=run_inline,
                           on_problem=problems.append) as stores:
        storage = await stores.storage("b", {})
        box = storage.box
        box["small"] = [1]
        await storage.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        box["small"].append(2)
        box["large"] = "x" * 2 * limit
        try:
            await storage.flush()
        except StorageError as exc:
            print(type(exc).__name__, dict(box))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        box["small"].append(3)
        await storage.flush()
        print(dict(box))

trio.run(main)
"""


@pytest.mark.soak
@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_killed_while_writing(tmp_path: Path, engine: str) -> None:
    """After each kill every acknowledged round is there, nothing is torn, no file is left over.

    (F39)
    """
    passes(engine, kill_writers(ENGINES[engine], tmp_path, kills=KILLS))


@pytest.mark.soak
def test_killed_while_writing_to_redis(tmp_path: Path) -> None:
    """The same with a server that lives on (F39)."""
    with open_redis_server() as server:
        found = kill_writers(
            ENGINES["redis"],
            tmp_path,
            kills=KILLS,
            settings=server.settings,
            imports=["moobius_trio.database.redis_engine", "anyio._backends._trio"],
        )
    passes("redis", found)


def passes(engine: str, found: Kills) -> None:
    """Nothing is wrong, and enough was tried."""
    sys.stdout.write(f"{engine}: {found}\n")
    note(f"kills while {engine} is written", attrs.asdict(found))
    assert found.holds, found
    assert found.inside >= 0.3 * KILLS, found
    assert found.rounds >= KILLS / 2, found


class InPlace:
    """Writes as the original does: the file is emptied first, then filled again."""

    where: Final = "a folder"
    level: Final[Level] = "process"
    atomic: Final[Atomicity] = "record"
    keeps_order: Final = False

    def __init__(self, site: EngineSite) -> None:
        self.folder = site.folder
        self.run_sync = site.run_sync

    async def places(self) -> Sequence[Place]:
        return ()

    async def load(self, place: Place) -> Loaded:
        records, problems = [], []
        for path in self.folder.glob(f"{place.band}-*.json"):
            try:
                key, value = json.loads(path.read_text())
                records.append((key.encode(), json.dumps(value).encode()))
            except ValueError:
                problems.append(StorageError(str(path), "is torn"))
                path.unlink()
        return Loaded(records, problems)

    async def commit(self, changes: Sequence[Change]) -> None:
        await self.run_sync(self.write, changes)

    def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            name = hashlib.sha256(change.key).hexdigest()
            path = self.folder / f"{change.place.band}-{name}.json"
            if change.value is None:
                path.unlink(missing_ok=True)
            else:
                with path.open("w") as file:
                    json.dump([change.key.decode(), json.loads(change.value)], file)


@asynccontextmanager
async def open_in_place(
    settings: Mapping[str, JsonValue], site: EngineSite
) -> AsyncIterator[Engine]:
    yield InPlace(site)


@pytest.mark.soak
def test_writing_in_place_is_found_out(tmp_path: Path) -> None:
    """An engine that empties a file before it fills it does not pass."""
    found = kill_writers(open_in_place, tmp_path, kills=min(KILLS, 50))
    sys.stdout.write(f"in place: {found}\n")
    assert found.torn > 0, found


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_no_space_left(tmp_path: Path, engine: str) -> None:
    """The whole commit is refused, memory goes back to what is stored, later writes work (F41)."""
    ended = subprocess.run(
        [sys.executable, "-c", WRITER, engine, str(tmp_path), "200000"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == ["StorageError {'small': [1]}", "{'small': [1, 3]}"]
