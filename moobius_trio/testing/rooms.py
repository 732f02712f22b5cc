"""A service and its page for tests that are not asynchronous themselves, such as Playwright's.

The people of such a test are in a browser; ``harness`` has those of all other tests.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import trio

from moobius_trio.core.service import MoobiusService
from moobius_trio.serving import serve_app
from moobius_trio.testing.harness import Local, LocalBand, Protocol
from moobius_trio.testing.opening import open_local

__all__ = ("open_room",)

Prepare = Callable[[Local, LocalBand], Awaitable[None]]


@contextmanager
def open_room(
    service: MoobiusService[Any],
    *,
    bands: Sequence[str] = (),
    prepare: Prepare | None = None,
    protocol: Protocol | None = None,
) -> Iterator[str]:
    """Run the service on a platform of its own, in a thread of its own, for the block.

    Args:
        service: it gets the band ``local-demo``.
        bands: names of bands to make besides, which it does not get.
        protocol: the words that the service speaks; None: as its own settings say.
        prepare: what happens before anybody opens the page; called with the platform and the band.

    Yields:
        The address of the page, without a ``/`` at its end.

    Raises:
        Exception: what was raised in the service, at the end of the block at the latest; several
            as a group.
    """
    ready: list[str] = []
    there, leave = threading.Event(), trio.Event()
    tokens: list[trio.lowlevel.TrioToken] = []
    failed: list[Exception] = []

    async def main() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        async with open_local(sockets=True, bands=bands, protocol=protocol) as local:
            band = await local.start(service)
            if prepare is not None:
                await prepare(local, band)
            async with trio.open_nursery() as nursery:
                ready.append(await nursery.start(serve_app, local.platform.app))
                there.set()
                await leave.wait()
                nursery.cancel_scope.cancel()

    def run() -> None:
        try:
            trio.run(main)
        except Exception as exc:  # raised below, where the test is
            failed.append(exc)
        finally:
            there.set()

    thread = threading.Thread(target=run)
    thread.start()
    there.wait()
    try:
        if ready:
            yield ready[0]
    finally:
        with suppress(trio.RunFinishedError):  # it has failed meanwhile
            trio.from_thread.run_sync(leave.set, trio_token=tokens[0])
        thread.join()
    if failed:
        raise failed[0]
