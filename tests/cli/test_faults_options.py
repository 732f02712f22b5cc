"""``--knob`` and ``--faults``: read, told, documented, and a service that lives with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs
import httpx
import pytest
import trio

from moobius_trio.cli.knobs import changed_knobs, read_knobs
from moobius_trio.codec.generation0 import encode_from_user
from moobius_trio.errors import ConnectionLost, UsageError
from moobius_trio.local import Knobs
from moobius_trio.network.websocket import CouldNotConnect, FrameStream, websocket_connector
from moobius_trio.testing.commands import open_command, run_command
from moobius_trio.testing.relay import RelayFaults
from moobius_trio.types import ChannelId, RequestId, UserAction, UserCommand, UserId, UserLogin

NAMES = [field.name for field in attrs.fields(Knobs)]
BAND = "local-demo"
HANG = 50.0
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "faults.md"


def test_texts_become_knobs_and_knobs_texts() -> None:
    """Each kind of value; a dash is as good as an underscore; the later one counts."""
    given = [
        "drop_repeats=no",
        "copies-times=2",
        "copies_times=3",
        "connection_seconds=1.5",
        "cut_every=none",
        "order=concurrent",
        "garbage=deep,unknown",
        "http_fault_path=/service/",
    ]
    knobs = read_knobs(given, Knobs(cut_every=3))
    assert knobs == Knobs(
        drop_repeats=False,
        copies_times=3,
        connection_seconds=1.5,
        order="concurrent",
        garbage=("deep", "unknown"),
        http_fault_path="/service/",
    )
    assert read_knobs(changed_knobs(knobs), Knobs()) == knobs
    assert changed_knobs(Knobs()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("drop_repeat=no", "no knob 'drop_repeat'; did you mean drop_repeats"),
        ("zzz=1", "local --help"),
        ("drop_repeats", "it takes yes or no"),
        ("drop_repeats=maybe", "it takes yes or no"),
        ("order=random", "it takes kept or concurrent"),
        ("cut_every=0", "a whole number, or none"),
        ("cut_every=1.5", "a whole number, or none"),
        ("access_seconds=nan", "seconds"),
        ("garbage=good", "some of bad_json, not_utf8"),
        ("cut_code=70000", "a whole number"),
    ],
)
def test_a_text_that_is_no_knob_is_one_line(text: str, words: str) -> None:
    """With what was meant or what it takes."""
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        read_knobs([text], Knobs())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["dev", "local"])
def test_help_lists_every_knob(command: str, tmp_path: Path) -> None:
    """And every fault of the relay."""
    text = run_command(command, "--help", cwd=tmp_path).output
    words = set(re.findall(r"[a-z_0-9]+", text))
    assert set(NAMES) <= words
    assert {"reset", "close", "hole", "dark", "delay", "slow", "slice", "corrupt"} <= words


def test_the_guide_has_every_knob_with_its_values() -> None:
    """Names, and for those with words, each word."""
    guide = GUIDE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]*) \|", guide, re.MULTILINE))
    assert set(NAMES) <= set(rows)
    for name in NAMES:
        kind = get_type_hints(Knobs)[name]
        kind = get_args(kind)[0] if get_origin(kind) is tuple else kind
        for word in get_args(kind) if get_origin(kind) is Literal else ():
            assert f"`{word}`" in rows[name], name
    for spec in re.findall(r"--faults (\S+?)[` \n]", guide):
        if spec != "SPEC":
            assert RelayFaults.parse(spec) != RelayFaults()
    for knob in re.findall(r"--knob (\S+?)[` \n]", guide):
        if knob != "NAME=VALUE":
            assert read_knobs([knob], Knobs()) != Knobs()


@pytest.mark.parametrize("option", [("--knob", "ordr=kept"), ("--faults", "rest=1")])
@pytest.mark.parametrize("command", [("local",), ("dev", "echo.py")])
def test_a_wrong_word_is_one_line_before_anything_begins(
    command: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    """Exit code 2, and no folder is made."""
    ended = run_command(*command, *option, cwd=tmp_path)
    assert ended.code != 0
    assert ended.errors.count("\n") == 1
    assert "did you mean" in ended.errors
    assert list(tmp_path.iterdir()) == []


COUNTING = """
import trio

from moobius_trio import MessageDown, MoobiusService


class Counting(MoobiusService):
    async def on_start(self):
        for number in range(150):
            await self.send(MessageDown(channel_id=BAND, content=str(number), recipients=[ALICE]))
            await trio.sleep(0.02)
"""


async def test_a_service_behind_resets_comes_back_and_loses_nothing(tmp_path: Path) -> None:
    """150 messages through a relay that resets every connection each second: all there, once,
    in order; all of it by the command line (F1, F2, F3)."""
    options = ("--port", "0", "--ready-json", "--state", tmp_path / "state")
    faults = ("--faults", "reset=1,slice=400,seed=3", "--knob", "copies_times=2")
    with open_command("local", *options, *faults, cwd=tmp_path) as platform:
        url = (await trio.to_thread.run_sync(platform.ready))["url"]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            settings = {
                "http_server_uri": f"{url}/",
                "ws_server_uri": url.replace("http", "ws", 1) + "/",
                "email": "me@example.org",
                "service_id": await made_service(http),
                "channels": ["local-demo"],
                "others": "include",
            }
            alice = await Alice.join(http, url)
            await trio.Path(tmp_path, "service.json").write_text(json.dumps(settings))
            source = COUNTING.replace("ALICE", repr(alice.user_id)).replace("BAND", repr(BAND))
            await trio.Path(tmp_path, "counting.py").write_text(source)
            with open_command(
                "run",
                "counting.py",
                "--ready-json",
                cwd=tmp_path,
                environ={"MOOBIUS_PASSWORD": "made-up"},
            ) as service:
                await trio.to_thread.run_sync(service.ready)
                got = await alice.heard(http)
                ended = await trio.to_thread.run_sync(service.stop)
        said = await trio.to_thread.run_sync(platform.stop)
    assert got == [str(number) for number in range(150)]
    assert (ended.code, said.code) == (0, 0)
    assert said.errors.count("service connected") > 1  # it has been away
    assert "Faults    about every 1 s all connections are reset" in said.errors
    assert "Knobs     copies_times=2" in said.errors


async def steady(http: httpx.AsyncClient, method: str, path: str, **request: Any) -> Any:
    """The data of a reply, however often the connection is reset on the way."""
    while True:
        try:
            return (await http.request(method, path, **request)).json()["data"]
        except httpx.TransportError:
            continue


async def made_service(http: httpx.AsyncClient) -> str:
    body = {"username": "me@example.org", "password": "made-up"}
    tokens = (await steady(http, "POST", "/auth/sign_in", json=body))["AuthenticationResult"]
    headers = {"Authorization": f"Bearer {tokens['AccessToken']}"}
    made = await steady(http, "POST", "/service/create", json={"description": ""}, headers=headers)
    return str(made["service_id"])


@attrs.frozen
class Alice:
    """A member of the band, who asks what the platform kept for her."""

    user_id: UserId
    token: str = attrs.field(repr=False)

    @classmethod
    async def join(cls, http: httpx.AsyncClient, url: str) -> Alice:
        guest = await steady(http, "POST", "/local/guest", json={"name": "Alice"})
        token = guest["AuthenticationResult"]["AccessToken"]
        alice = cls(UserId(guest["user_id"]), token)
        while not (await alice.ask(http, "/local/membership"))["member"]:
            try:
                async with websocket_connector(url.replace("http", "ws", 1) + "/")() as stream:
                    await alice.tell(stream, UserLogin(access_token=token))
                    await alice.tell(
                        stream, UserAction(subtype="join_channel", channel_id=ChannelId(BAND))
                    )
            except (ConnectionLost, CouldNotConnect):
                continue
        return alice

    async def tell(self, stream: FrameStream, command: UserCommand) -> None:
        text = encode_from_user(
            command, request_id=RequestId("u"), client_id=self.user_id, timestamp=1
        )
        await stream.send_text(text)
        await stream.receive_text()

    async def ask(self, http: httpx.AsyncClient, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await steady(http, "GET", path, params={"channel_id": BAND}, headers=headers)

    async def heard(self, http: httpx.AsyncClient) -> list[str]:
        """All texts, as soon as the last one is among them."""
        with trio.fail_after(HANG):
            while True:
                kept = await self.ask(http, "/local/history")
                texts = [frame["body"]["content"]["text"] for frame in kept]
                if "149" in texts:
                    return texts
                await trio.sleep(0.05)
