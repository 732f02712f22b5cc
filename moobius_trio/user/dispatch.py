"""From a frame of the socket to the author's handler: which lane, which callback, what first.

Filing happens in the reader and never waits; handling happens in the lane's worker, also the
look-up of those whom a character list names by a group (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import trio

from moobius_trio.core.boundary import Boundary, Call, Work
from moobius_trio.core.lanes import SERVICE_LANE, LaneKey, Lanes, LaneStatistics
from moobius_trio.core.shedding import Shedding
from moobius_trio.core.units import Unit
from moobius_trio.core.weights import weight
from moobius_trio.types import (
    ChannelId,
    Character,
    Copy,
    Gap,
    GenericUpdate,
    MessageDown,
    Overflow,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateCharacterGroup,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserFrame,
)
from moobius_trio.user.callbacks import UserCallbacks

if TYPE_CHECKING:
    from moobius_trio.user.user import MoobiusUser

__all__ = ("UserDispatcher",)

Filed: TypeAlias = UserFrame | Gap | Overflow

_CALLBACKS: Final[dict[type, str]] = {
    MessageDown: "on_msg_down",
    UpdateUserList: "on_update_user_list",
    UpdateCharacterGroup: "on_update_user_list",
    UpdateChannelInfo: "on_update_channel_info",
    UpdatePlayground: "on_update_playground",
    UpdateFeatures: "on_update_features",
    UpdateStyle: "on_update_style",
    UpdateMenu: "on_update_menu",
    Copy: "on_copy",
    GenericUpdate: "on_unknown_payload",
    UnknownPayload: "on_unknown_payload",
    Gap: "on_gap",
    Overflow: "on_overflow",
}


class UserDispatcher:
    """Files what comes into lanes, one for each band, and runs the handlers.

    Args:
        user: whose callbacks are called.
        boundary: runs handlers.
        nursery: where lane workers run.
        look_up: gives the character list that a group stands for; what it raises is reported.
        characters: where the last character list of each band is kept.
    """

    def __init__(
        self,
        *,
        user: MoobiusUser,
        boundary: Boundary,
        nursery: trio.Nursery,
        look_up: Callable[[UpdateCharacterGroup], Awaitable[UpdateUserList]],
        characters: dict[ChannelId, tuple[Character, ...]],
    ) -> None:
        self._user = user
        self._boundary = boundary
        self._look_up = look_up
        self._characters = characters
        self._name = type(user).__name__
        self._wants_copies = type(user).on_copy is not UserCallbacks.on_copy
        self.lanes: Lanes[Filed] = Lanes(
            nursery=nursery,
            handle_each=self._handle_each,
            describe=self._describe,
            weigh=weight,
            on_shed=lambda key, event: self._shedding.note(key[1]),
        )
        self._shedding = Shedding(lanes=self.lanes, report=self._report_shedding)

    def receive(self, event: UserFrame) -> None:
        """File one event of the socket; never waits and never raises."""
        if not isinstance(event, Copy):
            self.lanes.file(_lane(getattr(event, "channel_id", None)), event)
        elif self._wants_copies:
            self.lanes.file(SERVICE_LANE, event)

    def tell(self, report: Gap | Overflow) -> None:
        """File something the SDK has to say to the user, behind what came in that band."""
        self.lanes.file(_lane(report.channel_id), report, keep=True)

    def end(self) -> int:
        """Cancel what runs and begin nothing more.

        Returns:
            How many events had been taken and are not handled.
        """
        left_over = self.lanes.end()
        self._shedding.end()
        return left_over

    def statistics(self) -> LaneStatistics:
        """A snapshot."""
        return attrs.evolve(
            self.lanes.statistics(),
            shed=self._shedding.shed,
            shed_reported=self._shedding.reported,
            shed_by_band=self._shedding.by_band(),
        )

    async def _handle_each(self, events: AsyncIterator[Filed]) -> None:
        """Run handlers to their ends; a lane's worker calls this and nobody else."""
        await self._boundary.run_each(events, self._call_for)

    def _call_for(self, event: Filed) -> Work:
        if isinstance(event, Overflow):
            event = self._now(event)
        unit = Unit(
            handler=self._describe(event),
            channel_id=getattr(event, "channel_id", None),
            user_id=getattr(event, "sender", None),
            request_id=getattr(event, "request_id", None),
            msg_id=getattr(event, "msg_id", None) or None,
            in_lane=True,
        )
        return Call(unit, self._call, event)

    async def _call(self, event: Filed) -> None:
        if isinstance(event, UpdateCharacterGroup):
            event = await self._look_up(event)
        if isinstance(event, UpdateUserList):
            self._characters[event.channel_id] = event.user_list
        callback: Callable[[Filed], Awaitable[object]] = getattr(
            self._user, _CALLBACKS[type(event)]
        )
        await callback(event)

    def _describe(self, event: Filed) -> str:
        return f"{self._name}.{_CALLBACKS[type(event)]}"

    def _report_shedding(self, channel_id: ChannelId | None, count: int) -> None:
        waiting = self.lanes.room.events(_lane(channel_id))
        self.tell(Overflow(channel_id=channel_id, shed=count, waiting=waiting))

    def _now(self, overflow: Overflow) -> Overflow:
        """The report as it is when its turn has come."""
        channel_id = overflow.channel_id
        waiting = self.lanes.room.events(_lane(channel_id))
        return attrs.evolve(overflow, shed=self._shedding.take(channel_id), waiting=waiting)


def _lane(channel_id: ChannelId | None) -> LaneKey:
    return SERVICE_LANE if channel_id is None else ("band", channel_id, None)
