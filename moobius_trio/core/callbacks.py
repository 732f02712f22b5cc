"""The methods a service may define: names, parameters, and when each is called.

The table that new classes are checked against is made from this class; the defaults that send
something stand in service.py. No state here.
"""

from __future__ import annotations

from moobius_trio.types import (
    Action,
    ChannelId,
    Copy,
    FeatureCall,
    Gap,
    MenuItemClick,
    MessageUp,
    Overflow,
    UnknownPayload,
)

__all__ = ("Callbacks",)


class Callbacks:
    """What the SDK calls. Define those you need; a misspelt one fails when the class is made.

    Events of one band come one at a time in the order in which they arrived. A handler that
    raises, or runs longer than ``handler_seconds``, is reported to `on_error` and touches nothing
    else (docs/architecture.md section 4).
    """

    async def on_channel_init(self, channel_id: ChannelId) -> None:
        """Called once for each band before `on_start`, up to 16 bands side by side."""

    async def on_start(self) -> None:
        """Called once, when every band is ready; events wait until it has returned."""

    async def on_stop(self) -> None:
        """Called at the end: no more events come, what is sent still leaves. At most 5 s."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """A user sent a message."""

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        """A user pressed a key."""

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        """A user chose an entry of a message's menu, which `send_update_menu` sets."""

    async def on_fetch_features(self, action: Action) -> None:
        """A user's client needs the keys. Read and send here, await nothing else."""

    async def on_fetch_playground(self, action: Action) -> None:
        """A user's client needs the stage. Read and send here, await nothing else."""

    async def on_fetch_channel_info(self, action: Action) -> None:
        """A user's client asks about the band. Read and send here, await nothing else."""

    async def on_copy(self, copy: Copy) -> None:
        """The platform's receipt for one of our frames; receipts of `send_…` need no handler."""

    async def on_unknown_payload(self, payload: UnknownPayload) -> None:
        """A frame came whose type this version does not know."""

    async def on_spell(self, spell: object) -> object:
        """A spell was cast; what is returned goes to ``aspell(…, wait=True)``."""

    async def on_gap(self, gap: Gap) -> None:
        """The connection was away; what users did meanwhile was not delivered."""

    async def on_overflow(self, overflow: Overflow) -> None:
        """Events were shed because too many waited; each is counted in one report."""

    async def on_error(self, event: object, exc: BaseException) -> None:
        """A handler, job, spell or task failed; it is in the log already.

        Args:
            event: the event, job or spell; None for a task.
            exc: what was raised; `HandlerTimedOut` for one that ran too long.
        """
