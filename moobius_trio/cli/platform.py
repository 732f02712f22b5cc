"""``moobius-trio local``: the local platform alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from moobius_trio.cli.output import ready_line, say
from moobius_trio.cli.state import open_state, user_state
from moobius_trio.core.signals import counted_signals
from moobius_trio.core.threads import run_in_thread
from moobius_trio.local import Knobs, Platform, open_platform
from moobius_trio.logs import configure_logs
from moobius_trio.serving import serve_app

__all__ = ("open_served_platform", "run_platform")


@asynccontextmanager
async def open_served_platform(
    *, state: Path, port: int, bands: Sequence[str] = (), message_limit: int | None = None
) -> AsyncIterator[tuple[Platform, str]]:
    """A local platform with its state in a folder, served on this machine; gives it and its URL."""
    knobs = Knobs() if message_limit is None else Knobs(message_limit=message_limit)
    async with (
        open_platform(
            state=state,
            bands=bands,
            knobs=knobs,
            run_sync=run_in_thread,
            wall_clock=time.time,
            random=random.SystemRandom(),
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        yield platform, await nursery.start(partial(serve_app, platform.app, port=port))
        nursery.cancel_scope.cancel()


async def run_platform(
    *, bands: Sequence[str], port: int, state: Path | None, ready_json: bool, message_limit: int
) -> None:
    """Run the platform until a signal comes."""
    configure_logs(form="console")
    folder = open_state(state if state is not None else user_state("local"))
    done = trio.Event()
    with (
        trio.CancelScope() as scope,
        counted_signals(drain=done.set, cancel=scope.cancel) as signals,
    ):
        async with open_served_platform(
            state=folder, port=port, bands=bands, message_limit=message_limit
        ) as (platform, url):
            channels = [band.channel_id for band in platform.bands()]
            say(
                "",
                f"  Page      {url}/?as=alice",
                f"  Bands     {', '.join(channels)}",
                f"  State     {folder}",
                "",
                "  A service.json that works here as it stands:",
                "",
                json.dumps(_service_json(url, channels), indent=4),
                "",
                "  One Ctrl+C ends it.",
            )
            if ready_json:
                ready_line(url, ())
            await done.wait()
    if signals.interrupted:
        raise SystemExit(signals.exit_code())


def _service_json(url: str, channels: Sequence[str]) -> dict[str, object]:
    return {
        "http_server_uri": f"{url}/",
        "ws_server_uri": url.replace("http://", "ws://", 1) + "/",
        "email": "me@example.org",
        "password": "made-up-at-the-first-sign-in",
        "service_id": "",
        "channels": list(channels),
        "others": "include",
    }
