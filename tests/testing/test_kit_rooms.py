"""A room whose people are in a browser: it runs beside a test that is not asynchronous."""

from __future__ import annotations

import httpx
import pytest

from moobius_trio import MoobiusService
from moobius_trio.testing import Local, LocalBand
from moobius_trio.testing.rooms import open_room


class Quiet(MoobiusService):
    """Says nothing."""


class Broken(MoobiusService):
    """Cannot start."""

    async def on_start(self) -> None:
        raise LookupError("the piano is gone")


def test_a_room_serves_the_page_for_the_block() -> None:
    """What is prepared has happened by then; afterwards nobody listens."""
    prepared: list[str] = []

    async def prepare(local: Local, band: LocalBand) -> None:
        (alice,) = await band.join("Alice")
        prepared.extend(alice.names)

    with (
        open_room(Quiet(), bands=["attic"], prepare=prepare) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert prepared == ["Alice"]
        assert "<!doctype html>" in http.get("/").text
        names = [band["name"] for band in http.get("/local/bands").json()["data"]]
        assert names == ["local-demo", "attic"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_a_service_that_cannot_start_is_raised_where_the_room_was_opened() -> None:
    """The block is not entered."""
    with pytest.raises(LookupError, match="piano"), open_room(Broken()):
        pytest.fail("the room is open")
