"""What was found, as values."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ("Finding", "State", "good", "note", "wrong")

State: TypeAlias = Literal["ok", "note", "wrong"]


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    area: str
    """What it belongs to, such as ``config``."""
    state: State
    """``wrong`` stands in the way; a ``note`` does not, and is good to know."""
    said: str
    """One line."""
    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""
    run_only: bool = False
    """It concerns `moobius-trio run` alone: `dev`, `demo` and tests do without it."""


def good(area: str, said: str) -> Finding:
    """All is well."""
    return Finding(area, "ok", said)


def note(area: str, said: str, remedy: str = "") -> Finding:
    """Good to know."""
    return Finding(area, "note", said, remedy)


def wrong(area: str, said: str, remedy: str, *, run_only: bool = False) -> Finding:
    """It stands in the way."""
    return Finding(area, "wrong", said, remedy, run_only)
