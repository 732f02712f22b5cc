"""What people's clients ask for by an action: to come, to go, or to see a part of the screen.

Only which is which; what is done about it is the dispatcher's.
"""

from __future__ import annotations

from typing import TypeGuard

from moobius_trio.types import Action

__all__ = ("JOIN", "LEAVE", "PARTS", "REFRESH", "changes_members", "is_view_request")

JOIN = "join_channel"
LEAVE = "leave_channel"
REFRESH = "refresh"

PARTS = ("fetch_user_list", "fetch_features", "fetch_playground")
"""What a refresh asks for, in this order (docs/protocol/generation-1.md section 7)."""


def is_view_request(event: object) -> bool:
    """Whether a user's client asks for what is on its screen."""
    return isinstance(event, Action) and (
        event.subtype.startswith("fetch_") or event.subtype == REFRESH
    )


def changes_members(event: object) -> TypeGuard[Action]:
    """Whether somebody comes or goes."""
    return isinstance(event, Action) and event.subtype in (JOIN, LEAVE)
