"""The process in which ``dev`` runs a service: from its first order to its end.

It is told by a pipe what to do, tells by another what became of it, and ends when the first one
closes, so that nothing is left of a parent that was killed. Nothing of the platform is here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

import trio

from moobius_trio.cli.develop.pipes import Words
from moobius_trio.cli.develop.problems import exit_code, problem_of
from moobius_trio.cli.develop.reporting import Reporter, open_reporter, report_last
from moobius_trio.cli.develop.serving import Work
from moobius_trio.cli.develop.words import (
    Answer,
    Crashed,
    Failed,
    Load,
    Reply,
    Report,
    Serve,
    Stopped,
    read_order,
)
from moobius_trio.core.run import masked_threads
from moobius_trio.errors import MoobiusError
from moobius_trio.logs import configure_logs
from moobius_trio.network.groups import leaves

__all__ = ("ENTRY", "main")

ENTRY: Final = (
    # Ctrl+C reaches all processes of the terminal; the parent alone decides what it means. So it
    # is ignored before anything is imported that takes time.
    "import signal,sys;signal.signal(signal.SIGINT,signal.SIG_IGN);"
    "sys.argv[3] in sys.path or sys.path.insert(0,sys.argv[3]);"
    "from moobius_trio.cli.develop.child import main;main()"
)
"""What ``python -P -c`` runs, with the file descriptors of the two pipes and our own folder."""

ORPHAN_SECONDS: Final = 60.0
"""How long a service whose parent is gone has for its orderly end."""


def main() -> None:
    """Obey the orders that come by the pipe ``argv[1]``, and report by ``argv[2]``.

    Raises:
        SystemExit: always.
    """
    control, reports = map(int, sys.argv[1:3])
    sys.argv[1:] = []
    sys.dont_write_bytecode = True  # it is told from its source by whole seconds, and is reused
    _end_with_parent(os.dup(control))
    configure_logs(form="console")
    child = _Child()
    code = 0
    last: Report = Stopped()
    try:
        with masked_threads():
            trio.run(child.run, control, os.dup(reports))
    # boundary: the author's code; its parent shows what it raised, also by sys.exit
    except BaseException as exc:  # noqa: ASYNC103  # no event loop runs here
        code, last = child.report_of(exc)
    report_last(reports, last)
    sys.exit(code)


class _Child:
    """What the process is at."""

    def __init__(self) -> None:
        self._open: int | None = None
        """The order that is being obeyed, if the service is not ready yet."""
        self._project = Path.cwd()

    async def run(self, control: int, reports: int) -> None:
        """Load, serve, and obey until the service has ended; returns at once if nothing is said."""
        async with (
            open_reporter(reports) as reporter,
            trio.lowlevel.FdStream(control) as stream,
        ):
            orders = Words(stream, read_order)
            work: Work | None = None
            while (numbered := await orders.next()) is not None:
                self._open = numbered.number
                reply = partial(self._reply, reporter, numbered.number)
                match numbered.order:
                    case Load(target=target):
                        self._project = _project_of(target)
                        work = Work(target)
                        await reply(work.loaded)
                    case Serve() as order if work is not None:
                        await work.serve(order, orders, reporter, reply)
                        return

    async def _reply(self, reporter: Reporter, number: int, answer: Answer) -> None:
        self._open = None
        await reporter.tell(Reply(number, answer))

    def report_of(self, exc: BaseException) -> tuple[int, Report]:
        """The exit code that fits what ended the event loop, and the last thing to say."""
        found = leaves(exc)
        problem = problem_of(exc, self._project)
        if all(isinstance(each, SystemExit) for each in found) and not problem.file:
            # Not the author's: the end that one signal brings before it is ready, or two later.
            [first, *_] = (each.code for each in found if isinstance(each, SystemExit))
            return (first if isinstance(first, int) else 0), Stopped()
        code = exit_code(exc)
        if self._open is None:
            return code, Crashed(problem=problem, code=code)
        expected = all(isinstance(each, MoobiusError) for each in found)
        return code, Reply(self._open, Failed(problem=problem, code=code, expected=expected))


def _project_of(target: str) -> Path:
    """The folder that files of a target are named relative to."""
    for place in (target, target.rpartition(":")[0]):
        path = Path(place).resolve()
        if place and path.exists():
            return path if path.is_dir() else path.parent
    return Path.cwd()


def _end_with_parent(lifeline: int) -> None:
    """When nobody can give orders any more, do as at SIGTERM: the parent is gone.

    A thread, since the event loop may stand still in the author's code, or not run yet.
    """
    gone = select.poll()
    gone.register(lifeline, 0)  # the hang-up alone; what can be read is the event loop's

    def wait() -> None:
        gone.poll()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
