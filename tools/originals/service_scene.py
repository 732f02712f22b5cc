"""The original as a service and the people of ours in its band: what all its steps stand on."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
from original import Original
from people import Person
from report import Report, Step

from moobius_trio.local import DEFAULT_BAND
from moobius_trio.network.tls import trusting
from moobius_trio.types import ChannelId, MessageDown, UserId

__all__ = ("BAND", "SCENE", "Scene")

SCENE: Final = "moobius 1.8.0 as a service, people of ours on both generations"
BAND: Final = ChannelId(DEFAULT_BAND)


@attrs.frozen
class Scene:
    """Who is there."""

    report: Report
    original: Original
    alice: Person
    bob: Person
    folder: Path
    url: str
    ca_file: Path

    @property
    def everybody(self) -> list[UserId]:
        return [self.alice.user_id, self.bob.user_id]

    async def cut(self) -> None:
        """Have the platform end the connection of its services, as hosts do now and then."""
        async with httpx.AsyncClient(verify=trusting(self.ca_file), trust_env=False) as http:
            reply = await http.post(f"{self.url}/local/control", json={"do": "drop_socket"})
        assert reply.status_code == 200, reply.text

    def step(self, did: str) -> AbstractAsyncContextManager[Step]:
        return self.report.step(SCENE, did, self.original.logged)

    async def both_hear(self, fits: Any) -> MessageDown:
        """Both people are sent such a message; gives the one that the first was sent."""
        heard = await self.alice.seen.first(MessageDown, fits)
        await self.bob.seen.first(MessageDown, fits)
        return heard
