"""The live parts of one run of a user, and the few calls that need several of them.

Made by `user.serving`; parts are built there, tasks are started there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from moobius_trio.core.running import Running
from moobius_trio.core.units import current
from moobius_trio.types import ChannelId, Character, UserAction, UserCommand, UserId

if TYPE_CHECKING:
    from moobius_trio.network.receipts import Receipt
    from moobius_trio.user.dispatch import UserDispatcher

__all__ = ("UserRuntime",)


@attrs.define(eq=False, kw_only=True)
class UserRuntime(Running):
    """Everything one run of a user consists of."""

    user_id: UserId
    dispatcher: UserDispatcher
    refresh_actions: tuple[str, ...]
    """What asks a service for all that it shows, in this generation."""
    characters: dict[ChannelId, tuple[Character, ...]]
    """The last character list of each band."""
    bands: dict[ChannelId, None]
    """The joined bands, in the order of joining."""

    @property
    def client_id(self) -> UserId:
        """The user's id."""
        return self.user_id

    async def join(self, channel_id: ChannelId) -> Receipt:
        """Queue that this user joins a band, and asks its service for all that it shows."""
        receipt = await self.send(UserAction(subtype="join_channel", channel_id=channel_id))
        self.bands[channel_id] = None
        if not self.closed:
            self.nursery.start_soon(self._forget_if_refused, channel_id, receipt)
        await self.refresh(channel_id)
        return receipt

    async def _forget_if_refused(self, channel_id: ChannelId, receipt: Receipt) -> None:
        if (await receipt.outcome()).state == "refused":
            self.forget(channel_id)

    async def leave(self, channel_id: ChannelId) -> Receipt:
        """Queue that this user leaves a band."""
        receipt = await self.send(UserAction(subtype="leave_channel", channel_id=channel_id))
        self.forget(channel_id)
        return receipt

    def forget(self, channel_id: ChannelId) -> None:
        """This user is not in this band."""
        self.bands.pop(channel_id, None)
        self.characters.pop(channel_id, None)

    async def refresh(self, channel_id: ChannelId) -> tuple[Receipt, ...]:
        """Queue the question for all that a band's service shows."""
        return tuple(
            [
                await self.send(UserAction(subtype=subtype, channel_id=channel_id))
                for subtype in self.refresh_actions
            ]
        )

    async def send(self, command: UserCommand) -> Receipt:
        """Queue one command."""
        unit = current.get()
        receipt = await self.outbox.put(command, unit=None if unit is None else unit.number)
        if self.tracing is not None and unit is not None:
            self.tracing.note(unit, receipt.request_id, 0)
        return receipt
