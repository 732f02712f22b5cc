"""Tapes as files: read with care, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from moobius_trio.config.replacing import put_in_place, replacement
from moobius_trio.errors import UsageError
from moobius_trio.tapes import Tape, read_tape, write_tape
from moobius_trio.tapes.text import TAPE_BYTES

__all__ = ("check_place", "load_tape", "save_tape")


def load_tape(path: Path) -> Tape:
    """The tape in a file.

    Raises:
        UsageError: it cannot be read, or is no tape that can be played.
    """
    try:
        if path.is_file() and path.stat().st_size > TAPE_BYTES:
            raise UsageError(f"{path}: a tape may have {TAPE_BYTES:,} bytes, this one has more.")
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is no tape of moobius-trio; it is no UTF-8.") from None
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path}: the tape cannot be read ({_why(exc)}).") from None
    return read_tape(text, str(path))


def check_place(path: Path, *, force: bool) -> None:
    """See that a tape can be written here before anything is recorded.

    Raises:
        UsageError: it cannot, or a file is there that nobody said may be replaced.
    """
    if path.exists() and (not force or not path.is_file()):
        raise UsageError(f"{path}: this is there already. Give another name, or --force.")
    try:
        with replacement(path):
            pass
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path}: the tape cannot be written there ({_why(exc)}).") from None


def save_tape(path: Path, tape: Tape) -> None:
    """Write a tape; the file that was there stays until the new one is whole.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with replacement(path, like=path if path.exists() else None) as file:
            file.write(write_tape(tape).encode())
            put_in_place(file, path)
    except OSError as exc:
        raise UsageError(f"{path}: the tape cannot be written ({_why(exc)}).") from None


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__
