"""What a log line may not show: secrets, and characters that would break out of the line.

Texts in, texts out; nothing here knows how logs are set up.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from structlog.typing import WrappedLogger

from moobius_trio.types import Secret

__all__ = ("MASK", "SHORTEST", "Redactor", "escape")

MASK = "***"
SHORTEST = 4
"""Secrets of fewer characters are not masked: they would take half of every line with them."""


class Redactor:
    """The last processor of a chain: masks every registered secret in a finished line.

    Plain, and in base64 (also as a part of a longer encoded text), URL- and JSON-escaped form
    and as in a Python repr. One may stand behind the renderer of a user's own structlog chain.
    """

    def __init__(self) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._holders: Counter[str] = Counter()

    def add(self, *secrets: Secret) -> None:
        """Mask these from now on."""
        self._mask(Counter(_patterns_of(secrets)))

    def add_from(self, other: Redactor) -> None:
        """Mask also what another one masks."""
        self._mask(other._holders)

    def remove(self, *secrets: Secret) -> None:
        """Mask these no more, once as many have removed them as have added them."""
        self._holders -= Counter(_patterns_of(secrets))
        self._patterns = {
            text: each for text, each in self._patterns.items() if self._holders[text]
        }

    def _mask(self, patterns: Counter[str]) -> None:
        # Each compiled for itself: one expression of all would be made anew with each new token.
        compiled = {pattern: re.compile(pattern) for pattern in patterns.keys() - self._patterns}
        # The longest first: a secret may begin with another one.
        ordered = sorted((self._patterns | compiled).items(), key=lambda item: -len(item[0]))
        self._patterns = dict(ordered)
        self._holders += patterns

    def redact(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        for pattern in self._patterns.values():
            text = pattern.sub(MASK, text)
        return text

    def __call__(self, logger: WrappedLogger, name: str, line: Any) -> str:
        """structlog's processor: takes what the renderer gave."""
        return self.redact(line if isinstance(line, str) else str(line))


def escape(text: str) -> str:
    """The text with line breaks, control and invisible characters as ``\\n``, ``\\x1b``, …"""
    if text.isprintable():
        return text
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")
        for mark in text
    )


def _patterns_of(secrets: Iterable[Secret]) -> list[str]:
    return [pattern for secret in secrets for pattern in _patterns(secret.reveal())]


def _patterns(secret: str) -> set[str]:
    """What finds a secret in every form in which it is known to travel."""
    if len(secret) < SHORTEST:
        return set()
    return {_escaped(secret), *map(re.escape, _base64(secret.encode("utf-8", "surrogatepass")))}


def _escaped(secret: str) -> str:
    """A pattern for a secret as it is, and in texts that escape it: a URL, JSON, a Python repr.

    A JSON text inside a repr has escapes of escapes, so any number of backslashes may stand before
    a character. Not before the first one, though, and nothing is tried twice (``*+``): a user's
    message of nothing but backslashes must not take long.
    """
    start = secret.lstrip("\\")
    if len(start) < SHORTEST:
        return re.escape(secret)
    parts = re.findall(r"\\+|[^\\]", start, re.DOTALL)
    return _character(parts[0]) + "".join(r"\\*+" + _character(part) for part in parts[1:])


def _character(part: str) -> str:
    r"""A pattern for a character, or for a run of ``\``, after the backslashes in front of it."""
    if part[0] == "\\":
        return r"(?:(?<=\\)|(?i:%5c)++)"
    if part.isascii() and (part.isalnum() or part in "-_."):
        return part
    units = part.encode("utf-16-be", "surrogatepass").hex()
    escapes = (
        "".join(f"%{byte:02x}" for byte in part.encode("utf-8", "surrogatepass")),
        r"\\*+".join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        f"U{ord(part):08x}",
        f"x{ord(part):02x}",
    )
    plain = (
        part,
        {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", " ": "+"}.get(part, part),
    )
    return f"(?:{'|'.join(map(re.escape, plain))}|(?i:{'|'.join(escapes)}))"


def _base64(raw: bytes) -> set[str]:
    """The characters that stand for ``raw`` whatever comes before and after it.

    Base64 writes three bytes as four characters, so there are three ways, one for each place in
    a group of three; a character that also holds bits of a neighbour is left out.
    """
    forms = set()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode("ascii")
        bits = 8 * before
        inner = whole[-(-bits // 6) : (bits + 8 * len(raw)) // 6]
        if len(inner) >= SHORTEST:
            forms |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return forms
