"""What is saved in a project: which folders are watched, and which files count.

Nothing is restarted here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import trio
from watchfiles import awatch

__all__ = ("counts", "folders_to_watch", "watch")

SUFFIXES: Final = (".py", ".toml", ".json")
RESOURCES: Final = "resources"
"""In a folder of this name every file counts."""

LEFT_OUT: Final = frozenset({"node_modules", "__pycache__", "site-packages"})
MOST_FOLDERS: Final = 500
STEP_MS: Final = 20
DEBOUNCE_MS: Final = 300


def folders_to_watch(
    roots: Iterable[Path], state: Path, *, at_most: int = MOST_FOLDERS
) -> list[Path]:
    """These folders and what lies in them, without hidden ones, environments and stores."""
    found: dict[Path, None] = {}
    for root in roots:
        for folder in _walk(root.resolve(), state):
            if len(found) >= at_most:
                return list(found)
            found[folder] = None
    return list(found)


def _walk(root: Path, state: Path) -> Iterator[Path]:
    for text, folders, files in os.walk(root):
        folder = Path(text)
        if folder == state or "pyvenv.cfg" in files or ".format" in files:
            folders.clear()  # the state of this run, an environment, a store of json files
            continue
        folders[:] = sorted(name for name in folders if _is_seen(name))
        yield folder


def _is_seen(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT


def counts(path: Path) -> bool:
    """Whether a service has to be restarted when this file is another one."""
    if path.name.startswith("."):
        return False
    return path.suffix in SUFFIXES or RESOURCES in path.parent.parts


async def watch(
    roots: Sequence[Path],
    state: Path,
    on_change: Callable[[tuple[Path, ...]], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Tell what was saved, until cancelled; folders that are new are watched as well.

    Args:
        roots: the author's folders.
        state: the folder of this run's state, which does not count.
        on_change: told the files, each time at least one; must not wait.
    """
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each event
    while True:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_set_when_cancelled, stop)
            changes = awatch(
                *folders_to_watch(roots, state),
                watch_filter=None,  # ours is below: it must see new folders
                recursive=False,
                step=STEP_MS,
                debounce=DEBOUNCE_MS,
                stop_event=stop,
                ignore_permission_denied=True,
            )
            async with aclosing(changes):
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                async for found in changes:
                    paths = sorted(Path(text) for _, text in found)
                    fresh = [path for path in paths if path.is_dir() and _is_seen(path.name)]
                    inside = [file for folder in fresh for file in folder.rglob("*")]
                    files = [path for path in (*paths, *inside) if counts(path)]
                    if files:
                        on_change(tuple(dict.fromkeys(files)))
                    if fresh:
                        break
            nursery.cancel_scope.cancel()


async def _set_when_cancelled(stop: trio.Event) -> None:
    """The thread that waits for the system would otherwise hold a cancellation up for seconds."""
    try:
        await trio.sleep_forever()
    finally:
        stop.set()
