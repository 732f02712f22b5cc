"""The same server with a certificate: https and wss, and the whole platform and a service on it."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio import MessageUp, MoobiusService, serving
from moobius_trio.cli.doctor.report import examine
from moobius_trio.config import Settings
from moobius_trio.core.serving import _get_ready
from moobius_trio.errors import ConnectionLost, Unreachable
from moobius_trio.local import DEFAULT_BAND, open_platform
from moobius_trio.local.certificates import open_certificates
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.tls import trusting, trusting_alone
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.people import open_user
from moobius_trio.types import Secret

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@attrs.frozen
class Served:
    """A platform with a certificate."""

    url: str
    port: int
    ca_file: Path
    trust: ssl.SSLContext

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, verify=self.trust, trust_env=False)


@asynccontextmanager
async def open_served(folder: Path) -> AsyncIterator[Served]:
    made = open_certificates(folder, datetime.now(UTC))
    async with (
        open_platform(
            state=None, run_sync=run_inline, wall_clock=time.time, random=random.Random(1)
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        url = await nursery.start(partial(serve_app, platform.app, tls=made.context))
        port = int(url.rpartition(":")[2])
        yield Served(url, port, made.ca_file, trusting(made.ca_file))
        nursery.cancel_scope.cancel()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with open_served(tmp_path) as served:
        yield served


async def test_the_address_says_https_and_answers(served: Served) -> None:
    """By number and by name; the page may speak to its own platform by wss."""
    assert served.url == f"https://127.0.0.1:{served.port}"
    async with served.http() as http:
        for host in ("127.0.0.1", "localhost"):
            reply = await http.get(f"https://{host}:{served.port}/")
            assert reply.status_code == 200
            policy = reply.headers["Content-Security-Policy"]
            assert f"wss://{host}:{served.port}" in policy
            assert "ws:" not in policy


async def test_the_origin_of_a_browser_is_https(served: Served) -> None:
    """A page that came in clear is another origin, and so is one of another port."""
    async with served.http() as http:
        for origin, status in (
            (served.url, 200),
            (served.url.replace("https", "http"), 403),
            ("https://127.0.0.1", 403),
            ("https://evil.example", 403),
        ):
            reply = await http.get("/local/bands", headers={"Origin": origin})
            assert (origin, reply.status_code) == (origin, status)
        for host in ("127.0.0.1", "127.0.0.1:80", "evil.example"):
            reply = await http.get("/local/bands", headers={"Host": host})
            assert (host, reply.status_code) == (host, 403)


async def test_a_file_is_posted_and_fetched_by_https(served: Served) -> None:
    """The place that the platform gives is its own address, as the client knows it."""
    async with served.http() as http:
        account = {"username": "a@example.org", "password": "secret"}
        tokens = (await http.post("/auth/sign_in", json=account)).json()["data"]
        bearer = f"Bearer {tokens['AuthenticationResult']['AccessToken']}"
        reply = await http.get("/file/upload?extension=png", headers={"Authorization": bearer})
        target = reply.json()["data"]
        assert target["url"].startswith(f"{served.url}/bucket/")
        files = {"file": ("file", PNG)}
        assert (
            await http.post(target["url"], data=target["fields"], files=files)
        ).status_code == 204
        assert (await http.get(target["url"] + target["fields"]["key"])).content == PNG


async def test_whoever_speaks_no_tls_is_dropped_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http, nonsense and silence; the next one is served."""
    monkeypatch.setattr(serving, "HANDSHAKE_SECONDS", 0.1)
    for first in (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\x16\x03\x01\xff", b""):
        async with await trio.open_tcp_stream("127.0.0.1", served.port) as stream:
            if first:
                await stream.send_all(first)
            with suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
    async with served.http() as http:
        assert (await http.get("/")).status_code == 200


async def test_a_client_that_tries_without_a_pause_does_not_fill_the_log(served: Served) -> None:
    """One that does not trust the authority may come a thousand times a second."""
    with capture_logs() as logs:
        for _ in range(20):
            async with await trio.open_tcp_stream("127.0.0.1", served.port) as stream:
                await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some():
                        pass
    told = [each["times"] for each in logs if each["event"] == "a client did not agree on TLS"]
    assert told == [1, 2, 4, 8, 16]


async def test_open_sockets_are_told_goodbye(tmp_path: Path) -> None:
    """With 1001, as without a certificate."""
    codes: list[int | None] = []
    async with trio.open_nursery() as clients:

        async def client(url: str, trust: ssl.SSLContext, opened: trio.Event) -> None:
            async with websocket_connector(url, tls=trust)() as stream:
                opened.set()
                with pytest.raises(ConnectionLost) as lost:
                    await stream.receive_text()
                codes.append(lost.value.code)

        opened = trio.Event()
        async with open_served(tmp_path) as served:
            url, trust = served.url.replace("https", "wss") + "/", served.trust
            clients.start_soon(client, url, trust, opened)
            await opened.wait()
    assert codes == [1001]


async def test_a_peer_that_does_not_read_cannot_keep_it_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor can its TLS; the bound of this test is for a server that hangs."""
    monkeypatch.setattr(serving, "GRACE_SECONDS", 0.1)
    made = open_certificates(tmp_path, datetime.now(UTC))

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "x" * 16_000_000})
            await trio.lowlevel.checkpoint()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(partial(serve_app, flood, tls=made.context))
            port = int(url.rpartition(":")[2])
            stream = await trio.open_ssl_over_tcp_stream(
                "127.0.0.1", port, ssl_context=trusting(made.ca_file)
            )
            await stream.send_all(
                b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket"
                b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
                b"\r\n\r\n"
            )
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(0.05)  # until the window is full
            nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)


class Echo(MoobiusService):
    """Says everything again."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, msg_up.text or "")


def configure(folder: Path, served: Served, **more: object) -> Path:
    """A service.json for a platform with a certificate."""
    path = folder / "service.json"
    settings = {
        "http_server_uri": f"{served.url}/",
        "ws_server_uri": served.url.replace("https", "wss") + "/",
        "email": "me@example.org",
        "password": "secret",
        "channels": [DEFAULT_BAND],
        "logs": None,
        **more,
    }
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


async def test_a_service_with_the_ca_file_runs_there(served: Served, tmp_path: Path) -> None:
    """HTTP and WebSocket trust it, and a person there is answered."""
    service = Echo(str(configure(tmp_path, served, ca_file=str(served.ca_file))))
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        async with open_user(served.url, "alice", tls=served.trust) as alice:
            await alice.say("hello")
            await alice.hears("hello")
        await handle.stop()


async def test_a_service_without_it_says_what_is_wrong(served: Served, tmp_path: Path) -> None:
    """And sends nothing to a platform that nobody vouches for."""
    service = Echo(str(configure(tmp_path, served)))
    wrong = "certificate is not good: unable to get .* named by ca_file in service.json"
    with pytest.raises(Unreachable, match=wrong), unwrapped():
        await service.serve()


@pytest.mark.parametrize(
    ("ca_file", "wrong"), [(True, []), (False, ["platform", "platform", "port"])]
)
async def test_the_doctor_trusts_whom_the_service_does(
    served: Served, tmp_path: Path, ca_file: bool, wrong: list[str]
) -> None:
    """With the file the platform answers; without it its certificate is not good."""
    (tmp_path / "service.py").write_text("")
    configure(tmp_path, served, ca_file=str(served.ca_file) if ca_file else None)
    found = await examine(str(tmp_path), {"XDG_RUNTIME_DIR": str(tmp_path)}, port=served.port)
    assert [each.area.split()[0] for each in found if each.state == "wrong"] == wrong
    assert ("a local platform runs there" in [each.said for each in found]) == ca_file


async def test_a_ca_file_that_is_none_is_found(served: Served, tmp_path: Path) -> None:
    """Before anybody is asked."""
    (tmp_path / "service.py").write_text("")
    configure(tmp_path, served, ca_file="nowhere.pem")
    found = await examine(str(tmp_path), {"XDG_RUNTIME_DIR": str(tmp_path)}, port=1)
    [wrong] = [each for each in found if each.state == "wrong"]
    assert "nowhere.pem cannot be read" in wrong.said


@pytest.mark.parametrize(
    ("http", "ws", "connects", "trusted"),
    [
        ("http", "wss", True, 2),  # read while the platform answers
        ("https", "wss", True, 1),  # they were needed before
        ("http", "ws", True, 1),  # nobody's certificate is checked
        ("http", "wss", False, 1),
    ],
)
def test_the_machines_authorities_are_read_when_they_are_needed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    http: str,
    ws: str,
    connects: bool,
    trusted: int,
) -> None:
    """Those of a ca_file come first; the machine's, here one, join them for the WebSocket if not
    for the calls before."""
    for name in ("machine", "own"):
        (tmp_path / name).mkdir()
    machine = open_certificates(tmp_path / "machine", datetime.now(UTC)).ca_file
    own = open_certificates(tmp_path / "own", datetime.now(UTC)).ca_file
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    settings = Settings(
        http_server_uri=f"{http}://127.0.0.1",
        ws_server_uri=f"{ws}://127.0.0.1",
        email="",
        password=Secret(""),
        channels=(),
    )
    tls = _get_ready(settings, trusting_alone(own), connects)
    assert tls is not None
    assert tls.cert_store_stats()["x509_ca"] == trusted
    alone = _get_ready(settings, None, connects)
    assert (alone is not None) == (ws == "wss" and connects)
    assert trusting(own).cert_store_stats()["x509_ca"] == 2
