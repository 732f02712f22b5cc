"""Containers with ``load: false``: there before the first handler of their band, and not sooner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moobius_trio import Action, Band, MessageUp, MoobiusService, NotLoaded, every
from moobius_trio.testing import SERVICE, Local


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


class Asked(MoobiusService):
    """What each kind of code that may be a band's first finds in a container loaded late."""

    def __init__(self, config: Path) -> None:
        super().__init__(db_config_path=config)
        self.found: list[dict[str, object]] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.bands[msg_up.channel_id].counts[msg_up.sender] = 1

    async def on_fetch_user_list(self, action: Action) -> None:
        self.found.append(dict(self.bands[action.channel_id].counts))

    async def on_join_channel(self, action: Action) -> None:
        self.found.append(dict(self.bands[action.channel_id].counts))

    @every(minutes=1)
    async def job(self, band: Band) -> None:
        self.found.append(dict(band.counts))

    async def on_spell(self, spell: object) -> None:
        await self.in_lane(next(iter(self.bands)), self.look)

    async def look(self) -> None:
        self.found.append(dict(next(iter(self.bands.values())).counts))


@pytest.mark.parametrize("first", ["view", "join", "job", "in_lane"])
async def test_whatever_comes_first_finds_it_loaded(
    local: Local, tmp_path: Path, first: str
) -> None:
    """A handler of the view lane, a join, a job of the band, or `in_lane`."""
    config = tmp_path / "db.json"
    config.write_text(
        json.dumps([{"implementation": "sqlite", "name": "counts", "load": False}]),
        encoding="utf-8",
    )
    writer = Asked(config)
    band = await local.start(writer, state=tmp_path)
    (alice,) = await band.join("Alice")
    await alice.say("one", to=SERVICE)
    await local.handle(writer).stop()
    service = Asked(config)
    await local.start(service, state=tmp_path)
    service.found.clear()
    assert not service.bands[band.channel_id]._storage.loaded
    match first:
        case "view":
            await alice.fetch()
        case "join":
            await band.join("Bob")
        case "job":
            await local.skip(minutes=1)
        case _:
            await local.aspell("look")
    assert service.found[0] == {alice.user_id: 1}
