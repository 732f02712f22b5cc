"""A handler that blocks the whole program is named in the log."""

from __future__ import annotations

import structlog
import trio

from moobius_trio.cli.blocking import BLOCKING_SECONDS, Blocking
from moobius_trio.core.units import Unit, unit_of_work


async def test_what_blocks_in_a_handler_is_named() -> None:
    """Long steps of a handler count, also its only one; short ones and steps of others do not."""
    now = 0.0
    instrument = Blocking(lambda: now)
    trio.lowlevel.add_instrument(instrument)
    try:
        with structlog.testing.capture_logs() as logs:
            await trio.lowlevel.checkpoint()
            now += 10 * BLOCKING_SECONDS  # no handler's
            await trio.lowlevel.checkpoint()
            async with unit_of_work(Unit(handler="Demo.on_msg_up")):
                await trio.lowlevel.checkpoint()
                now += BLOCKING_SECONDS / 2
                await trio.lowlevel.checkpoint()
                assert logs == []
                now += BLOCKING_SECONDS
                await trio.lowlevel.checkpoint()
            async with unit_of_work(Unit(handler="Demo.on_spell")):
                now += BLOCKING_SECONDS
            await trio.lowlevel.checkpoint()
    finally:
        trio.lowlevel.remove_instrument(instrument)
    assert [line["handler"] for line in logs] == ["Demo.on_msg_up", "Demo.on_spell"]
    assert {line["log_level"] for line in logs} == {"warning"}
    assert all("run_sync" in line["remedy"] for line in logs)
