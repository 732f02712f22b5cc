"""Whose stores a command is about: a service's id, the folder of its files, and its db.json.

Follows docs/architecture.md section 10. Only names and configuration are read; no store is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs

from moobius_trio.cli.state import Account
from moobius_trio.config import (
    find_database_config,
    find_service_config,
    load_database_settings,
    load_service_id,
)
from moobius_trio.database import ContainerSpec
from moobius_trio.database.services import services_in
from moobius_trio.errors import ConfigError, UsageError
from moobius_trio.types import JsonValue, ServiceId, as_mapping, empty_mapping

__all__ = ("Site", "StoreName", "Where", "find_site", "known_sites", "other_sites", "project_place")

DEFAULT_ENGINE = "sqlite"
"""Of containers that nothing names, as in `Environment`."""

FILE_ENGINES = ("sqlite", "json")
"""Stores of these may lie in a service's folder although db.json does not name them."""


@attrs.frozen(kw_only=True)
class Where:
    """The options that say which stores are meant."""

    path: str = "."
    service: str | None = None
    state: Path | None = None
    folder: Path | None = None
    engine: str | None = None


@attrs.frozen
class StoreName:
    """An engine with its settings, which is one store of a service."""

    engine: str
    settings: Mapping[str, JsonValue] = attrs.field(
        factory=empty_mapping, converter=as_mapping, hash=False, repr=False
    )

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for the same store."""
        return self.engine, json.dumps(self.settings, sort_keys=True, default=dict)


@attrs.frozen(kw_only=True)
class Site:
    """The stores of one service."""

    service_id: ServiceId
    folder: Path
    """Where files lie."""
    name: str = ""
    """Under which `dev` keeps it; empty for the service of service.json."""
    containers: tuple[ContainerSpec, ...] = ()
    """What db.json names."""
    database: Path | None = None
    """The db.json, also if it is not there yet; None when stores were named by hand."""
    engine: str | None = None
    """Look at the stores of this engine only."""

    def store_of(self, container: str) -> StoreName:
        """Where a container's records belong."""
        for spec in self.containers:
            if spec.name == container:
                return StoreName(spec.implementation, spec.settings)
        return StoreName(self.engine or DEFAULT_ENGINE)

    def stores(self) -> list[StoreName]:
        """The stores of the service, and those of file engines that may lie beside them."""
        names = [StoreName(spec.implementation, spec.settings) for spec in self.containers]
        names += [StoreName(engine) for engine in FILE_ENGINES]
        if self.engine is not None and self.engine not in [one.engine for one in names]:
            names.append(StoreName(self.engine))
        distinct = {one.identity: one for one in names}
        return [one for one in distinct.values() if self.engine in (None, one.engine)]

    def belongs(self, store: StoreName, container: str) -> bool:
        """Whether the service looks for a container in this store; also when nothing names it."""
        if all(spec.name != container for spec in self.containers):
            return True
        return self.store_of(container).identity == store.identity

    def __str__(self) -> str:
        return f"{self.name} ({self.service_id})" if self.name else self.service_id


def find_site(where: Where) -> Site:
    """The stores that the options mean.

    Raises:
        UsageError: there is no such path, or it is not clear which service is meant.
        ConfigError: a configuration file is wrong.
    """
    if where.folder is not None:
        return _in_folder(where.folder, where)
    folder, config = project_place(where.path)
    sites = _known(folder, config, where.state)
    if where.service is not None:
        chosen = [one for one in sites if where.service in (one.name, one.service_id)]
    else:
        chosen = sites[:1] if sites and not sites[0].name else sites
    if len(chosen) != 1:
        raise _unclear(folder, sites, where)
    return attrs.evolve(chosen[0], engine=where.engine)


def known_sites(where: Where) -> list[Site]:
    """Every service of the project, that of its service.json first; empty before the first run.

    Raises:
        UsageError: there is no such path, or what a run kept cannot be read.
        ConfigError: a configuration file is wrong.
    """
    folder, config = project_place(where.path)
    return _known(folder, config, where.state)


def other_sites(where: Where, site: Site) -> list[Site]:
    """The other services of the same project, which its db.json is for as well."""
    folder, config = project_place(where.path)
    found = [*_known(folder, config, None), *_known(folder, None, where.state)]
    known = {one.service_id: one for one in found if one.service_id != site.service_id}
    return list(known.values())


def _in_folder(folder: Path, where: Where) -> Site:
    """A store named by its folder, without any configuration."""
    found = services_in(folder)
    if where.service is not None:
        return Site(service_id=ServiceId(where.service), folder=folder, engine=where.engine)
    if len(found) != 1:
        raise _unclear(folder, [Site(service_id=one, folder=folder) for one in found], where)
    return Site(service_id=found[0], folder=folder, engine=where.engine)


def project_place(target: str) -> tuple[Path, Path | None]:
    """A project's folder, and its service.json if it has one.

    Raises:
        UsageError: there is no such path.
    """
    path = Path(target)
    if not path.exists() and ":" in target:
        path = Path(target.rpartition(":")[0])  # FILE.py:Class
    if path.is_dir():
        folder = path
    elif path.suffix == ".json" and path.is_file():
        return (path.parent.parent if path.parent.name == "config" else path.parent), path
    elif path.suffix == ".py" and path.is_file():
        folder = path.parent
    else:
        raise UsageError(
            f"{target}: there is no such project folder, Python file or service.json. "
            "Check the path."
        )
    try:
        return folder, find_service_config(folder)
    except ConfigError:
        return folder, None


def _known(folder: Path, config: Path | None, state: Path | None) -> list[Site]:
    """The services of a project: that of service.json first, then those that `dev` keeps."""
    containers: tuple[ContainerSpec, ...] = ()
    database = None
    sites = []
    if config is not None:
        found = find_database_config(config)
        containers = load_database_settings(found) if found is not None else ()
        database = config.with_name("db.json")
        service_id = load_service_id(config)
        if service_id is not None and state is None:
            sites.append(Site(service_id=service_id, folder=folder))
    kept = state if state is not None else folder / ".moobius-trio"
    for file in sorted(kept.glob("*.json")):
        account = Account.read(kept, file.stem)
        if account.service_id is not None:
            sites.append(
                Site(service_id=account.service_id, folder=kept / "stores", name=file.stem)
            )
    return [attrs.evolve(one, containers=containers, database=database) for one in sites]


def _unclear(folder: Path, sites: list[Site], where: Where) -> UsageError:
    known = ", ".join(map(str, sites))
    if where.service is not None:
        return UsageError(
            f"{folder}: there is no service {where.service!r}"
            + (f"; there are {known}." if known else ".")
            + " A store of any other service is found with --folder."
        )
    if known:
        return UsageError(f"{folder}: there are several services: {known}. Add --service NAME.")
    return UsageError(
        f"{where.folder or where.state or folder}: no service has stored anything there. "
        "Name the project's folder, --state DIR of an earlier run, or --folder DIR of the files."
    )
