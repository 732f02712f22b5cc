"""The records of one container, read from its engine; what is unreadable is set aside.

Nothing is kept here; memory is the container's.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from moobius_trio.database.encoding import Format, Unreadable
from moobius_trio.database.engine import Engine, Place
from moobius_trio.database.shapes import Misfit
from moobius_trio.database.unit import SLICE
from moobius_trio.errors import StorageError

__all__ = ("StoredRecord", "read_records")


@attrs.frozen
class StoredRecord:
    """One record as it was found."""

    key: object
    raw_key: bytes
    value: object
    text: bytes
    """The value's text as it would be written now."""


async def read_records(
    engine: Engine, place: Place, format: Format, on_problem: Callable[[StorageError], None]
) -> list[StoredRecord]:
    """Everything readable in one container, each key once; with a checkpoint now and then.

    Raises:
        StorageError: the engine could read nothing.
    """
    loaded = await engine.load(place)
    for problem in loaded.problems:
        on_problem(problem)
    records: dict[object, StoredRecord] = {}
    for count, (raw_key, text) in enumerate(loaded.records, 1):
        try:
            record = _read(format, raw_key, text)
            if record.key in records:
                raise Unreadable("its key is there twice")
        except Unreadable as exc:
            moved = await engine.set_aside(place, raw_key, str(exc))
            on_problem(
                StorageError(
                    f"{engine.where}, {place}[{raw_key.decode('utf-8', 'backslashreplace')!r}]",
                    f"cannot be read: {exc}",
                    f"It was set aside in {moved}; the rest is loaded",
                )
            )
        else:
            records[record.key] = record
        if count % SLICE == 0:
            await trio.lowlevel.checkpoint()
    return list(records.values())


def _read(format: Format, raw_key: bytes, text: bytes) -> StoredRecord:
    key = format.decode_key(raw_key)
    value = format.decode(text)
    try:
        hash(key)
        # Not the text as found: another hand or an older version may have written it otherwise.
        return StoredRecord(key, raw_key, value, format.encode(value))
    except (Misfit, TypeError) as exc:
        raise Unreadable(str(exc)) from exc
