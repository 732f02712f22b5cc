"""``service.log`` and ``error.log``: a new one each midnight, seven old ones kept.

What a line looks like is not known here.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Final

from moobius_trio.logs.sinks import Sink, json_form

__all__ = ("LogFiles",)

KEPT: Final = 7
"""How many files of earlier days there are at most."""

_FILES: Final = (("service.log", logging.NOTSET), ("error.log", logging.WARNING))


class LogFiles:
    """The files of a process while somebody wants them; those of whoever came first."""

    def __init__(self) -> None:
        self.sinks: Sequence[Sink] = ()
        self._open: list[_DailyFile] = []
        self._users = 0

    def enter(self, folder: Path) -> str | None:
        """Open the files unless they are open; each call needs one of `leave`.

        Returns:
            Why there are none; None if there are.
        """
        self._users += 1
        if self._open:
            return None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, level in _FILES:
                file = _DailyFile(folder / name)
                self._open.append(file)
                self.sinks = (*self.sinks, Sink(name, json_form, file.write, level))
        except OSError as exc:
            self._close()
            return exc.strerror or repr(exc)
        return None

    def leave(self) -> None:
        """Close the files when nobody wants them any more."""
        self._users -= 1
        if not self._users:
            self._close()

    def _close(self) -> None:
        self.sinks = ()
        for file in self._open:
            file.close()
        self._open = []


class _DailyFile(TimedRotatingFileHandler):
    """A file of lines, used without ``logging``'s own way of reporting failures."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, when="midnight", backupCount=KEPT, encoding="utf-8")

    def write(self, line: str) -> None:
        """Append a line, in a new file if a new day has begun. Safe in any thread.

        Raises:
            OSError: it could not be written.
        """
        self.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def handleError(self, record: logging.LogRecord) -> None:
        """Called while an error is handled: whoever writes a line is to have it."""
        raise

    def _open(self) -> io.TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            # The name may not be a link that somebody else has put there.
            return os.open(path, flags | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)

        raw = io.FileIO(self.baseFilename, "a", opener=opener)
        # Unbuffered: what is logged before a crash is there after it, and what a full disk
        # refuses is not kept to be refused again with every further line.
        return io.TextIOWrapper(
            raw, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True
        )
