"""Containers with ``load: false``: there before the first handler of their band, and not sooner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moobius_trio import MessageUp, MoobiusService, NotLoaded
from moobius_trio.testing import Local


class Counting(MoobiusService):
    """Counts what it hears, in a container that db.json loads late."""

    early: list[str]

    async def on_start(self) -> None:
        self.early = []
        for band in self.bands.values():
            with pytest.raises(NotLoaded):
                len(band.counts)
            self.early.append(band.channel_id)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band = self.bands[msg_up.channel_id]
        band.counts[msg_up.sender] = band.counts.get(msg_up.sender, 0) + 1
        await self.reply(msg_up, str(band.counts[msg_up.sender]))


async def test_a_late_container_is_loaded_in_the_lane_before_the_first_handler(
    local: Local, tmp_path: Path
) -> None:
    """Touched at the start it raises NotLoaded; in a handler it has what an earlier run stored."""
    config = tmp_path / "db.json"
    config.write_text(
        json.dumps([{"implementation": "sqlite", "name": "counts", "load": False}]),
        encoding="utf-8",
    )
    first = Counting(db_config_path=config)
    band = await local.start(first, state=tmp_path)
    (alice,) = await band.join("Alice")
    await alice.say("one")
    await local.handle(first).stop()
    second = Counting(db_config_path=config)
    await local.start(second, state=tmp_path)
    await alice.say("two")
    assert alice.texts == ["1", "2"]
    assert second.early == [band.channel_id]
