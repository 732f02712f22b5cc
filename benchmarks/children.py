"""Processes that are measured or that make load: lines of JSON in and out, pinned to a core.

What they do and what is measured stands elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import trio

__all__ = ("Child", "ChildFailed", "Platform", "open_child", "open_platform")

GOODBYE_SECONDS = 3.0
"""For a process to end by itself when its input has ended."""
ANSWER_SECONDS = 180.0
SHOWN = 2_000
"""Characters of what a process wrote to stderr before it failed."""


class ChildFailed(Exception):
    """A process ended, or answered with an error, or not at all."""


class Child:
    """One process.

    Attributes:
        pid: for ``Bench.cpu`` and /proc.
    """

    def __init__(self, name: str, process: trio.Process, errors: IO[bytes] | None) -> None:
        assert process.stdin is not None  # noqa: S101  # both are pipes
        assert process.stdout is not None  # noqa: S101
        self.pid = process.pid
        self._name = name
        self._process = process
        self._in = process.stdin
        self._out = process.stdout
        self._errors = errors
        self._rest = bytearray()

    async def ask(self, order: Mapping[str, Any], *, seconds: float = ANSWER_SECONDS) -> Any:
        """One line to the process, and the line it answers.

        Raises:
            ChildFailed: it has ended, the answer is ``{"error": …}``, or none came in time.
        """
        await self.tell(order)
        return await self.hear(seconds=seconds)

    async def tell(self, order: Mapping[str, Any]) -> None:
        """One line to the process.

        Raises:
            ChildFailed: it has ended.
        """
        try:
            await self._in.send_all(json.dumps(order).encode() + b"\n")
        except trio.BrokenResourceError:
            raise self._failed("has ended") from None

    async def hear(self, *, seconds: float = ANSWER_SECONDS) -> Any:
        """The next line of the process.

        Raises:
            ChildFailed: it has ended, the line is ``{"error": …}``, or none came in time.
        """
        try:
            with trio.fail_after(seconds):
                line = await self._line()
        except trio.TooSlowError:
            raise self._failed(f"has not answered within {seconds:g} s") from None
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._failed(f"said {line[:200]!r}") from None
        if isinstance(answer, dict) and "error" in answer:
            raise self._failed(str(answer["error"]))
        return answer

    async def end(self) -> None:
        """End its input, and kill it if that does not end it."""
        with trio.move_on_after(GOODBYE_SECONDS, shield=True):
            await self._in.aclose()
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        with trio.CancelScope(shield=True):  # a killed process ends at once
            await self._process.wait()
            await self._out.aclose()

    async def _line(self) -> bytes:
        while (end := self._rest.find(b"\n")) < 0:
            more = await self._out.receive_some()
            if not more:
                raise self._failed("has ended")
            self._rest += more
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line

    def _failed(self, what: str) -> ChildFailed:
        text = f"{self._name}: {what}"
        if self._errors is not None:
            self._errors.seek(0)
            words = self._errors.read().decode("utf-8", "replace").strip()
            text += f"\n{words[-SHOWN:]}" if words else ""
        return ChildFailed(text)


class Platform:
    """The load platform.

    Attributes:
        pid: its process.
        http, ws: its addresses. What comes after them in a path names the client to which an
            order with ``client=…`` is about; ``""`` is the one without.
    """

    def __init__(self, child: Child, http: str, ws: str) -> None:
        self.pid = child.pid
        self.http = http
        self.ws = ws
        self._child = child

    async def order(self, *, within: float = ANSWER_SECONDS, **order: Any) -> dict[str, Any]:
        """Have it do something: ``order(do="wait")``; load_platform.py says what there is. It has
        to answer ``within`` so many seconds.

        Raises:
            ChildFailed: it could not.
        """
        answer: dict[str, Any] = await self._child.ask(order, seconds=within)
        return answer


@asynccontextmanager
async def open_child(
    argv: Sequence[str],
    *,
    folder: Path | None = None,
    core: int | None = None,
    env: Mapping[str, str] | None = None,
    discard: bool = False,
) -> AsyncIterator[Child]:
    """A process for the block; ``discard`` sends its stderr to /dev/null."""
    with tempfile.TemporaryFile() as errors:
        process = await trio.lowlevel.open_process(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if discard else errors,
            cwd=folder,
            # An environment that forbids keeping compiled modules would have ours, which may stand
            # in a checkout, compiled anew at each start; an installed package brings its own.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},
            preexec_fn=None if core is None else partial(pin, core),
        )
        child = Child(Path(argv[1]).name, process, None if discard else errors)
        try:
            yield child
        finally:
            await child.end()  # noqa: ASYNC102  # it has a shield and limits of its own


def pin(core: int) -> None:
    """Keep this process on one core."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {core})


@asynccontextmanager
async def open_platform(
    argv: Sequence[str], *, core: int | None, tls: bool
) -> AsyncIterator[Platform]:
    """The load platform for the block, listening."""
    async with open_child(argv, core=core) as child:
        ports = await child.hear()
        scheme = "wss" if tls else "ws"
        yield Platform(
            child, f"http://127.0.0.1:{ports['http']}", f"{scheme}://127.0.0.1:{ports['ws']}"
        )
