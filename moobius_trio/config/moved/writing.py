"""The files of a moved configuration, all of them written or none.

For their owner only, since a password is in them. What they say is not decided here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from moobius_trio.config.moved.values import ConvertedConfig
from moobius_trio.config.replacing import put_in_free_place, put_in_place, replacement
from moobius_trio.errors import ConfigError

__all__ = ("write_converted",)


def write_converted(
    converted: Sequence[ConvertedConfig], project: Path, *, force: bool = False
) -> Sequence[tuple[Path, Path | None]]:
    """Write the files into a project.

    They go where the project has its service.json, else into its folder ``config``. A db.json is
    written only where there are containers.

    Args:
        force: replace files that are there; each stays beside as ``NAME.old-1``, or the next
            number that is free.

    Returns:
        Each file that was written, and what the one before it is called now.

    Raises:
        ConfigError: there is no such project folder, a file is there already, or it could not be
            written; then none was, unless the disk failed between two of them.
    """
    if not project.is_dir():
        raise ConfigError(str(project), "is no folder", "Make it first, or `moobius-trio new NAME`")
    here = project / "service.json"
    inner = project / "config"
    folder = project if here.exists() and not (inner / "service.json").exists() else inner
    files: dict[Path, object] = {}
    for one in converted:
        if one.containers:
            files[folder / "db.json"] = one.containers
    for one in converted:  # last: with them the project can run
        files[folder / one.file] = one.settings
    for path in files:
        if (path.exists() or path.is_symlink()) and not force:
            raise ConfigError(
                str(path),
                "is there already, and nothing was written",
                "--into DIR names another project; --force replaces it and keeps the old one "
                "beside",
            )
    try:
        return _write(files, force=force)
    except OSError as exc:
        raise ConfigError(
            str(folder),
            f"cannot be written ({exc.strerror})",
            f"Give this user the right to write {folder}",
        ) from exc


def _write(files: dict[Path, object], *, force: bool) -> list[tuple[Path, Path | None]]:
    done: list[tuple[Path, Path | None]] = []
    with ExitStack() as stack:
        stack.enter_context(_folder(next(iter(files)).parent))
        ready = []
        for path, value in files.items():
            file = stack.enter_context(replacement(path))
            file.write(json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n")
            ready.append((file, path))
        for file, path in ready:
            kept = _keep(path) if force else None
            if kept is not None:
                put_in_place(file, path)
            else:
                put_in_free_place(file, path)
            done.append((path, kept))
    return done


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder that is there in the block, and gone behind it if nothing was put into it."""
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if made:
            with suppress(OSError):  # it is in use, as it should be
                folder.rmdir()


def _keep(path: Path) -> Path | None:
    """Another name for a file that is about to be replaced; None where there is none."""
    for number in itertools.count(1):
        kept = path.with_name(f"{path.name}.old-{number}")
        try:
            kept.hardlink_to(path)
        except FileNotFoundError:
            return None
        except FileExistsError:
            continue
        if not kept.is_symlink():
            kept.chmod(0o600)
        return kept
    raise AssertionError("count never ends")
