"""The one way in which a frame's text may reach a log call: without secrets, and short.

Knows no wire names: what is called a token, secret or password is one.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ("masked",)

LONGEST: Final = 512

_SECRET: Final = re.compile(
    r'("[^"]{0,64}(?:token|secret|password|authorization)[^"]{0,64}"\s*:\s*")'
    r'(?:[^"\\]|\\.)*("?)',
    re.IGNORECASE | re.DOTALL,
)


def masked(frame: str) -> str:
    """The frame with every secret replaced by ``***``, cut after 512 characters."""
    text = _SECRET.sub(r"\1***\2", frame[:LONGEST])  # a secret cut in two is masked as well
    return text if len(frame) <= LONGEST else f"{text}… ({len(frame):,} characters)"
