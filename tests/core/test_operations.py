"""The operations port: who may ask, what is answered, who serves it."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import httpx
import pytest
import structlog
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from moobius_trio import MessageUp, MoobiusService, container
from moobius_trio.core.environment import Environment
from moobius_trio.core.operations import operations_app
from moobius_trio.core.process import Process, this_process
from moobius_trio.errors import ConfigError, StorageError
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import changed_environment, runtime_of
from moobius_trio.testing.waiting import until


class Echo(MoobiusService):
    """Counts and answers."""

    counts = container(int)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.counts["all"] = self.counts.get("all", 0) + 1
        await self.reply(msg_up, "yes")


class Slow(Echo):
    """Takes its time to start."""

    def __init__(self) -> None:
        super().__init__()
        self.go = trio.Event()

    async def on_start(self) -> None:
        await self.go.wait()


@asynccontextmanager
async def asking(
    process: Process | None = None, host: str = "127.0.0.1:9100"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this process' pages, without a socket."""
    transport = httpx.ASGITransport(app=operations_app(process or this_process()))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
        yield http


@contextmanager
def everything_logged() -> Iterator[list[Any]]:
    """The log lines of the block, also those that are silent while nobody has configured logs."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("debug"))
    try:
        with structlog.testing.capture_logs() as lines:
            yield lines
    finally:
        structlog.reset_defaults()
        if before is not None:
            structlog.configure(**before)


@contextmanager
def with_port(port: int) -> Iterator[None]:
    """Services that the kit starts in the block have this ``ops_port``."""

    def change(environment: Environment) -> Environment:
        assert environment.settings is not None
        settings = attrs.evolve(environment.settings, ops_port=port)
        return attrs.evolve(environment, settings=settings)

    with changed_environment(change):
        yield


async def test_a_service_that_is_well_is_ready(local: Local) -> None:
    """All three pages answer 200 with plain text."""
    await local.start(Echo())
    async with asking() as http:
        for path in ("/healthz", "/readyz", "/metrics"):
            response = await http.get(path)
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/plain")
            assert response.headers["cache-control"] == "no-store"
        assert "version=0.0.4" in response.headers["content-type"]
        names = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"moobius_ready", "moobius_outbox_written", "moobius_store_commits"} <= names
    assert 'moobius_connection{service="echo",state="connected"} 1' in response.text


async def test_what_is_wrong_is_said(local: Local) -> None:
    """Starting, cut off, a broken store, stopping: 503 each, while the process lives (200)."""
    slow = Slow()

    async def ready() -> tuple[int, str]:
        async with asking() as http:
            assert (await http.get("/healthz")).status_code == 200
            response = await http.get("/readyz")
            return response.status_code, response.text

    assert await ready() == (503, "no service runs\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(local.start, slow)
        await trio.testing.wait_all_tasks_blocked()
        assert await ready() == (503, "slow: starting\n")
        slow.go.set()
    assert (await ready())[0] == 200

    local.platform.cut()
    await until(lambda: runtime_of(slow).link.statistics().state == "waiting")
    status, text = await ready()
    assert status == 503
    assert re.fullmatch(r"slow: not connected \(waiting, next attempt in \d+ s\)\n", text)
    async with asking() as http:
        metrics = (await http.get("/metrics")).text
    assert "moobius_ready 0" in metrics
    assert "moobius_connection_next_attempt_seconds" in metrics


async def test_a_store_that_takes_no_changes_is_not_ready(local: Local) -> None:
    """Without the reason, which may name a user's key."""
    service = Echo()
    await local.start(service)
    [store] = runtime_of(service).stores._stores.values()
    store._broken = StorageError("memory", "key alice: is broken")
    async with asking() as http:
        response = await http.get("/readyz")
    store._broken = None
    assert response.status_code == 503
    assert response.text == "echo: 1 of its stores take no changes; the log says why\n"


async def test_no_id_of_a_user_is_shown(local: Local) -> None:
    """Whatever users have done, nothing on the pages names one of them, or their words."""
    band = await local.start(Echo())
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("a secret between us", to=SERVICE)
    async with asking() as http:
        text = "".join([(await http.get(path)).text for path in ("/readyz", "/metrics")])
    assert 'moobius_outbox_written_total{service="echo"}' in text
    for private in (alice.user_id, bob.user_id, "Alice", "secret", "password"):
        assert private not in text


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9100", "localhost", "LOCALHOST:1", "[::1]:9100"]
)
async def test_this_machine_may_ask(host: str) -> None:
    """By any of its names."""
    async with asking(Process()) as http:
        response = await http.get("/healthz", headers={"host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["", "example.org", "127.0.0.1.example.org", "localhost.", "10.0.0.1", "[::1", "a@127.0.0.2"],
)
async def test_a_page_of_another_site_may_not(host: str) -> None:
    """A name that leads here by trickery is refused."""
    async with asking(Process()) as http:
        for path in ("/healthz", "/readyz", "/metrics"):
            response = await http.get(path, headers={"host": host})
            assert response.status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_it_answers_to_get_alone(method: str) -> None:
    """405, with what is allowed."""
    async with asking(Process()) as http:
        response = await http.request(method, "/healthz")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/", "/healthz/", "/metrics/x", "/%2e%2e/etc/passwd", "/readyz;"])
async def test_there_is_nothing_else(path: str) -> None:
    """404."""
    async with asking(Process()) as http:
        assert (await http.get(path)).status_code == 404


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


async def get(port: int, path: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{port}{path}")).status_code


@pytest.mark.local(sockets=True)
async def test_services_of_a_process_share_one_port(local: Local) -> None:
    """It is there with the first, goes on when that one ends, and is gone with the last."""
    port = free_port()
    first, second = Echo(), Echo()
    with with_port(port):
        await local.start(first, name="first")
        await local.start(second, name="second", bands=["other"])
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    assert 'service="first"' in text
    assert 'service="second"' in text
    await local.stop(first)
    with trio.fail_after(20):
        while True:  # the second opens it as soon as the first has let go
            try:
                assert await get(port, "/readyz") == 200
                break
            except httpx.TransportError:
                await trio.sleep(0.01)
    await local.stop(second)
    with pytest.raises(httpx.ConnectError):
        await get(port, "/healthz")


@pytest.mark.local(sockets=True)
async def test_a_port_in_use_is_one_line(local: Local) -> None:
    """It names the setting, the port and a remedy; nothing was begun."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with with_port(port), pytest.raises(ConfigError) as caught:
            await local.start(Echo())
    text = str(caught.value)
    assert "\n" not in text
    assert f"ops_port: port {port} is in use. Stop what uses it, or set another ops_port" in text
    assert this_process().services == ()


@pytest.mark.local(sockets=True)
async def test_any_free_port_is_logged_and_sockets_are_refused(local: Local) -> None:
    """``ops_port: 0``; and a WebSocket gets none."""
    with everything_logged() as lines, with_port(0):
        await local.start(Echo())
    [address] = [line["address"] for line in lines if line["event"] == "operations port"]
    assert await get(int(address.rpartition(":")[2]), "/healthz") == 200
    with pytest.raises(Exception, match="403"):
        async with websocket_connector(address.replace("http", "ws") + "/metrics")():
            pass


async def test_the_figures_are_logged_each_minute(local: Local) -> None:
    """One line at debug, with what is not zero."""
    with everything_logged() as lines:
        await local.start(Echo())
        await local.skip(minutes=3)
    told = [line for line in lines if line["event"] == "statistics"]
    assert len(told) == 3
    assert {line["log_level"] for line in told} == {"debug"}
    assert (told[0]["service"], told[0]["link_state"]) == ("echo", "connected")
