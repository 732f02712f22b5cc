"""``moobius-trio`` as a process of its own: started, watched, told to stop.

For tests of what only a real process shows: exit codes, signals, what is printed where. Nothing
here knows what the commands do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import attrs

__all__ = (
    "MODULE",
    "Command",
    "Ended",
    "interruptible",
    "open_command",
    "run_command",
    "same_imports",
)

MODULE = ("-m", "moobius_trio")
"""What makes ``python`` run the command line."""

HEEDING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""

LIMIT_SECONDS = 60.0
"""A process that does not do what is awaited is killed after this time, so that no test hangs."""


@attrs.frozen(kw_only=True)
class Ended:
    """What a process left behind."""

    code: int
    """Its exit code; negative if a signal killed it."""
    output: str
    errors: str
    seconds: float
    """How long the end was waited for."""


class Command:
    """A running process; made by `open_command`."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str], errors: IO[bytes]) -> None:
        self._process = process
        self._output = output
        self._errors = errors
        self._read = ""

    @property
    def pid(self) -> int:
        """The id of the process, which leads a group of its own."""
        return self._process.pid

    @property
    def errors(self) -> str:
        """What it has written on standard error so far."""
        return Path(self._errors.name).read_text(encoding="utf-8", errors="replace")

    def read_line(self) -> str:
        """The next line of its standard output, without its end.

        Raises:
            AssertionError: it ended, or wrote none for `LIMIT_SECONDS`.
        """
        with self._killed_late():
            line = self._output.readline()
        if not line:
            raise AssertionError(f"it wrote no further line; standard error:\n{self.errors}")
        self._read += line
        return line.rstrip("\n")

    def ready(self) -> Mapping[str, Any]:
        """The ready line (docs/architecture.md section 10) that ``--ready-json`` prints."""
        found: dict[str, Any] = json.loads(self.read_line())
        return found

    def signal(self, number: int = signal.SIGINT) -> None:
        """Send it a signal; SIGINT is what Ctrl+C sends."""
        self._process.send_signal(number)

    def wait(self) -> Ended:
        """Wait until it has ended.

        Raises:
            AssertionError: processes that it started are still there.
        """
        begun = time.monotonic()
        with self._killed_late():
            rest = self._output.read()
            code = self._process.wait()
        seconds = time.monotonic() - begun
        if self._has_children():
            raise AssertionError("it has ended, and processes that it started have not")
        return Ended(code=code, output=self._read + rest, errors=self.errors, seconds=seconds)

    def stop(self) -> Ended:
        """Send one SIGINT and wait."""
        self.signal()
        return self.wait()

    @contextmanager
    def _killed_late(self) -> Iterator[None]:
        timer = threading.Timer(LIMIT_SECONDS, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _has_children(self) -> bool:
        """Whether anything is left in its group. To be asked when it has ended itself."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        found = subprocess.run(  # a fixed command
            ["/bin/ps", "-A", "-o", "pgid=,stat="], check=True, capture_output=True, text=True
        )
        rows = [line.split() for line in found.stdout.splitlines()]
        # One that has ended, and that init has not waited for yet, is no process any more.
        return any(int(row[0]) == self._process.pid and row[1][0] != "Z" for row in rows)


def interruptible(command: Sequence[str | Path]) -> list[str | Path]:
    """The command, in a form that SIGINT stops even if this process ignores that signal.

    A job that a shell runs in the background ignores it, and so would all that it starts. The
    process keeps its id.
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        return [*command]
    return [sys.executable, "-ISc", HEEDING, *command]


@contextmanager
def open_command(
    *arguments: str | Path,
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    program: tuple[str, ...] = MODULE,
    inherit: bool = True,
    around: Callable[[list[str]], list[str]] = list,
) -> Iterator[Command]:
    """Start ``moobius-trio`` with these arguments; killed at the end if it still runs.

    Args:
        cwd: its working directory.
        environ: variables besides those of this process.
        program: what python runs instead, such as ``("main.py",)``.
        inherit: False: it has no variables but ``environ``, and what makes it import the same
            modules.
        around: gives the command that runs this command, such as one on a disk of its own.
    """
    with tempfile.NamedTemporaryFile(prefix="stderr-") as errors:
        command = [sys.executable, *program, *map(str, arguments)]
        process = subprocess.Popen(  # noqa: S603  # this interpreter, with a test's own arguments
            interruptible(around(command)),
            cwd=cwd,
            env={**(os.environ if inherit else {}), **same_imports(), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        with process:
            try:
                yield Command(process, cast("IO[str]", process.stdout), errors)
            finally:
                if process.poll() is None:
                    process.kill()


def same_imports() -> dict[str, str]:
    """What makes another working directory import the same modules as this process does."""
    path = os.environ.get("PYTHONPATH")
    if not path:
        return {}
    return {
        "PYTHONPATH": os.pathsep.join(
            str(Path(entry).absolute()) for entry in path.split(os.pathsep)
        )
    }


def run_command(
    *arguments: str | Path,
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    program: tuple[str, ...] = MODULE,
) -> Ended:
    """Run ``moobius-trio`` to its end; see `open_command`."""
    with open_command(*arguments, cwd=cwd, environ=environ, program=program) as command:
        return command.wait()
