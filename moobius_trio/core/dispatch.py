"""From an event of the socket to the author's handler: which lane, which callback, what first.

Filing happens in the reader and never waits; handling happens in the lane's worker. Sockets,
tasks and stores are not known here (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import structlog
import trio

from moobius_trio.core.actions import JOIN, PARTS, REFRESH, changes_members, is_view_request
from moobius_trio.core.boundary import Boundary, Call, Work
from moobius_trio.core.event_units import unit_of
from moobius_trio.core.lanes import SERVICE_LANE, LaneKey, Lanes, LaneStatistics
from moobius_trio.core.shedding import Shedding
from moobius_trio.core.units import Unit
from moobius_trio.core.weights import weight
from moobius_trio.errors import MoobiusError, StorageError
from moobius_trio.types import (
    Action,
    ChannelId,
    Copy,
    FeatureCall,
    Gap,
    GroupMessage,
    MenuItemClick,
    MessageUp,
    Overflow,
    PlatformError,
    ServiceFrame,
    UnknownPayload,
    UserId,
)

if TYPE_CHECKING:
    from moobius_trio.core.band import Band
    from moobius_trio.core.callbacks import Callbacks
    from moobius_trio.core.service import MoobiusService

__all__ = ("Dispatcher", "Inner")

log = structlog.get_logger()

ERROR_LENGTH = 512
"""How much of what the platform says goes into the log."""

STRANGERS_NAMED = 1_000
"""How many bands that this service does not hold the log names; no more are remembered."""


@attrs.frozen(eq=False)
class Inner:
    """Work of the SDK's own that has to wait for its turn in a lane, such as a new member list."""

    name: str
    channel_id: ChannelId
    run: Callable[[], Awaitable[None]]


@attrs.frozen(eq=False)
class Problem:
    """A failure outside any handler."""

    error: StorageError


Filed: TypeAlias = (
    MessageUp
    | GroupMessage
    | Action
    | FeatureCall
    | MenuItemClick
    | Copy
    | UnknownPayload
    | Gap
    | Overflow
    | Inner
    | Problem
)

_CALLBACKS: dict[type, str] = {
    MessageUp: "on_msg_up",
    GroupMessage: "on_msg_up",
    Action: "on_action",
    FeatureCall: "on_feature_call",
    MenuItemClick: "on_menu_item_click",
    Copy: "on_copy",
    UnknownPayload: "on_unknown_payload",
    Gap: "on_gap",
    Overflow: "on_overflow",
}

_PLAIN = frozenset((MessageUp, FeatureCall, MenuItemClick, Copy, UnknownPayload, Gap))
"""Around their handlers nothing is to be done, as long as all bands' stores are loaded."""


class Dispatcher:
    """Files events into lanes and runs their handlers.

    Args:
        service: whose callbacks are called.
        bands: the bands it holds.
        boundary: runs handlers.
        nursery: where lane workers run.
        lanes: ``channel`` for one lane per band, ``sender`` for one per band and user.
        on_member_shed: told of a band for which a join or leave was shed.
        resolve: gives the message whose recipients are known by a group's id alone.
    """

    def __init__(
        self,
        *,
        service: MoobiusService[Any],
        bands: Mapping[ChannelId, Band],
        boundary: Boundary,
        nursery: trio.Nursery,
        lanes: Literal["channel", "sender"],
        on_member_shed: Callable[[ChannelId], None],
        resolve: Callable[[GroupMessage], Awaitable[MessageUp]],
    ) -> None:
        self._service = service
        self._bands = bands
        self._boundary = boundary
        self._by_sender = lanes == "sender"
        self._name = type(service).__name__
        self._message_handler = f"{self._name}.{_CALLBACKS[MessageUp]}"
        self._on_member_shed = on_member_shed
        self._resolve = resolve
        self._strangers: set[ChannelId] = set()
        self._not_held = 0
        self._unloaded: set[ChannelId] = set()
        for band in bands.values():
            self.note_band(band)
        self._wants_copies = _overrides(service, "on_copy")
        self._dispatches_actions = not _overrides(service, "on_action")
        self._takes_refreshes = _overrides(service, "on_refresh")
        self.lanes: Lanes[Filed] = Lanes(
            nursery=nursery,
            handle_each=self._handle_each,
            describe=self._describe,
            weigh=weight,
            on_shed=self._on_shed,
        )
        self._shedding = Shedding(lanes=self.lanes, report=self._report_shedding)

    def note_band(self, band: Band) -> None:
        """Such a band is among those that are held, also one that came later."""
        if not band._storage.loaded:
            self._unloaded.add(band.channel_id)

    def receive(self, event: ServiceFrame) -> None:
        """File one event of the socket; never waits and never raises."""
        match event:
            case MessageUp() | GroupMessage() | FeatureCall() | MenuItemClick():
                if self._known(event.channel_id):
                    self.lanes.file(self._lane(event.channel_id, event.sender), event)
            case Action():
                if self._known(event.channel_id):
                    self._receive_action(event)
            case Copy():
                if self._wants_copies:
                    self.lanes.file(SERVICE_LANE, event)
            case UnknownPayload():
                self.lanes.file(SERVICE_LANE, event)
            case PlatformError():
                log.warning("the platform reports an error", message=event.message[:ERROR_LENGTH])

    def tell(self, report: Gap | Overflow) -> None:
        """File something the SDK has to say to the service."""
        self.lanes.file(SERVICE_LANE, report, keep=True)

    def inner(self, work: Inner) -> None:
        """File work of the SDK's own into a band's lane."""
        self.lanes.file(self._lane(work.channel_id, None), work, keep=True)

    def problem(self, problem: StorageError) -> None:
        """File a failure that no handler can be told of, for `on_error`."""
        self.lanes.file(SERVICE_LANE, Problem(problem), keep=True)

    def note_shed(self, channel_id: ChannelId | None, count: int, *, members: bool) -> None:
        """Events were shed before they came here, joins or leaves among them or not."""
        self._shedding.note(channel_id, count)
        if members and channel_id is not None:
            self._on_member_shed(channel_id)

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
            not_held=self._not_held,
        )

    def lane_of(self, channel_id: ChannelId) -> LaneKey:
        """The lane that `in_lane` and jobs of a band enter."""
        return self._lane(channel_id, None)

    def _lane(self, channel_id: ChannelId, user: UserId | None) -> LaneKey:
        return ("band", channel_id, user if self._by_sender else None)

    def _known(self, channel_id: ChannelId) -> bool:
        if channel_id in self._bands:
            return True
        self._not_held += 1
        if channel_id not in self._strangers and len(self._strangers) < STRANGERS_NAMED:
            self._strangers.add(channel_id)
            log.warning("events of a band this service does not hold are left out", band=channel_id)
        return False

    def _receive_action(self, action: Action) -> None:
        if action.subtype == REFRESH and not self._takes_refreshes:
            for part in PARTS:  # each is then handled, and fails, by itself
                self._receive_action(attrs.evolve(action, subtype=part))
            return
        channel_id, user = action.channel_id, action.sender
        view: LaneKey = ("view", channel_id, user)
        if is_view_request(action):
            # Beside the band's lane, so that a reload is answered while a handler waits.
            self.lanes.file(view, action, coalesce=True)
        elif changes_members(action):
            self.lanes.hold(view)
            if not self.lanes.file(self._lane(channel_id, user), action):
                self.lanes.release(view)
            elif action.subtype == JOIN:
                self._bands[channel_id]._members.expect(user)
        else:
            self.lanes.file(self._lane(channel_id, user), action)

    async def _handle_each(self, events: AsyncIterator[Filed]) -> None:
        """Run handlers to their ends; a lane's worker calls this and nobody else."""
        await self._boundary.run_each(events, self._work_of)

    def _work_of(self, event: Filed) -> Work:
        """A call, where nothing is to be done around it."""
        kind = type(event)
        plain = kind in _PLAIN or (kind is Action and not changes_members(event))
        if not plain or self._unloaded:
            return partial(self._handle, event)
        unit = unit_of(event, self._describe(event), self.lanes.now)
        return Call(unit, self._callback(event), event)

    def _callback(self, event: Filed) -> Callable[[Filed], Awaitable[object]]:
        handler: Callable[[Filed], Awaitable[object]] = getattr(
            self._service, _CALLBACKS[type(event)]
        )
        return handler

    async def _handle(self, event: Filed) -> None:
        """Run one event's handler, with what is to be done before and after."""
        if isinstance(event, Inner):
            unit = Unit(handler=event.name, channel_id=event.channel_id, in_lane=True)
            await self._boundary.run(None, unit, event.run, limited=False)
            return
        if isinstance(event, Problem):
            await self._boundary.report(None, Unit(handler="storage", in_lane=True), event.error)
            return
        if isinstance(event, Overflow):
            event = self._now(event)
        if isinstance(event, GroupMessage):
            message = await self._resolved(event)
            if message is None:
                return
            event = message
        callback = self._callback(event)
        unit = unit_of(event, self._describe(event), trio.current_time())
        call = partial(self._call, callback, event, unit.channel_id)
        if isinstance(event, Action) and changes_members(event):
            await self._keep_members(event)
            try:
                await self._boundary.run(event, unit, call)
            finally:
                self.lanes.release(("view", event.channel_id, event.sender))
        else:
            await self._boundary.run(event, unit, call)

    async def _resolved(self, event: GroupMessage) -> MessageUp | None:
        """The message with its recipients; None: nobody can say who they are, as was reported."""
        try:
            return await self._resolve(event)
        except MoobiusError as exc:
            unit = Unit(
                handler=self._describe(event),
                channel_id=event.channel_id,
                user_id=event.sender,
                in_lane=True,
            )
            await self._boundary.report(event, unit, exc)
            return None

    async def prepare(self, channel_id: ChannelId) -> None:
        """Load what ``load: false`` put off; awaited before the first handler of a band."""
        if channel_id in self._unloaded:
            await self._bands[channel_id]._storage.load()
            self._unloaded.discard(channel_id)

    async def _call(
        self,
        callback: Callable[[Filed], Awaitable[object]],
        event: Filed,
        channel_id: ChannelId | None,
    ) -> None:
        if self._unloaded and channel_id is not None:
            await self.prepare(channel_id)
        await callback(event)

    async def _keep_members(self, action: Action) -> None:
        members = self._bands[action.channel_id]._members
        if action.subtype == JOIN:
            await members.join(action.sender)
        else:
            members.leave(action.sender)

    def _describe(self, event: Filed) -> str:
        if isinstance(event, MessageUp):
            return self._message_handler
        if isinstance(event, Inner | Problem):
            return event.name if isinstance(event, Inner) else "storage"
        if isinstance(event, Action) and self._dispatches_actions:
            return f"{self._name}.on_{event.subtype}"
        return f"{self._name}.{_CALLBACKS[type(event)]}"

    def _on_shed(self, key: LaneKey, event: Filed) -> None:
        self._shedding.note(key[1])
        if changes_members(event):
            self._on_member_shed(event.channel_id)

    def _report_shedding(self, channel_id: ChannelId | None, count: int) -> None:
        self.tell(Overflow(channel_id=channel_id, shed=count, waiting=self._waiting(channel_id)))

    def _now(self, overflow: Overflow) -> Overflow:
        """The report as it is when its turn has come."""
        channel_id = overflow.channel_id
        count, waiting = self._shedding.take(channel_id), self._waiting(channel_id)
        return attrs.evolve(overflow, shed=count, waiting=waiting)

    def _waiting(self, channel_id: ChannelId | None) -> int:
        if channel_id is None:
            return self.lanes.room.events(SERVICE_LANE)
        return self.lanes.room.events(self._lane(channel_id, None))


def _overrides(service: Callbacks, name: str) -> bool:
    """True when the author's class defines this callback itself."""
    from moobius_trio.core.callbacks import Callbacks
    from moobius_trio.core.service import MoobiusService

    method = getattr(type(service), name)
    return method is not getattr(MoobiusService, name, None) and method is not getattr(
        Callbacks, name, None
    )
