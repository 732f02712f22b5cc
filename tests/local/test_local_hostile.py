"""What a client may send to harm the platform or other people's pages, by bug or by intent."""

from __future__ import annotations

import errno
import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio.errors import ConnectionLost, StorageError
from moobius_trio.local import DEFAULT_BAND, Platform, open_platform
from moobius_trio.local.store import open_store
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.inline import run_inline

PASSWORD = "pw"


class Service:
    """A service that holds the band, over a memory stream, in plain JSON."""

    def __init__(self, stream: MemoryFrameStream, service_id: str, token: str) -> None:
        self.stream = stream
        self.service_id = service_id
        self.token = token

    async def send(self, type_: str, request_id: str, **keys: object) -> Any:
        """Send a frame; give the body of the next receipt."""
        frame = {"type": type_, "request_id": request_id, **keys}
        await self.stream.send_text(json.dumps(frame))
        while True:
            answer = json.loads(await self.stream.receive_text())
            if answer["type"] == "copy_client":
                return answer["body"]

    async def log_in(self) -> Any:
        return await self.send(
            "service_login",
            "login",
            auth_origin="cognito",
            access_token=self.token,
            service_id=self.service_id,
        )


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=lambda: 1_700_000_000.0, random=random.Random(1)
    ) as platform:
        yield platform


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield http


@pytest.fixture
async def service(
    platform: Platform, http: httpx.AsyncClient, nursery: trio.Nursery
) -> AsyncIterator[Service]:
    body = {"username": "dev@x", "password": PASSWORD}
    reply = (await http.post("/auth/sign_in", json=body)).json()["data"]
    token = reply["AuthenticationResult"]["AccessToken"]
    auth = {"Authorization": f"Bearer {token}"}
    made = await http.post("/service/create", json={"description": "d"}, headers=auth)
    service_id = made.json()["data"]["service_id"]
    binding = {"service_id": service_id, "channel_id": DEFAULT_BAND}
    await http.post("/service/bind", json=binding, headers=auth)
    near, far = memory_stream_pair()
    nursery.start_soon(platform.serve_socket, far)
    service = Service(near, service_id, token)
    assert (await service.log_in())["status"] is True
    yield service
    nursery.cancel_scope.cancel()


async def test_a_repeated_login_on_one_connection_does_not_make_the_pages_ask_again(
    service: Service, http: httpx.AsyncClient
) -> None:
    """The original logs in after each refusal: an answer that is refused would never end."""

    async def number() -> int:
        (row,) = (await http.get("/local/bands")).json()["data"]
        return int(row["session"])

    before = await number()
    assert (await service.log_in())["status"] is True
    assert await number() == before


async def test_a_malformed_frame_is_refused_by_its_name(service: Service) -> None:
    """Its sender is told which of its frames it was."""
    refused = await service.send("msg_down", "r7", body={"channel_id": 5})
    assert (refused["status"], refused["request_id"], refused["origin_type"]) == (
        False,
        "r7",
        "msg_down",
    )
    assert "body.channel_id" in refused["context"]["msg"]


async def test_what_is_no_frame_is_refused_without_a_name(service: Service) -> None:
    """Nothing of it is taken for an id."""
    await service.stream.send_text('{"type": 1, "request_id": "r8"}')
    refused = json.loads(await service.stream.receive_text())["body"]
    assert (refused["status"], refused["request_id"], refused["origin_type"]) == (False, "", "")


async def test_ids_that_would_be_remembered_for_ever_are_short(service: Service) -> None:
    """A hundred thousand of them are kept for each service."""
    body: dict[str, object] = {"subtype": "text", "channel_id": DEFAULT_BAND}
    body |= {"content": {"text": "x"}, "recipients": [], "sender": "no_sender", "timestamp": 1}
    refused = await service.send("msg_down", "r" * 201, body=body)
    assert refused["status"] is False
    assert "request_id" in refused["context"]["msg"]
    assert (await service.send("msg_down", "r" * 200, body=body))["status"] is True


async def test_no_sign_in_makes_the_account_of_a_guest_yet_to_come(
    http: httpx.AsyncClient,
) -> None:
    """Guests are told from e-mails by a line break, so no e-mail may have one."""
    body = {"username": "guest\nalice", "password": PASSWORD}
    assert (await http.post("/auth/sign_in", json=body)).status_code == 400
    guest = (await http.post("/local/guest", json={"name": "alice"})).json()["data"]
    assert guest["nickname"] == "Alice"


async def test_a_file_that_cannot_be_written_whole_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is not filled further by halves of files that nobody can ask for."""

    def full_disk(descriptor: int, mode: str) -> object:
        os.close(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with open_store(tmp_path / "state", run_sync=run_inline) as store:
        monkeypatch.setattr(os, "fdopen", full_disk)
        with pytest.raises(StorageError, match=r"cannot be written"):
            await store.save_upload("k.png", b"x")
    assert list((tmp_path / "state" / "uploads").iterdir()) == []


async def test_a_login_loop_is_slowed_down_and_counted(
    platform: Platform, autojump_clock: trio.testing.MockClock
) -> None:
    """A client of the original logs in again after each refusal, with the same dead token."""
    login = {
        "type": "service_login",
        "request_id": "r",
        "auth_origin": "cognito",
        "access_token": "dead",
        "service_id": "",
    }
    refusals = 0
    with capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(platform.serve_socket, theirs)
            with trio.move_on_after(60):
                while True:
                    await ours.send_text(json.dumps(login))
                    refusal = json.loads(await ours.receive_text())
                    assert refusal["body"]["status"] is False
                    refusals += 1
            nursery.cancel_scope.cancel()
        await platform.aclose()
    assert refusals == 3 + 59
    counts = [line["times"] for line in lines if line["event"] == "login refused"]
    assert len(counts) <= 7
    assert sum(counts) == refusals + 1
    assert "dead" not in str(lines)


async def test_logins_that_do_not_wait_for_their_refusal_end_the_connection(
    platform: Platform,
) -> None:
    """So that they do not pile up."""
    login = {"type": "user_login", "request_id": "r", "auth_origin": "c", "access_token": "x"}
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_stream_pair()
        nursery.start_soon(platform.serve_socket, theirs)
        with pytest.raises(ConnectionLost) as lost:
            for _ in range(1_000):
                await ours.send_text(json.dumps(login))
            await trio.sleep_forever()
    assert lost.value.code == 1008
