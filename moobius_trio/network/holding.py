"""What keeps a queued frame back: records that are not stored yet, and open transactions.

State before speech (docs/architecture.md section 4): nobody is told of a change that a crash
can take back. Nothing here queues or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from moobius_trio.network.items import Item
from moobius_trio.network.receipts import Outcome
from moobius_trio.network.reports import Hold

__all__ = ("Holding",)

log = structlog.get_logger()


class Holding:
    """Counts down what each frame waits for."""

    def __init__(
        self, *, over: Callable[[Item], None], drop: Callable[[Item, Outcome], None]
    ) -> None:
        """``over``: one of an item's waits is over. ``drop``: it is never to leave."""
        self._over = over
        self._drop = drop

    def keep_back(self, items: Sequence[Item], holds: Sequence[Hold]) -> bool:
        """Count what the items wait for; False if that has failed already, and they are dropped.

        Called before they are queued.
        """
        for hold in holds:
            if hold.done and hold.error is not None:
                for item in items:
                    self._drop(item, Outcome("dropped", str(hold.error), hold.error))
                return False
        pending = [hold for hold in holds if not hold.done]
        for item in items:
            item.waits = len(pending)
            for hold in pending:
                hold.on_done(partial(self._decided, hold, item))
        return True

    def _decided(self, hold: Hold, item: Item) -> None:
        if item.ended:
            return
        if hold.error is None:
            self._over(item)
            return
        failure = Outcome("dropped", str(hold.error), hold.error)
        log.error("a frame is dropped", band=item.channel_id, reason=failure.reason)
        self._drop(item, failure)
