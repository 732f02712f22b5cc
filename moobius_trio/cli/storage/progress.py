"""A bar for work that takes its time: on a terminal only, and only once half a second has gone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ("open_progress",)

PATIENCE_SECONDS = 0.5
REFRESH_SECONDS = 0.1


@contextmanager
def open_progress(words: str) -> Iterator[Callable[[int, int | None], None]]:
    """Gives a function to be told how many of how many records are done; None: nobody knows.

    The bar is drawn on standard error by that call, by no thread, and is gone at the end.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
    )
    task = bar.add_task(words, total=None)
    begun = drawn = time.monotonic()
    started = False

    def advance(done: int, total: int | None) -> None:
        nonlocal drawn, started
        now = time.monotonic()
        if now - begun < PATIENCE_SECONDS or now - drawn < REFRESH_SECONDS:
            return
        if not started:
            bar.start()
            started = True
        drawn = now
        bar.update(task, completed=done, total=total)
        bar.refresh()

    try:
        yield advance
    finally:
        if started:
            bar.stop()
