"""Killed at any moment, and out of space: nothing torn, nothing acknowledged lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, ServiceId

FILE_ENGINES = ["sqlite", "json"]
KILLS = 10
KEYS = 20

# Writes rounds of numbers and says each round once it is stored; `limit` is the largest file.
WRITER = """
import resource, sys
from pathlib import Path
import trio
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline

engine, folder, keys, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

async def main():
    spec = ContainerSpec(name="box", implementation=engine)
    problems = []
    async with open_stores([spec], service_id="s1", folder=folder, run_sync=run_inline,
                           on_problem=problems.append) as stores:
        storage = await stores.storage("b", {})
        box = storage.box
        first = max((one["n"] for one in box.values()), default=0) + 1
        if limit:
            await out_of_space(storage, box)
            return
        print("ready", flush=True)
        for n in range(first, first + 1_000_000):
            for key in range(keys):
                box[f"key {key}"] = {"n": n, "filling": str(n) * 300}
            await storage.flush()
            print(n, flush=True)

async def out_of_space(storage, box):
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


def start(engine: str, folder: Path, limit: int = 0) -> subprocess.Popen[str]:
    arguments = [engine, str(folder), str(KEYS), str(limit)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
    )


def kill_at_random(engine: str, folder: Path, source: random.Random) -> int:
    """The last round that a killed writer said was stored."""
    with start(engine, folder) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        said = [writer.stdout.readline() for _ in range(source.randrange(1, 30))]
        for _ in range(source.randrange(20_000)):
            pass  # somewhere inside the next round
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().splitlines(keepends=True)
        writer.wait()
    whole = [line for line in said if line.endswith("\n")]
    return int(whole[-1])


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_killed_while_writing(tmp_path: Path, engine: str) -> None:
    """After each kill every acknowledged round is there, no value is torn, no file is left over."""
    source = random.Random(engine)
    for _ in range(KILLS):
        acknowledged = kill_at_random(engine, tmp_path, source)
        spec = ContainerSpec(name="box", implementation=engine)
        problems: list[Exception] = []
        async with open_stores(
            [spec],
            service_id=ServiceId("s1"),
            folder=tmp_path,
            run_sync=run_inline,
            on_problem=problems.append,
        ) as stores:
            box = (await stores.storage(ChannelId("b"), {})).box
            assert problems == []
            assert len(box) == KEYS
            for value in box.values():
                assert value["n"] >= acknowledged
                assert value["filling"] == str(value["n"]) * 300
            if engine == "sqlite":
                assert len({value["n"] for value in box.values()}) == 1
        left = [name for _, _, names in os.walk(tmp_path) for name in names if ".new" in name]
        assert left == []


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_no_space_left(tmp_path: Path, engine: str) -> None:
    """The whole commit is refused, memory goes back to what is stored, later writes work."""
    with start(engine, tmp_path, limit=200_000) as writer:
        output, _ = writer.communicate()
    assert output.splitlines() == ["StorageError {'small': [1]}", "{'small': [1, 3]}"]
