"""A `MoobiusUser` in a test, beside services and actors on one platform of the kit.

Only its start; what a test does with the user is the user's own calls, and `Local.settle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import trio

from moobius_trio.config import Settings
from moobius_trio.core.reading import service_name
from moobius_trio.network.groups import unwrapped
from moobius_trio.testing.harness import Local
from moobius_trio.testing.site import Sinks
from moobius_trio.types import Secret
from moobius_trio.user import MoobiusUser, UserHandle

__all__ = ("prepare_user", "start_user")

__tracebackhide__ = True  # pytest shows the test's line and the user's, not ours


async def start_user(
    local: Local, user: MoobiusUser, *, bands: Sequence[str] = ("local-demo",), **settings: Any
) -> UserHandle:
    """Run a user on the kit's platform, in bands of it; returns when its `on_start` is done.

    It has an account of its own, named by its class: a second one of that class is the same
    person. What its handlers raise is raised by the next call of the kit, as for services. It
    ends with the block of `open_local`. In memory, calls of the kit return when it has handled
    what it was shown; over real sockets a test waits for that with `Local.until`.

    Args:
        bands: names or ids of the bands it joins; those that are not there yet are made.
        settings: further ones, in the words of service.json, such as ``handler_seconds=1``.

    Raises:
        Exception: whatever `on_start` or the start itself raised.
    """
    prepare_user(local, user, bands=bands, **settings)

    async def serve(*, task_status: trio.TaskStatus[UserHandle]) -> None:
        begun = False
        try:
            with unwrapped():
                async with trio.open_nursery() as nursery:
                    handle: UserHandle = await nursery.start(user.serve)
                    begun = True
                    task_status.started(handle)
        except Exception as exc:  # boundary: a user under test
            if not begun:
                raise
            local._note_failure(None, exc)

    handle = cast("UserHandle", await local._site.nursery.start(serve))
    await local.settle()
    return handle


def prepare_user(
    local: Local, user: MoobiusUser, *, bands: Sequence[str] = ("local-demo",), **settings: Any
) -> None:
    """Have a user run on the kit's platform when the test serves it itself; see `start_user`."""
    site = local._site
    given = {
        "http_server_uri": site.http_uri(),
        "ws_server_uri": site.ws_uri(),
        "email": f"{service_name(type(user))}@example.org",
        "password": Secret("a password of the kit"),
        "channels": tuple(local.platform.add_band(band) for band in bands),
        "service_mode": False,
        **settings,
    }
    sinks = Sinks(
        trace=lambda record: None,
        on_failure=local._note_failure,
        on_stray=lambda stray: None,
        on_unheard=local.unheard.append,
    )
    user._environment = site.environment(Settings(**given), (), "memory", None, sinks)
