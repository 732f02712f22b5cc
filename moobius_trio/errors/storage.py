"""What a store could not keep or give."""

from __future__ import annotations

from moobius_trio.errors.base import MoobiusError, sentences

__all__ = (
    "NotLoaded",
    "StorageError",
    "StorageTypeError",
    "StoreLocked",
    "StoreMissing",
)


class StorageError(MoobiusError):
    """A store could not keep or give what was asked.

    Attributes:
        where: the store, with container and key if there are any.
        problem: what happened.
    """

    exit_code = 78  # it ends a process only when a store cannot be opened

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(sentences(f"{where}: {problem}", remedy))
        self.where = where
        self.problem = problem


class StorageTypeError(StorageError, TypeError):
    """A value cannot be stored.

    Attributes:
        container: the container.
        key: the record's key.
        path: where inside the value, such as ``['hats'][2]``; empty for the value itself.
    """

    exit_code = 1

    def __init__(self, container: str, key: object, path: str, problem: str) -> None:
        super().__init__(f"{container}[{key!r}]{path}", problem)
        self.container = container
        self.key = key
        self.path = path


class NotLoaded(StorageError):
    """A container with ``load: false`` was touched before its records were there."""

    exit_code = 1

    def __init__(self, container: str) -> None:
        super().__init__(
            container, "its records are not loaded yet", "Use `await container.load()` first"
        )
        self.container = container


class StoreLocked(StorageError):
    """Another process has the store open.

    Attributes:
        pid: the other process; None when it cannot be told.
        host: its machine; None if it is this one.
    """

    def __init__(self, where: str, pid: int | None, host: str | None = None) -> None:
        facts = [f"pid {pid}"] if pid is not None else []
        facts += [f"on {host}"] if host is not None else []
        super().__init__(
            where,
            "another process has it open" + (f" ({' '.join(facts)})" if facts else ""),
            "Stop that process first",
        )
        self.pid = pid
        self.host = host


class StoreMissing(StorageError):
    """A store was to be looked at, and there is none."""

    def __init__(self, where: str) -> None:
        super().__init__(where, "there is no store", "A service makes it when it is started")
