"""What the parent and the service's process say to each other: JSON lines over two pipes.

Values and their texts only; no process and no pipe is opened here. Both sides are of the same
installation, so there are no versions. Nothing that is read names code.
"""

from __future__ import annotations

import json
from typing import Final, TypeAlias, TypeVar

import attrs
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.local import JobRow, Problem

__all__ = (
    "LINE_BYTES",
    "Advance",
    "Advanced",
    "Answer",
    "Crashed",
    "Done",
    "Failed",
    "ListJobs",
    "Load",
    "Loaded",
    "Lost",
    "Numbered",
    "Order",
    "Ready",
    "Refused",
    "Reply",
    "Report",
    "Rows",
    "RunJob",
    "Serve",
    "Stopped",
    "read_order",
    "read_report",
    "write",
)

LINE_BYTES: Final = 256 * 1024
"""The longest line; a longer one is no line of ours."""


# What the parent says


@attrs.frozen(kw_only=True)
class Load:
    """Import the code and make the service; `Loaded` or `Failed`."""

    target: str


@attrs.frozen(kw_only=True)
class Serve:
    """Run the service that was loaded, on this platform; `Ready` or `Failed`."""

    url: str
    email: str
    password: str = attrs.field(repr=False)
    service_id: str | None
    bands: tuple[str, ...]
    stores: str
    """The folder of its stores."""
    reached_as: str
    ahead: float
    """By how many seconds the jobs' clock is ahead."""


@attrs.frozen(kw_only=True)
class ListJobs:
    """`Rows`."""


@attrs.frozen(kw_only=True)
class RunJob:
    """`Done` when the run has ended, or `Refused`."""

    name: str


@attrs.frozen(kw_only=True)
class Advance:
    """Put the jobs' clock forward; `Advanced`."""

    seconds: float


Order: TypeAlias = Load | Serve | ListJobs | RunJob | Advance


@attrs.frozen
class Numbered:
    """An order, and the number by which its reply names it."""

    number: int
    order: Order


# What the child says


@attrs.frozen(kw_only=True)
class Loaded:
    """The code is in and the service made; nothing runs yet."""

    name: str
    """Of the class: under it the account and the service's id are kept."""
    called: str
    """What service.json calls it; the same if it says nothing."""
    folder: str
    """`MoobiusService.folder`."""
    folders: tuple[str, ...]
    """Where the author's modules lie."""


@attrs.frozen(kw_only=True)
class Ready:
    """As in the ready line (docs/architecture.md section 10)."""

    name: str
    service_id: str
    channels: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Failed:
    """The order came to nothing, and the process ends."""

    problem: Problem
    code: int
    """What a program ends with because of this."""
    expected: bool
    """An error of this package: the first line of the problem's text says all."""


@attrs.frozen(kw_only=True)
class Refused:
    """The order cannot be obeyed; the service runs on."""

    why: str


@attrs.frozen(kw_only=True)
class Rows:
    """The jobs."""

    rows: tuple[JobRow, ...]


@attrs.frozen(kw_only=True)
class Advanced:
    """By how much the jobs' clock is ahead now."""

    ahead: float


@attrs.frozen(kw_only=True)
class Done:
    """Nothing more to say."""


Answer: TypeAlias = Loaded | Ready | Failed | Refused | Rows | Advanced | Done


@attrs.frozen
class Reply:
    """The answer to the order of this number."""

    number: int
    answer: Answer


@attrs.frozen(kw_only=True)
class Crashed:
    """The service has ended by an error; its process ends with this code."""

    problem: Problem
    code: int


@attrs.frozen(kw_only=True)
class Stopped:
    """The service has ended in good order."""


@attrs.frozen(kw_only=True)
class Lost:
    """So many records of the trace found no room, because the parent did not read."""

    records: int


Report: TypeAlias = Reply | Crashed | Stopped | Lost | TraceRecord | UnitRecord

_T = TypeVar("_T")


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for union in (Order, Answer, Report):
        configure_tagged_union(union, converter, tag_name="kind")
    return converter


_CONVERTER: Final = _converter()


def write(words: Numbered | Report) -> bytes:
    """One line with its end."""
    kind: object = Numbered if isinstance(words, Numbered) else Report
    plain = _CONVERTER.unstructure(words, unstructure_as=kind)
    return json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"


def read_order(line: bytes) -> Numbered:
    """What the parent said.

    Raises:
        ValueError: nothing that a parent says.
    """
    return _read(line, Numbered)


def read_report(line: bytes) -> Report:
    """What the child said.

    Raises:
        ValueError: nothing that a child says.
    """
    return _read(line, Report)  # type: ignore[arg-type]  # a union is no class


def _read(line: bytes, kind: type[_T]) -> _T:
    try:
        return _CONVERTER.structure(json.loads(line), kind)
    # boundary: what cattrs raises for wrong words is of many kinds, in groups
    except Exception as exc:
        raise ValueError(f"no words of ours ({type(exc).__name__})") from None
