"""What is saved in a project: which folders are watched, and which files count.

Nothing is restarted here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final, TypeAlias

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
TICK_MS: Final = 100
"""After which a wait for the system is begun anew; a cancellation takes as long at most."""

_Stamp: TypeAlias = tuple[int, int, int] | None


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

    ``started()`` when nothing that is saved from now on can be missed.

    Args:
        roots: the author's folders.
        state: the folder of this run's state, which does not count.
        on_change: told the files, each time at least one; must not wait.
    """
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each event
    known = _look(folders_to_watch(roots, state))
    while True:
        folders = folders_to_watch(roots, state)
        changes = awatch(
            *folders,
            watch_filter=None,  # ours is below: it must see new folders
            recursive=False,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=TICK_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        registered = False
        async with aclosing(changes):
            async for found in changes:
                paths = {Path(text) for _, text in found}
                files = {path for path in paths if counts(path)}
                now = {path: _stamp(path) for path in files}
                if not registered:  # from here on the system tells; what it did not, is seen
                    registered = True
                    now |= {path: _stamp(path) for path in known} | _look(folders)
                    files |= {path for path, stamp in now.items() if known.get(path) != stamp}
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                known |= now
                if files:
                    on_change(tuple(sorted(files)))
                if any(path.is_dir() and _is_seen(path.name) for path in paths - {*folders}):
                    break


def _look(folders: Iterable[Path]) -> dict[Path, _Stamp]:
    """All files there that count, as they are now."""
    found: dict[Path, _Stamp] = {}
    for folder in folders:
        with suppress(OSError):  # gone, or not to be read
            found |= {path: _stamp(path) for path in folder.iterdir() if counts(path)}
    return found


def _stamp(path: Path) -> _Stamp:
    """What changes when a file is saved; None while it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
