"""Many calls at once, but not too many. What is called is not known here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import trio

from moobius_trio.errors import MoobiusError
from moobius_trio.network.groups import unwrapped

__all__ = ("MOST_CALLS", "both", "side_by_side")

IN_FLIGHT: Final = 16
MOST_CALLS: Final = 32
"""For the short calls of a start, of which a service with many bands makes hundreds."""

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")


async def side_by_side(
    fn: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int = IN_FLIGHT
) -> list[R]:
    """``fn`` of every item, at most `limit` at once; the results in the order of the items.

    The first failure cancels the others and is raised.
    """
    todo = list(items)
    results: dict[int, R] = {}
    room = trio.CapacityLimiter(limit)

    async def one(index: int, item: T) -> None:
        async with room:
            results[index] = await fn(item)

    with unwrapped(MoobiusError):  # of several that fail at once one is as good as the other
        async with trio.open_nursery() as nursery:
            for index, item in enumerate(todo):
                nursery.start_soon(one, index, item)
    return [results[index] for index in range(len(todo))]


async def both(one: Callable[[], Awaitable[R]], other: Callable[[], Awaitable[S]]) -> tuple[R, S]:
    """What two calls give, made at once.

    The first failure cancels the other call and is raised.
    """
    results: list[R] = []

    async def first() -> None:
        results.append(await one())

    with unwrapped(MoobiusError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            second = await other()
    return results[0], second
