"""``dev`` with several bands: the service holds all there are on its platform."""

from __future__ import annotations

from pathlib import Path

import httpx

from moobius_trio.testing.developing import open_dev
from moobius_trio.testing.people import BAND, open_user
from moobius_trio.types import ChannelId

SERVICE = """
from moobius_trio import MessageUp, MoobiusService


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, f"one of {len(self.bands)}")
"""


async def bands_of(url: str) -> dict[str, ChannelId]:
    """The ids of all bands by their names."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        rows = (await client.get("/local/bands")).json()["data"]
    return {row["name"]: ChannelId(row["channel_id"]) for row in rows}


async def test_bands_of_the_command_line_and_of_earlier_runs_have_the_service(
    tmp_path: Path,
) -> None:
    """A band that an option has made is there in the next run too, and answered in both."""
    options = ("service.py", "--band", "second")
    async with open_dev(tmp_path, *options, files={"service.py": SERVICE}) as dev:
        await dev.line("Service", "echo in bands local-demo, second")
        bands = await bands_of(dev.url)
        async with open_user(dev.url, "alice", bands["second"]) as alice:
            await alice.say("hello")
            await alice.hears("one of 2")
        assert await dev.stop() == 0
    async with open_dev(tmp_path, files={}) as dev:
        assert dev.ready["services"][0]["channels"] == [BAND, bands["second"]]
        assert await dev.stop() == 0


async def test_a_band_that_is_made_on_the_page_gets_the_service(tmp_path: Path) -> None:
    """The service starts anew for it; asking for a band that is there changes nothing."""
    async with open_dev(tmp_path, files={"service.py": SERVICE}) as dev:
        async with httpx.AsyncClient(base_url=dev.url, trust_env=False) as client:
            await client.post("/local/bands", json={"name": "local-demo"})
            reply = await client.post("/local/bands", json={"name": "third"})
        assert "new band third -> restarted in " in await dev.restarted()
        channel_id = ChannelId(reply.json()["data"]["channel_id"])
        async with open_user(dev.url, "alice", channel_id) as alice:
            await alice.say("hello")
            await alice.hears("one of 2")
        assert await dev.stop() == 0
