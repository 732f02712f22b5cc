"""The tape commands with their options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

__all__ = ("tape",)

tape = App(
    name="tape",
    help="Record what people do with a service, play it again, check that all see the same.\n\n"
    "`record` and `play` need a platform that runs (`dev`, `demo` or `local`);\n"
    "`check` runs the service itself, in memory.",
    help_format="plaintext",
    group_parameters="Options",
)

TapeFile = Annotated[Path, Parameter(help="The tape, such as first.jsonl.")]
UrlOption = Annotated[
    str, Parameter(metavar="URL", help="Where the platform is, as its own page says.")
]

DEFAULT_URL = "http://127.0.0.1:8765"


@tape.command
async def record(
    file: TapeFile,
    /,
    *,
    url: UrlOption = DEFAULT_URL,
    seconds: Annotated[
        float | None,
        Parameter(validator=Number(gt=0), help="Stop by itself after this time."),
    ] = None,
    force: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write down what people do on a running platform and what they then see.

    One Ctrl+C ends it and writes the tape.
    """
    from moobius_trio.cli.tape.recording import record_tape

    await record_tape(file, url=url, seconds=seconds, force=force)


@tape.command
async def play(file: TapeFile, /, *, url: UrlOption = DEFAULT_URL) -> None:
    """Have people of the same names do again what stands on a tape.

    They come in as guests, each thing is done when the platform has taken the one before.
    """
    from moobius_trio.cli.tape.playing import play_file

    await play_file(file, url=url)


@tape.command
def check(
    file: TapeFile,
    service: Annotated[
        str,
        Parameter(
            help="The service: a Python file, a project folder (its service.py, else its "
            "main.py), FILE.py:Class or module:Class."
        ),
    ],
    /,
    *,
    time: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Let the tape's time pass, at once, and compare also what jobs send.",
        ),
    ] = False,
    update: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Write what is seen now as the new tape."),
    ] = False,
    as_json: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one object of JSON."),
    ] = False,
) -> None:
    """Run a service in memory, do what people did, and compare what each of them sees.

    Exit code 0: all see the same. 1: somebody sees something else; the first
    difference is told.
    """
    from moobius_trio.cli.tape.checking import check_file

    check_file(file, service, time=time, update=update, as_json=as_json)
