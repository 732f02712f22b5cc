"""A band whose Redis server is frozen, and another band of the same service on another engine."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from moobius_trio import ChannelId, Content, MessageUp, MoobiusService, Receipt, UserId
from moobius_trio.config import load_database_settings
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import changed_environment, deliver, runtime_of
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.testing.waiting import until

ALICE = UserId("alice")


class Counter(MoobiusService):
    """Counts in the container that the message names, and tells the number."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: list[Receipt] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band, name = self.bands[msg_up.channel_id], msg_up.text or ""
        counts = band.far if name == "far" else band.near
        counts[ALICE] = counts.get(ALICE, 0) + 1
        text = f"{name}: {counts[ALICE]}"
        self.receipts.append(await band.create_message(text, band.members))


def say(channel_id: ChannelId, text: str) -> MessageUp:
    return MessageUp(channel_id=channel_id, sender=ALICE, content=Content(text=text))


@pytest.mark.local(sockets=True)
async def test_a_frozen_server_holds_back_its_own_band_alone(local: Local, tmp_path: Path) -> None:
    """The other band is answered meanwhile; the first one's frame comes when the server runs on."""
    with open_redis_server(password="canary", appendonly=True) as server:
        (tmp_path / "db.json").write_text(
            json.dumps(
                [
                    {"name": "far", "implementation": "redis", "settings": dict(server.settings)},
                    {"name": "near", "implementation": "sqlite"},
                ]
            )
        )
        (tmp_path / "db.json").chmod(0o600)
        containers = load_database_settings(tmp_path / "db.json")
        service = Counter()
        with changed_environment(
            lambda found: attrs.evolve(found, containers=containers, state=tmp_path)
        ):
            await local.start(service, bands=["red", "blue"])
        red, blue = service.bands
        [alice] = await local.band(red).join("Alice")
        [bob] = await local.band(blue).join("Bob")
        server.freeze()
        deliver(service, say(red, "far"))
        await until(lambda: len(service.receipts) == 1)
        deliver(service, say(blue, "near"))
        await until(lambda: bob.texts == ["near: 1"])
        deliver(service, say(blue, "near"))
        await until(lambda: bob.texts == ["near: 1", "near: 2"])
        waiting = {one.where: one.waiting for one in runtime_of(service).stores.statistics()}
        assert waiting[f"redis://127.0.0.1:{server.port}/0"] == 1
        assert alice.texts == []
        assert service.receipts[0].state == "queued"
        server.thaw()
        await until(lambda: alice.texts == ["far: 1"])
        assert await service.receipts[0].outcome()
