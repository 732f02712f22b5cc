"""Whether this platform's copies name our ids: found out at run time, once per process.

No I/O and no clock; the session tells what it saw. Rules: docs/architecture.md section 5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from moobius_trio.types import RequestId

__all__ = ("Acknowledgement", "Mode")

Mode: TypeAlias = Literal["undecided", "proven", "foreign", "absent"]
"""``proven``: copies carry our ids. ``foreign``: they carry others. ``absent``: none come."""

FOREIGN_IN_A_ROW: Final = 3


class Acknowledgement:
    """What is known of the platform's answers.

    Attributes:
        mode: how copies name frames.
        login_answered: True once a login was answered: then an unanswered one is a fault.
        heartbeat_answered: True once a heartbeat or ping was answered: then silence is death.
        foreign_copies: copies with ids that nothing of ours has, or not any more.
    """

    def __init__(self, on_change: Callable[[Mode], None]) -> None:
        self.mode: Mode = "undecided"
        self.login_answered = False
        self.heartbeat_answered = False
        self.foreign_copies = 0
        self._on_change = on_change
        self._foreign_in_a_row = 0
        self._recent: deque[RequestId] = deque(maxlen=16)

    def note_sent(self, request_id: RequestId) -> None:
        """A login or heartbeat left; its answer may come late, even on a later connection."""
        self._recent.append(request_id)

    def is_ours(self, request_id: RequestId) -> bool:
        """Whether the id is that of a recent login or heartbeat."""
        return request_id in self._recent

    def note_own(self) -> None:
        """A copy named a frame of ours."""
        self._foreign_in_a_row = 0
        if self.mode != "proven":
            self._change("proven")

    def note_foreign(self) -> None:
        """A copy named something that is not ours."""
        self.foreign_copies += 1
        self._foreign_in_a_row += 1
        if self.mode == "absent" or (
            self.mode == "undecided" and self._foreign_in_a_row >= FOREIGN_IN_A_ROW
        ):
            self._change("foreign")

    def decide(self) -> None:
        """Login and first heartbeat had their time: what is not proven by now will not be."""
        if self.mode == "undecided":
            self._change("foreign" if self.foreign_copies else "absent")

    def _change(self, mode: Mode) -> None:
        self.mode = mode
        self._on_change(mode)
