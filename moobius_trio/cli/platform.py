"""``moobius-trio local``: the local platform alone."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from moobius_trio.cli.guests import LOOPBACK, check_host, let_guests_in
from moobius_trio.cli.knobs import changed_knobs, read_knobs
from moobius_trio.cli.output import ready_line, say
from moobius_trio.cli.state import open_state, user_state
from moobius_trio.cli.tape.checking import Tools
from moobius_trio.core.signals import counted_signals
from moobius_trio.core.threads import run_in_thread
from moobius_trio.errors import StoreLocked, UsageError
from moobius_trio.local import Knobs, Platform, open_platform
from moobius_trio.logs import configure_logs
from moobius_trio.serving import serve_app
from moobius_trio.testing.relay import RelayFaults, open_relay

if TYPE_CHECKING:
    from moobius_trio.local.certificates import Certificates

__all__ = ("open_served_platform", "run_platform", "say_faults")

_DEFAULT_KNOBS: Final = Knobs()


@asynccontextmanager
async def open_served_platform(
    *,
    state: Path,
    port: int,
    host: str = LOOPBACK,
    bands: Sequence[str] = (),
    knobs: Knobs = _DEFAULT_KNOBS,
    faults: RelayFaults | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[Platform, str]]:
    """A local platform with its state in a folder, served on this machine; gives it and its URL.

    Args:
        host: another address to serve it on too, which ``check_host`` has seen. Nobody is answered
            there before ``let_guests_in``.
        faults: the port is a relay's, and the platform listens on another one behind it.
        tls: the certificate to speak https and wss with, and nothing else.

    Raises:
        UsageError: another platform has the folder open.
    """
    async with AsyncExitStack() as stack:
        opening = open_platform(
            state=state,
            bands=bands,
            knobs=knobs,
            run_sync=run_in_thread,
            wall_clock=time.time,
            random=random.SystemRandom(),
        )
        try:
            platform = await stack.enter_async_context(opening)
        except StoreLocked as exc:
            raise _taken(exc) from None
        nursery = await stack.enter_async_context(trio.open_nursery())
        if faults is None:
            serve = partial(serve_app, platform.app, host=host, port=port, exposed=True, tls=tls)
            yield platform, await nursery.start(serve)
        else:
            url: str = await nursery.start(partial(serve_app, platform.app, tls=tls))
            address, _, behind = url.rpartition(":")
            async with open_relay(("127.0.0.1", int(behind)), faults, port=port) as relay:
                platform.front_port = relay.port
                yield platform, f"{address}:{relay.port}"
        nursery.cancel_scope.cancel()


def _taken(locked: StoreLocked) -> UsageError:
    process = f" (process {locked.pid})" if locked.pid is not None else ""
    return UsageError(
        f"{locked.where}: `moobius-trio dev`, `demo` or `local` runs there already{process}. "
        "Use its page, stop it with Ctrl+C there, or name another folder with --state DIR."
    )


def say_faults(knobs: Knobs, faults: RelayFaults | None) -> None:
    """Tell in which ways the platform is not the usual one, if it is not."""
    if turned := changed_knobs(knobs):
        say(f"  Knobs     {', '.join(turned)}")
    if faults is not None:
        say(f"  Faults    {faults.describe()}")


async def run_platform(
    *,
    bands: Sequence[str],
    port: int,
    host: str,
    i_know: bool,
    state: Path | None,
    ready_json: bool,
    knobs: Sequence[str],
    message_limit: int,
    faults: str | None,
    tls: bool,
) -> None:
    """Run the platform until a signal comes."""
    check_host(host, i_know=i_know, faults=faults is not None, tls=tls)
    turned = read_knobs(knobs, Knobs(message_limit=message_limit))
    relay_faults = None if faults is None else RelayFaults.parse(faults)
    configure_logs(form="console")
    folder = open_state(state if state is not None else user_state("local"))
    certificates = await run_in_thread(_certificates, folder) if tls else None
    done = trio.Event()
    with (
        trio.CancelScope() as scope,
        counted_signals(drain=done.set, cancel=scope.cancel) as signals,
    ):
        async with open_served_platform(
            state=folder,
            port=port,
            host=host,
            bands=bands,
            knobs=turned,
            faults=relay_faults,
            tls=certificates.context if certificates is not None else None,
        ) as (platform, url):
            channels = [band.channel_id for band in platform.bands()]
            say(
                "",
                f"  Page      {url}/?as=alice",
                f"  Bands     {', '.join(channels)}",
                f"  State     {folder}",
            )
            if certificates is not None:
                say(f"  CA file   {certificates.ca_file}")
            say_faults(turned, relay_faults)
            if certificates is None:  # tapes are played in clear
                platform.tape_tools = Tools(url=url)
            let_guests_in(platform, url, host)
            say(
                "",
                "  A service.json that works here as it stands:",
                "",
                json.dumps(_service_json(url, channels, certificates), indent=4),
                "",
                "  One Ctrl+C ends it.",
            )
            if ready_json:
                ready_line(url, ())
            await done.wait()
    if signals.interrupted:
        raise SystemExit(signals.exit_code())


def _certificates(folder: Path) -> Certificates:
    # Late: only who wants TLS waits for the import.
    from moobius_trio.local.certificates import open_certificates

    return open_certificates(folder, datetime.now(UTC))


def _service_json(
    url: str, channels: Sequence[str], certificates: Certificates | None
) -> dict[str, object]:
    trust = {"ca_file": str(certificates.ca_file)} if certificates is not None else {}
    return {
        "http_server_uri": f"{url}/",
        "ws_server_uri": url.replace("http", "ws", 1) + "/",
        "email": "me@example.org",
        "password": "made-up-at-the-first-sign-in",
        "service_id": "",
        "channels": list(channels),
        "others": "include",
        **trust,
    }
