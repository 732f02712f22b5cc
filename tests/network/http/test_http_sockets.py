"""The HTTP client over real loopback sockets: uploads, lost answers, proxies, and what leaks."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from urllib.parse import quote

import attrs
import pytest
import trio

from moobius_trio.errors import ApiError, ConfigError, SignInRefused, Unreachable
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.http.calls import ProtocolName
from moobius_trio.types import Secret

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PASSWORD = "canary pässword&"
ACCESS = "canary-access-token+/="
REFRESH = "canary-refresh-token+/="


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


@attrs.frozen
class Request:
    """One request as it came over the socket."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], bytes | None]
"""Gives the bytes of a reply; None closes the connection without one."""


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of a reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def good(data: object) -> bytes:
    """A good answer."""
    return reply("200 OK", json.dumps({"code": 10000, "msg": "ok", "data": data}).encode())


async def _serve(answer: Answer, stream: trio.SocketStream) -> None:
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            piece = await stream.receive_some()
            if not piece:
                return
            received += piece
        head, _, received = received.partition(b"\r\n\r\n")
        line, *rows = head.decode().split("\r\n")
        headers = {row.partition(":")[0].lower(): row.partition(":")[2].strip() for row in rows}
        length = int(headers.get("content-length", "0"))
        while len(received) < length:
            received += await stream.receive_some()
        body, received = received[:length], received[length:]
        answered = answer(Request(line, headers, body))
        if answered is None:
            return
        await stream.send_all(answered)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A web server on a free port of this machine; gives its address."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await _serve(answer, stream)
            except trio.BrokenResourceError:
                return  # the client gave up; that is its right

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def api_at(url: str, protocol: ProtocolName = "0.0.1") -> AbstractAsyncContextManager[HttpApi]:
    """An API at ``url`` that has not signed in."""
    return open_http_api(
        url,
        email="alice@example.org",
        password=Secret(PASSWORD),
        run_sync=inline,
        protocol=protocol,
    )


def files_in(folder: Path) -> list[Path]:
    """What is in a folder."""
    return list(folder.iterdir())


def signs_in(request: Request) -> bytes | None:
    """The answers to sign-in and refresh; None for other calls."""
    result = {"AccessToken": ACCESS}
    if "/auth/sign_in" in request.line:
        return good({"AuthenticationResult": result | {"RefreshToken": REFRESH}})
    return good({"AuthenticationResult": result}) if "/auth/refresh" in request.line else None


async def test_a_file_arrives_at_a_bucket_of_another_origin(tmp_path: Path) -> None:
    """A picture goes over two real sockets: the place with the token, the file without."""
    content = bytes(range(256)) * 2_048
    (tmp_path / "hat.png").write_bytes(content)
    posted: list[Request] = []
    asked: list[Request] = []

    def bucket(request: Request) -> bytes:
        posted.append(request)
        return reply("204 No Content")

    async with server(bucket) as bucket_url:

        def platform(request: Request) -> bytes:
            asked.append(request)
            target = {"url": bucket_url + "/bucket/", "fields": {"key": "k.png", "policy": "p"}}
            return signs_in(request) or good(target)

        async with server(platform) as url, api_at(url + "/") as api:
            await api.authenticate()
            assert await api.upload_file(tmp_path / "hat.png") == bucket_url + "/bucket/k.png"
    assert [request.line for request in asked] == [
        "POST /auth/sign_in HTTP/1.1",
        "GET /file/upload?extension=png HTTP/1.1",
    ]
    assert asked[1].headers["authorization"] == f"Bearer {ACCESS}"
    (request,) = posted
    assert request.line == "POST /bucket/ HTTP/1.1"
    assert "authorization" not in request.headers
    assert content in request.body
    assert b'filename="hat.png"' in request.body
    assert ACCESS.encode() not in request.body


async def test_a_file_comes_over_a_socket(tmp_path: Path) -> None:
    """A download bears no token; its size is told without it, and one too large is not read."""
    content = bytes(range(256)) * 2_048
    asked: list[Request] = []

    def files(request: Request) -> bytes:
        asked.append(request)
        answer = reply("200 OK", content)
        return answer[: -len(content)] if request.line.startswith("HEAD") else answer

    async with server(files) as files_url, server(signs_in) as url, api_at(url, "1.8") as api:
        await api.authenticate()
        address = f"{files_url}/a/hat.PNG?signature=s"
        assert await api.fetch_size(address) == len(content)
        path = await api.download(address, tmp_path)
        assert path.read_bytes() == content
        with pytest.raises(ApiError, match="larger than 1,000 bytes") as caught:
            await api.download(address, tmp_path, max_bytes=1_000)
        assert caught.value.path == f"{files_url}/a/hat.PNG"
        assert await api.download_bytes(address, max_bytes=len(content)) == content
    assert files_in(tmp_path) == [path]
    assert [request.line.split()[0] for request in asked] == ["HEAD", "GET", "GET", "GET"]
    for request in asked:
        assert "authorization" not in request.headers
        assert request.headers["accept-encoding"] == "identity"


async def test_a_body_that_says_it_is_too_large_is_not_waited_for() -> None:
    """A length beyond the limit is enough: nothing of the body need come."""

    def files(request: Request) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"

    async with server(files) as files_url, server(signs_in) as url, api_at(url, "1.8") as api:
        await api.authenticate()
        with pytest.raises(ApiError, match="larger than 10,000 bytes"):
            await api.download_bytes(files_url + "/vast", max_bytes=10_000)


async def test_a_body_that_goes_on_beyond_its_limit_is_left(tmp_path: Path) -> None:
    """Without a length before it, a body is read as far as the limit and not to its end."""

    def files(request: Request) -> bytes:
        chunk = b"1000\r\n" + b"x" * 4_096 + b"\r\n"
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 100

    async with server(files) as files_url, server(signs_in) as url, api_at(url, "1.8") as api:
        await api.authenticate()
        with pytest.raises(ApiError, match="larger than 10,000 bytes"):
            await api.download(files_url + "/endless", tmp_path, max_bytes=10_000)
    assert files_in(tmp_path) == []


async def test_an_answer_lost_after_the_work_is_not_asked_for_twice() -> None:
    """Of a hundred services whose answers are lost, a hundred are made and none doubled (F26)."""
    made: list[bytes] = []

    def platform(request: Request) -> bytes | None:
        if (answer := signs_in(request)) is not None:
            return answer
        made.append(request.body)
        return None

    async with server(platform) as url, api_at(url) as api:
        await api.authenticate()
        for number in range(100):
            with pytest.raises(ApiError, match="no reply in one attempt"):
                await api.create_service(f"service {number}")
    assert [json.loads(body)["description"] for body in made] == [
        f"service {number}" for number in range(100)
    ]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names as proxy sees no request, and netrc no password (S4)."""
    trapped: list[Request] = []

    def trap(request: Request) -> bytes:
        trapped.append(request)
        return good([])

    def platform(request: Request) -> bytes:
        return signs_in(request) or good([])

    async with server(trap) as trap_url, server(platform) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap_url)
            monkeypatch.setenv(name.lower(), trap_url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with api_at(url) as api:
            await api.authenticate()
            assert await api.get_service_list() == ()
    assert trapped == []


@pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
async def test_no_secret_is_shown_by_logs_reprs_or_tracebacks(
    protocol: ProtocolName, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every logger at its most talkative and all sorts of failures, no canary sings.

    (F64, S1)
    """
    caplog.set_level(logging.DEBUG)
    answers: list[bytes | None] = []
    texts: list[str] = []

    def platform(request: Request) -> bytes | None:
        return answers.pop(0) if answers else signs_in(request) or good([])

    async def fails(call: Callable[[], Awaitable[object]], *given: bytes | None) -> None:
        answers[:] = given
        with pytest.raises((ApiError, SignInRefused, Unreachable)) as caught:
            await call()
        answers.clear()
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        told.stack[:] = [frame for frame in told.stack if frame.filename != __file__]
        assert len(told.stack) >= 3
        texts.extend([*told.format(), repr(caught.value), str(caught.value)])

    no = reply("401 Unauthorized", json.dumps({"code": 40100, "msg": "no"}).encode())
    bad_token = {"AccessToken": ACCESS + "\n", "RefreshToken": REFRESH}
    bad_shape = {"AccessToken": [ACCESS], "RefreshToken": REFRESH}
    async with server(platform) as url, api_at(url, protocol) as api:
        await api.authenticate()
        await api.refresh()
        await api.get_service_list()
        await fails(api.authenticate, no)
        await fails(api.authenticate, reply("200 OK", b"<html>"))
        await fails(api.authenticate, good({"AuthenticationResult": bad_token}))
        await fails(api.authenticate, good({"AuthenticationResult": bad_shape}))
        await fails(api.authenticate, good({"AccessToken": ACCESS}))
        await fails(api.refresh, no)
        await fails(api.get_service_list, no, no, no)
        await fails(api.get_service_list, good({"odd": ACCESS}))
        await fails(partial(api.create_service, "x"), None)
        if protocol == "1.8":
            await fails(api.sign_up, None)
            await fails(api.delete_account, no)
            await fails(partial(api.reset_password_with_code, "123456"), no)
            await fails(api.sign_out, no)
            await fails(api.sign_out, reply("200 OK", b"<html>"))
        texts.extend([repr(api), repr(vars(api)), repr(vars(vars(api)["_account"]))])
    texts.append(caplog.text)
    texts.extend(capsys.readouterr())
    told = "\n".join(texts)
    assert "send_request_headers" in caplog.text
    assert "receive_response_headers" in caplog.text
    for secret in (PASSWORD, ACCESS, REFRESH):
        raw = secret.encode()
        forms = [secret, quote(secret), json.dumps(secret)[1:-1], repr(raw)[2:-1]]
        forms += [base64.b64encode(raw).decode(), "canary-" if "-" in secret else "canary p"]
        for form in forms:
            assert form not in told


async def test_nothing_is_sent_before_it_is_asked_for() -> None:
    """Opening the API for an address that nobody serves is no error, and a bad one is."""
    async with api_at("http://127.0.0.1:1"):
        pass
    with pytest.raises(ConfigError, match="http_server_uri"):
        async with api_at("http://host.example"):
            pass


def test_importing_the_package_opens_nothing() -> None:
    """The import opens no socket and no file but modules, and leaves httpx alone."""
    program = """
import sys
seen = []
def hook(event, args):
    if event.startswith("socket.") or event == "open":
        name = str(args[0]) if event == "open" else ""
        if not name.endswith((".py", ".pyc", ".so", ".pth")) and "-info/" not in name:
            seen.append((event, name))
import structlog, trio
sys.addaudithook(hook)
import moobius_trio.network.http
assert "httpx" not in sys.modules
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
