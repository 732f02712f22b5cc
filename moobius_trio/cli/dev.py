"""``moobius-trio dev``, ``demo`` and ``run``: a service, with or without a platform of its own."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import structlog
import trio

from moobius_trio.cli.blocking import Blocking
from moobius_trio.cli.guests import check_host, let_guests_in
from moobius_trio.cli.knobs import read_knobs
from moobius_trio.cli.loading import load_service
from moobius_trio.cli.output import ready_line, say
from moobius_trio.cli.platform import open_served_platform, say_faults
from moobius_trio.cli.state import Account, open_state, user_state
from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.handle import ServiceHandle
from moobius_trio.core.reading import own_choices, service_name
from moobius_trio.core.run import spare_what_stays
from moobius_trio.core.service import MoobiusService
from moobius_trio.core.unawaited import watch_unawaited
from moobius_trio.errors import NeverAwaited, UsageError
from moobius_trio.local import DEFAULT_BAND, Knobs
from moobius_trio.logs import configure_logs
from moobius_trio.testing.relay import RelayFaults
from moobius_trio.types import ChannelId

__all__ = ("run_demo", "run_dev", "run_service")

log = structlog.get_logger()

Service = MoobiusService[Any]


async def run_service(path: str, *, state: Path | None, ready_json: bool) -> None:
    """Run a service on the platform that its own service.json names."""
    configure_logs()
    service = load_service(path)
    if state is not None:
        service._environment = Environment(state=open_state(state))
    async with trio.open_nursery() as nursery:
        handle: ServiceHandle = await nursery.start(service.serve)
        say(f"  {handle.name} is in {', '.join(handle.channels)}. One Ctrl+C ends it.")
        spare_what_stays()
        if ready_json:
            ready_line(None, [handle])


async def run_dev(
    path: str,
    *,
    port: int,
    host: str,
    i_know: bool,
    state: Path | None,
    ready_json: bool,
    browser: bool,
    knobs: Sequence[str],
    faults: str | None,
) -> None:
    """Run a service on a local platform of its own."""
    check_host(host, i_know=i_know, faults=faults is not None)
    turned = read_knobs(knobs, Knobs())
    relay_faults = None if faults is None else RelayFaults.parse(faults)
    configure_logs(form="console")
    service = load_service(path)
    folder = state if state is not None else service.folder / ".moobius-trio"
    await _develop(
        service,
        folder,
        port=port,
        host=host,
        ready_json=ready_json,
        browser=browser,
        knobs=turned,
        faults=relay_faults,
    )


async def run_demo(
    *,
    port: int,
    host: str,
    i_know: bool,
    state: Path | None,
    ready_json: bool,
    browser: bool,
) -> None:
    """Run the bundled demo as `run_dev` does, and say where its source lies."""
    check_host(host, i_know=i_know)
    configure_logs(form="console")
    source = demo_folder()
    service = load_service(str(source))
    say(f"  Source    {source}")
    folder = state if state is not None else user_state("demo")
    await _develop(service, folder, port=port, host=host, ready_json=ready_json, browser=browser)


def demo_folder() -> Path:
    """Where the demo's source lies: in the installed package, or beside it in a checkout.

    Raises:
        UsageError: it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_projects" / "demo", package.parent / "projects" / "demo"):
        if (folder / "service.py").is_file():
            return folder
    raise UsageError("the demo is missing from this installation. Install the package again.")


async def _develop(
    service: Service,
    folder: Path,
    *,
    port: int,
    host: str,
    ready_json: bool,
    browser: bool,
    knobs: Knobs | None = None,
    faults: RelayFaults | None = None,
) -> None:
    knobs = knobs or Knobs()
    state = open_state(folder)
    name = service_name(type(service))
    account = Account.read(state, name)
    options, containers = own_choices(service)
    trio.lowlevel.add_instrument(Blocking())
    with watch_unawaited(_tell_unawaited):
        async with (
            open_served_platform(
                state=state / "platform", port=port, host=host, knobs=knobs, faults=faults
            ) as (platform, url),
            trio.open_nursery() as nursery,
        ):
            # With the port, so that it takes no name from a service on a real platform.
            reached_as = f"{options.get('name') or name}@{url.rpartition(':')[2]}"
            settings = Settings(
                http_server_uri=f"{url}/",
                ws_server_uri=url.replace("http://", "ws://", 1) + "/",
                email=account.email,
                password=account.password,
                service_id=account.service_id,
                channels=(ChannelId(DEFAULT_BAND),),
                others="include",
                **options,
            )
            service._environment = Environment(
                settings=settings,
                containers=containers,
                state=state / "stores",
                exclusive=False,  # it has this platform for itself; the state folder is locked
                reached_as=reached_as,
            )
            await platform.set_password(account.email, account.password)
            # A class that has a new name is a new service; the old one's would keep the band.
            await platform.free_band(ChannelId(DEFAULT_BAND))
            handle: ServiceHandle = await nursery.start(service.serve)
            attrs.evolve(account, service_id=handle.service_id).write(state, name)
            page = f"{url}/?as=alice"
            say(
                "",
                f"  Page      {page}   (a second person: {url}/?as=bob)",
                f"  Service   {handle.name} in band {DEFAULT_BAND}",
                f"  State     {state}",
                f"  Spells    moobius-trio spell {reached_as} '\"…\"'",
            )
            say_faults(knobs, faults)
            let_guests_in(platform, url, host)
            say(
                "",
                "  One Ctrl+C ends it.",
            )
            spare_what_stays()
            if ready_json:
                ready_line(url, [handle])
            if browser:
                nursery.start_soon(_open_page, page)
            await handle.wait_stopped()
            nursery.cancel_scope.cancel()


async def _open_page(address: str) -> None:
    """Open the user's browser; some block until they are closed, which must hold nothing up."""
    await trio.to_thread.run_sync(webbrowser.open, address, abandon_on_cancel=True)


def _tell_unawaited(problem: NeverAwaited) -> None:
    log.error("an async call was not awaited", problem=str(problem))
