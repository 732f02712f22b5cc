"""Ids for the frames of this process: unlike those of any other, and cheap, since each has one.

Nothing of a frame is known here.
"""

from __future__ import annotations

import itertools
import os
import uuid

from moobius_trio.types import RequestId

__all__ = ("new_request_id",)

_numbers = itertools.count(10**11)
"""The last twelve digits; decimal ones, which are quicker to write."""
_of_this_process = ""


def new_request_id() -> RequestId:
    """A UUID of which this process has drawn the greater part, 74 bits of chance, and counts on.

    (Its own chance for each would cost as much as the frame's text.)
    """
    # RequestId(…) would be a call, and there is one for each frame.
    return f"{_of_this_process}{next(_numbers)}"  # type: ignore[return-value]


def _draw() -> None:
    global _of_this_process
    _of_this_process = str(uuid.uuid4())[:24]


_draw()
# Two processes that count on from the same would take each other's frames from a platform that
# handles each id once.
os.register_at_fork(after_in_child=_draw)
