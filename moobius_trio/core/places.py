"""Where code stands: the author's file and line, of a task that waits or a thread that runs.

For messages about code that does not end. Nothing here acts on a task.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType

import outcome
import trio

__all__ = ("place_of_frame", "place_of_task")

_NOT_THE_AUTHORS = tuple(
    str(Path(file).resolve().parent) + "/"
    for file in (trio.__file__, outcome.__file__, Path(__file__).parent)
)
"""Folders of trio, of a part of it, and of this package."""


def place_of_task(task: trio.lowlevel.Task) -> str:
    """``(FILE:LINE)`` of the innermost call of the author's that a waiting task is in.

    To be asked in the event loop. Where the author's code has opened a nursery, it is the line of
    that nursery; its tasks are not looked at.
    """
    steps = [(frame.f_code, line) for frame, line in task.iter_await_frames()]
    return _place([step for step in steps if _is_the_authors(step[0])] or steps)


def place_of_frame(innermost: FrameType | None) -> str:
    """``NAME (FILE:LINE)`` of the handler of the author's that a running thread is in.

    The name is that of the outermost call since the event loop, such as ``Demo.on_msg_up``, the
    line that of the innermost. Safe in another thread.
    """
    steps: list[tuple[CodeType, int]] = []
    frame = innermost
    while frame is not None and frame.f_code.co_name != "unrolled_run":  # trio's loop
        steps.insert(0, (frame.f_code, frame.f_lineno))
        frame = frame.f_back
    own = [step for step in steps if _is_the_authors(step[0])] or steps
    return f"{own[0][0].co_qualname} {_place(own)}" if own else _place(own)


def _is_the_authors(code: CodeType) -> bool:
    return not code.co_filename.startswith(_NOT_THE_AUTHORS)


def _place(steps: Iterable[tuple[CodeType, int]]) -> str:
    *_, last = [None, *steps]
    return "(nowhere)" if last is None else f"({last[0].co_filename}:{last[1]})"
