"""What an engine is: a keeper of bytes. Keys, values, units of work and memory are not its matter.

An engine is opened by a function found under its name (`find_engine`): those of this package, or
one of another package under the entry point group ``moobius_trio.engines``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast, runtime_checkable

import attrs

from moobius_trio.errors import ConfigError, StorageError
from moobius_trio.types import ChannelId, JsonValue, RunSync, ServiceId

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = (
    "Atomicity",
    "Change",
    "Engine",
    "EngineSite",
    "Level",
    "Loaded",
    "NotAllStored",
    "OpenEngine",
    "Owned",
    "Owner",
    "Place",
    "StoreBroken",
    "check_settings",
    "find_engine",
    "root_folder",
    "suggestion",
)

Level = Literal["memory", "process", "power"]
"""What an acknowledged change survives: nothing, the death of the process, a loss of power."""

Atomicity = Literal["record", "band", "store"]
"""Within what the changes of one commit appear all or not at all after a crash."""

GROUP = "moobius_trio.engines"


class StoreBroken(StorageError):
    """What the store holds is not known any more; it takes nothing until it is opened again."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem, "Nothing is stored there until the service is restarted")


class NotAllStored(StorageError):
    """Of some bands a commit has stored nothing, of all others everything.

    Attributes:
        refused: why, for each band of which nothing is stored; None is the service's own.
    """

    def __init__(self, where: str, refused: Mapping[ChannelId | None, StorageError]) -> None:
        first = next(iter(refused.values()))
        super().__init__(where, f"{len(refused)} bands could not be stored, one since {first}")
        self.refused = refused


@attrs.frozen
class Place:
    """One container of one band; ``band`` is None for the service's own."""

    band: ChannelId | None
    container: str

    def __str__(self) -> str:
        return self.container if self.band is None else f"{self.container} of band {self.band}"


class Change(NamedTuple):
    """One record as it shall be. (A tuple: of all frozen values it is the quickest to make.)"""

    place: Place
    key: bytes
    value: bytes | None
    """None: the record goes."""
    fresh: bool = False
    """True: the record is new, or was removed meanwhile, and belongs at the end."""


@attrs.frozen
class Loaded:
    """The records of one container."""

    records: Sequence[tuple[bytes, bytes]]
    """Keys and values; oldest first if the engine keeps the order."""
    problems: Sequence[StorageError] = ()
    """What could not be read and was set aside."""


class Engine(Protocol):
    """An open store. Each call stands alone; several may be made at once.

    Keys and values are opaque bytes; both may be empty, and keys may hold any byte.
    """

    @property
    def where(self) -> str:
        """The store in words, for messages; without passwords."""

    @property
    def level(self) -> Level:
        """What a commit that has returned survives."""

    @property
    def atomic(self) -> Atomicity:
        """What of one commit appears all or not at all after a crash."""

    @property
    def keeps_order(self) -> bool:
        """True when records come back in the order in which they were added."""

    async def places(self) -> Sequence[Place]:
        """The containers that hold a record, in an order of the engine's own."""

    async def load(self, place: Place) -> Loaded:
        """Everything in one container."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Store the changes, in order; each key occurs once. Returns when `level` holds.

        One call may hold the changes of many bands and transactions.

        Raises:
            StoreBroken: it is not known what is stored now.
            NotAllStored: some bands are stored, others are not at all.
            StorageError: nothing of it is stored; it may be given again, whole or in parts.
        """

    async def set_aside(self, place: Place, key: bytes, problem: str) -> str:
        """Take a record that cannot be read out of the container and keep it; gives where it is."""

    async def clear(self, place: Place) -> None:
        """Remove every record of one container."""


@attrs.frozen
class Owner:
    """The process that has a store open to change it."""

    pid: int | None
    """None when it cannot be told."""


@runtime_checkable
class Owned(Protocol):
    """An engine that can tell who has its store open; to be implemented beside `Engine`."""

    async def owner(self) -> Owner | None:
        """The process that has it open to change it now; None if there is none."""


@attrs.frozen(kw_only=True)
class EngineSite:
    """What an engine is given besides its settings."""

    service_id: ServiceId
    folder: Path
    """Relative paths in the settings start here."""
    run_sync: RunSync
    """How blocking work is run (docs/architecture.md section 9)."""
    read_only: bool = False
    """True: the store is looked at beside the process that owns it. Nothing of it is created,
    changed, set aside or locked; `Engine.commit`, `set_aside` and `clear` are not called."""


OpenEngine = Callable[[Mapping[str, JsonValue], EngineSite], AbstractAsyncContextManager[Engine]]
"""Opens a store; raises ConfigError for wrong settings, StorageError when it cannot be opened,
StoreMissing when it is to be looked at and is not there."""


def find_engine(name: str, builtin: Mapping[str, OpenEngine], where: str) -> OpenEngine:
    """The function that opens engines of this name.

    Args:
        builtin: those of this package.
        where: what names the engine, for the error.

    Raises:
        ConfigError: there is no engine of that name, or what it needs is not installed.
    """
    if name in builtin:
        return builtin[name]
    from importlib.metadata import entry_points  # half of this module's import, for few

    others = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in others:
        return _loaded(others[name], where)
    known = [*builtin, *others]
    raise ConfigError(
        where,
        f"there is no storage engine {name!r}",
        suggestion(name, known) or f"Engines are {', '.join(sorted(known))}",
    )


def _loaded(entry: EntryPoint, where: str) -> OpenEngine:
    """The function that an entry point names."""
    package = entry.dist.name if entry.dist is not None else entry.module
    try:
        return cast("OpenEngine", entry.load())
    except ModuleNotFoundError as exc:
        extras = f"[{','.join(entry.extras)}]" if entry.extras else ""
        raise ConfigError(
            where,
            f"the engine {entry.name!r} of {package} needs the package {exc.name}",
            f'Install it: pip install "{package}{extras}"',
        ) from exc
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            where,
            f"the engine {entry.name!r} of {package} cannot be loaded ({exc})",
            f"Update {package}, or use another engine",
        ) from exc


def suggestion(name: str, known: Sequence[str]) -> str:
    """``Did you mean …?``, or nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def check_settings(settings: Mapping[str, JsonValue], known: Sequence[str], engine: str) -> None:
    """Refuse settings that the engine does not have.

    Raises:
        ConfigError: for the first of them.
    """
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"settings of engine {engine}, key {key!r}",
                "is not known",
                suggestion(key, known) or f"Known are {', '.join(known) or 'none'}",
            )


def root_folder(settings: Mapping[str, JsonValue], site: EngineSite, engine: str) -> Path:
    """The folder that ``root_dir`` names, relative to the site's.

    Raises:
        ConfigError: it is no text.
    """
    root = settings.get("root_dir", ".")
    if not isinstance(root, str):
        raise ConfigError(f"settings of engine {engine}, key root_dir", "must be a text")
    return site.folder / root
