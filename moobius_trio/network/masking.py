"""The one way in which a frame's text may reach a log call: without secrets, and short.

What is a secret is decided in ``codec.masking``.
"""

from __future__ import annotations

from typing import Final

from moobius_trio.codec.masking import without_secrets

__all__ = ("masked",)

LONGEST: Final = 512


def masked(frame: str) -> str:
    """The frame with every secret replaced by ``***``, cut after 512 characters."""
    text = without_secrets(frame[:LONGEST])  # a secret cut in two is masked as well
    return text if len(frame) <= LONGEST else f"{text}… ({len(frame):,} characters)"
