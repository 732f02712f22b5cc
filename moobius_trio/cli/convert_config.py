"""``moobius-trio convert-config``: the configuration folder of SDK 1.x becomes one of ours.

Only tells what is done; how keys and files change is `config.moved`'s matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from moobius_trio.cli.output import tell
from moobius_trio.config.moved import (
    ConvertedConfig,
    KeyReport,
    convert_parts,
    read_parts,
    write_converted,
)
from moobius_trio.logs import escape

__all__ = ("run_convert_config",)

USER_MODE = "usermode_*.json"
"""What the project generator of 1.x writes besides, for a user."""


def run_convert_config(source: Path, into: Path, *, force: bool) -> None:
    """Convert, write, and tell what became of each key.

    Raises:
        ConfigError: something in it is wrong, or the files cannot be written; then nothing was.
    """
    parts, base = read_parts(source)
    converted = convert_parts(parts, base)
    written = write_converted(converted, into, force=force)
    lines = [*_keys(converted.keys), "", *_written(written), *_next(converted, source, into)]
    tell(escape(line) for line in lines)


def _keys(keys: Sequence[KeyReport]) -> Iterator[str]:
    width = max(len(each.key) for each in keys)
    for file, group in groupby(keys, key=lambda each: each.file):
        yield file
        for each in group:
            yield f"  {each.fate:7}  {each.key:{width}}  {each.said}".rstrip()


def _written(written: Sequence[tuple[Path, Path | None]]) -> Iterator[str]:
    for path, kept in written:
        old = f"; the old one is {kept.name} now" if kept is not None else ""
        yield f"  Made      {path}, for its owner only{old}"


def _next(converted: ConvertedConfig, source: Path, into: Path) -> Iterator[str]:
    missing = [key for key in ("email", "password") if key not in converted.service]
    for key in missing:
        yield f"  Missing   {key}: add it, or set MOOBIUS_{key.upper()}"
    for path in _left(source):
        yield f"  Not read  {path}: a user's, and a user is written with MoobiusUser"
    for store in converted.stores:
        if any(store.glob("service_*/channel_*")):
            yield f"  Records   moobius-trio storage import {store} {into}"
    yield f"  Check it  moobius-trio doctor {into}"


def _left(source: Path) -> list[Path]:
    folder = source.parent if source.is_file() else source
    return sorted(path for place in (folder, folder / "config") for path in place.glob(USER_MODE))
