"""All workloads there are, in the order in which they are run and printed."""

from __future__ import annotations

from collections.abc import Sequence

import codec
import echo
import imports
import memory
import startup
import storage
from workload import Workload

__all__ = ("WORKLOADS", "chosen")

WORKLOADS: tuple[Workload, ...] = (
    *echo.WORKLOADS,
    *startup.WORKLOADS,
    *memory.WORKLOADS,
    *imports.WORKLOADS,
    *codec.WORKLOADS,
    *storage.WORKLOADS,
)


def chosen(only: Sequence[str]) -> list[Workload]:
    """Those whose name begins with one of these; all, where none is given.

    Raises:
        ValueError: one of them begins no name.
    """
    for start in only:
        if not any(one.name.startswith(start) for one in WORKLOADS):
            raise ValueError(f"--only {start}: no workload has a name that begins so (--list)")
    return [one for one in WORKLOADS if not only or one.name.startswith(tuple(only))]
