"""Opening a local platform inside a test, in memory or over real loopback sockets.

The kit's composition root: it puts the parts together and decides nothing else.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.unawaited import watch_unawaited
from moobius_trio.local import Knobs, open_platform
from moobius_trio.network.groups import unwrapped
from moobius_trio.serving import serve_app
from moobius_trio.testing.guards import jumps_by_itself, keep_signals, refuse_threads
from moobius_trio.testing.harness import Local, Protocol
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.site import START, Site

__all__ = ("open_local",)


@asynccontextmanager
async def open_local(
    *,
    sockets: bool = False,
    bands: Sequence[str] = (),
    knobs: Knobs | None = None,
    protocol: Protocol | None = None,
) -> AsyncIterator[Local]:
    """A local platform for the length of the block; services that run in it are stopped at its end.

    Args:
        sockets: over real loopback sockets and in real time, instead of in memory. In memory,
            run it on a clock that jumps by itself:
            ``trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))``.
        bands: names of bands to make besides ``local-demo``.
        knobs: how the platform behaves where nothing is known of the real one.
        protocol: the words that services speak with it, ``"0.0.1"`` or ``"1.8"``; None: as their
            service.json says. People and all calls of the kit are the same with both.

    Raises:
        RuntimeError: in memory, on a clock that does not jump by itself.
        Exception: what was raised in a service and in no call of the block.
    """
    if not sockets and not jumps_by_itself():
        raise RuntimeError(
            "in memory, time is simulated: run this with "
            "trio.run(…, clock=trio.testing.MockClock(autojump_threshold=0)), or over real "
            "sockets with open_local(sockets=True)"
        )
    wall_start, clock_start = START.timestamp(), trio.current_time()
    async with AsyncExitStack() as stack:
        stack.enter_context(unwrapped())
        stack.enter_context(keep_signals())
        if not sockets:
            stack.enter_context(refuse_threads())
        platform = await stack.enter_async_context(
            open_platform(
                state=None,
                bands=bands,
                knobs=knobs or Knobs(),
                run_sync=run_in_thread if sockets else run_inline,
                wall_clock=lambda: wall_start + trio.current_time() - clock_start,
                random=random.Random(0),  # noqa: S311  # the same ids in every run
                password_work=2,  # its accounts are the kit's own and end with it
            )
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        address = None
        if sockets:
            url: str = await nursery.start(serve_app, platform.app)
            address = url.removeprefix("http://")
        site = Site(platform=platform, nursery=nursery, address=address)
        local = Local(site, protocol)
        stack.enter_context(watch_unawaited(lambda exc: local.failures.append((None, exc))))
        yield local
        await local.close()
        nursery.cancel_scope.cancel()
