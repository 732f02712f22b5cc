"""`ordering` of service.json reaches the outbox: one frame of a band at a time (F18)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio

from moobius_trio import MoobiusService
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import place
from moobius_trio.testing.scripted_platform import ScriptedPlatform
from moobius_trio.types import ChannelId, MessageDown, UserId


@attrs.define(eq=False, kw_only=True)
class Late(ScriptedPlatform):
    """Answers messages a second late, side by side."""

    nursery: trio.Nursery

    async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
        async def later() -> None:
            await trio.sleep(1)
            await super(Late, self)._acknowledge(stream, frame, accepted)

        if isinstance(frame.command, MessageDown):
            self.nursery.start_soon(later)
        else:
            await super()._acknowledge(stream, frame, accepted)


@pytest.mark.parametrize(("options", "seconds"), [({}, 1), ({"ordering": "strict"}, 5)])
async def test_strict_order_waits_for_each_answer(
    local: Local, options: dict[str, Any], seconds: int
) -> None:
    """Five messages take five round trips then, and one otherwise."""
    service: MoobiusService = MoobiusService()
    place(local, service, **options)
    async with trio.open_nursery() as nursery:
        platform = Late(nursery=nursery)
        service._environment = attrs.evolve(
            service._environment, connect=memory_connector(nursery, platform.serve)
        )
        handle = await nursery.start(service.serve)
        await trio.sleep(10)
        began = trio.current_time()
        for number in range(5):
            receipt = await service.create_message(
                ChannelId("local-demo"), f"{number}", UserId("alice")
            )
        await receipt.outcome()
        assert round(trio.current_time() - began) == seconds
        assert [one.text for one in platform.taken] == ["0", "1", "2", "3", "4"]
        await handle.stop()
        nursery.cancel_scope.cancel()
