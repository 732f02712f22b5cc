"""Which services have files in a folder: the names that the file engines give, read back.

Only names are looked at; nothing is opened.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote_to_bytes

from moobius_trio.types import ServiceId

__all__ = ("services_in",)

_PREFIX = "service_"
_COPY = ".format-0"


def services_in(folder: Path) -> tuple[ServiceId, ...]:
    """The services whose SQLite file or folder of readable files lies there, sorted.

    Those whose id is too long for a file name are not found. A folder that is not there or
    cannot be read has none.
    """
    found = set()
    try:
        entries = list(folder.iterdir())
    except OSError:
        return ()
    for entry in entries:
        name = entry.name.removeprefix(_PREFIX)
        if name == entry.name or "%%" in name or _COPY in name:
            continue
        if entry.is_dir():
            found.add(_text(name))
        elif name.endswith(".sqlite3"):
            found.add(_text(name.removesuffix(".sqlite3")))
    return tuple(sorted(found))


def _text(name: str) -> ServiceId:
    return ServiceId(unquote_to_bytes(name).decode("utf-8", "surrogateescape"))
