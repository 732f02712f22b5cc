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


def run_convert_config(source: Path, into: Path, *, force: bool) -> None:
    """Convert, write, and tell what became of each key.

    Raises:
        ConfigError: something in it is wrong, or the files cannot be written; then nothing was.
    """
    parts, base = read_parts(source)
    converted = [convert_parts(parts, base)]
    users, _ = read_parts(source, user=True)
    if users and converted[0].file != "user.json":
        converted.append(convert_parts(users, base, user=True))
    written = write_converted(converted, into, force=force)
    lines = [line for one in converted for line in (*_keys(one.keys), "")]
    lines += [*_written(written), *_next(converted, into)]
    tell(map(escape, lines))


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


def _next(converted: Sequence[ConvertedConfig], into: Path) -> Iterator[str]:
    for one in converted:
        for key in ("email", "password"):
            if key not in one.settings:
                yield f"  Missing   {key} in {one.file}: add it, or set MOOBIUS_{key.upper()}"
        if "password" in one.settings:
            yield f"  Secret    {one.file} has the password: keep it out of your repository"
        for store in one.stores:
            if _has_records(store):
                yield f"  Records   moobius-trio storage import {store} {into}"
        if one.file == "user.json":
            yield "  A user    is written with MoobiusUser: docs/how-to/user-mode.md"
        else:
            yield f"  Check it  moobius-trio doctor {into}"


def _has_records(store: Path) -> bool:
    try:
        return any(store.glob("service_*/channel_*"))
    except OSError:
        return False  # it is no folder's name, or nobody may look
