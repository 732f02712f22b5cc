"""What became of something sent: the receipt that every ``send_…`` returns.

No queue and no socket here; the outbox writes into receipts, everybody else only reads them.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs
import trio

from moobius_trio.network.reports import Hold
from moobius_trio.types import RequestId

__all__ = ("CONFIRMED", "EndState", "Outcome", "Receipt")

EndState: TypeAlias = Literal[
    "confirmed", "refused", "unconfirmed", "dropped", "superseded", "expired"
]
"""How a frame can end (docs/architecture.md section 4).

``confirmed``: the platform took it. ``refused``: it said no, twice, or
closed the connection because of its size. ``unconfirmed``: it was
written and no answer told its fate. ``dropped``: it never left, and never will. ``superseded``:
a newer state of the same thing left instead. ``expired``: it became too old to leave.
"""


@attrs.frozen
class Outcome:
    """The end of a frame."""

    state: EndState
    reason: str = ""
    error: Exception | None = None
    """What it was dropped for, if that was an error."""


CONFIRMED: Final = Outcome("confirmed")

_GRAVITY: Final[dict[EndState, int]] = {
    "confirmed": 0,
    "superseded": 1,
    "unconfirmed": 2,
    "expired": 3,
    "dropped": 4,
    "refused": 5,
}
"""Of several frames under one receipt the worst end counts."""


class Receipt:
    """What became of something sent. Nobody has to look at it.

    Attributes:
        request_id: the id on the wire; of a message split over several frames that of the first.
    """

    __slots__ = (
        "_ended",
        "_frames",
        "_outcome",
        "_transaction",
        "_unwritten",
        "_worst",
        "request_id",
    )

    def __init__(
        self, request_id: RequestId, frames: int = 1, transaction: Hold | None = None
    ) -> None:
        self.request_id = request_id
        self._transaction = transaction
        self._frames = frames
        self._unwritten = frames
        self._worst: Outcome | None = None
        self._outcome: Outcome | None = None
        self._ended: trio.Event | None = None

    @property
    def state(self) -> Literal["queued", "written"] | EndState:
        """``queued``, then ``written``, then the state of the outcome."""
        if self._outcome is not None:
            return self._outcome.state
        return "queued" if self._unwritten else "written"

    async def outcome(self) -> Outcome:
        """Wait for the end. It always comes: at the latest when the service stops.

        Cancelling the wait changes nothing for what was sent.

        Raises:
            RuntimeError: the transaction that holds it back is still open; waiting for it
                inside that transaction would never end.
        """
        if self._transaction is not None and not self._transaction.done:
            raise RuntimeError(
                "this frame leaves when its transaction is committed: await outcome() behind "
                "the `async with …transaction()` block"
            )
        while self._outcome is None:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        await trio.lowlevel.checkpoint()
        return self._outcome

    def note_written(self) -> None:
        """For the outbox: one of its frames was written."""
        self._unwritten -= 1

    def note_queued(self) -> None:
        """For the outbox: one of its frames waits again."""
        self._unwritten += 1

    def end(self, outcome: Outcome) -> None:
        """For the outbox: one of its frames has ended."""
        self._frames -= 1
        if self._worst is None or _GRAVITY[outcome.state] > _GRAVITY[self._worst.state]:
            self._worst = outcome
        if self._frames <= 0:
            self._outcome = self._worst
            if self._ended is not None:
                self._ended.set()

    def __repr__(self) -> str:
        return f"<Receipt {self.request_id} {self.state}>"
