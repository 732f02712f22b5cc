"""An unmodified client of the original's first version, byte for byte, against a real socket.

The bytes are written from docs/protocol/generation-0.md sections 2.1, 2.3, 3.1, 3.2 and 4.1: the
requests as python-requests 2.31 writes them, the handshake as websockets 12 does.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from moobius_trio.local import DEFAULT_BAND, Platform, open_platform
from moobius_trio.serving import serve_app
from moobius_trio.testing.inline import run_inline

EMAIL, PASSWORD = "dev@example.org", "secret"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=lambda: 1_700_000_000.0, random=random.Random(1)
    ) as platform:
        yield platform


class Requests:
    """Calls as python-requests makes them: one connection each, headers in its order."""

    def __init__(self, port: int, agent: str = "python-requests/2.31.0") -> None:
        self.port = port
        self.agent = agent
        self.token = ""

    async def sign_in(self, email: str = EMAIL) -> None:
        """Get the tokens of an account, which is made by its first sign-in."""
        body = {"username": email, "password": PASSWORD}
        reply = await self.call("POST", "//auth/sign_in", body)
        self.token = reply["data"]["AuthenticationResult"]["AccessToken"]

    async def data(self, method: str, path: str, body: object = None) -> Any:
        """What a call that is taken gives."""
        reply = await self.call(method, path, body)
        assert reply["code"] == 10000, reply
        return reply["data"]

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """A call with the original's headers; gives the whole envelope."""
        headers = ["Auth-Origin: cognito", f"Authorization: Bearer {self.token}"]
        if path.startswith("//auth/"):
            headers = []
        content = b""
        if body is not None:
            content = json.dumps(body).encode()
            headers += [f"Content-Length: {len(content)}", "Content-Type: application/json"]
        status, reply = await self.exchange(method, path, headers, content)
        assert status == 200
        return json.loads(reply)

    async def exchange(
        self, method: str, path: str, headers: list[str], content: bytes
    ) -> tuple[int, bytes]:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"User-Agent: {self.agent}",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            *headers,
        ]
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(head.encode())
            if content:
                await stream.send_all(content)
            return await _read_reply(stream)

    async def upload(self, url: str, fields: dict[str, str], name: str, content: bytes) -> int:
        """The bucket's form: a part per field, in order, and the file last, by its local path."""
        boundary = "f2b8e0a4c6d94e1f9a7b3c5d7e9f1a2b"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        file_head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        )
        form = "".join(parts).encode() + file_head.encode() + content
        form += f"\r\n--{boundary}--\r\n".encode()
        headers = [
            f"Content-Length: {len(form)}",
            f"Content-Type: multipart/form-data; boundary={boundary}",
        ]
        path = "/" + url.split("/", 3)[3]
        status, reply = await self.exchange("POST", path, headers, form)
        assert reply == b""
        return status


async def _read_reply(stream: trio.SocketStream) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head, _, content = data.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    lengths = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")]
    while lengths and len(content) < lengths[0]:
        content += await stream.receive_some()
    return int(lines[0].split()[1]), content


class Websockets:
    """The socket as websockets 12 opens it: path ``/``, no subprotocol, compression offered."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._texts: deque[str] = deque()
        self.closed: int | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Websockets]:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            socket = cls(stream)
            request = Request(
                host=f"127.0.0.1:{port}",
                target="/",
                extensions=[PerMessageDeflate()],
                extra_headers=[(b"User-Agent", b"Python/3.11 websockets/12.0")],
            )
            await stream.send_all(socket._protocol.send(request))
            await socket._feed()
            yield socket

    async def _feed(self) -> None:
        self._protocol.receive_data(await self._stream.receive_some() or None)
        for event in self._protocol.events():
            if isinstance(event, TextMessage):
                self._texts.append(event.data)
            elif isinstance(event, CloseConnection):
                self.closed = event.code
            else:
                assert isinstance(event, AcceptConnection)
                assert event.extensions == []  # refused, as a server may

    async def send(self, text: str) -> None:
        await self._stream.send_all(self._protocol.send(TextMessage(data=text)))

    async def receive(self) -> Any:
        while not self._texts:
            await self._feed()
        return json.loads(self._texts.popleft())

    async def wait_closed(self) -> int:
        while self.closed is None:
            await self._feed()
        return self.closed

    async def log_in(self, token: str, service_id: str, number: int) -> None:
        """The login exactly as the original dumps it. It reads no answer until much later."""
        await self.send(
            '{"type": "service_login", "request_id": "7f0f5a1e-0000-4000-8000-00000000000'
            f'{number}", "auth_origin": "cognito", "access_token": "{token}", '
            f'"service_id": "{service_id}"}}'
        )


async def test_the_first_start_of_an_unmodified_client(platform: Platform) -> None:
    """Sign in, log in without an id, find no service, create one, bind, log in again on the same
    socket, fetch the list, upload, make a character, and only then read; and it works."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        calls = Requests(int(url.rpartition(":")[2]))
        signed_in = await calls.call(
            "POST", "//auth/sign_in", {"username": EMAIL, "password": PASSWORD}
        )
        assert signed_in["code"] == 10000
        tokens = signed_in["data"]["AuthenticationResult"]
        calls.token = tokens["AccessToken"]
        async with Websockets.open(calls.port) as socket:
            await socket.log_in(calls.token, "", 1)
            assert (await calls.call("GET", "//service/list"))["data"] == []
            words = {"description": "Moobius Service"}
            made = await calls.call("POST", "//service/create", words)
            service_id = made["data"]["service_id"]
            binding = {"channel_id": DEFAULT_BAND, "service_id": service_id}
            assert (await calls.call("POST", "//service/bind", binding))["code"] == 10000
            await socket.log_in(calls.token, service_id, 2)
            query = f"//channel/userlist?channel_id={DEFAULT_BAND}&service_id={service_id}"
            assert (await calls.call("GET", query))["data"] == {"userlist": []}
            target = (await calls.call("GET", "//file/upload?extension=png"))["data"]
            name = "projects/demo/resources/light.png"
            assert await calls.upload(target["url"], target["fields"], name, PNG) == 204
            avatar = target["url"] + target["fields"]["key"]
            profile = {"nickname": "Wand", "avatar": avatar, "description": "a wand"}
            figure = await calls.call(
                "POST",
                "//service/user/create",
                {"service_id": service_id, "username": "Wand", "context": profile},
            )
            assert figure["data"]["user_context"] == profile
            await socket.send(
                '{"type": "ping", "request_id": "7f0f5a1e-0000-4000-8000-000000000003"}'
            )
            answers = [(await socket.receive())["body"] for _ in range(3)]
            assert [answer["origin_type"] for answer in answers] == [
                "service_login",
                "service_login",
                "ping",
            ]
            assert all(answer["status"] is True for answer in answers)
            assert answers[1]["request_id"] == "7f0f5a1e-0000-4000-8000-000000000002"
            await speak(platform, calls.port, socket, service_id)
            refreshed = await calls.call(
                "POST",
                "//auth/refresh",
                {"username": EMAIL, "refresh_token": tokens["RefreshToken"]},
            )
            assert set(refreshed["data"]["AuthenticationResult"]) == {"AccessToken"}
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(avatar)).content == PNG
        nursery.cancel_scope.cancel()


async def speak(platform: Platform, port: int, socket: Websockets, service_id: str) -> None:
    """A user joins; the service speaks in both shapes and sends each kind of update."""
    alice = platform.sign_in_guest("alice")
    async with Websockets.open(port) as user:
        login = {
            "type": "user_login",
            "request_id": "u1",
            "auth_origin": "cognito",
            "access_token": alice.tokens.access.reveal(),
        }
        join = {
            "type": "action",
            "request_id": "u2",
            "client_id": alice.user_id,
            "body": {"subtype": "join_channel", "channel_id": DEFAULT_BAND, "context": {}},
        }
        for frame in (login, join):
            await user.send(json.dumps(frame))
            assert (await user.receive())["body"]["status"] is True
        joined = await socket.receive()
        assert joined == {
            "type": "action",
            "body": {
                "subtype": "join_channel",
                "channel_id": DEFAULT_BAND,
                "sender": alice.user_id,
                "context": {},
            },
        }
        common = {"channel_id": DEFAULT_BAND, "recipients": [alice.user_id]}
        shape_a = {
            "subtype": "text",
            "content": {"text": "hello"},
            "sender": "no_sender",
            "timestamp": 1700000000000,
            "context": {},
        }
        shape_b = {
            "subtype": "image",
            "content": {"path": "https://host/key.png"},
            "timestamp": 1700000000000,
            "sender": alice.user_id,
            "msg_id": None,
        }
        temp = {"group_id": "temp", "context": {}}
        profile = {"nickname": "Alice", "description": "d", "avatar": "https://host/a.png"}
        entry = {"user_id": alice.user_id, "username": "alice", "user_context": profile}
        key = {
            "feature_id": "key1",
            "feature_name": "magic",
            "button_text": "Do it",
            "new_window": True,
            "arguments": [{"name": "kind", "type": "enum", "optional": False, "values": ["A"]}],
        }
        plain = {
            "feature_id": "k2",
            "feature_name": "s",
            "button_text": "Swap",
            "new_window": False,
        }
        style = {"widget": "playground", "display": "visible", "expand": "true"}
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("msg_down", common | shape_a),
            ("msg_down", common | shape_b),
            ("update", common | {"subtype": "update_userlist", "userlist": [entry], "context": {}}),
            ("update", common | temp | {"subtype": "update_features", "features": [key, plain]}),
            ("update", common | temp | {"subtype": "update_style", "content": [style]}),
            ("update", common | temp | {"subtype": "update_playground", "content": {"text": "x"}}),
        ]
        for number, (kind, body) in enumerate(bodies):
            frame = {
                "type": kind,
                "request_id": f"s{number}",
                "client_id": service_id,
                "body": body,
            }
            await socket.send(json.dumps(frame))
            assert (await socket.receive())["body"]["status"] is True
        seen = [(await user.receive()) for _ in bodies]
        assert [frame["type"] for frame in seen] == [kind for kind, _ in bodies]
        assert seen[0]["body"]["content"] == {"text": "hello"}
        assert seen[1]["body"]["content"] == {"path": "https://host/key.png"}
        for frame in seen[2:]:
            assert "recipients" not in frame["body"]
        assert seen[2]["body"]["userlist"][0]["user_context"] == profile


async def test_bombs_up_to_64_kib_pass_and_larger_ones_close_with_1009(
    platform: Platform,
) -> None:
    """A text of 40,000 characters passes, one of 80,000 costs the connection (section 4.5)."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        calls = Requests(int(url.rpartition(":")[2]))
        body = {"username": EMAIL, "password": PASSWORD}
        reply = await calls.call("POST", "//auth/sign_in", body)
        calls.token = reply["data"]["AuthenticationResult"]["AccessToken"]
        made = await calls.call("POST", "//service/create", {"description": ""})
        service_id = made["data"]["service_id"]
        binding = {"channel_id": DEFAULT_BAND, "service_id": service_id}
        await calls.call("POST", "//service/bind", binding)
        async with Websockets.open(calls.port) as socket:
            await socket.log_in(calls.token, service_id, 1)
            await socket.receive()
            for size, passes in ((40_000, True), (80_000, False)):
                frame = {
                    "type": "msg_down",
                    "request_id": str(size),
                    "client_id": service_id,
                    "body": {
                        "subtype": "text",
                        "channel_id": DEFAULT_BAND,
                        "content": {"text": "BOMB" * (size // 4)},
                        "recipients": [],
                        "sender": "no_sender",
                        "timestamp": 1,
                        "context": {},
                    },
                }
                await socket.send(json.dumps(frame))
                if passes:
                    assert (await socket.receive())["body"]["status"] is True
            assert await socket.wait_closed() == 1009
        nursery.cancel_scope.cancel()


def parsed(frame: Any) -> Any:
    """The body of a frame, if 0.0.1 can parse it (section 3.3): each rule that loses an event."""
    assert isinstance(frame["type"], str)
    body = frame["body"]
    wanted: dict[str, type] = {
        "msg_up": {
            "subtype": str,
            "channel_id": str,
            "timestamp": int,
            "recipients": list,
            "msg_id": str,
            "content": dict,
            "context": dict,
        },
        "action": {"subtype": str, "channel_id": str, "sender": str},
        "feature_call": {
            "feature_id": str,
            "channel_id": str,
            "sender": str,
            "arguments": list,
            "context": dict,
        },
        "copy_client": {"request_id": str, "origin_type": str, "status": bool, "context": dict},
    }[frame["type"]]
    for key, kind in wanted.items():
        assert type(body[key]) is kind, (key, body)
    if frame["type"] == "msg_up":
        assert isinstance(body["context"]["sender"], str)
        assert isinstance(body["context"]["recipients"], list)
    for argument in body.get("arguments", ()):
        assert isinstance(argument["name"], str)
        assert isinstance(argument["value"], str | int)
    return body


async def next_event(socket: Websockets) -> tuple[str, Any]:
    """The next frame that is no receipt: its type, and its body as 0.0.1 parses it."""
    while True:
        frame = await socket.receive()
        body = parsed(frame)
        if frame["type"] != "copy_client":
            return frame["type"], body


@asynccontextmanager
async def open_user(
    calls: Requests, frames: Sequence[dict[str, Any]], **ids: str
) -> AsyncIterator[Websockets]:
    """A user's socket, logged in, on which these frames have been sent and taken."""
    login = {"type": "user_login", "auth_origin": "cognito", "access_token": calls.token}
    async with Websockets.open(calls.port) as socket:
        for number, frame in enumerate((login, *frames)):
            more = {} if frame is login else ids
            await socket.send(json.dumps({**frame, "request_id": f"u{number}", **more}))
            copy = await socket.receive()
            while copy["type"] not in ("copy", "copy_client"):
                copy = await socket.receive()
            assert copy["body"]["status"] is True, copy
        yield socket


def action(subtype: str, **more: Any) -> dict[str, Any]:
    """What a user's client of either generation sends."""
    body = {"subtype": subtype, "channel_id": DEFAULT_BAND, **more, "context": {}}
    return {"type": "action", "body": body}


async def make_service(calls: Requests, socket: Websockets) -> str:
    """The first start, in short; gives the service's id."""
    await calls.sign_in()
    await socket.log_in(calls.token, "", 1)
    made = await calls.data("POST", "//service/create", {"description": "Moobius Service"})
    service_id = str(made["service_id"])
    binding = {"channel_id": DEFAULT_BAND, "service_id": service_id}
    await calls.data("POST", "//service/bind", binding)
    await socket.log_in(calls.token, service_id, 2)
    for _ in range(2):
        assert parsed(await socket.receive())["status"] is True
    return service_id


async def test_everything_that_comes_up_is_what_an_unmodified_client_can_parse(
    platform: Platform,
) -> None:
    """Of a user of its own generation and of one of generation 1, whose words it never sees."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        port = int(url.rpartition(":")[2])
        calls = Requests(port)
        async with Websockets.open(port) as socket:
            await make_service(calls, socket)
            await old_user_acts(port, socket)
            await new_user_acts(port, socket)
        nursery.cancel_scope.cancel()


async def old_user_acts(port: int, socket: Websockets) -> None:
    """Section 3.4, and what the service is told of it."""
    alice = Requests(port)
    await alice.sign_in("alice@example.org")
    user_id = (await alice.data("GET", "/user/info"))["sub"]
    parts = ("fetch_userlist", "fetch_features", "fetch_playground", "fetch_channel_info")
    said = {
        "subtype": "text",
        "channel_id": DEFAULT_BAND,
        "content": {"text": "hi"},
        "timestamp": 1,
        "context": {},
    }
    call = {"feature_id": "key1", "channel_id": DEFAULT_BAND, "sender": user_id, "context": {}}
    frames = [
        action("join_channel"),
        *map(action, parts),
        {"type": "msg_up", "body": {**said, "recipients": []}},
        {"type": "msg_up", "body": {**said, "recipients": [user_id]}},
        {"type": "feature_call", "body": {**call, "arguments": []}},
        {
            "type": "feature_call",
            "body": {
                **call,
                "arguments": [{"name": "kind", "value": "A"}, {"name": "n", "value": 3}],
            },
        },
        action("leave_channel"),
    ]
    async with open_user(alice, frames, client_id=user_id):
        for subtype in ("join_channel", *parts):
            kind, body = await next_event(socket)
            assert (kind, body["subtype"], body["sender"]) == ("action", subtype, user_id)
        for recipients in ([], [user_id]):
            kind, body = await next_event(socket)
            assert (kind, body["context"]["sender"]) == ("msg_up", user_id)
            assert body["recipients"] == body["context"]["recipients"] == recipients
        for values in ([], ["A", 3]):
            kind, body = await next_event(socket)
            assert (kind, [each["value"] for each in body["arguments"]]) == ("feature_call", values)
        kind, body = await next_event(socket)
        assert (kind, body["subtype"]) == ("action", "leave_channel")


async def new_user_acts(port: int, socket: Websockets) -> None:
    """Generation 1 (its file's section 3.3): refreshes, groups, clicks, an entry of a menu."""
    bob = Requests(port, "Python/3.11 aiohttp/3.9.1")
    await bob.sign_in("bob@example.org")
    user_id = (await bob.data("GET", "/user/info"))["user_id"]
    people = {"channel_id": DEFAULT_BAND, "group_name": "g", "characters": [user_id]}
    said = {
        "subtype": "text",
        "channel_id": DEFAULT_BAND,
        "content": {"text": "hi"},
        "timestamp": 1,
        "context": {},
    }
    click = {"bottom_button_id": "confirm"}
    field = {"label": "kind", "value": "A", "filename": None}
    frames = [
        action("join_channel"),
        action("refresh"),
        {"type": "message_up", "body": {**said, "recipients": "service"}},
        action("button_click", button_id="key1", arguments=[[field]], **click),
        action("button_click", button_id="key2", arguments=[[]], **click),
    ]
    async with open_user(bob, frames, user_id=user_id) as user:
        group = (await bob.data("POST", "/user/group/create", people))["group_id"]
        message = {"type": "message_up", "body": {**said, "recipients": group}}
        for number, frame in enumerate((message, action("leave_channel"))):
            await user.send(json.dumps({**frame, "request_id": f"v{number}", "user_id": user_id}))
        parts = ("fetch_userlist", "fetch_features", "fetch_playground")
        for subtype in ("join_channel", *parts):
            kind, body = await next_event(socket)
            assert (kind, body["subtype"], body["sender"]) == ("action", subtype, user_id)
        kind, body = await next_event(socket)
        assert (kind, body["context"]["recipients"]) == ("msg_up", [])
        for feature_id, values in (("key1", ["A"]), ("key2", [])):
            kind, body = await next_event(socket)
            assert (kind, body["feature_id"]) == ("feature_call", feature_id)
            assert [each["value"] for each in body["arguments"]] == values
        kind, body = await next_event(socket)
        assert (kind, body["context"]["recipients"]) == ("msg_up", [user_id])
        kind, body = await next_event(socket)
        assert (kind, body["subtype"]) == ("action", "leave_channel")


async def test_a_second_start_and_every_other_call_of_an_unmodified_client(
    platform: Platform,
) -> None:
    """It knows its id, binds again what it holds, and a new socket takes the place of the old."""
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_app, platform.app)
        calls = Requests(int(url.rpartition(":")[2]))
        async with Websockets.open(calls.port) as first:
            service_id = await make_service(calls, first)
            async with Websockets.open(calls.port) as second:
                await calls.sign_in()
                await second.log_in(calls.token, service_id, 1)
                listed = await calls.data("GET", "//service/list")
                assert listed == [{"service_id": service_id, "channel_ids": [DEFAULT_BAND]}]
                binding = {"channel_id": DEFAULT_BAND, "service_id": service_id}
                await calls.data("POST", "//service/bind", binding)
                await second.log_in(calls.token, service_id, 2)
                for _ in range(2):
                    assert parsed(await second.receive())["status"] is True
                await make_other_calls(calls, service_id)
                alice = Requests(calls.port)
                await alice.sign_in("alice@example.org")
                user_id = (await alice.data("GET", "/user/info"))["sub"]
                async with open_user(alice, [action("join_channel")], client_id=user_id):
                    kind, body = await next_event(second)
                    assert (kind, body["sender"]) == ("action", user_id)
                await calls.data("POST", "//service/unbind", binding)
                [mine] = await calls.data("GET", "//service/list")
                assert mine["channel_ids"] == []
        nursery.cancel_scope.cancel()


async def make_other_calls(calls: Requests, service_id: str) -> None:
    """Rows 8 to 12 of section 2.2."""
    profile = {"nickname": "Wand", "avatar": "https://host/a.png", "description": "a wand"}
    made = await calls.data(
        "POST",
        "//service/user/create",
        {"service_id": service_id, "username": "Wand", "context": profile},
    )
    assert (made["username"], made["user_context"]) == ("Wand", profile)
    query = f"//service/user/list?service_id={service_id}"
    assert await calls.data("GET", query) == [made]
    user_id = made["user_id"]
    found = await calls.data("POST", "//user/fetch_profile", {"userlist": [user_id]})
    assert found[user_id]["user_context"] == profile
    members = {"group_id": "", "members": [user_id]}
    group_id = await calls.data("POST", "//service/group/create", members)
    assert isinstance(group_id, str)
    query = f"//user/group?user_id={user_id}&channel_id={DEFAULT_BAND}&group_id={group_id}"
    assert (await calls.data("GET", query))["user_context"] == profile
