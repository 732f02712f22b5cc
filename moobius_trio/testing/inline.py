"""Blocking work without a thread, for simulated time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

__all__ = ("run_inline",)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def run_inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Run ``fn(*args)`` here and now: a checkpoint, then the call, which blocks the loop."""
    await trio.lowlevel.checkpoint()
    return fn(*args)
