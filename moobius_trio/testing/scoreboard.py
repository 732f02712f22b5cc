"""Figures that tests measure, gathered in one file: the scoreboard of the fault suite.

Nothing is judged here; a test asserts what has to hold and notes what it saw.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

__all__ = ("VARIABLE", "messages", "note")

VARIABLE: Final = "MOOBIUS_TRIO_SCOREBOARD"
"""Names the file that figures are added to; nothing is written without it."""
MESSAGES: Final = "MOOBIUS_TRIO_MESSAGES"
"""Sets the size of runs that can be had in several."""


def note(figure: str, value: object) -> None:
    """Add one line ``{"figure": …, "value": …}`` to the file named by `VARIABLE`.

    Lines of several processes stay whole: each is written by one call.

    Args:
        value: anything that JSON can hold.
    """
    path = os.environ.get(VARIABLE)
    if path:
        line = json.dumps({"figure": figure, "value": value}, ensure_ascii=False)
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def messages(default: int) -> int:
    """How many messages a run should have: the environment's MOOBIUS_TRIO_MESSAGES, or this."""
    return int(os.environ.get(MESSAGES) or default)
