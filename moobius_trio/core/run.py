"""``moobius_trio.run``: `trio.run` for scripts, with readable ends.

The only place of core that writes to standard error or ends the process.
"""

from __future__ import annotations

import gc
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar, TypeVarTuple

import trio

from moobius_trio.core.signals import EXIT_CODE
from moobius_trio.errors import MoobiusError
from moobius_trio.logs import configure_logs, escape, is_unconfigured, redact
from moobius_trio.network.groups import leaves

__all__ = ("ending", "masked_threads", "run", "spare_what_stays")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def run(async_fn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Run ``async_fn(*args)`` on trio and give its result.

    Logs go to the console if structlog is unconfigured. An error of this package ends the process
    with one line and the exit code of docs/architecture.md section 10 instead of a traceback; a
    second Ctrl+C ends it with 130. Any other error is raised as it is; where nobody catches it,
    Python's traceback has masks in place of secrets, as has that of a thread.
    """
    if is_unconfigured():
        configure_logs()
    spare_what_stays()
    try:
        with ending():
            return trio.run(async_fn, *args)
    finally:
        gc.unfreeze()


def spare_what_stays() -> None:
    """Take all objects that are there now out of the garbage collector's work.

    For the entry of a process, whose modules, and records once they are loaded, stay until its
    end: each full collection would look at all of them, which holds up every service for 40 ms
    with the modules alone.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def ending() -> Iterator[None]:
    """Turn what ends the block into an exit code; see `run`.

    Raises:
        SystemExit: in place of this package's errors and of a second Ctrl+C.
    """
    try:
        with masked_threads():
            yield
    except (Exception, BaseExceptionGroup, KeyboardInterrupt, SystemExit) as exc:
        causes = leaves(exc)
        exits = [cause.code for cause in causes if isinstance(cause, SystemExit)]
        if exits:
            # One that ended at the first signal says 0, and one after it at the second 130.
            raise SystemExit(EXIT_CODE if EXIT_CODE in exits else exits[0]) from None
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
            raise SystemExit(EXIT_CODE) from None
        if not all(isinstance(cause, MoobiusError) for cause in causes):
            _mask_traceback()
            raise
        for cause in causes:
            sys.stderr.write(escape(redact(f"{type(cause).__name__}: {cause}")) + "\n")
        raise SystemExit(max(getattr(cause, "exit_code", 1) for cause in causes)) from None


@contextmanager
def masked_threads() -> Iterator[None]:
    """In the block, what ends a thread of the author's is printed without registered secrets.

    A program that prints it in its own way keeps that.
    """
    if threading.excepthook is not threading.__excepthook__:
        yield
        return
    threading.excepthook = _print_masked_thread
    try:
        yield
    finally:
        threading.excepthook = threading.__excepthook__


def _print_masked_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = "" if ended.thread is None else f" {ended.thread.name}"
    sys.stderr.write(escape(f"Exception in thread{name}:") + "\n")
    _print_masked(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _mask_traceback() -> None:
    """Have the traceback that ends the process printed without registered secrets.

    Python prints it when all else has ended, so what prints it stays changed; a program that
    prints tracebacks by itself keeps its own way.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_masked


def _print_masked(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    text = redact("".join(traceback.format_exception(kind, error, where)))
    sys.stderr.write("\n".join(map(escape, text.split("\n"))))
