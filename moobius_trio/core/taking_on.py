"""A band that a running service gets besides those of its start.

Having the platform bind it is done before; which bands there are is `Bands`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import attrs

from moobius_trio.core.band import Band
from moobius_trio.core.bands import Bands
from moobius_trio.core.boundary import Boundary
from moobius_trio.core.dispatch import Dispatcher
from moobius_trio.core.lanes import LanesEnded
from moobius_trio.core.units import Unit
from moobius_trio.errors import ServiceStopped
from moobius_trio.types import ChannelId

__all__ = ("TakingOn",)


@attrs.frozen(eq=False, kw_only=True)
class TakingOn:
    """Makes a band part of a run.

    Attributes:
        make: makes it, with its members and its store.
        handler: what the log calls ``on_channel_init``.
        name: that of the service.
    """

    bands: Bands
    make: Callable[[ChannelId], Awaitable[Band]]
    dispatcher: Dispatcher
    boundary: Boundary
    on_channel_init: Callable[[ChannelId], Awaitable[None]]
    handler: str
    name: str

    async def __call__(self, channel_id: ChannelId) -> None:
        """Serve the band from now on; one that is served already stays as it is.

        Its events wait until the author has prepared it. What ``on_channel_init`` raises is
        reported, as anything else that fails in a running service.

        Raises:
            ApiError, StorageError: its members or its store cannot be had; it is not served.
            ServiceStopped: it is about to stop.
        """
        if channel_id in self.bands:
            return
        band = await self.make(channel_id)
        lanes, unit = (
            self.dispatcher.lanes,
            Unit(handler=self.handler, channel_id=channel_id, in_lane=True),
        )
        async with AsyncExitStack() as stack:
            if lanes.are_open:  # before that no event is handled
                try:
                    turn = lanes.turn(self.dispatcher.lane_of(channel_id))
                    await stack.enter_async_context(turn)
                except LanesEnded:
                    raise ServiceStopped(self.name) from None
            self.bands.add(band)
            self.dispatcher.note_band(band)
            await self.boundary.run(
                None, unit, lambda: self.on_channel_init(channel_id), limited=False
            )
