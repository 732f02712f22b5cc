"""Finds async calls that nobody awaited, and says in which handler and line.

For `dev` and the test kit; production pays nothing for it.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from moobius_trio.core.units import current
from moobius_trio.errors import NeverAwaited

__all__ = ("watch_unawaited",)

_MESSAGE = re.compile(r"coroutine '(?P<call>[^']+)' was never awaited")
_OURS = {
    "Callbacks": "MoobiusService",
    "MoobiusService": "MoobiusService",
    "MoobiusUser": "MoobiusUser",
    "PlatformCalls": "MoobiusService",
    "Sending": "MoobiusService",
    "UserCallbacks": "MoobiusUser",
}
"""Classes that a service or user is made of, and what of them an author knows."""
_ORIGIN = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


@contextmanager
def watch_unawaited(report: Callable[[NeverAwaited], None]) -> Iterator[None]:
    """While the block runs, report each coroutine that is dropped without having been awaited.

    The interpreter finds it when the coroutine is collected, usually as the handler returns.
    Other warnings are shown as before.
    """
    depth = sys.get_coroutine_origin_tracking_depth()
    with warnings.catch_warnings():
        shown_before = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            found = _MESSAGE.match(str(message))
            if found is None:
                shown_before(message, category, filename, lineno, file, line)
                return
            origin = _ORIGIN.search(str(message))
            where = f"{origin['file']}:{origin['line']}" if origin else f"{filename}:{lineno}"
            unit = current.get()
            handler = unit.handler if unit is not None else ""
            report(NeverAwaited(_known_as(found["call"], handler), handler, where))

        warnings.filterwarnings("always", message=_MESSAGE.pattern, category=RuntimeWarning)
        warnings.showwarning = show
        sys.set_coroutine_origin_tracking_depth(max(depth, 1))
        try:
            yield
        finally:
            sys.set_coroutine_origin_tracking_depth(depth)


def _known_as(call: str, handler: str) -> str:
    """The function as its caller knows it: ``Sending.reply`` is ``Demo.reply``."""
    owner, _, name = call.rpartition(".")
    if owner not in _OURS:
        return call
    return f"{handler.partition('.')[0] or _OURS[owner]}.{name}"
