"""A service as a systemd unit runs it: hardly an environment, and a project that is only read.

The unit and the Dockerfile of docs/how-to/deploy are looked at too.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from moobius_trio.codec.generation0 import decode_for_user, encode_from_user
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.commands import Command, Ended, open_command
from moobius_trio.testing.small_disk import READ_ONLY, on_small_disk, why_no_small_disk
from moobius_trio.types import (
    ChannelId,
    Content,
    MessageDown,
    RequestId,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
    UserMessage,
)

DEPLOY = Path(__file__).parents[2] / "docs" / "how-to" / "deploy"
BAND = ChannelId("local-demo")
PASSWORD = "c4n4ry of the unit"
PATIENCE = 90

SERVICE = """
from moobius_trio import MessageUp, MoobiusService, container


class Echo(MoobiusService):
    counts = container(int)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.counts["heard"] = self.counts.get("heard", 0) + 1
        await self.reply(msg_up, f"heard {self.counts['heard']}")
"""

needs_a_disk = pytest.mark.skipif(why_no_small_disk() is not None, reason=why_no_small_disk() or "")


@attrs.frozen
class Unit:
    """What systemd gives a unit: folders, a credential, a socket to speak to."""

    folder: Path
    notify: socket.socket
    port: int

    @property
    def project(self) -> Path:
        return self.folder / "opt"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": "60000000",
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
            "MOOBIUS_PASSWORD_FILE": str(self.folder / "credentials" / "password"),
            "STATE_DIRECTORY": str(self.folder / "state"),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
            "LOGS_DIRECTORY": str(self.folder / "logs"),
        }

    @contextmanager
    def started(self) -> Iterator[Command]:
        """The process, its project on a disk that cannot be written."""
        source = self.folder / "source"

        def around(command: list[str]) -> list[str]:
            first = f'cp -r "{source}/." "$1" && {READ_ONLY}'
            return on_small_disk(self.project, "256k", command, first=first)

        with open_command(
            "run",
            self.project / "service.py",
            cwd=Path("/"),
            environ=self.environ,
            inherit=False,
            around=around,
        ) as command:
            yield command

    def ended(self) -> Ended:
        """Start it and wait for its end."""
        with self.started() as command:
            return command.wait()

    def hears(self, wanted: str) -> list[str]:
        """What systemd is told, up to and with this."""
        told = []
        while wanted not in told:
            told += self.notify.recv(4096).decode().split("\n")
        return told


@contextmanager
def open_unit(folder: Path, url: str, **settings: Any) -> Iterator[Unit]:
    for name in ("opt", "source", "credentials", "state", "run", "logs"):
        (folder / name).mkdir(mode=0o700)
    (folder / "credentials" / "password").write_text(PASSWORD + "\n")
    (folder / "source" / "service.py").write_text(SERVICE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    content = {
        "http_server_uri": f"{url}/",
        "ws_server_uri": url.replace("http", "ws", 1) + "/",
        "email": "unit@example.org",
        "channels": [BAND],
        "ops_port": port,
    } | settings
    (folder / "source" / "service.json").write_text(json.dumps(content))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(folder / "notify"))
        notify.settimeout(PATIENCE)
        yield Unit(folder, notify, port)


@pytest.fixture
def short_path(tmp_path: Path) -> Iterator[Path]:
    """A folder whose sockets have names short enough."""
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[str]:
    """A local platform; its address."""
    options = ("--port", "0", "--state", tmp_path / "platform", "--ready-json")
    with open_command("local", *options, cwd=tmp_path) as local:
        yield local.ready()["url"]
        assert local.stop().code == 0


@asynccontextmanager
async def open_user(url: str, name: str) -> AsyncIterator[Any]:
    """Somebody in the band; gives a function that says something and returns the answer."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        data = (await client.post("/local/guest", json={"name": name})).json()["data"]
    user_id = UserId(data["user_id"])
    async with websocket_connector(url.replace("http", "ws") + "/")() as stream:

        async def send(command: UserCommand) -> None:
            await stream.send_text(
                encode_from_user(command, request_id=RequestId("r"), client_id=user_id, timestamp=1)
            )

        async def asks(text: str) -> str | None:
            await send(UserMessage(channel_id=BAND, content=Content(text=text)))
            while True:
                event = decode_for_user(await stream.receive_text())
                if isinstance(event, MessageDown) and (event.text or "").startswith("heard"):
                    return event.text

        await send(UserLogin(access_token=data["AuthenticationResult"]["AccessToken"]))
        await send(UserAction(subtype="join_channel", channel_id=BAND))
        yield asks


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@needs_a_disk
async def test_a_service_runs_as_the_unit_runs_it(platform: str, short_path: Path) -> None:
    """READY, an answer, 200, STOPPING at SIGTERM, exit 0; a second start goes on from there."""
    with open_unit(short_path, platform) as unit, trio.fail_after(PATIENCE):
        ids = []
        for run in (1, 2):
            with unit.started() as command:
                told = await trio.to_thread.run_sync(unit.hears, "READY=1")
                assert "STATUS=echo: starting" in told
                assert "STATUS=ready: echo" in told
                assert "WATCHDOG=1" in told
                async with open_user(platform, "alice") as asks:
                    assert await asks("hello") == f"heard {run}"
                async with httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{unit.port}", trust_env=False
                ) as http:
                    for path in ("/healthz", "/readyz", "/metrics"):
                        assert (await http.get(path)).status_code == 200
                command.signal(signal.SIGTERM)
                told = await trio.to_thread.run_sync(unit.hears, "STOPPING=1")
                ended = await trio.to_thread.run_sync(command.wait)
            assert (ended.code, ended.output) == (0, ""), ended.errors
            assert "Traceback" not in ended.errors
            ids.append(json.loads((short_path / "state" / "echo.json").read_text()))
    assert ids[0]["service_id"]
    assert ids[0] == ids[1]
    left = files_in(short_path)
    kinds = {path.relative_to(short_path).parts[0] for path in left}
    assert kinds == {"credentials", "source", "state", "run", "logs"}
    for path in left:
        if path.parts[-2] in ("state", "run", "logs", "moobius-trio"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
            assert PASSWORD.encode() not in path.read_bytes()
    for text in ((short_path / "logs" / "service.log").read_text(), ended.errors):
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert "ready" in [line["event"] for line in lines]
    assert not list(unit.project.iterdir())


@needs_a_disk
def test_a_wrong_password_is_not_tried_for_ever(platform: str, short_path: Path) -> None:
    """77, which RestartPreventExitStatus names."""
    with open_unit(short_path, platform) as unit:
        httpx.post(
            f"{platform}/auth/sign_in",
            json={"username": "unit@example.org", "password": "another one"},
            trust_env=False,
        )
        ended = unit.ended()
    assert ended.code == 77, ended.errors
    assert "unit@example.org" in ended.errors
    assert PASSWORD not in ended.errors


@needs_a_disk
def test_a_wrong_setting_is_not_tried_for_ever(short_path: Path) -> None:
    """78, and systemd is told nothing."""
    with open_unit(short_path, "http://127.0.0.1:9", lanes="fast") as unit:
        ended = unit.ended()
        unit.notify.setblocking(False)
        with pytest.raises(BlockingIOError):
            unit.notify.recv(100)
    assert ended.code == 78, ended.errors
    assert "key lanes" in ended.errors


@needs_a_disk
def test_a_platform_that_is_away_is_tried_again_by_systemd(short_path: Path) -> None:
    """69, and READY was never said."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with open_unit(short_path, f"http://127.0.0.1:{port}") as unit:
        ended = unit.ended()
        unit.notify.setblocking(False)
        told = unit.hears("WATCHDOG=1")
    assert ended.code == 69, ended.errors
    assert "READY=1" not in told


@needs_a_disk
@pytest.mark.parametrize("missing", ["STATE_DIRECTORY", "LOGS_DIRECTORY"])
def test_a_folder_that_is_missing_is_named(
    platform: str, short_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place for its state a service does not start; without one for logs it does."""
    whole = Unit.environ.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Unit,
        "environ",
        property(lambda unit: {k: v for k, v in whole(unit).items() if k != missing}),
    )
    with open_unit(short_path, platform) as unit, unit.started() as command:
        if missing == "STATE_DIRECTORY":
            ended = command.wait()
            assert ended.code == 78
            assert "could not be written into it (Read-only file system)" in ended.errors
        else:
            unit.hears("READY=1")
            command.signal(signal.SIGTERM)
            ended = command.wait()
            assert ended.code == 0
            told = [json.loads(line) for line in ended.errors.splitlines() if line[0] == "{"]
            [line] = [line for line in told if line["event"] == "no log files are written"]
            assert line["problem"] == "Read-only file system"


def test_state_on_the_command_line(platform: str, tmp_path: Path) -> None:
    """``--state`` keeps id and stores, and the project stays as it was."""
    project, state = tmp_path / "project", tmp_path / "kept"
    project.mkdir()
    (project / "service.py").write_text(SERVICE)
    settings = {
        "http_server_uri": f"{platform}/",
        "ws_server_uri": platform.replace("http", "ws", 1) + "/",
        "email": "state@example.org",
        "password": PASSWORD,
        "channels": [BAND],
        "logs": None,
    }
    (project / "service.json").write_text(json.dumps(settings))
    ids = set()
    for _ in range(2):
        with open_command(
            "run", project, "--state", state, "--ready-json", cwd=tmp_path
        ) as command:
            ids.add(command.ready()["services"][0]["service_id"])
            assert command.stop().code == 0
    assert len(ids) == 1
    assert json.loads((project / "service.json").read_text()) == settings
    assert {path.name for path in project.iterdir()} - {"__pycache__"} == {
        "service.py",
        "service.json",
    }
    assert {"echo.json", f"service_{ids.pop()}.sqlite3"} <= {path.name for path in state.iterdir()}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def unit_file() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "echo.service")
    return parser


def test_the_unit_asks_for_what_the_service_uses() -> None:
    """Each folder and the credential have their variable, and final failures are final."""
    service = unit_file()["Service"]
    assert service["Type"] == "notify"
    assert service["LoadCredential"].partition(":")[0] == "password"
    assert service["Environment"] == "MOOBIUS_PASSWORD_FILE=%d/password"
    assert {"StateDirectory", "RuntimeDirectory", "LogsDirectory"} <= service.keys()
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "77 78")
    assert " run " in service["ExecStart"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """No unknown key, no wrong value."""
    text = (DEPLOY / "echo.service").read_text()
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    (tmp_path / "echo.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "echo.service"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_container_gets_its_signals_and_is_not_root() -> None:
    """Exec forms, so that SIGTERM reaches Python; a user; nothing secret in the image."""
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line.strip()]
    by_name: dict[str, list[str]] = {}
    for name, rest in steps:
        by_name.setdefault(name, []).append(rest)
    assert set(by_name) <= {
        "FROM", "RUN", "COPY", "USER", "WORKDIR", "ENV", "VOLUME", "STOPSIGNAL", "HEALTHCHECK",
        "ENTRYPOINT",
    }  # fmt: skip
    assert by_name["FROM"][0].endswith("-slim")
    assert by_name["USER"] == ["10001"]
    assert json.loads(by_name["ENTRYPOINT"][0])[:2] == ["moobius-trio", "run"]
    health = json.loads(by_name["HEALTHCHECK"][0].partition("CMD ")[2])
    compile(health[2], "HEALTHCHECK", "exec")
    names = [entry.partition("=")[0] for entry in by_name["ENV"][0].split()]
    assert names == ["STATE_DIRECTORY", "MOOBIUS_PASSWORD_FILE"]
