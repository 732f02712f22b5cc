"""What is read of a 1.x configuration, and what is made of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ("PARTS", "ConvertedConfig", "Fate", "KeyReport", "Part", "PartName")

PartName: TypeAlias = Literal["account", "service", "db", "log"]
PARTS: Final[tuple[PartName, ...]] = ("account", "service", "db", "log")

Fate: TypeAlias = Literal["carried", "changed", "added", "dropped"]
"""What becomes of a key: the same value, another value or name, a new key, nothing."""


@attrs.frozen
class Part:
    """One of the four parts of a 1.x configuration."""

    where: str
    """The file, and in config.json itself the key."""
    value: object = attrs.field(repr=False)
    """The JSON: an object, of ``db`` a list."""


@attrs.frozen
class KeyReport:
    """What became of one key."""

    file: str
    """Where it stood; of a key that was added, where it stands now."""
    key: str
    fate: Fate
    said: str = ""
    """What it is now and why; never the value of a secret."""


@attrs.frozen(kw_only=True)
class ConvertedConfig:
    """Our files, not yet written."""

    file: Literal["service.json", "user.json"]
    """What the settings go into; the second is a `MoobiusUser`'s."""
    settings: Mapping[str, object] = attrs.field(repr=False)
    """The object of that file; a password may be in it."""
    containers: tuple[Mapping[str, object], ...] = attrs.field(repr=False)
    """The list of db.json; a password may be in it."""
    keys: tuple[KeyReport, ...]
    """Every key of the old files, and each one that was added."""
    stores: tuple[Path, ...] = ()
    """The folders in which 1.x keeps records as JSON files; they need not be there."""
