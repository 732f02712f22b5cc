"""What the commands print: what was asked for on standard output, all else on standard error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from moobius_trio.user import UserHandle

__all__ = ("counted", "output_may_close", "ready_line", "say", "tell")


def say(*lines: str) -> None:
    """Print lines for a person; standard output stays free for the ready line."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def counted(number: int, thing: str) -> str:
    """``1 record``, ``2,000 records``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def tell(lines: Iterable[str]) -> None:
    """Print lines that were asked for; marks that the terminal has not are escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with output_may_close():
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextmanager
def output_may_close() -> Iterator[None]:
    """End quietly when nobody reads standard output any more, as with ``| head``.

    Raises:
        SystemExit: in place of the error.
    """
    try:
        yield
    except BrokenPipeError:
        # Python writes what is left once more when it ends, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


class Ready(Protocol):
    """What the ready line says of a service."""

    @property
    def name(self) -> str: ...
    @property
    def service_id(self) -> str: ...
    @property
    def channels(self) -> Sequence[str]: ...


def ready_line(url: str | None, handles: Sequence[Ready | UserHandle]) -> None:
    """Print the ready line of docs/architecture.md section 10; a user has a ``user_id``."""
    services = [
        {"name": handle.name, **_id_of(handle), "channels": list(handle.channels)}
        for handle in handles
    ]
    line = {"ready": True, "url": url, "pid": os.getpid(), "services": services}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _id_of(handle: Ready | UserHandle) -> dict[str, str]:
    if isinstance(handle, UserHandle):
        return {"user_id": handle.user_id}
    return {"service_id": handle.service_id}
