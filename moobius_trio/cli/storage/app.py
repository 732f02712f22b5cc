"""The storage commands with their options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ("storage",)

storage = App(
    name="storage",
    help="Look at what a service has stored, copy it out and in, or move it.\n\n"
    "`show` and `export` work while the service runs. Stores are found through\n"
    "service.json and db.json, or in the folder that `dev` keeps (.moobius-trio/).",
    help_format="plaintext",
    group_parameters="Options",
)

ProjectPath = Annotated[
    str,
    Parameter(help="The project: its folder, the service's Python file, or its service.json."),
]
ServiceOption = Annotated[
    str | None,
    Parameter(
        metavar="NAME",
        help="Which service, by its id or the name that `dev` gave it; needed when there are "
        "several. Without it the one of service.json, else the one that `dev` keeps.",
    ),
]
StateOption = Annotated[
    Path | None,
    Parameter(
        metavar="DIR",
        help="The services that an earlier `dev --state DIR` or `demo` has kept there.",
    ),
]
FolderOption = Annotated[
    Path | None,
    Parameter(metavar="DIR", help="The folder in which the stores lie, instead of any project's."),
]
EngineOption = Annotated[
    str | None,
    Parameter(metavar="ENGINE", help="Only the store of this engine: sqlite, json, …"),
]


@storage.command
async def show(
    path: ProjectPath = ".",
    /,
    *,
    band: Annotated[
        str | None,
        Parameter(
            metavar="ID",
            allow_leading_hyphen=True,
            help="Only this band; -, the service's own containers.",
        ),
    ] = None,
    container: Annotated[
        str | None, Parameter(metavar="NAME", help="Each record of this container, in one line.")
    ] = None,
    key: Annotated[
        str | None,
        Parameter(metavar="KEY", help="The whole value of this key; with --container."),
    ] = None,
    as_json: Annotated[
        bool,
        Parameter(
            name="--json", negative="", show_default=False, help="One line of JSON, for programs."
        ),
    ] = False,
    service: ServiceOption = None,
    state: StateOption = None,
    folder: FolderOption = None,
    engine: EngineOption = None,
) -> None:
    """Show what is stored, also while the service runs. Nothing is changed."""
    from moobius_trio.cli.storage.show import Wanted, run_show
    from moobius_trio.cli.storage.site import Where

    where = Where(path=path, service=service, state=state, folder=folder, engine=engine)
    await run_show(where, Wanted(band=band, container=container, key=key), as_json=as_json)


@storage.command
async def export(
    file: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="The file to write, for its owner only; -, standard output.",
        ),
    ] = "-",
    path: ProjectPath = ".",
    /,
    *,
    replace: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace the file if it is there.")
    ] = False,
    service: ServiceOption = None,
    state: StateOption = None,
    folder: FolderOption = None,
    engine: EngineOption = None,
) -> None:
    """Write every record as a line of JSON, also while the service runs.

    Each container is written as it is when its turn comes. Nothing in it is lost:
    `storage import` makes the same records of it.
    """
    from moobius_trio.cli.storage.exporting import run_export
    from moobius_trio.cli.storage.site import Where

    where = Where(path=path, service=service, state=state, folder=folder, engine=engine)
    await run_export(file, where, replace=replace)


@storage.command(name="import")
async def import_(
    file: Annotated[Path, Parameter(help="What `storage export` has written.")],
    path: ProjectPath = ".",
    /,
    *,
    merge: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Where records are already: those that the file names are replaced, others stay.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Where records are already: the containers in the file get its content only.",
        ),
    ] = False,
    service: ServiceOption = None,
    state: StateOption = None,
    folder: FolderOption = None,
    engine: EngineOption = None,
) -> None:
    """Put exported records into the stores of a service that does not run.

    They go where db.json says, else into sqlite. The whole file is checked before
    the first of them is written.
    """
    from moobius_trio.cli.storage.importing import mode_of, run_import
    from moobius_trio.cli.storage.site import Where

    where = Where(path=path, service=service, state=state, folder=folder, engine=engine)
    await run_import(file, where, mode=mode_of(merge=merge, replace=replace))


@storage.command
async def convert(
    path: ProjectPath = ".",
    /,
    *,
    to: Annotated[str, Parameter(metavar="ENGINE", help="The engine that shall have them.")],
    container: Annotated[
        list[str] | None,
        Parameter(negative="", metavar="NAME", help="Only this container; repeatable."),
    ] = None,
    settings: Annotated[
        str,
        Parameter(
            metavar="JSON", help="Settings of the new engine, as in db.json.", show_default=False
        ),
    ] = "{}",
    from_: Annotated[
        str | None,
        Parameter(
            name="--from",
            metavar="ENGINE",
            help="Where the records are, if db.json names the new engine already.",
        ),
    ] = None,
    replace: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Remove what the new store holds of them already."
        ),
    ] = False,
    service: ServiceOption = None,
    state: StateOption = None,
) -> None:
    """Move containers of a service that does not run to another engine.

    They are copied and compared; then db.json names the new engine. The old store
    stays as it is.
    """
    from moobius_trio.cli.storage.converting import Wish, parse_settings, run_convert
    from moobius_trio.cli.storage.site import Where

    wish = Wish(
        to=to,
        settings=parse_settings(settings),
        origin=from_,
        containers=tuple(container or ()),
        replace=replace,
    )
    await run_convert(Where(path=path, service=service, state=state), wish)
