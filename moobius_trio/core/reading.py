"""Which settings a run has: those of the environment, or those of the service's own files."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from moobius_trio.config import (
    Settings,
    find_database_config,
    find_service_config,
    load_database_settings,
    load_run_options,
    load_service_id,
    load_settings,
    make_id_file,
)
from moobius_trio.core.environment import Environment
from moobius_trio.database import Container, ContainerSpec
from moobius_trio.errors import ConfigError

if TYPE_CHECKING:
    from moobius_trio.core.service import MoobiusService

__all__ = (
    "check_band_name",
    "environment_variables",
    "given_folder",
    "own_choices",
    "read_settings",
    "service_name",
    "state_folder",
    "with_kept_id",
)


def environment_variables(environment: Environment) -> Mapping[str, str]:
    """The process's environment variables, or what stands in for them."""
    return os.environ if environment.environ is None else environment.environ


def given_folder(environ: Mapping[str, str], variable: str) -> Path | None:
    """The folder that systemd names in such a variable, the first if it names several."""
    name = environ.get(variable, "").partition(":")[0]
    return Path(name) if name else None


def state_folder(environment: Environment, settings: Settings) -> Path | None:
    """Where a run keeps what outlives it; None: in the service's own folder.

    What the command line says wins over ``STATE_DIRECTORY``, which counts only for a run with a
    service.json of its own.
    """
    if environment.state is not None or settings.path is None:
        return environment.state
    return given_folder(environment_variables(environment), "STATE_DIRECTORY")


def with_kept_id(settings: Settings, folder: Path | None, name: str) -> Settings:
    """The settings with the service id that a state folder keeps, in a file named by the service.

    A service.json that names an id wins. Where it does not, an id made later is written into that
    file, and service.json is only read: it may lie where nobody can write.

    Raises:
        ConfigError: the file cannot be made or read, or is no object with an id.
    """
    if folder is None or settings.path is None or settings.service_id is not None:
        return settings
    path = folder / f"{name}.json"
    make_id_file(path)
    return attrs.evolve(settings, service_id=load_service_id(path), path=path)


async def read_settings(
    service: MoobiusService[Any], environment: Environment
) -> tuple[Settings, tuple[ContainerSpec, ...]]:
    """Settings and containers of a run (docs/architecture.md section 10).

    Raises:
        ConfigError: a file is missing or says something wrong; nothing was written.
    """
    return await environment.run_sync(_read, service, environment)


def _read(
    service: MoobiusService[Any], environment: Environment
) -> tuple[Settings, tuple[ContainerSpec, ...]]:
    environ = environment_variables(environment)
    settings = environment.settings
    if settings is None:
        given = service._service_config_path
        path = Path(given) if given is not None else find_service_config(service.folder)
        settings = load_settings(path, environ=environ)
    containers = environment.containers
    if containers is None:
        containers = _read_containers(service, settings)
    for spec in containers:
        check_band_name(type(service)._band_class, spec.name)
    return settings, containers


def check_band_name(band_class: type, name: str) -> None:
    """A container must not hide what every band has.

    Raises:
        ConfigError: it would.
    """
    found = inspect.getattr_static(band_class, name, None)
    if (found is not None and not isinstance(found, Container)) or name == "channel_id":
        raise ConfigError(
            f"db.json, container {name}",
            f"bears the name of something that a {band_class.__name__} has already",
            "Give it another name",
        )


def _read_containers(service: MoobiusService[Any], settings: Settings) -> tuple[ContainerSpec, ...]:
    given = service._db_config_path
    if given is not None:
        return load_database_settings(Path(given))
    beside = find_database_config(settings.path) if settings.path is not None else None
    return load_database_settings(beside) if beside is not None else ()


def own_choices(service: MoobiusService[Any]) -> tuple[dict[str, Any], tuple[ContainerSpec, ...]]:
    """What a project may choose for a run on a local platform, and nothing else of its files.

    Returns:
        Settings that are neither an address, an account nor an id, and the containers of db.json;
        empty without these files.

    Raises:
        ConfigError: a file says something wrong.
    """
    options: dict[str, Any] = {}
    containers: tuple[ContainerSpec, ...] = ()
    given = service._service_config_path
    try:
        config = Path(given) if given is not None else find_service_config(service.folder)
    except ConfigError:
        pass  # no service.json: all defaults
    else:
        options = load_run_options(config)
        beside = find_database_config(config)
        containers = load_database_settings(beside) if beside is not None else ()
    if service._db_config_path is not None:
        containers = load_database_settings(Path(service._db_config_path))
    return options, containers


def service_name(cls: type) -> str:
    """The class name in kebab-case: ``DemoService`` gives ``demo-service``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", cls.__name__)
    return "-".join(word.lower() for word in words) or cls.__name__.lower()
