"""Frames without the secrets in them, for logs and for the page.

Knows no wire names but one shape: what is called a token, secret or password is one, as a key of
an object and as the name or label of a key press's argument.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ("without_secrets",)

_NAME: Final = r'"[^"]{0,64}(?:token|secret|password|authorization)[^"]{0,64}"'
_TEXT: Final = r'(?:[^"\\]|\\.)*("?)'

_SECRET: Final = re.compile(rf'({_NAME}\s*:\s*"){_TEXT}', re.IGNORECASE | re.DOTALL)
_ARGUMENT: Final = re.compile(
    rf'("(?:name|label)"\s*:\s*{_NAME}\s*,\s*"value"\s*:\s*"){_TEXT}', re.IGNORECASE | re.DOTALL
)


def without_secrets(frame: str) -> str:
    """The frame with ``***`` in place of every secret, also of one that is cut at its end."""
    return _ARGUMENT.sub(r"\1***\2", _SECRET.sub(r"\1***\2", frame))
