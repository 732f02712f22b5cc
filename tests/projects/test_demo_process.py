"""The demo as a program of its own, against a local platform in another process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

import moobius_trio
from moobius_trio import ChannelId, Secret, UserId
from moobius_trio.cli.dev import demo_folder
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing import Actor
from moobius_trio.testing.commands import interruptible

BAND = ChannelId("local-demo")
BOUND = 60.0
"""Seconds after which something hangs."""


class Program:
    """A process whose standard output is read line by line."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._unread = b""

    async def line_with(self, *words: str) -> str:
        """The next line that has all the words, and everything before it."""
        assert self.process.stdout is not None
        begun = 0
        while True:
            end = self._unread.find(b"\n", begun)
            if end >= 0:
                line = self._unread[begun:end].decode()
                begun = end + 1
                if all(word in line for word in words):
                    text, self._unread = self._unread[:begun], self._unread[begun:]
                    return text.decode()
                continue
            more = await self.process.stdout.receive_some()
            assert more, f"{self.process.args!r} ended before it said {words}: {self._unread!r}"
            self._unread += more

    async def interrupt(self) -> int:
        """Send what Ctrl+C sends, and give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return await self.process.wait()


@asynccontextmanager
async def running(
    *command: str, cwd: Path, environment: Mapping[str, str]
) -> AsyncIterator[Program]:
    """A Python program for the length of the block; it is terminated if it still runs then."""
    async with trio.open_nursery() as nursery:
        run = partial(
            trio.run_process,
            interruptible([sys.executable, *command]),
            stdin=b"",
            stdout=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            check=False,
        )
        yield Program(await nursery.start(run))
        nursery.cancel_scope.cancel()


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A user's environment, with nothing of ours in it but the package under test."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(moobius_trio.__file__).parent.parent),
    }


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A copy of the project, without what a run may have left in it."""
    source = demo_folder()
    left_over = shutil.ignore_patterns("__pycache__", "service.json", "*.sqlite3*", ".moobius-trio")
    return Path(shutil.copytree(source, tmp_path / "demo", ignore=left_over))


def configure(demo: Path, url: str) -> Path:
    """Fill in the example as the README says, for a platform at another port."""
    example = (demo / "config" / "service.json.example").read_text()
    config = demo / "config" / "service.json"
    config.write_text(example.replace("127.0.0.1:8765", url.removeprefix("http://")))
    return config


@asynccontextmanager
async def platform(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """`moobius-trio local` in a process; gives its address."""
    command = ("-m", "moobius_trio", "local", "--port", "0", "--ready-json")
    state = str(folder / "state")
    async with running(*command, "--state", state, cwd=folder, environment=environment) as program:
        yield json.loads(await program.line_with('"ready"'))["url"]
        assert await program.interrupt() == 0


async def nothing() -> None:
    """Services in other processes cannot be waited for."""


@asynccontextmanager
async def person(url: str, name: str) -> AsyncIterator[Actor]:
    """Somebody in the band, as the page would let them in."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        data = (await client.post("/local/guest", json={"name": name})).json()["data"]
    actor = Actor(
        name=name,
        user_id=UserId(data["user_id"]),
        token=Secret(data["AuthenticationResult"]["AccessToken"]),
        channel_id=BAND,
        settle=nothing,
        wall_clock_ms=lambda: 0,
    )
    async with trio.open_nursery() as nursery:
        connect = websocket_connector(url.replace("http://", "ws://", 1) + "/")
        await nursery.start(actor.serve, connect)
        await actor.rejoin()
        yield actor
        nursery.cancel_scope.cancel()


def check_said(said: str) -> None:
    """What `main.py test` prints: the bombs that were too large, and one connection."""
    *refusals, connections = said.splitlines()
    sizes = [re.search(r"would be ([\d,]+) bytes.* 65,000 ", line) for line in refusals]
    assert [size and int(size[1].replace(",", "")) // 40_000 for size in sizes] == [2, 3, 4, 5]
    assert connections == "connections opened: 1"


async def test_the_spells_of_main_arrive_or_are_refused(
    demo: Path, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    """`main.py test`, started from elsewhere, says what fits and is told of what does not.

    All over one connection: what is too large never reaches the platform, which would cut it. A
    second start goes on as the same service.
    """
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    main = (str(demo / "main.py"), "test", "0.01")
    ids = set()
    with trio.fail_after(BOUND):
        async with platform(tmp_path, environment) as url, person(url, "Alice") as alice:
            config = configure(demo, url)
            for _ in range(2):
                alice.clear()
                async with running(*main, cwd=elsewhere, environment=environment) as program:
                    check_said(await program.line_with("connections opened:"))
                    assert await program.interrupt() == 0
                await alice.catch_up()
                assert [text for text in alice.texts if "WAND" in text] == [
                    *(f"WAND: {'SYNC TEST! ' * times}" for times in range(1, 6)),
                    *(f"WAND: {'ASYNC TEST! ' * times}" for times in range(1, 6)),
                    f"WAND: {'BOMB' * 10_000}",
                    *(f"WAND: {'SURVIVED! ' * times}" for times in range(1, 6)),
                ]
                ids.add(json.loads(config.read_text())["service_id"])
    assert len(ids) == 1
    assert all(ids)
    assert not list(elsewhere.iterdir())
