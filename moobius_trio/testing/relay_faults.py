"""What a relay does to the bytes, as a value, and its form on the command line.

No I/O: `relay` does what stands here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from moobius_trio.errors import UsageError

__all__ = ("RelayFaults", "Way")

Way: TypeAlias = Literal["none", "up", "down", "both"]
"""``up`` is from the client to the target."""

_COUNT = attrs.validators.optional([attrs.validators.instance_of(int), attrs.validators.ge(1)])
_TIME = attrs.validators.optional([attrs.validators.gt(0), attrs.validators.lt(10**9)])


@attrs.frozen(kw_only=True)
class RelayFaults:
    """What a relay does to its connections; nothing, as long as all have their defaults."""

    reset_every: float | None = attrs.field(default=None, validator=_TIME)
    """All connections are reset (RST) about every so many seconds, a quarter more or less."""
    close_every: float | None = attrs.field(default=None, validator=_TIME)
    """All connections are closed (FIN) about every so many seconds."""
    hole_every: float | None = attrs.field(default=None, validator=_TIME)
    """About every so many seconds the connections of that moment go dark: what is sent on them
    vanishes, their goodbyes too."""
    hole: Way = attrs.field(default="none", validator=attrs.validators.in_(Way.__args__))  # type: ignore[attr-defined]
    """The way on which everything vanishes while this is set, on every connection."""
    delay: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(3600)]
    )
    """Seconds that each byte is on its way, besides."""
    slow: int | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(
            [attrs.validators.instance_of(int), attrs.validators.ge(0)]
        ),
    )
    """Bytes a second that are read from either side; 0 reads nothing, so that writers wait (F6)."""
    slice: int | None = attrs.field(default=None, validator=_COUNT)
    """Bytes are passed on in pieces of 1 to so many (F7)."""
    corrupt: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )
    """The part of all bytes that have one bit turned (F13)."""
    seed: int = 1
    """What chance there is comes from this number."""

    @classmethod
    def parse(cls, spec: str) -> RelayFaults:
        """The faults of a text such as ``reset=60,delay=0.2,seed=7``.

        Raises:
            UsageError: a name is unknown, or a value is none; one line.
        """
        given: dict[str, object] = {}
        for part in filter(None, (part.strip() for part in spec.split(","))):
            name, _, value = part.partition("=")
            if name not in _SPEC:
                raise UsageError(f"--faults has no {name!r}{_suggestion(name)}")
            field, read = _SPEC[name]
            try:
                given[field] = read(value)
            except ValueError:
                raise UsageError(f"--faults: {value!r} is no value for {name}. {_USE}") from None
        try:
            return cls(**cast("dict[str, Any]", given))
        except ValueError as exc:
            raise UsageError(f"--faults: {_words(exc)}. {_USE}") from None

    def describe(self) -> str:
        """What it does, in words for a person; one line."""
        words = [
            text.format(value)
            for name, text in _WORDS.items()
            if (value := getattr(self, name)) != getattr(_NONE, name)
        ]
        return "; ".join([*words, f"seed {self.seed}"]) if words else "none"


_SPEC: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = MappingProxyType(
    {
        "reset": ("reset_every", float),
        "close": ("close_every", float),
        "hole": ("hole_every", float),
        "dark": ("hole", str),
        "delay": ("delay", float),
        "slow": ("slow", int),
        "slice": ("slice", int),
        "corrupt": ("corrupt", float),
        "seed": ("seed", int),
    }
)
_USE: Final = "For example: --faults reset=60 or --faults delay=0.2,slow=2000."
_WORDS: Final = MappingProxyType(
    {
        "reset_every": "about every {:g} s all connections are reset",
        "close_every": "about every {:g} s all connections are closed",
        "hole_every": "about every {:g} s what is sent on the connections of then begins to vanish",
        "hole": "what is sent vanishes ({})",
        "delay": "each byte takes {:g} s",
        "slow": "{} bytes a second each way",
        "slice": "in pieces of 1 to {} bytes",
        "corrupt": "a part of {:g} of all bytes is corrupted",
    }
)
_NONE: Final = RelayFaults()


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, _SPEC, n=1)
    return f"; did you mean {near[0]}?" if near else f". There are: {', '.join(_SPEC)}."


def _words(exc: ValueError) -> str:
    """An attrs validator's complaint with the name as the command line has it."""
    text = str(exc.args[0])
    for name, (field, _) in _SPEC.items():
        text = text.replace(f"'{field}'", name)
    return text
