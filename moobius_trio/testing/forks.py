"""Processes that are forked after all imports, so that a test can kill a thousand of them.

What a process does, and what its death must leave behind, is the test's matter.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import inspect
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

__all__ = ("Fork", "Forks", "Mark", "find_function", "name_function", "open_forks", "say")

LIMIT_SECONDS = 60.0
"""A process that does not say what is awaited fails the test after this time."""

_ENDED = "\0ended "


class Mark:
    """One byte that a fork shares with the test: set while it is inside what shall be hit.

    It keeps its value when the fork is killed, which tells where it died.
    """

    def __init__(self, descriptor: int) -> None:
        self._byte = mmap.mmap(descriptor, 1)

    def __bool__(self) -> bool:
        return self._byte[0] != 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Set it for the length of the block."""
        self._byte[0] = 1
        try:
            yield
        finally:
            self._byte[0] = 0

    def wait(self, seconds: float = 10.0) -> bool:
        """Look until it is set, without a pause, for this time at most; whether it was."""
        deadline = time.monotonic() + seconds
        while not self:
            if time.monotonic() > deadline:
                return False
        return True

    def clear(self) -> None:
        """Forget the last fork."""
        self._byte[0] = 0

    def close(self) -> None:
        """Let the memory go."""
        self._byte.close()


class Forks:
    """Starts one fork at a time; made by `open_forks`.

    Attributes:
        mark: shared with the forks.
    """

    def __init__(self, process: subprocess.Popen[bytes], mark: Mark) -> None:
        assert process.stdin is not None  # noqa: S101  # open_forks makes both pipes
        assert process.stdout is not None  # noqa: S101
        self.mark = mark
        self._requests: IO[bytes] = process.stdin
        self._output = process.stdout.fileno()
        self._read = b""
        self._pid: int | None = None

    def start(self, *arguments: str) -> Fork:
        """Fork: the function runs with these arguments. The fork before must have ended."""
        self.mark.clear()
        self._requests.write(json.dumps(arguments).encode() + b"\n")
        self._requests.flush()
        self._pid = None
        self._pid = int(self.read_line())
        return Fork(self, self._pid)

    def read_line(self) -> str:
        """The next line that a fork has written, without its end.

        Raises:
            AssertionError: none came in 60 s.
        """
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._output], [], [], LIMIT_SECONDS)
            if not ready and self._pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGABRT)  # it writes what it was doing
            part = os.read(self._output, 65_536) if ready else b""
            if not part:
                raise AssertionError("the fork says nothing; see its standard error")
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()


class Fork:
    """A running process; made by `Forks.start`. Its calls block: in trio, put them in a thread."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self.pid = pid
        self._forks = forks
        self._ended = False

    def read_line(self) -> str:
        """The next line that it has written, without its end.

        Raises:
            AssertionError: it has ended by itself, or none came in 60 s.
        """
        line = self._forks.read_line()
        if line.startswith(_ENDED):
            self._ended = True
            raise AssertionError(f"the fork has ended by itself with {line[len(_ENDED) :]}")
        return line

    def kill(self) -> list[str]:
        """Kill it with SIGKILL and wait until it is gone; gives the lines not read yet.

        Raises:
            AssertionError: it had ended by itself.
        """
        os.kill(self.pid, signal.SIGKILL)  # not reaped before its end was read: nobody else's
        return self.wait(-signal.SIGKILL)

    def wait(self, code: int = 0) -> list[str]:
        """Wait until it has ended, with this code; gives the lines not read yet.

        Raises:
            AssertionError: it ended in another way.
        """
        lines = []
        while not (line := self._forks.read_line()).startswith(_ENDED):
            lines.append(line)
        ended = int(line[len(_ENDED) :])
        if ended != code:
            raise AssertionError(f"the fork has ended with {ended}; see its standard error")
        return lines


@contextmanager
def open_forks(fn: Callable[..., None], *, imports: Sequence[str] = ()) -> Iterator[Forks]:
    """Have a process that has imported everything and forks itself when told to, for the block.

    It has one thread and no event loop, so a fork of it is as good as a new process; a fork of
    the test's own process would not be.

    Args:
        fn: what a fork runs, with its `Mark` and the arguments of `Forks.start`; at the top level
            of its module. What it says with `say` can be read here.
        imports: modules that it would import later, so that not every fork does.
    """
    with tempfile.TemporaryFile() as shared:
        shared.truncate(1)
        mark = Mark(shared.fileno())
        arguments = f"{shared.fileno()}, {name_function(fn)!r}, {list(imports)!r}"
        program = f"from {__name__} import _serve; _serve({arguments})"
        process = subprocess.Popen(  # noqa: S603  # this interpreter, with the test's own function
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[shared.fileno()],
        )
        with process:
            try:
                yield Forks(process, mark)
            finally:
                mark.close()
                process.kill()  # a fork sees that its input has ended, and follows


def say(line: str) -> None:
    """In a fork: tell the test. Whole or not at all, which `print` is not when it is killed."""
    os.write(1, f"{line}\n".encode())


def name_function(fn: Callable[..., Any]) -> str:
    """A function at the top level of a module as text, for `find_function` in another process."""
    return json.dumps([fn.__module__, inspect.getfile(inspect.unwrap(fn)), fn.__qualname__])


def find_function(text: str) -> Any:
    """The function that `name_function` has named; its module is imported, by file if need be."""
    module, file, name = json.loads(text)
    try:
        found = importlib.import_module(module)
    except ImportError:  # a test module, which nobody can import by its name
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise
        found = importlib.util.module_from_spec(spec)
        sys.modules[module] = found
        spec.loader.exec_module(found)
    return getattr(found, name)


def _serve(descriptor: int, name: str, imports: Sequence[str]) -> None:
    """The process that forks: one line is one fork, whose end it waits for."""
    for module in imports:
        importlib.import_module(module)
    fn, mark = find_function(name), Mark(descriptor)
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if pid == 0:
            _run(fn, mark, json.loads(line))
        _, status = os.waitpid(pid, 0)
        say(f"{_ENDED}{os.waitstatus_to_exitcode(status)}")


def _run(fn: Callable[..., None], mark: Mark, arguments: list[str]) -> None:
    """The fork: it returns nowhere."""
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    faulthandler.enable()
    say(str(os.getpid()))  # here, so that it comes before all else
    code = 1
    try:
        fn(mark, *arguments)
        code = 0
    except Exception:  # boundary: nothing may leave the fork alive
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _end_with_the_test() -> None:
    os.read(0, 1)  # no request comes while a fork lives: only the end of the input
    os._exit(1)
