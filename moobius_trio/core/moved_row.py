"""One row of the table of old names; the rows stand in `core.moved` and `core.moved_1_8`."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ("Moved",)


@attrs.frozen
class Moved:
    """One old name or form, and ours."""

    old: str
    """A bare name; for a form the code as it was written."""
    origin: Literal["0.0.1", "1.8", "discord.py", "aiogram"]
    kind: Literal["callback", "method", "argument", "form"]
    """``method`` covers every attribute of a service or band, ``form`` whatever is no name."""
    new: str
    """A callback's bare name or the code to write; empty when there is no counterpart."""
    note: str = ""
    """What the reader has to know besides: one sentence without its stop, or nothing."""
