"""What the page can do with a service that ``dev`` runs: look into it, its jobs, start it anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from moobius_trio.network.websocket import FrameStream, websocket_connector
from moobius_trio.testing.developing import Dev, open_dev
from moobius_trio.testing.people import open_user

SERVICE = """

from moobius_trio import MoobiusService, every


class Clock(MoobiusService):
    @every(hours=1)
    async def tick(self, band) -> None:
        await band.create_message(f"tick {self.now():%Y-%m-%d %H}", band.members)

    async def on_msg_up(self, msg_up) -> None:
        await self.reply(msg_up, f"{self.now().isoformat()}")
"""


async def control(dev: Dev, **order: object) -> dict[str, Any]:
    """What the platform answers; without an order what it offers."""
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60) as client:
        if order:
            reply = await client.post("/local/control", json=order)
        else:
            reply = await client.get("/local/control")
    found: dict[str, Any] = reply.json()
    return found | {"status": reply.status_code}


def socket(dev: Dev, name: str) -> Callable[[], Any]:
    """A socket of a page."""
    return websocket_connector(dev.url.replace("http", "ws") + f"/local/{name}")


async def until(stream: FrameStream, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read until something comes that fits."""
    while True:
        told: dict[str, Any] = json.loads(await stream.receive_text())
        if fits(told):
            return told


async def test_jobs_are_listed_run_and_brought_forward(tmp_path: Path) -> None:
    """The clock stays ahead when the service is started anew; a job that is not there is named."""
    async with open_dev(tmp_path, files={"service.py": SERVICE}) as dev:
        [job] = (await control(dev))["data"]["jobs"]
        assert (job["name"], job["runs"], job["running"]) == ("tick", 0, False)
        async with open_user(dev.url, "alice") as alice:
            assert (await control(dev, do="run_job", name="tick"))["status"] == 200
            await alice.until(lambda event: "tick 20" in str(event))
            refused = await control(dev, do="run_job", name="tock")
            assert refused["status"] == 400
            assert "no such job; there are: tick" in json.dumps(refused)
            assert (await control(dev, do="advance", seconds=7200))["status"] == 200
            await alice.until(lambda event: "tick 20" in str(event))
            told = (await control(dev))["data"]
            assert told["offset_seconds"] == 7200
            assert told["jobs"][0]["runs"] == 2
            assert (await control(dev, do="restart"))["status"] == 200
            await dev.line("restart asked for -> restarted in")
            told = (await control(dev))["data"]
            assert told["offset_seconds"] == 7200
            assert told["jobs"][0]["runs"] == 0
            assert (await control(dev, do="advance", seconds=-1))["status"] == 400


async def test_the_inspector_is_told_what_the_service_did(tmp_path: Path) -> None:
    """Of a message up its handler and time, of the answer what caused it."""
    async with (
        open_dev(tmp_path, files={"service.py": SERVICE}) as dev,
        socket(dev, "inspect")() as inspect,
        open_user(dev.url, "alice") as alice,
    ):
        await alice.say("what time is it?")
        up = await until(inspect, lambda told: told.get("type") == "msg_up")
        handled = await until(
            inspect, lambda told: told["kind"] == "handled" and told["n"] == up["n"]
        )
        assert handled["handler"] == "Clock.on_msg_up"
        assert handled["milliseconds"] >= 0
        await alice.until(lambda event: "T" in str(event))
        async with socket(dev, "inspect")() as later:
            kept = (await until(later, lambda told: told["kind"] == "hello"))["kept"]
            while not (down := [each for each in kept if each.get("cause") == up["n"]]):
                await until(inspect, lambda told: told["kind"] == "handled")
                async with socket(dev, "inspect")() as again:
                    kept = (await until(again, lambda told: told["kind"] == "hello"))["kept"]
        assert [each["type"] for each in down] == ["msg_down"]
        assert down[0]["handler"] == "Clock.on_msg_up"


async def test_a_problem_is_on_the_page_until_it_is_mended(tmp_path: Path) -> None:
    """With file and line, beside a service that runs."""
    async with (
        open_dev(tmp_path, files={"service.py": SERVICE}) as dev,
        socket(dev, "watch")() as page,
    ):
        dev.save("service.py", SERVICE + "\nx = (\n")
        told = await until(page, lambda told: told["service"]["problem"] is not None)
        assert told["service"]["state"] == "running"
        assert told["service"]["problem"]["line"] == len((SERVICE + "\nx = (").splitlines())
        assert told["service"]["problem"]["file"] == "service.py"
        assert told["service"]["problem"]["summary"].startswith("SyntaxError: ")
        dev.save("service.py", SERVICE + "\n")
        told = await until(
            page,
            lambda told: (
                told["service"]["problem"] is None and told["service"]["state"] == "running"
            ),
        )
        assert told["service"]["restarts"] == 1
        assert told["service"]["restart_seconds"] > 0


async def test_a_service_that_stands_still_can_be_asked_and_started_anew(tmp_path: Path) -> None:
    """Its jobs are unknown then; the handler is given up soon, and the platform goes on."""
    stuck = SERVICE.replace('await self.reply(msg_up, f"{self.now().isoformat()}")', STUCK)
    async with open_dev(tmp_path, files={"service.py": stuck}) as dev:
        async with open_user(dev.url, "alice") as alice:
            await alice.say("stand still")
            await dev.line("stands still now")
        assert (await control(dev))["data"]["jobs"] == []
        dev.save("service.py", SERVICE)
        await dev.restarted()
        assert len((await control(dev))["data"]["jobs"]) == 1
        assert await dev.stop() == 0


STUCK = """
        import sys, time
        print("stands still now", file=sys.stderr, flush=True)
        while True:
            time.sleep(1)
"""
