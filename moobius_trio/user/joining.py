"""The bands of the settings, joined when a user starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog

from moobius_trio.core.cast import side_by_side
from moobius_trio.errors import BandNotTaken
from moobius_trio.types import ChannelId

if TYPE_CHECKING:
    from moobius_trio.user.runtime import UserRuntime

__all__ = ("join_configured",)

log = structlog.get_logger()


async def join_configured(runtime: UserRuntime, channels: Iterable[ChannelId]) -> None:
    """Join these bands, and wait for what the platform says to each.

    One that is refused is a line in the log. To join a band in which this user is already changes
    nothing. Where the platform answers nothing, they count as joined.

    Raises:
        BandNotTaken: all were refused.
    """
    refused: list[str] = []

    async def join(channel_id: ChannelId) -> None:
        outcome = await (await runtime.join(channel_id)).outcome()
        if outcome.state == "refused":
            runtime.forget(channel_id)
            refused.append(f"{channel_id}: {outcome.reason}")
            log.warning(
                "a band was not joined",
                band=channel_id,
                reason=outcome.reason,
                remedy="check channels",
            )

    wanted = list(dict.fromkeys(channels))
    await side_by_side(join, wanted)
    if wanted and len(refused) == len(wanted):
        raise BandNotTaken(refused)
