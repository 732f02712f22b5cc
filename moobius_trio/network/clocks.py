"""Two clocks that no longer agree: the machine slept, or somebody set its time.

Nothing here knows what that means for a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import trio

__all__ = ("LOOK_SECONDS", "watch_clocks")

LOOK_SECONDS: Final = 4.0
"""Between two looks: a machine that wakes finds out within ten seconds whether its connection
still lives, five of which the platform has to answer."""
JUMP_SECONDS: Final = 60.0
REST_SECONDS: Final = 60.0
"""After a jump, so that a clock that is set all the time does no harm."""


async def watch_clocks(
    wall_clock_ms: Callable[[], int], on_jump: Callable[[float], None], *, every: float
) -> NoReturn:
    """Tell of each jump of the wall clock against trio's, which stands still in a suspend.

    ``on_jump`` gets the seconds, negative for a step back; ``every`` infinite looks never.
    """
    wall, own = wall_clock_ms(), trio.current_time()
    while True:
        await trio.sleep(every)
        jump = (wall_clock_ms() - wall) / 1000 - (trio.current_time() - own)
        if abs(jump) > JUMP_SECONDS:
            on_jump(jump)
            await trio.sleep(REST_SECONDS)
        wall, own = wall_clock_ms(), trio.current_time()
