"""The bands of the settings, joined when a user starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import structlog

from moobius_trio.errors import BandNotTaken
from moobius_trio.types import ChannelId

if TYPE_CHECKING:
    from moobius_trio.user.runtime import UserRuntime

__all__ = ("join_configured",)

log = structlog.get_logger()


async def join_configured(
    runtime: UserRuntime, channels: Iterable[ChannelId], already: Collection[ChannelId]
) -> None:
    """Join these bands, and wait for what the platform says to each.

    One that is refused is a line in the log. Where the platform answers nothing, they count as
    joined.

    Args:
        already: those in which the user is known to be; nothing is said to them but that the
            screen is wanted.

    Raises:
        BandNotTaken: all were refused.
    """
    receipts = {}
    for channel_id in channels:
        if channel_id in already:
            runtime.bands[channel_id] = None
            await runtime.refresh(channel_id)
        else:
            receipts[channel_id] = await runtime.join(channel_id)
    refused = []
    for channel_id, receipt in receipts.items():
        outcome = await receipt.outcome()
        if outcome.state == "refused":
            runtime.forget(channel_id)
            refused.append(f"{channel_id}: {outcome.reason}")
            log.warning(
                "a band was not joined",
                band=channel_id,
                reason=outcome.reason,
                remedy="check channels",
            )
    if refused and not runtime.bands:
        raise BandNotTaken(refused)
