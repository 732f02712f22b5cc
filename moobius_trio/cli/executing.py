"""``moobius-trio local exec -- COMMAND``: a command, and a platform for as long as it runs."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

import trio

from moobius_trio.cli.knobs import read_knobs
from moobius_trio.core.threads import run_in_thread
from moobius_trio.errors import UsageError
from moobius_trio.local import Knobs, open_platform
from moobius_trio.logs import configure_logs
from moobius_trio.serving import serve_app

__all__ = ("run_command",)

HTTP_VARIABLE: Final = "MOOBIUS_HTTP_SERVER_URI"
WS_VARIABLE: Final = "MOOBIUS_WS_SERVER_URI"
CHANNELS_VARIABLE: Final = "MOOBIUS_CHANNELS"

_BY_SIGNAL: Final = 128
"""What shells add to the number of a signal that ended a command."""


async def run_command(
    command: Sequence[str], *, bands: Sequence[str], knobs: Sequence[str], message_limit: int
) -> None:
    """Run the command and end with its exit code; the platform is kept in memory and ends with it.

    SIGINT and SIGTERM are the command's to follow, as often as they come.

    Raises:
        SystemExit: with the command's exit code, or 128 and the number of the signal it died of.
        UsageError: there is no such command, or it cannot be run.
    """
    if not command:
        raise UsageError("say which command to run, as in: moobius-trio local exec -- pytest")
    turned = read_knobs(knobs, Knobs(message_limit=message_limit))
    configure_logs(form="console")
    async with (
        open_platform(
            state=None,
            bands=bands,
            knobs=turned,
            run_sync=run_in_thread,
            wall_clock=time.time,
            random=random.SystemRandom(),
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        url: str = await nursery.start(serve_app, platform.app)
        environment = {
            **os.environ,
            HTTP_VARIABLE: f"{url}/",
            WS_VARIABLE: url.replace("http://", "ws://", 1) + "/",
            CHANNELS_VARIABLE: ",".join(band.channel_id for band in platform.bands()),
        }
        code = await _run(command, environment)
        nursery.cancel_scope.cancel()
    raise SystemExit(code)


async def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    """The exit code of the command. Cancelled, it is ended: by SIGTERM, five seconds later by
    SIGKILL."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            try:
                process: trio.Process = await nursery.start(_wait_for, command, environment)
            except* OSError as group:
                problem = group.exceptions[0]
                reason = problem.strerror if isinstance(problem, OSError) else problem
                raise UsageError(f"{shlex.join(command)} cannot be run: {reason}.") from None
            nursery.start_soon(_pass_on, signals, process)
            code = await process.wait()
            nursery.cancel_scope.cancel()
    return _BY_SIGNAL - code if code < 0 else code


async def _wait_for(
    command: Sequence[str],
    environment: dict[str, str],
    *,
    task_status: trio.TaskStatus[trio.Process],
) -> subprocess.CompletedProcess[bytes]:
    return await trio.run_process(
        command, env=environment, stdin=None, check=False, task_status=task_status
    )


async def _pass_on(signals: AsyncIterator[int], process: trio.Process) -> None:
    """Tell the command what this program is told."""
    async for number in signals:
        # A terminal tells Ctrl+C to all that runs in it; twice would cut the end short.
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)
