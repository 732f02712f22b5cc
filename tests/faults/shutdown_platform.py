"""Two local platforms, the second of which confirms no frame; run by test_shutdown.py.

Arguments: the names of the bands. Prints the URLs as one line of JSON and runs until it is ended.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

import trio

from moobius_trio.core.signals import counted_signals
from moobius_trio.core.threads import run_in_thread
from moobius_trio.local import Knobs, open_platform
from moobius_trio.serving import serve_app


async def main() -> None:
    """Serve both until a signal comes."""
    done, urls = trio.Event(), []
    with (
        tempfile.TemporaryDirectory() as state,
        counted_signals(drain=done.set, cancel=done.set),
    ):
        async with trio.open_nursery() as nursery:
            for name, knobs in (("a", Knobs()), ("b", Knobs(copies_echo_id="absent"))):
                nursery.start_soon(serve, Path(state) / name, knobs, urls, done)


async def serve(state: Path, knobs: Knobs, urls: list[str], done: trio.Event) -> None:
    """One platform."""
    async with (
        open_platform(
            state=state,
            bands=sys.argv[1:],
            knobs=knobs,
            run_sync=run_in_thread,
            wall_clock=time.time,
            random=random.SystemRandom(),
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        from functools import partial

        url = await nursery.start(partial(serve_app, platform.app, port=0))
        urls.append(url)
        if len(urls) == 2:
            print(json.dumps(urls), flush=True)  # noqa: T201
        await done.wait()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
