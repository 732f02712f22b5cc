"""The handle of a running user; what it shares with a service's stands in `core.handle`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moobius_trio.core.handle import Handle
from moobius_trio.types import UserId

if TYPE_CHECKING:
    from moobius_trio.user.runtime import UserRuntime

__all__ = ("UserHandle",)


class UserHandle(Handle):
    """What ``nursery.start(user.serve)`` and ``wand.run(user)`` give.

    Attributes:
        name: what the user is called on this machine.
        channels: the bands it had joined when it was ready.
    """

    _runtime: UserRuntime

    @property
    def user_id(self) -> UserId:
        """The user's id on the platform."""
        return self._runtime.user_id
