"""When a call is made again, and after which pause. Nothing here knows what a request is.

The clock is trio's and the source of randomness a parameter, so that tests need neither time nor
luck.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import structlog
import trio

from moobius_trio.network.http.calls import NoReply, Patience, Reply

__all__ = ("full_jitter", "read_retry_after", "with_retries")

ATTEMPTS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
LONGEST_ASKED_PAUSE = 60.0
"""A platform that asks for more gets no further attempt: the caller had better know."""

log = structlog.get_logger()


def full_jitter(random: random.Random, failures: int, *, first: float, longest: float) -> float:
    """A pause in seconds after ``failures`` failures in a row: 0 to ``first``, doubled each time.

    Jitter over the full width keeps many clients, cut off at one moment, from coming back at one.
    """
    return random.uniform(0, min(longest, first * 2.0 ** min(failures - 1, 32)))


def read_retry_after(value: str | None, date: str | None) -> float | None:
    """The seconds that a ``Retry-After`` header asks for; None when it says nothing usable.

    Its second form, a point in time, is measured against the ``Date`` of the same reply, so that
    our own wall clock does not matter.
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(date or "")
    except (ValueError, TypeError):  # no dates, or only one of them with a time zone
        return None
    return max(0.0, wait.total_seconds())


async def with_retries(
    attempt: Callable[[float], Awaitable[Reply]],
    *,
    path: str,
    idempotent: bool,
    patience: Patience,
    random: random.Random,
) -> Reply:
    """Make a call, up to four times, with full-jitter pauses or those the platform asks for.

    ``attempt(seconds)`` makes it once. A call that is not idempotent is made again only if nothing
    of it was written, since it could otherwise be done twice. Cancellation ends it at once.

    Returns:
        The first reply that is not ``busy``, else the last one.

    Raises:
        NoReply: the last attempt got none.
    """
    end = trio.current_time() + patience.together
    number = 0
    while True:
        number += 1
        outcome: Reply | NoReply
        try:
            outcome = await attempt(min(patience.attempt, end - trio.current_time()))
        except NoReply as failure:
            outcome = failure.after(number)
        pause = full_jitter(random, number, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        if isinstance(outcome, NoReply):
            again, reason = idempotent or not outcome.sent, outcome.reason
        else:
            again, reason = idempotent and outcome.busy, f"HTTP {outcome.status}"
            if outcome.retry_after is not None:
                pause = outcome.retry_after
                end += pause
                again = again and pause <= LONGEST_ASKED_PAUSE
        if not again or number == ATTEMPTS or trio.current_time() + pause >= end:
            break
        log.info("http call failed and is made again", path=path, reason=reason, pause=pause)
        await trio.sleep(pause)
    if isinstance(outcome, NoReply):
        raise outcome
    return outcome
