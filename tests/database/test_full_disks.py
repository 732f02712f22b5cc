"""Real disks that are full or read-only, under the file engines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moobius_trio.testing.small_disk import READ_ONLY, on_small_disk, why_no_small_disk

REASON = why_no_small_disk()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "there can be one")
FILE_ENGINES = ["sqlite", "json"]
ROUNDS = 100

# Fills the disk with ballast, has a commit refused, takes the ballast away and writes again.
FILLER = """
import copy, sys
from pathlib import Path
from random import Random
import trio, trio.testing
from moobius_trio.database import ENGINES, ContainerSpec, EngineSite, open_stores
from moobius_trio.database.encoding import Format
from moobius_trio.database.loading import read_records
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline

engine, disk, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
source = Random(engine)
ballast = disk / "ballast"

def fill():
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError as exc:
                assert exc.errno == 28
        file.truncate(max(0, file.tell() - source.choice([0, 0, 1, 3, 8]) * 4096))

async def on_disk():
    site = EngineSite(service_id="s1", folder=disk, run_sync=run_inline, read_only=True)
    async with ENGINES[engine]({}, site) as looking:
        found = {}
        for place in await looking.places():
            for one in await read_records(looking, place, Format(), print):
                found[place.band, one.key] = one.value
        return found

async def main():
    problems = []
    spec = ContainerSpec(name="box", implementation=engine)
    async with open_stores([spec], service_id="s1", folder=disk, run_sync=run_inline,
                           on_problem=problems.append) as stores:
        storages = [await stores.storage(band, {}) for band in ("b", "c")]
        boxes = dict(zip(("b", "c"), [storage.box for storage in storages]))
        def memory():
            return {(band, key): value for band, box in boxes.items() for key, value in box.items()}
        for box in boxes.values():
            box.update({f"k{n}": ["old", n] for n in range(3)})
        await stores.flush()
        for number in range(rounds):
            before = copy.deepcopy(memory())
            fill()
            problems.clear()
            for box in boxes.values():
                box["k0"].append("x" * source.choice([600_000, 900_000]))
                del box["k1"]
                box[f"new {number}"] = "x" * 600_000
            for storage in storages:
                try:
                    await storage.flush()
                except StorageError as exc:
                    assert "no space left" in str(exc), exc
                    assert "Free some space" in str(exc), exc
                else:
                    raise SystemExit("nothing was refused")
            await trio.testing.wait_all_tasks_blocked()
            assert problems and memory() == before == await on_disk(), number
            assert not [path for path in disk.rglob("*") if ".new-" in path.name]
            ballast.unlink()
            for box in boxes.values():
                box["k1"] = ["new", number]
                box["k2"].append(number)
            await stores.flush()
            assert memory() == await on_disk(), number
            assert stores.statistics()[0].broken is None
    assert await on_disk() == memory()
    print(rounds, "refused")

trio.run(main)
"""

OPENER = """
import sys
from pathlib import Path
import trio
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline

async def main():
    spec = ContainerSpec(name="box", implementation=sys.argv[1])
    try:
        async with open_stores([spec], service_id="s1", folder=Path(sys.argv[2]),
                               run_sync=run_inline, on_problem=print) as stores:
            (await stores.storage("b", {})).box["k"] = 1
            await stores.flush()
            print("stored")
    except StorageError as exc:
        print(exc)

trio.run(main)
"""


def run_on(
    disk: Path, program: str, engine: str, *arguments: str, size: str, first: str = "true"
) -> str:
    """What a program on a small disk prints."""
    disk.mkdir()
    command = [sys.executable, "-c", program, engine, disk, *arguments]
    ended = subprocess.run(
        on_small_disk(disk, size, command, first=first),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    return ended.stdout.rstrip("\n")


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_a_full_disk_refuses_whole_commits_until_there_is_space(
    tmp_path: Path, engine: str
) -> None:
    """A hundred times: the old values stay, memory and disk agree, nothing is left lying about,
    the error says what is the matter, and later changes are stored (F41)."""
    said = run_on(tmp_path / "disk", FILLER, engine, str(ROUNDS), size="512k")
    assert said == f"{ROUNDS} refused"


@pytest.mark.parametrize("engine", FILE_ENGINES)
@pytest.mark.parametrize("there", ["", "a store"])
def test_a_read_only_disk_is_one_line(tmp_path: Path, engine: str, there: str) -> None:
    """It names the folder and the remedy, whether there is a store already or not."""
    disk = tmp_path / "disk"
    first = READ_ONLY
    if there:
        path = tmp_path / "store"
        path.mkdir()
        ended = subprocess.run([sys.executable, "-c", OPENER, engine, str(path)], check=True)
        assert ended.returncode == 0
        first = f'cp -r {path}/. "$1" && {READ_ONLY}'
    said = run_on(disk, OPENER, engine, size="512k", first=first)
    assert said.startswith(str(disk))
    assert "\n" not in said
    assert "read-only file system. Make the folder writable" in said


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_a_disk_that_is_full_from_the_start_is_one_line(tmp_path: Path, engine: str) -> None:
    """It says so; with space the same start succeeds."""
    fill = 'cat /dev/zero >"$1/ballast" 2>/dev/null'
    said = run_on(tmp_path / "disk", OPENER, engine, size="64k", first=f"{{ {fill} || true; }}")
    assert said.startswith(str(tmp_path / "disk"))
    assert "\n" not in said
    assert "no space left" in said
    assert "Free some space" in said
    assert os.listdir(tmp_path / "disk") == []  # noqa: PTH208  # the small disk went with it
