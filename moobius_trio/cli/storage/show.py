"""``storage show``: what is stored, as tables or as JSON for programs. Nothing is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from rich.cells import cell_len

from moobius_trio.cli.output import counted, say, tell
from moobius_trio.cli.storage.display import shortened, show_key, whole
from moobius_trio.cli.storage.looking import Held, open_store, survey
from moobius_trio.cli.storage.site import Site, Where, find_site
from moobius_trio.database import Place
from moobius_trio.database.checking import parse_value
from moobius_trio.database.encoding import Unreadable
from moobius_trio.errors import StorageError, UsageError
from moobius_trio.logs import configure_logs, escape

__all__ = ("Wanted", "run_show")

LEVELS = {
    "memory": "nothing",
    "process": "the end of the process",
    "power": "a loss of power",
}
OWN = "-"
"""How the service itself is written where a band stands."""

KEY_WIDTH = 30


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be shown; None: everything."""

    band: str | None = None
    container: str | None = None
    key: str | None = None

    def has(self, place: Place) -> bool:
        """Whether it lies in this container."""
        return self.band in (None, place.band or OWN) and self.container in (None, place.container)


@attrs.frozen(kw_only=True)
class _Content:
    held: Held
    place: Place
    count: int
    size: int
    """Bytes of all keys and values."""
    unused: bool
    """The service does not look for the container in this store."""
    records: Sequence[tuple[bytes, bytes]]

    @property
    def band(self) -> str:
        return self.place.band or OWN


async def run_show(where: Where, wanted: Wanted, *, as_json: bool) -> None:
    """Print what a service has stored.

    Raises:
        UsageError: the service is not clear, or there is no such band, container or key.
        StorageError: a store cannot be read.
    """
    configure_logs(form="console")
    site = find_site(where)
    stores = await survey(site, _tell_problem)
    if wanted.key is not None and wanted.container is None:
        raise UsageError("--key needs --container NAME beside it.")
    found = await _read(site, stores, wanted)
    if wanted.key is not None:
        found = _only_key(found, wanted.key)
    if not found and wanted != Wanted():
        raise _nothing(site, stores, wanted)
    if as_json:
        tell([json.dumps(_as_json(site, stores, found, wanted))])
    elif wanted.key is not None:
        tell(_values(found))
    elif wanted.container is not None:
        tell(_records(found))
    else:
        tell(_overview(site, stores, found))


async def _read(site: Site, stores: Sequence[Held], wanted: Wanted) -> list[_Content]:
    """The containers that are wanted; with their records only if they are to be shown."""
    found = []
    for held in stores:
        async with open_store(site, held.store, read_only=True) as engine:
            for place in filter(wanted.has, held.places):
                loaded = await engine.load(place)
                for problem in loaded.problems:
                    _tell_problem(problem)
                found.append(
                    _Content(
                        held=held,
                        place=place,
                        count=len(loaded.records),
                        size=sum(len(key) + len(value) for key, value in loaded.records),
                        unused=not site.belongs(held.store, place.container),
                        records=loaded.records if wanted.container is not None else (),
                    )
                )
    return found


def _tell_problem(problem: StorageError) -> None:
    say(escape(str(problem)))


def _only_key(found: Sequence[_Content], key: str) -> list[_Content]:
    raw = key.encode("utf-8", "surrogatepass")
    kept = []
    for content in found:
        records = [one for one in content.records if one[0] == raw or show_key(one[0]) == key]
        if records:
            kept.append(attrs.evolve(content, records=records))
    return kept


def _nothing(site: Site, stores: Sequence[Held], wanted: Wanted) -> UsageError:
    places = {place for held in stores for place in held.places}
    bands = sorted({place.band or OWN for place in places})
    names = sorted({place.container for place in places})
    if wanted.band is not None and wanted.band not in bands:
        problem = f"nothing of band {wanted.band!r} is stored. Bands are {', '.join(bands)}."
    elif wanted.container is not None and wanted.container not in names:
        problem = f"there is no container {wanted.container!r}. There are {', '.join(names)}."
    else:
        problem = "nothing of that name is stored."
    return UsageError(escape(f"service {site}: {problem}"))


# For people ---------------------------------------------------------------------------------------


def _overview(site: Site, stores: Sequence[Held], found: Sequence[_Content]) -> Iterator[str]:
    yield f"Service   {escape(str(site))}"
    for held in stores:
        yield f"Store     {held.store.engine}: {escape(held.where)}"
        state = "no service has it open"
        if held.owner is not None:
            pid = held.owner.pid
            state = "a service has it open" + (f" (pid {pid})" if pid is not None else "")
        yield f"          survives {LEVELS.get(held.level, held.level)}; {state}"
    yield ""
    rows = [
        (
            escape(one.band),
            escape(one.place.container),
            one.held.store.engine,
            f"{one.count:,}",
            f"{one.size:,}",
            "not used: db.json names another" if one.unused else "",
        )
        for one in found
    ]
    if not rows:
        yield "No records."
        return
    yield from _table(("band", "container", "engine", "records", "bytes", ""), rows, right=(3, 4))


def _records(found: Sequence[_Content]) -> Iterator[str]:
    width = max(40, shutil.get_terminal_size((80, 24)).columns)
    for number, content in enumerate(found):
        if number:
            yield ""
        yield f"{_title(content)}, {counted(content.count, 'record')}"
        keys = [_cut(show_key(key), KEY_WIDTH) for key, _ in content.records]
        column = max((cell_len(key) for key in keys), default=0)
        for key, (_, value) in zip(keys, content.records, strict=True):
            yield f"  {_padded(key, column)}  {shortened(value, width - column - 4)}"


def _values(found: Sequence[_Content]) -> Iterator[str]:
    width = max(40, shutil.get_terminal_size((80, 24)).columns)
    for number, content in enumerate(found):
        if number:
            yield ""
        for key, value in content.records:
            yield f"{_title(content)}, key {show_key(key)}"
            for line in whole(value, width - 2):
                yield f"  {line}"


def _title(content: _Content) -> str:
    band = "the service itself" if content.place.band is None else f"band {content.place.band}"
    note = ", not used: db.json names another engine" if content.unused else ""
    return escape(f"{content.place.container} of {band} ({content.held.store.engine}{note})")


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int]
) -> Iterator[str]:
    columns = list(zip(head, *rows, strict=True))
    widths = [max(cell_len(text) for text in column) for column in columns]
    for row in (head, *rows):
        cells = [
            _padded(text, width, right=number in right)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _padded(text: str, width: int, *, right: bool = False) -> str:
    room = " " * (width - cell_len(text))
    return room + text if right else text + room


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


# For programs -------------------------------------------------------------------------------------


def _as_json(
    site: Site, stores: Sequence[Held], found: Sequence[_Content], wanted: Wanted
) -> dict[str, Any]:
    return {
        "service_id": site.service_id,
        "stores": [
            {
                "engine": held.store.engine,
                "where": held.where,
                "level": held.level,
                "open": held.owner is not None,
                "pid": held.owner.pid if held.owner is not None else None,
            }
            for held in stores
        ],
        "containers": [
            {
                "band": content.place.band,
                "container": content.place.container,
                "engine": content.held.store.engine,
                "used": not content.unused,
                "records": content.count,
                "bytes": content.size,
                **({"content": _content(content)} if wanted.container is not None else {}),
            }
            for content in found
        ],
    }


def _content(content: _Content) -> list[dict[str, Any]]:
    """Keys and values in the form of an export (docs/reference/storage-commands.md)."""
    shown: list[dict[str, Any]] = []
    for key, value in content.records:
        try:
            plain = (
                parse_value(key[1:]) if key[:1] == b"\xff" else key.decode("utf-8", "surrogatepass")
            )
            shown.append({"key": plain, "value": parse_value(value)})
        except (Unreadable, UnicodeDecodeError) as exc:
            say(escape(str(StorageError(f"{content.place}[{key!r}]", f"cannot be read: {exc}"))))
    return shown
