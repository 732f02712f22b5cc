"""A small disk of its own for a program under test: one that fills up, or that is read-only.

It is a tmpfs in a mount namespace of the program's, so nobody else sees it and it goes with the
program. Needs Linux, ``unshare`` and either root or user namespaces.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ("READ_ONLY", "on_small_disk", "why_no_small_disk")

READ_ONLY: Final = 'mount -o remount,ro "$1"'
"""Makes the disk of `on_small_disk` read-only."""

_OPTIONS: Final = (("-Urm",), ("-m",))  # as any user first, then as root


@functools.cache
def _unshare() -> tuple[str, ...] | None:
    """The command that gives a mount namespace in which one may mount; None if there is none."""
    path = shutil.which("unshare")
    for options in _OPTIONS if path is not None and sys.platform == "linux" else ():
        command = (str(path), *options)
        tried = subprocess.run(  # noqa: S603  # a fixed command
            [*command, "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"],
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            return command
    return None


def why_no_small_disk() -> str | None:
    """The reason, in words for a skipped test; None where there can be one."""
    return None if _unshare() else "no tmpfs can be mounted here (needs root or user namespaces)"


def on_small_disk(
    folder: Path, size: str, command: Sequence[str | Path], *, first: str = "true"
) -> list[str]:
    """The command that runs another one with a small disk at an existing folder.

    Args:
        size: as the mount option of tmpfs: ``256k``.
        first: shell commands on that disk, which is ``$1``, before the command; such as what
            makes a file there, and `READ_ONLY`.

    Raises:
        RuntimeError: there can be none here; see `why_no_small_disk`.
    """
    unshare = _unshare()
    if unshare is None:
        raise RuntimeError(str(why_no_small_disk()))
    script = f'mount -t tmpfs -o "size=$2,mode=0700" none "$1" && {first} && shift 2 && exec "$@"'
    return [*unshare, "sh", "-c", script, "sh", str(folder), size, *map(str, command)]
