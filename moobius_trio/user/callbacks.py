"""The methods a user may define: names, parameters, and when each is called.

The table that new classes are checked against is made from this class. No state here.
"""

from __future__ import annotations

from moobius_trio.types import (
    Copy,
    Gap,
    GenericUpdate,
    MessageDown,
    Overflow,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("UserCallbacks",)


class UserCallbacks:
    """What the SDK calls. Define those you need; a misspelt one fails when the class is made.

    What comes from one band comes one at a time in the order in which it arrived; bands run side
    by side. A handler that raises, or runs longer than ``handler_seconds``, is reported to
    `on_error` and touches nothing else (docs/architecture.md section 4).
    """

    async def on_start(self) -> None:
        """Called once, logged in and with the configured bands joined; events wait until then."""

    async def on_stop(self) -> None:
        """Called at the end: no more events come, what is sent still leaves. At most 5 s."""

    async def on_msg_down(self, msg_down: MessageDown) -> None:
        """A message came; its ``sender`` says who speaks. One's own come only if a service
        sends them back."""

    async def on_update_user_list(self, update: UpdateUserList) -> None:
        """The characters that this user sees in a band are these now, in this order."""

    async def on_update_channel_info(self, update: UpdateChannelInfo) -> None:
        """Something became known of a band itself."""

    async def on_update_playground(self, update: UpdatePlayground) -> None:
        """The stage (canvas) is this now."""

    async def on_update_features(self, update: UpdateFeatures) -> None:
        """The keys (buttons) are these now."""

    async def on_update_style(self, update: UpdateStyle) -> None:
        """The screen looks like this now."""

    async def on_update_menu(self, update: UpdateMenu) -> None:
        """The menu that messages open is this now."""

    async def on_copy(self, copy: Copy) -> None:
        """The platform's receipt for one of our frames; receipts of calls need no handler."""

    async def on_unknown_payload(self, payload: UnknownPayload | GenericUpdate) -> None:
        """A frame came whose type this version does not know, or an update of such a subtype."""

    async def on_spell(self, spell: object) -> object:
        """A spell was cast; what is returned goes to ``aspell(…, wait=True)``."""

    async def on_overflow(self, overflow: Overflow) -> None:
        """Events were shed because too many waited; each is counted in one report."""

    async def on_gap(self, gap: Gap) -> None:
        """The connection was away; what came meanwhile is lost. Once for each joined band;
        ``joined`` and ``left`` are empty, since nobody tells a user. Default: `refresh`."""

    async def on_error(self, event: object, exc: BaseException) -> None:
        """A handler, job, spell or task failed, or a character list could not be looked up.

        It is in the log already.

        Args:
            event: the event, job or spell; None for a task. For a list that could not be looked
                up the `UpdateCharacterGroup`.
            exc: what was raised; `HandlerTimedOut` for one that ran too long.
        """
