"""One process of the service as its parent sees it: orders, reports, and its end.

When a process is started and why it is ended is decided elsewhere; nothing is shown here.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

import moobius_trio
from moobius_trio.cli.develop.child import ENTRY
from moobius_trio.cli.develop.pipes import Words
from moobius_trio.cli.develop.problems import problem_of_end
from moobius_trio.cli.develop.words import (
    Answer,
    Crashed,
    Failed,
    Lost,
    Numbered,
    Order,
    Refused,
    Reply,
    Report,
    Stopped,
    read_report,
    write,
)
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.errors import UsageError
from moobius_trio.local import Problem

__all__ = ("Child", "ChildFailed", "Ended", "serve_child")

DEAF_TO_CTRL_C: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Python itself, while it starts, would answer a Ctrl+C of the terminal with a traceback."""

PATIENCE_SECONDS: Final = 5.0
"""How long a process that has said its last word, or was told twice to end, may take for it."""

_ROOT: Final = str(Path(moobius_trio.__file__).resolve().parents[1])
"""Where the child finds this package if it is not installed."""

NEXT_SIGNAL_SECONDS: Final = 0.1

LAST_WORD_SECONDS: Final = 1.0
"""How long the last word of a process that has ended may be on its way."""

A = TypeVar("A")


@attrs.frozen(kw_only=True)
class Ended:
    """How a process ended."""

    code: int
    """Its exit code; negative if a signal killed it."""
    problem: Problem | None
    """Why, unless it was in good order."""


class ChildFailed(Exception):
    """An order came to nothing: the process has ended, or is about to."""

    def __init__(self, problem: Problem, code: int, *, expected: bool) -> None:
        super().__init__(problem.summary)
        self.problem = problem
        self.code = code
        self.expected = expected


class Child:
    """A process that runs, or has ended; made by `serve_child`."""

    def __init__(
        self,
        process: trio.Process,
        control: trio.lowlevel.FdStream,
        on_trace: Callable[[TraceRecord | UnitRecord | Lost], None],
    ) -> None:
        self._process = process
        self._control = control
        self._on_trace = on_trace
        self._alone = trio.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, trio.Event] = {}
        self._answers: dict[int, Answer] = {}
        self._last: Crashed | Stopped | Failed | None = None
        self._told_to_end = 0
        self._over = trio.Event()
        self._heard_last = trio.Event()
        self.ended: Ended | None = None
        """How it ended; None while it runs."""

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    async def ask(self, order: Order, kind: type[A]) -> A:
        """Give an order and wait for what comes of it.

        Raises:
            ChildFailed: it came to nothing, and the process ends.
            UsageError: it cannot be obeyed; nothing else changes.
        """
        number = next(self._numbers)
        answered = self._waiting[number] = trio.Event()
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with self._alone:  # short enough for a pipe to take it whole or not at all
                    await self._control.send_all(write(Numbered(number, order)))
            if self.ended is None:
                await answered.wait()
        finally:
            del self._waiting[number]
        answer = self._answers.pop(number, None)
        match answer:
            case Failed(problem=problem, code=code, expected=expected):
                await self.wait_ended()
                raise ChildFailed(problem, code, expected=expected)
            case Refused(why=why):
                raise UsageError(why)
            case None:
                ended = await self.wait_ended()
                problem = ended.problem or problem_of_end(ended.code)
                raise ChildFailed(problem, ended.code, expected=False)
        assert isinstance(answer, kind)  # noqa: S101  # both sides are of one installation
        return answer

    def terminate(self) -> None:
        """Have it end in good order, as at one Ctrl+C; further calls change nothing."""
        if not self._told_to_end:
            self._signal()

    def hurry(self) -> None:
        """Have it end at once, as at a second Ctrl+C, after `terminate`."""
        if self._told_to_end == 1:
            self._signal()

    def kill(self) -> None:
        """End it now: for one that serves nothing."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def _signal(self) -> None:
        self._told_to_end += 1
        with suppress(ProcessLookupError):
            self._process.terminate()

    async def wait_ended(self) -> Ended:
        """Wait until nothing of the process is left."""
        await self._over.wait()
        assert self.ended is not None  # noqa: S101
        return self.ended

    async def _hear(self, reports: trio.lowlevel.FdStream) -> None:
        async with reports:
            words = Words(reports, read_report)
            while (report := await words.next()) is not None:
                self._take(report)
        self._heard_last.set()

    def _take(self, report: Report) -> None:
        match report:
            case Reply(number=number, answer=answer):
                if isinstance(answer, Failed):
                    self._last = answer
                    self._heard_last.set()
                if number in self._waiting:
                    self._answers[number] = answer
                    self._waiting[number].set()
            case Crashed() | Stopped():
                self._last = report
                self._heard_last.set()
            case _:
                self._on_trace(report)

    async def _wait(self) -> None:
        """Wait for the end of the process, after its last word for a while only."""

        async def lose_patience() -> None:
            await self._heard_last.wait()
            await trio.sleep(PATIENCE_SECONDS)
            self.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lose_patience)
            await self._process.wait()
            nursery.cancel_scope.cancel()

    async def _end(self) -> None:
        """End the process if it still runs, and tell whoever asked something of it."""
        if self._process.returncode is None:
            while self._told_to_end < 2 and self._process.returncode is None:
                self._signal()
                with trio.move_on_after(NEXT_SIGNAL_SECONDS):  # two at once would arrive as one
                    await self._process.wait()
            with trio.move_on_after(PATIENCE_SECONDS):
                await self._process.wait()
            self.kill()
        code = await self._process.wait()
        with trio.move_on_after(LAST_WORD_SECONDS):  # another process may hold the pipe open
            await self._heard_last.wait()
        problem: Problem | None = None
        if isinstance(self._last, Crashed | Failed):
            problem = self._last.problem
        elif self._last is None and not self._told_to_end:
            problem = problem_of_end(code)
        self.ended = Ended(code=code, problem=problem)
        for answered in self._waiting.values():
            answered.set()
        self._over.set()


async def serve_child(
    on_trace: Callable[[TraceRecord | UnitRecord | Lost], None],
    *,
    task_status: trio.TaskStatus[Child],
) -> None:
    """Start a process, and hear what it says until it has ended; ``started()`` gives it.

    Cancelled, it has the process end at once, as a second signal does, and kills what does not
    (bounded).
    """
    control_out, control_in = os.pipe()
    reports_out, reports_in = os.pipe()
    ours = [control_in, reports_out]
    try:
        process = await trio.lowlevel.open_process(
            [
                *DEAF_TO_CTRL_C,
                sys.executable,
                "-P",
                "-c",
                ENTRY,
                str(control_out),
                str(reports_in),
                _ROOT,
            ],
            pass_fds=(control_out, reports_in),
        )
    except BaseException:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        os.close(control_out)
        os.close(reports_in)
    async with trio.lowlevel.FdStream(control_in) as control:
        child = Child(process, control, on_trace)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child._hear, trio.lowlevel.FdStream(reports_out))
            try:
                task_status.started(child)
                await child._wait()
            finally:
                with trio.CancelScope(shield=True):  # bounded by itself
                    await child._end()
                nursery.cancel_scope.cancel()
