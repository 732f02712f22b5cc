"""``moobius-trio new``, ``convert-config`` and ``doctor`` with their options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ("convert_config", "doctor", "new")


def new(
    name: Annotated[str, Parameter(help="The project's name, and that of its folder.")],
    /,
    *,
    template: Annotated[
        Literal["zero", "demo", "game"],
        Parameter(
            help="What to begin with: zero, the smallest service; demo, one with every part; "
            "game, a game for several people."
        ),
    ] = "zero",
    into: Annotated[
        Path, Parameter(metavar="DIR", help="The folder in which the project's folder is made.")
    ] = Path(),
) -> None:
    """Make a project folder: a service, its config, and tests that pass at once."""
    from moobius_trio.cli.new import make_project

    make_project(name, template, into)


def convert_config(
    folder: Annotated[
        Path,
        Parameter(
            help="The configuration of SDK 1.x: its folder `config`, the project above it, or "
            "its config.json."
        ),
    ],
    /,
    *,
    into: Annotated[
        Path, Parameter(metavar="DIR", help="The project that shall have service.json and db.json.")
    ] = Path(),
    force: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Replace files that are there already; the old ones are kept beside them.",
        ),
    ] = False,
) -> None:
    """Make service.json and db.json out of the configuration of SDK 1.x.

    A user's (service_mode: false, or files called usermode_…) becomes user.json.
    Says of every key what became of it. The old files stay as they are; records
    are moved by `moobius-trio storage import`.
    """
    from moobius_trio.cli.convert_config import run_convert_config

    run_convert_config(folder, into, force=force)


async def doctor(
    path: Annotated[
        str,
        Parameter(help="The project: its folder, the service's Python file, or its service.json."),
    ] = ".",
    /,
    *,
    sign_in: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Also send e-mail and password to the platform that service.json names.",
        ),
    ] = False,
    json: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Print one object of JSON, for programs."),
    ] = False,
) -> None:
    """Look at versions, config, platform, permissions and stores, and say what to do.

    It changes nothing and runs none of your code. Exit code 0: nothing stands
    in the way. 1: something does.
    """
    from moobius_trio.cli.doctor.report import run_doctor

    await run_doctor(path, sign_in=sign_in, as_json=json)
