"""The commands with their options and help, and how each way of ending becomes an exit code.

What a command does stands in a module of its own, imported when it is used, so that ``--help``
is quick.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import cyclopts
import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from moobius_trio.cli.options import (
    DEFAULT_HOST,
    DEFAULT_LIMIT,
    DEFAULT_PORT,
    BandOption,
    BrowserOption,
    FaultsOption,
    HostOption,
    KnobOption,
    KnowOption,
    LimitOption,
    PortOption,
    ReadyOption,
    ReloadOption,
    ServicePath,
    StateOption,
    TlsOption,
)
from moobius_trio.cli.project_commands import convert_config, doctor, new
from moobius_trio.cli.storage.app import storage
from moobius_trio.cli.tape.app import tape
from moobius_trio.core.run import ending
from moobius_trio.errors import UsageError

__all__ = ("main",)

app = App(
    name="moobius-trio",
    help="Write chat services for Moobius, and try them on a platform of your own.\n\n"
    "To begin: `moobius-trio demo` opens a chat page with a service in it, and\n"
    "`moobius-trio dev FILE.py` does the same with yours. Neither needs an account\n"
    "or a network.",
    help_format="plaintext",
    group_parameters="Options",
)


@app.command
async def dev(
    path: ServicePath,
    /,
    *,
    band: BandOption = None,
    port: PortOption = DEFAULT_PORT,
    host: HostOption = DEFAULT_HOST,
    i_know: KnowOption = False,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    no_browser: BrowserOption = False,
    no_reload: ReloadOption = False,
    knob: KnobOption = None,
    faults: FaultsOption = None,
) -> None:
    """Run your service on a local platform and open its page.

    It needs no account and no config. It starts anew when you save, while page,
    members and messages stay. One Ctrl+C ends it. What happens is kept in
    .moobius-trio/ beside the service, or in --state; remove that folder to
    begin afresh.
    """
    from moobius_trio.cli.dev import run_dev

    await run_dev(
        path,
        bands=band or [],
        port=port,
        host=host,
        i_know=i_know,
        state=state,
        ready_json=ready_json,
        browser=not no_browser,
        reload=not no_reload,
        knobs=knob or [],
        faults=faults,
    )


@app.command
async def demo(
    *,
    band: BandOption = None,
    port: PortOption = DEFAULT_PORT,
    host: HostOption = DEFAULT_HOST,
    i_know: KnowOption = False,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    no_browser: BrowserOption = False,
    no_reload: ReloadOption = False,
) -> None:
    """Run the bundled demo on a local platform and open its page.

    One Ctrl+C ends it. It prints where its source lies, to be copied from.
    """
    from moobius_trio.cli.dev import run_demo

    await run_demo(
        bands=band or [],
        port=port,
        host=host,
        i_know=i_know,
        state=state,
        ready_json=ready_json,
        browser=not no_browser,
        reload=not no_reload,
    )


local = App(name="local", help_format="plaintext", group_parameters="Options")
app.command(local)


@local.default
async def run_local(
    *,
    band: BandOption = None,
    port: PortOption = DEFAULT_PORT,
    host: HostOption = DEFAULT_HOST,
    i_know: KnowOption = False,
    state: StateOption = None,
    ready_json: ReadyOption = False,
    message_limit: LimitOption = DEFAULT_LIMIT,
    knob: KnobOption = None,
    faults: FaultsOption = None,
    tls: TlsOption = False,
) -> None:
    """Run the local platform alone, for services you start yourself.

    Prints a service.json that works on it as it stands. One Ctrl+C ends it.
    """
    from moobius_trio.cli.platform import run_platform

    await run_platform(
        bands=band or [],
        port=port,
        host=host,
        i_know=i_know,
        state=state,
        ready_json=ready_json,
        message_limit=message_limit,
        knobs=knob or [],
        faults=faults,
        tls=tls,
    )


@local.command(name="exec")
async def run_exec(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, help="The command, behind --.")],
    band: BandOption = None,
    message_limit: LimitOption = DEFAULT_LIMIT,
    knob: KnobOption = None,
) -> None:
    """Run a command with a fresh platform of its own, and end with its exit code.

    For tests: moobius-trio local exec -- pytest. The command finds the platform in
    the environment: MOOBIUS_HTTP_SERVER_URI, MOOBIUS_WS_SERVER_URI, and the ids of
    the bands, joined by commas, in MOOBIUS_CHANNELS. Nothing is kept.
    """
    from moobius_trio.cli.executing import run_command

    await run_command(command, bands=band or [], knobs=knob or [], message_limit=message_limit)


@app.command
async def run(
    path: ServicePath,
    /,
    *,
    state: Annotated[
        Path | None,
        Parameter(
            help="Folder that keeps the service's id and stores, for a project that is only "
            "read; default: STATE_DIRECTORY, else the project itself."
        ),
    ] = None,
    ready_json: ReadyOption = False,
) -> None:
    """Run your service on the platform that its service.json names.

    The file is config/service.json or service.json in the service's folder.
    A MoobiusUser is run as well; its file is user.json. One Ctrl+C ends it.
    """
    from moobius_trio.cli.dev import run_service

    await run_service(path, state=state, ready_json=ready_json)


ServiceName = Annotated[str, Parameter(help="The service's name, as `moobius-trio ps` shows it.")]


@app.command
def spell(
    name: ServiceName,
    json: Annotated[
        str,
        Parameter(
            name="JSON",
            allow_leading_hyphen=True,
            help="The spell: a JSON value, in one pair of single quotes for the shell.",
        ),
    ],
    /,
    *,
    wait: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Wait until on_spell has ended, and print what it returned as JSON.",
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        Parameter(
            validator=Number(gt=0),
            help="Seconds until it is given up; 5, and with --wait 60, if not given.",
        ),
    ] = None,
) -> None:
    """Cast a spell into a running service of yours.

    For example: moobius-trio spell echo '{"say": "rain soon"}'
    """
    from moobius_trio.cli.spells import cast_spell

    cast_spell(name, json, wait=wait, timeout=timeout)


@app.command
async def ps(
    *,
    json: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Print a list of JSON, for programs."),
    ] = False,
) -> None:
    """Show which services of yours run, and how they do."""
    from moobius_trio.cli.spells import show_services

    await show_services(as_json=json)


@app.command
async def stop(
    name: ServiceName,
    /,
    *,
    timeout: Annotated[
        float, Parameter(validator=Number(gt=0), help="Seconds to wait for its end.")
    ] = 60.0,
) -> None:
    """Stop a running service of yours in good order, and wait until it has ended."""
    from moobius_trio.cli.spells import stop_service

    await stop_service(name, timeout=timeout)


app.command(new)
app.command(convert_config)
app.command(doctor)
app.command(storage)
app.command(tape)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the exit code that fits.

    Args:
        arguments: instead of those the process was started with.

    Raises:
        SystemExit: always; the codes are those of docs/architecture.md section 10.
    """
    with ending():
        try:
            command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        except cyclopts.CycloptsError as exc:
            named = " ".join(("moobius-trio", *(exc.command_chain or ())))
            raise UsageError(f"{exc} `{named} --help` tells what there is.") from None
        if inspect.iscoroutinefunction(command):
            try:
                trio.run(partial(command, *bound.args, **bound.kwargs))
            finally:
                gc.unfreeze()  # the opposite of what a command does when its service is ready
        else:
            command(*bound.args, **bound.kwargs)  # --help and --version
    sys.exit(0)
