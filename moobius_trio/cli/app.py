"""The commands with their options and help, and how each way of ending becomes an exit code.

What a command does stands in a module of its own, imported when it is used, so that ``--help``
is quick.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import cyclopts
import trio
from cyclopts import App, Parameter

__all__ = ("main",)

USAGE = 2

app = App(
    name="moobius-trio",
    help="Chat services for Moobius with structured concurrency, and a platform to write them on.",
    help_format="plaintext",
)

StateOption = Annotated[
    Path | None, Parameter(help="Folder that keeps accounts, bands, messages and stores.")
]
PortOption = Annotated[int, Parameter(help="Port on this machine; 0 takes any free one.")]
ReadyOption = Annotated[
    bool, Parameter(negative="", help="Print one line of JSON on standard output when ready.")
]
BrowserOption = Annotated[
    bool, Parameter(name="--no-browser", negative="", help="Do not open the page in a browser.")
]
LimitOption = Annotated[
    int, Parameter(help="Largest message in bytes; a larger one closes its connection with 1009.")
]

DEFAULT_PORT = 8765
DEFAULT_LIMIT = 65_536


@app.command
async def dev(
    path: str,
    /,
    *,
    port: PortOption = DEFAULT_PORT,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    no_browser: BrowserOption = False,
) -> None:
    """Run a service on a local platform of its own and open the page; no account, no config.

    One Ctrl+C ends it. What happens is kept in .moobius-trio/ beside the service, or in --state.

    Parameters
    ----------
    path
        A Python file, a project folder, module:Class or FILE.py:Class.
    """
    from moobius_trio.cli.dev import run_dev

    await run_dev(path, port=port, state=state, ready_json=ready_json, browser=not no_browser)


@app.command
async def demo(
    *,
    port: PortOption = DEFAULT_PORT,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    no_browser: BrowserOption = False,
) -> None:
    """Run the bundled demo service on a local platform and open the page."""
    from moobius_trio.cli.dev import run_demo

    await run_demo(port=port, state=state, ready_json=ready_json, browser=not no_browser)


@app.command
async def local(
    *,
    band: Annotated[
        list[str] | None,
        Parameter(negative="", help="A band to make besides local-demo; may be repeated."),
    ] = None,
    port: PortOption = DEFAULT_PORT,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    message_limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Run the local platform alone, and print a service.json that works on it as it stands."""
    from moobius_trio.cli.platform import run_platform

    await run_platform(
        bands=band or [],
        port=port,
        state=state,
        ready_json=ready_json,
        message_limit=message_limit,
    )


@app.command
async def run(path: str, /, *, ready_json: ReadyOption = False) -> None:
    """Run a service on the platform that its service.json names.

    Parameters
    ----------
    path
        A Python file, a project folder, module:Class or FILE.py:Class.
    """
    from moobius_trio.cli.dev import run_service

    await run_service(path, ready_json=ready_json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the exit code that fits.

    Args:
        arguments: instead of those the process was started with.

    Raises:
        SystemExit: always; the codes are those of docs/architecture.md section 10.
    """
    from moobius_trio.core.run import ending

    try:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False)
    except cyclopts.CycloptsError:
        sys.exit(USAGE)  # cyclopts has said what is wrong
    with ending():
        if inspect.iscoroutinefunction(command):
            trio.run(partial(command, *bound.args, **bound.kwargs))
        else:
            command(*bound.args, **bound.kwargs)  # --help and --version
    sys.exit(0)
