"""Changes as SQL: which statements write them, and how names stand in the columns.

No connection and no file here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, Literal, TypeAlias

from moobius_trio.database.engine import Change, Place

__all__ = ("DELETE", "Parameter", "name_in", "row", "statements")

Parameter: TypeAlias = str | bytearray
"""(No bytes: of each of them sqlite3 asks whether the program has an adapter for bytes.)"""
Kind: TypeAlias = Literal["append", "delete", "update"]

MOST_RECORDS: Final = 256
MOST_BYTES: Final = 256 * 1024
"""What one statement writes at most, but always one record. To be able to take back a statement
that fails half way, SQLite keeps in memory what it has overwritten."""

DELETE: Final = "DELETE FROM record WHERE band = ? AND container = ? AND key IN (?)"
"""Removes one record."""

_INSERT: Final = "INTO record (band, container, key, value) "
_UPSERT: Final = " ON CONFLICT (band, container, key) DO UPDATE SET value = excluded.value"
_OF_ONE_PLACE: Final = "SELECT ?, ?, column1, column2 FROM (VALUES (?, ?)) WHERE true"
"""Without the last two words, the ON of an upsert would be taken for that of a join."""
_ENCODED: Final = "\0"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def statements(changes: Iterable[Change]) -> Iterator[tuple[str, list[Parameter]]]:
    """What writes the changes, in their order: statements with their parameters.

    Many records by one statement: while SQLite runs it, the event loop has the interpreter to
    itself. A thread that runs many short ones takes it back before the loop has woken up, each
    time, until Python makes it wait after 5 ms.
    """
    kind: Kind = "update"
    part: list[Change] = []
    size, mixed = 0, False
    before: Place | None = None
    for change in changes:
        place, _, value, fresh = change
        needed: Kind = "delete" if value is None else "append" if fresh else "update"
        weight = 0 if value is None else len(value)
        moved = place is not before
        full = len(part) == MOST_RECORDS or size + weight > MOST_BYTES
        if full or needed != kind or (moved and needed == "delete"):
            yield from _of_one_kind(kind, part, mixed)
            kind, part, size, mixed = needed, [], 0, False
        if moved:
            before = place
            mixed = bool(part)
        part.append(change)
        size += weight
    yield from _of_one_kind(kind, part, mixed)


def _of_one_kind(
    kind: Kind, changes: list[Change], mixed: bool
) -> Iterator[tuple[str, list[Parameter]]]:
    """By powers of two, so that there are few different statements, which SQLite reads once.

    Args:
        mixed: they are of several containers. Otherwise the container is given once for all of
            them: a third of a statement's time goes into what it is given.
    """
    start = 0
    while start < len(changes):
        count = 1 << (len(changes) - start).bit_length() - 1
        part = changes[start : start + count]
        given: list[Parameter] = [] if mixed else [*row(part[0].place)]
        for place, key, value, _ in part:
            if mixed:
                given += row(place)
            given.append(bytearray(key))
            if value is not None:
                given.append(bytearray(value))
        yield _sql(kind, count, mixed), given
        start += count


@cache
def _sql(kind: Kind, count: int, mixed: bool) -> str:
    """The statement for so many records."""
    if kind == "delete":
        return DELETE.replace("(?)", f"({', '.join('?' * count)})")
    if mixed:
        values = _INSERT + "VALUES " + ", ".join(["(?, ?, ?, ?)"] * count)
    else:
        values = _INSERT + _OF_ONE_PLACE.replace("(?, ?)", ", ".join(["(?, ?)"] * count))
    return f"INSERT OR REPLACE {values}" if kind == "append" else f"INSERT {values}{_UPSERT}"


def row(place: Place) -> tuple[str, str]:
    """The columns ``band`` and ``container``."""
    return ("" if place.band is None else _column(place.band), _column(place.container))


def _column(name: str) -> str:
    """A name as SQLite can hold it: a lone surrogate has no UTF-8, and "" stands for no band."""
    whole = name.isascii() or not _SURROGATE.search(name)
    if name and whole and not name.startswith(_ENCODED):
        return name
    return _ENCODED + name.encode("utf-8", "surrogatepass").hex()


def name_in(column: str) -> str:
    """The name that stands in a column."""
    if not column.startswith(_ENCODED):
        return column
    return bytes.fromhex(column[len(_ENCODED) :]).decode("utf-8", "surrogatepass")
