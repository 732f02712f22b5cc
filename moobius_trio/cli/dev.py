"""``moobius-trio dev``, ``demo`` and ``run``: a service, with or without a platform of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from moobius_trio.cli.develop.session import develop
from moobius_trio.cli.guests import check_host
from moobius_trio.cli.knobs import read_knobs
from moobius_trio.cli.loading import load_program
from moobius_trio.cli.output import ready_line, say
from moobius_trio.cli.projects import project_folder
from moobius_trio.cli.state import open_state, user_state
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.run import spare_what_stays
from moobius_trio.local import Knobs
from moobius_trio.logs import configure_logs
from moobius_trio.network.groups import unwrapped
from moobius_trio.testing.relay import RelayFaults
from moobius_trio.user import UserHandle

__all__ = ("run_demo", "run_dev", "run_service")


async def run_service(path: str, *, state: Path | None, ready_json: bool) -> None:
    """Run a service, or a user, on the platform that its own service.json or user.json names."""
    configure_logs()
    service = load_program(path)
    if state is not None:
        service._environment = Environment(state=open_state(state))
    with unwrapped():  # a bug's traceback is that of the bug alone
        async with trio.open_nursery() as nursery:
            handle: ServiceHandle | UserHandle = await nursery.start(service.serve)
            places = ", ".join(handle.channels) or "no band yet"
            say(f"  {handle.name} is in {places}. One Ctrl+C ends it.")
            spare_what_stays()
            if ready_json:
                ready_line(None, [handle])


async def run_dev(
    path: str,
    *,
    bands: Sequence[str],
    port: int,
    host: str,
    i_know: bool,
    state: Path | None,
    ready_json: bool,
    browser: bool,
    reload: bool,
    knobs: Sequence[str],
    faults: str | None,
) -> None:
    """Run a service on a local platform of its own, and start it anew when its code is saved."""
    check_host(host, i_know=i_know, faults=faults is not None)
    turned = read_knobs(knobs, Knobs())
    relay_faults = None if faults is None else RelayFaults.parse(faults)
    configure_logs(form="console")
    await develop(
        path,
        state=state,
        bands=bands,
        port=port,
        host=host,
        ready_json=ready_json,
        browser=browser,
        reload=reload,
        knobs=turned,
        faults=relay_faults,
    )


async def run_demo(
    *,
    bands: Sequence[str],
    port: int,
    host: str,
    i_know: bool,
    state: Path | None,
    ready_json: bool,
    browser: bool,
    reload: bool,
) -> None:
    """Run the bundled demo as `run_dev` does, and say where its source lies."""
    check_host(host, i_know=i_know)
    configure_logs(form="console")
    source = demo_folder()
    say(f"  Source    {source}")
    await develop(
        str(source),
        state=state if state is not None else user_state("demo"),
        bands=bands,
        port=port,
        host=host,
        ready_json=ready_json,
        browser=browser,
        reload=reload,
        knobs=Knobs(),
        faults=None,
    )


def demo_folder() -> Path:
    """Where the demo's source lies.

    Raises:
        UsageError: it is missing from this installation.
    """
    return project_folder("demo")
