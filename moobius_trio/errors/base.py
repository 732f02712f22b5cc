"""What everything else is made of, and what is wrong with words: options, settings, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = (
    "BandNotTaken",
    "ConfigError",
    "MoobiusError",
    "NameTaken",
    "UsageError",
    "sentences",
)


class MoobiusError(Exception):
    """The root of the tree: catching it catches every error this package raises on purpose.

    ``exit_code`` is what ``moobius_trio.run`` and the command line end with when the error
    reaches them (docs/architecture.md section 10).
    """

    exit_code: ClassVar[int] = 1


class UsageError(MoobiusError):
    """A value on the command line cannot be used: a port in use, a path that is not there."""

    exit_code = 2


class ConfigError(MoobiusError):
    """A setting is wrong or missing.

    Attributes:
        where: the file or variable, with the key if there is one.
        problem: what is wrong with it.
        remedy: what to do; may be empty.
    """

    exit_code = 78

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(sentences(f"{where}: {problem}", remedy))
        self.where = where
        self.problem = problem
        self.remedy = remedy


class BandNotTaken(ConfigError):
    """None of the configured bands could be taken, so there is nothing to serve.

    Attributes:
        bands: one line for each band: id, reason, remedy.
    """

    def __init__(self, bands: Sequence[str]) -> None:
        super().__init__(
            "service.json, key channels", "no band could be taken: " + "; ".join(bands)
        )
        self.bands = tuple(bands)


class NameTaken(ConfigError):
    """Another live service on this machine has this name.

    Attributes:
        name: the name.
        pid: the process that runs it; None when it cannot be told.
    """

    def __init__(self, name: str, pid: int | None) -> None:
        super().__init__(
            f"service {name}",
            "a service of this name runs already" + (f" (pid {pid})" if pid is not None else ""),
            "Stop that one, or give this one another name (key name in service.json)",
        )
        self.name = name
        self.pid = pid


def sentences(*parts: str) -> str:
    """The parts that are not empty, each with a full stop unless it ends with a mark of its own."""
    return " ".join(
        part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part
    )
