"""How the `redis` engine is told where its server is, and what it will not connect to."""

from __future__ import annotations

import contextlib
import re
import ssl
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from structlog.testing import capture_logs

from moobius_trio.database import Change, ContainerSpec, EngineSite, Place
from moobius_trio.database.redis_client import Limits
from moobius_trio.database.redis_engine import open_redis
from moobius_trio.database.redis_settings import read_redis_settings
from moobius_trio.errors import ConfigError, MoobiusError, StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import RedisServer, open_redis_server
from moobius_trio.testing.waiting import until
from moobius_trio.types import ChannelId, JsonValue, ServiceId

BOX = Place(ChannelId("band"), "box")
PASSWORD = 'canary "pass/word+ü=1'
QUOTED = "canary%20%22pass%2Fword%2B%C3%BC%3D1"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with open_redis_server(password=PASSWORD) as server:
        yield server


def opened(settings: dict[str, JsonValue], folder: Path = Path()) -> Any:
    site = EngineSite(service_id=ServiceId("s1"), folder=folder, run_sync=run_inline)
    return open_redis(settings, site, Limits(connect=2.0, reply=2.0))


async def use(settings: dict[str, JsonValue], folder: Path = Path()) -> None:
    """Open the store, write and read."""
    async with opened(settings, folder) as engine:
        await engine.commit([Change(BOX, b"k", b"v")])
        assert dict((await engine.load(BOX)).records) == {b"k": b"v"}
        assert await engine.places() == [BOX]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"hots": "x"}, "key 'hots': is not known. Did you mean 'host'?"),
        ({"host": ""}, "key host: must be a text"),
        ({"port": "6379"}, "key port: must be a whole number from 1 to"),
        ({"port": True}, "key port: must be a whole number"),
        ({"port": 65_536}, "key port: must be"),
        ({"db": -1}, "key db: must be a whole number from 0"),
        ({"cluster": "yes"}, "key cluster: must be true or false"),
        ({"cluster": True, "db": 1}, "key db: must be 0 with cluster"),
        ({"durability": "powr"}, "Did you mean 'power'?"),
        ({"username": "u"}, "key username: is nothing without a password"),
        ({"url": "http://h"}, "key url: is no address of a Redis server"),
        ({"url": "redis://h:x"}, "key url: is no address"),
        ({"url": "redis://"}, "key url: is no address"),
        ({"url": "redis://h/one"}, "key url: ends with a path that is no database number"),
        ({"url": "rediss://h?ssl_ca_certs=x"}, "key url: has something after a question mark"),
        ({"url": "redis://h", "port": 1}, "key port: is said by url too"),
        ({"url": f"redis://:{QUOTED}@h", "password": PASSWORD}, "key password: is said by url"),
        ({"url": "redis://h", "tls": True}, "key tls: does not go with a redis:// url"),
        ({"url": "rediss://h", "tls": False}, "key tls: does not go with a rediss:// url"),
        ({"tls": "yes"}, "key tls: must be true, false or"),
        ({"tls": {"check": False}}, "key tls, key 'check': is not known. Known is ca"),
        ({"tls": {"ca": "none.pem"}}, "none.pem: no such file or directory"),
        ({"password": 5}, "key password: must be a text"),
    ],
)
def test_wrong_settings_are_one_line(
    settings: dict[str, JsonValue], problem: str, tmp_path: Path
) -> None:
    """It names the key and shows no password."""
    with pytest.raises(ConfigError) as caught:
        read_redis_settings(settings, tmp_path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_url_says_all_that_the_single_settings_say() -> None:
    """With percent-encoded user and password; nothing of those is shown."""
    single = read_redis_settings(
        {"host": "h", "port": 7, "db": 2, "username": "u", "password": PASSWORD}, Path()
    )
    whole = read_redis_settings({"url": f"redis://u:{QUOTED}@h:7/2"}, Path())
    assert whole == single
    assert (single.address, single.tls) == ("redis://h:7/2", None)
    assert PASSWORD not in repr(single)


def test_encryption_always_checks_certificate_and_host() -> None:
    """However it is asked for."""
    for settings in ({"tls": True}, {"tls": {}}, {"url": "rediss://h"}):
        context = read_redis_settings(settings, Path()).tls
        assert context is not None
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


async def test_password_url_and_database(server: RedisServer) -> None:
    """Each way to say where the server is leads there, and databases are apart."""
    await use({**server.settings, "db": 3})
    await use({"url": f"redis://:{QUOTED}@127.0.0.1:{server.port}/4"})
    await use({**server.settings, "username": "default"})
    assert b"db3:" in server.command("INFO", "keyspace")
    assert b"db4:" in server.command("INFO", "keyspace")


@pytest.mark.parametrize("password", [None, "wrong " + PASSWORD])
async def test_a_wrong_password_is_one_line(server: RedisServer, password: str | None) -> None:
    """It says where to look and shows neither password; so does the log."""
    with capture_logs() as logs, pytest.raises(StorageError) as caught:
        await use({**server.settings, "password": password or None})
    text = str(caught.value)
    assert "refuses the user or password" in text
    assert "Check username and password in db.json" in text
    assert "\n" not in text
    everything = "".join(traceback.format_exception(caught.value)) + repr(logs)
    assert "canary" not in everything


async def test_the_frames_of_an_error_do_not_lead_to_the_client_library(
    server: RedisServer,
) -> None:
    """Its frames hold the password in the clear, and some loggers print what frames hold."""
    with pytest.raises(MoobiusError) as caught:
        await use({**server.settings, "password": "wrong"})
    error: BaseException | None = caught.value
    while error is not None:
        frames = traceback.walk_tb(error.__traceback__)
        assert not any("coredis" in frame.f_code.co_filename for frame, _ in frames)
        error = error.__cause__ or error.__context__


def test_a_container_does_not_show_its_settings() -> None:
    """A password in db.json stays out of what is printed of it."""
    spec = ContainerSpec(
        name="box", implementation="redis", settings={"password": PASSWORD, "host": "h"}
    )
    assert "canary" not in repr(spec)


@asynccontextmanager
async def terminator(server: RedisServer, certificate: trustme.LeafCert) -> AsyncIterator[int]:
    """TLS before a server that has none; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def pass_on(source: trio.abc.ReceiveStream, target: trio.abc.SendStream) -> None:
        async for data in source:
            await target.send_all(data)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            return  # the client did not like the certificate
        inner = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream, inner, trio.open_nursery() as nursery:
            nursery.start_soon(pass_on, inner, stream)
            with contextlib.suppress(trio.BrokenResourceError):  # the client just went
                await pass_on(stream, inner)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, serve, listeners)
        port: int = listeners[0].transport_listener.socket.getsockname()[1]
        yield port
        nursery.cancel_scope.cancel()


async def test_encrypted_to_a_trusted_server(server: RedisServer, tmp_path: Path) -> None:
    """With the authority named, by `tls` alone or beside a rediss:// url."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca: JsonValue = {"ca": "ca.pem"}
    async with terminator(server, authority.issue_cert("127.0.0.1")) as port:
        await use({**server.settings, "port": port, "tls": ca}, tmp_path)
        await use({"url": f"rediss://:{QUOTED}@127.0.0.1:{port}/1", "tls": ca}, tmp_path)


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_a_certificate_that_does_not_fit_is_refused(
    server: RedisServer, tmp_path: Path, wrong: str
) -> None:
    """Of another authority, or of another host: one line, and no password was sent."""
    authority = trustme.CA()
    named = trustme.CA() if wrong == "authority" else authority
    named.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    name = "elsewhere.example" if wrong == "host" else "127.0.0.1"
    async with terminator(server, authority.issue_cert(name)) as port:
        with pytest.raises(StorageError, match="its certificate was refused") as caught:
            await use({**server.settings, "port": port, "tls": {"ca": "ca.pem"}}, tmp_path)
    assert "settings, tls and host" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n", b""])
async def test_what_is_no_redis_server_is_one_line(says: bytes) -> None:
    """Whatever it answers, or that it closes without a word."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(says)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, answer, listeners)
        port: int = listeners[0].socket.getsockname()[1]
        with pytest.raises(StorageError, match=f"redis://127.0.0.1:{port}/0: ") as caught:
            await use({"port": port})
        nursery.cancel_scope.cancel()
    assert "\n" not in str(caught.value)


async def test_encrypted_to_a_server_without_encryption(server: RedisServer) -> None:
    """One line within the time for connecting."""
    with pytest.raises(StorageError, match=f"rediss://127.0.0.1:{server.port}/0: "):
        await use({**server.settings, "tls": True})


async def test_a_user_with_few_rights_is_enough(server: RedisServer) -> None:
    """Those that the page names, on our keys alone."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "redis.md").read_text("utf-8")
    words = page.partition("and the commands ")[2].partition(", in a cluster")[0]
    allowed = [f"+{word.lower()}" for word in re.findall(r"`([A-Z|]+)`", words)]
    assert len(allowed) > 10
    server.command("ACL", "SETUSER", "few", "on", ">pass", "~moobius:*", *allowed)
    settings = {**server.settings, "username": "few", "password": "pass"}
    await use(settings)
    async with opened(settings) as engine:
        large = [Change(BOX, b"%d" % n, b"x" * 1_000) for n in range(500)]
        await engine.commit([*large, Change(BOX, b"k", None)])
        await engine.set_aside(BOX, b"1", "a test")
        assert len((await engine.load(BOX)).records) == 499
        await engine.clear(BOX)
        assert await engine.places() == []
    server.command("ACL", "SETUSER", "few", "-hdel")
    async with opened(settings) as engine:
        with pytest.raises(StorageError, match="Allow this user"):
            await engine.commit([Change(BOX, b"k", b"v")])


async def test_a_cluster(tmp_path: Path) -> None:
    """The keys of a band lie together, so one script stores its commit; places are all found."""
    with open_redis_server(
        "--cluster-enabled", "yes", password=PASSWORD, appendonly=True, folder=tmp_path
    ) as server:
        server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        await until(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
        settings: dict[str, JsonValue] = {**server.settings, "cluster": True}
        places = [Place(ChannelId(f"b{n}"), name) for n in range(20) for name in ("x", "y")]
        async with opened({**settings, "durability": "process"}) as engine:
            assert engine.level == "process"
            await engine.commit([Change(place, b"k", b"v" * 1_000) for place in places])
            await engine.commit([Change(places[0], b"%d" % n, b"v" * 1_000) for n in range(500)])
            server.restart()
            await engine.commit([Change(place, b"l", b"w") for place in places])
        async with opened(settings) as engine:
            assert set(await engine.places()) == set(places)
            assert len((await engine.load(places[0])).records) == 502
            assert dict((await engine.load(places[1])).records)[b"l"] == b"w"


def test_without_the_client_library_the_extra_is_named() -> None:
    """And the rest of the package works without it."""
    code = """
import sys
sys.modules["coredis"] = None
from pathlib import Path
import trio
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.testing.inline import run_inline

async def main():
    spec = ContainerSpec(name="box", implementation="redis")
    async with open_stores([spec], service_id="s", folder=Path(), run_sync=run_inline,
                           on_problem=print):
        pass

try:
    trio.run(main)
except Exception as exc:
    print(f"{type(exc).__name__}: {exc}")
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == (
        "ConfigError: engine redis: the package coredis is not installed. "
        'Install it: pip install "moobius_trio[redis]".\n'
    )
