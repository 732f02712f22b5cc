"""A project: its config, who may read and write what, its stores. Nothing is sent from here."""

from __future__ import annotations

import ast
import os
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from moobius_trio.cli.doctor.findings import Finding, good, note, wrong
from moobius_trio.cli.loading import FOLDER_FILES
from moobius_trio.cli.output import counted
from moobius_trio.cli.storage.looking import Held, survey
from moobius_trio.cli.storage.site import Where, known_sites, project_place
from moobius_trio.config import (
    Settings,
    find_database_config,
    load_database_settings,
    load_run_options,
    load_settings,
)
from moobius_trio.config.writeback import check_service_id_writable, pending_path
from moobius_trio.errors import ConfigError, StorageError, UsageError

__all__ = (
    "Project",
    "config_error",
    "config_findings",
    "folder_findings",
    "read_project",
    "store_findings",
)

PASSWORD: Final = "MOOBIUS_PASSWORD"  # noqa: S105  # a variable's name
PASSWORD_FILE: Final = "MOOBIUS_PASSWORD_FILE"  # noqa: S105  # likewise
_PUBLIC: Final = stat.S_IRWXG | stat.S_IRWXO


@attrs.frozen(kw_only=True)
class Project:
    """What is known of a project before anything is looked at."""

    path: str
    """What the user typed."""
    folder: Path
    config: Path | None
    """Its service.json, if it has one."""
    settings: Settings | None = None
    """Of the service.json, with no true password in it; None if it cannot be read."""
    complete: Settings | None = None
    """The same with its password; None if that is missing as well."""
    engines: frozenset[str] = frozenset()
    """Of the containers that db.json names."""


def read_project(path: str, environ: Mapping[str, str]) -> tuple[Project, list[Finding]]:
    """The project at a path, and what is wrong with its config.

    Raises:
        UsageError: there is no such path.
    """
    folder, config = project_place(path)
    project = Project(path=path, folder=folder, config=config)
    if config is None:
        remedy = "Needed for `moobius-trio run` only; docs/reference/service-json.md has its keys."
        return project, [note("config", f"{folder} has no service.json", remedy)]
    findings: list[Finding] = []
    others = {name: value for name, value in environ.items() if name != PASSWORD_FILE}
    try:
        settings = load_settings(config, environ={**others, PASSWORD: "not asked for"})
        project = attrs.evolve(project, settings=settings)
        findings.append(
            good(
                "config",
                f"{config}: {counted(len(settings.channels), 'band')} for {settings.email}",
            )
        )
        project = attrs.evolve(project, complete=load_settings(config, environ=environ))
    except ConfigError as exc:
        findings.append(config_error(exc, run_only=_dev_can_read(config)))
    try:
        if (found := find_database_config(config)) is not None:
            specs = load_database_settings(found)
            engines = frozenset(spec.implementation for spec in specs)
            project = attrs.evolve(project, engines=engines)
            findings.append(good("config", f"{found}: {counted(len(specs), 'container')}"))
    except ConfigError as exc:
        findings.append(config_error(exc))
    return project, findings


def config_error(exc: ConfigError, *, run_only: bool = False) -> Finding:
    """What a setting that cannot be used is to people."""
    remedy = exc.remedy or "Correct it; docs/reference/service-json.md has every key"
    return wrong("config", f"{exc.where} {exc.problem}", f"{remedy}.", run_only=run_only)


def _dev_can_read(config: Path) -> bool:
    """Whether `dev` finds in a service.json all that it takes from it."""
    try:
        load_run_options(config)
    except ConfigError:
        return False
    return True


def config_findings(project: Project, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where the password comes from, and whether a new service's id can be kept."""
    config, area = project.config, "config"
    if config is None:
        return
    if project.complete is not None:
        yield from _password(config, environ)
    if project.settings is None:
        return
    if project.settings.service_id is not None:
        yield good(area, f"the service is {project.settings.service_id}")
    elif environ.get("STATE_DIRECTORY"):
        yield good(area, "a new service's id goes into STATE_DIRECTORY")
    else:
        try:
            check_service_id_writable(config)
        except ConfigError as exc:
            yield config_error(exc, run_only=True)
        else:
            yield good(area, "no service yet; the id of a new one can be written into the file")
    if pending_path(config).exists():
        said = f"{pending_path(config)}: an earlier start ended while it made a service"
        yield note(area, said, "The next start takes that service; nothing is to be done.")


def _password(config: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    if environ.get(PASSWORD):
        yield good("config", f"the password comes from {PASSWORD}")
        return
    given = environ.get(PASSWORD_FILE)
    place = Path(given) if given else config
    yield good("config", f"the password comes from {place}")
    if os.name == "posix" and stat.S_IMODE(place.stat().st_mode) & _PUBLIC:
        said = f"{place}: others on this machine may read the password"
        yield note("config", said, f"chmod 600 {place}")


def folder_findings(project: Project) -> Iterator[Finding]:
    """The service's file, and the folders that `dev` and `run` write."""
    area, folder = "project", project.folder
    target = Path(project.path.rpartition(":")[0] or project.path)
    if target.is_dir() and not any((target / name).is_file() for name in FOLDER_FILES):
        remedy = "Name the service's file itself, or begin with `moobius-trio new NAME`."
        yield wrong(area, f"{folder} has neither {' nor '.join(FOLDER_FILES)}", remedy)
    yield from _syntax_errors(sorted(target.glob("*.py")) if target.is_dir() else [target])
    state = folder / ".moobius-trio"
    place = state if state.exists() else folder
    if place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK):
        yield good(area, f"{state}: what `dev` keeps can be written")
    else:
        remedy = "Give this user the right to write it, or name another folder with --state DIR."
        yield wrong(area, f"{place}: what `dev` keeps cannot be written there", remedy)


def _syntax_errors(files: Iterable[Path]) -> Iterator[Finding]:
    """What is no valid Python, found by its text: nothing of it is run."""
    for file in files:
        if file.suffix != ".py" or not file.is_file():
            continue
        try:
            with warnings.catch_warnings(action="ignore"):  # of the author's text, at each look
                compile(file.read_bytes(), file, "exec", ast.PyCF_ONLY_AST)
        except SyntaxError as exc:
            where = f"{file}, line {exc.lineno}" if exc.lineno else str(file)
            yield wrong("project", f"{where}: this is not valid Python ({exc.msg})", "Correct it.")
        except (OSError, ValueError, RecursionError, MemoryError) as exc:
            said = f"{file}: cannot be read as Python ({exc})"
            yield wrong("project", said, "Look at the file; no service can be loaded from it.")


async def store_findings(project: Project) -> list[Finding]:
    """Each store that a service of the project has, opened to look only."""
    area = "stores"
    try:
        sites = known_sites(Where(path=project.path))
    except ConfigError:
        return [note(area, "not looked at, since the config cannot be read")]  # as said there
    except UsageError as exc:
        return [wrong(area, str(exc), "Mend that file, or remove .moobius-trio/ to begin afresh.")]
    found: list[Finding] = []
    for site in sites:
        problems: list[StorageError] = []
        held: Sequence[Held] = ()
        try:
            held = await survey(site, problems.append)
        except StorageError as exc:
            if not problems:
                found.append(note(area, f"{site}: {exc.problem}"))
        for store in held:
            used = f", open in process {store.owner.pid}" if store.owner is not None else ""
            containers = counted(len(store.places), "container")
            found.append(good(area, f"{site}: {store.store.engine}, {containers}{used}"))
        for problem in problems:
            remedy = "`moobius-trio storage show` looks closer."
            found.append(wrong(area, f"{site}: {problem}", remedy))
    return found
