"""How blocking work is run: a parameter everywhere, so that simulated time never meets a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

__all__ = ("RunSync",)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class RunSync(Protocol):
    """Run ``fn(*args)`` off the event loop and give its result.

    In a thread usually. Under a simulated clock inline, because a thread's real time would let
    that clock jump hours ahead (docs/architecture.md section 9).
    """

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T: ...
