"""Errors that were raised: one out of a group, for tasks fail together for one cause; their text.

Nothing here knows sockets or frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ("leaves", "text_of", "unwrapped")


def leaves(exc: BaseException) -> list[BaseException]:
    """The exceptions inside a group, however deep; of a plain exception itself."""
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in leaves(inner)]
    return [exc]


def text_of(exc: BaseException) -> str:
    """What an exception says of itself, also where its class, the author's own, fails at that."""
    try:
        return str(exc)
    except Exception:  # boundary: the author's __str__ must not hide what was raised
        return "(its text cannot be made)"


@contextmanager
def unwrapped(*expected: type[Exception]) -> Iterator[None]:
    """Raise one exception of a group instead of the group.

    ``expected`` are the types that several tasks may well raise for one cause, the one to prefer
    first. Anything else goes before them; of two such the group stays as it is. Cancellation
    that came along does not count: who cancelled will see it at the next checkpoint.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        real = [leaf for leaf in leaves(group) if not isinstance(leaf, trio.Cancelled)]
        surprises = [leaf for leaf in real if not isinstance(leaf, expected)]
        ranked = [leaf for kind in expected for leaf in real if isinstance(leaf, kind)]
        if not real or len(surprises) > 1:
            raise
        chosen = (surprises or ranked)[0]
        raise chosen from chosen.__cause__
