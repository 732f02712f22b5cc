"""``moobius-trio dev`` in a process of its own, while its project is being written.

What it prints is waited for line by line, so that no test has to sleep. Nothing here knows what the
command does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from moobius_trio.network.groups import unwrapped
from moobius_trio.testing.commands import MODULE, interruptible, same_imports

__all__ = ("Dev", "open_dev")

OPTIONS = ("--port", "0", "--no-browser", "--ready-json")

LIMIT_SECONDS = 300.0
"""How long a test may wait for anything, so that none hangs; nothing is measured against it."""


class Dev:
    """A running ``dev``; made by `open_dev`.

    Attributes:
        folder: the project, and its working directory.
        ready: its ready line (docs/architecture.md section 10).
    """

    def __init__(self, process: trio.Process, folder: Path) -> None:
        self.folder = folder
        self.ready: Mapping[str, Any] = {}
        self._process = process
        self._lines: list[str] = []
        self._seen = 0
        self._grown = trio.Event()
        self._closed = False

    @property
    def pid(self) -> int:
        """The id of its process, which leads a group of its own."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where its platform is."""
        return str(self.ready["url"])

    @property
    def errors(self) -> str:
        """What has come on standard error so far."""
        return "\n".join(self._lines)

    def save(self, name: str, text: str) -> None:
        """Save a file of the project as editors do: a new file in place of the old one."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)

    async def line(self, *words: str) -> str:
        """The next line on standard error, after the one found last, that has all these words.

        Raises:
            AssertionError: standard error was closed before.
        """
        while True:
            while self._seen < len(self._lines):
                line = self._lines[self._seen]
                self._seen += 1
                if all(word in line for word in words):
                    return line
            if self._closed:
                raise AssertionError(f"no line with {words}; standard error:\n{self.errors}")
            await self._grown.wait()

    async def restarted(self) -> str:
        """The line that says so."""
        return await self.line("restarted in")

    def signal(self, number: int = signal.SIGINT, *, group: bool = False) -> None:
        """Send it a signal; with ``group`` to all its processes, as a terminal's Ctrl+C does."""
        if group:
            os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)

    def children(self) -> list[int]:
        """The processes of its group besides itself, oldest first."""
        found = subprocess.run(  # a fixed command
            ["/bin/ps", "-A", "-o", "pid=,pgid=,stat="], check=True, capture_output=True, text=True
        )
        rows = [line.split() for line in found.stdout.splitlines()]
        # One that has ended and was not waited for is no process any more.
        own = (int(pid) for pid, group, state in rows if int(group) == self.pid and state[0] != "Z")
        return sorted(pid for pid in own if pid != self.pid)

    async def wait(self) -> int:
        """Wait for the end of it and of all that it started; gives its exit code."""
        code = await self._process.wait()
        while not self._closed:  # each process of it has standard error open until it ends
            await self._grown.wait()
        while self.children():  # noqa: ASYNC110  # it closes its files a moment before it is gone
            await trio.sleep(0.01)
        return code

    async def stop(self) -> int:
        """Send one SIGINT and wait."""
        self.signal()
        return await self.wait()

    async def _read(self, stream: trio.abc.ReceiveStream) -> None:
        kept = b""
        while chunk := await stream.receive_some():
            *lines, kept = (kept + chunk).split(b"\n")
            self._lines += [line.decode("utf-8", "replace") for line in lines]
            self._wake()
        self._lines += [kept.decode("utf-8", "replace")] if kept else []
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = trio.Event()


@asynccontextmanager
async def open_dev(
    folder: Path,
    *arguments: str,
    files: Mapping[str, str],
    environ: Mapping[str, str] | None = None,
    seconds: float = LIMIT_SECONDS,
) -> AsyncIterator[Dev]:
    """Write a project and start ``dev`` on it; gives it when it is ready, and kills it at the end.

    Args:
        folder: where the project is written, such as pytest's ``tmp_path``.
        arguments: its path and options; ``service.py`` without any path.
        files: name and text of each file.
        environ: variables besides those of this process.
        seconds: how long all of it may take.

    Raises:
        AssertionError: it ended before it was ready.
        TooSlowError: it took longer than that.
    """
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    path, *options = arguments or ("service.py",)
    with (
        trio.fail_after(seconds),
        unwrapped(),
        tempfile.TemporaryDirectory(prefix="run-") as runtime,  # the path of a socket is short
    ):
        process = await trio.lowlevel.open_process(
            interruptible([sys.executable, *MODULE, "dev", path, *OPTIONS, *options]),
            cwd=folder,
            env={
                **os.environ,
                "XDG_RUNTIME_DIR": runtime,
                **same_imports(),
                **(environ or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        dev = Dev(process, folder)
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        async with process.stdout, trio.open_nursery() as nursery:
            nursery.start_soon(dev._read, process.stderr)
            try:
                line = await _first_line(process.stdout)
                if not line:
                    await process.wait()
                    raise AssertionError(f"it is not ready; standard error:\n{dev.errors}")
                dev.ready = json.loads(line)
                yield dev
            finally:
                if not dev._closed:
                    os.killpg(process.pid, signal.SIGKILL)
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):  # it is gone, or was just killed
                    await process.wait()


async def _first_line(stream: trio.abc.ReceiveStream) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = await stream.receive_some(1)
        if not chunk:
            return b""
        line += chunk
    return line
