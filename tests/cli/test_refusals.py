"""``run`` against a platform that refuses something, or is not there."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from moobius_trio.testing.commands import Command, open_command, run_command

SERVICE = "from moobius_trio import MoobiusService\n\n\nclass Own(MoobiusService):\n    pass\n"
PASSWORD = "canary-of-the-password"
BANDS = ("--band", "two", "--band", "three", "--band", "four")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local platform with four bands; its URL."""
    folder = tmp_path_factory.mktemp("platform")
    options = ("--port", "0", "--state", "state", "--ready-json", *BANDS)
    with open_command("local", *options, cwd=folder) as local:
        yield local.ready()["url"]
        ended = local.stop()
    assert (ended.code, "Traceback" in ended.errors) == (0, False)


def project(folder: Path, url: str, **settings: Any) -> Path:
    """A service with a service.json; the account is made at its first sign-in."""
    folder.mkdir(exist_ok=True)
    (folder / "service.py").write_text(SERVICE)
    content = {
        "http_server_uri": url,
        "ws_server_uri": url.replace("http", "ws"),
        "email": f"{folder.parent.name}@example.org",
        "password": PASSWORD,
        "service_id": "",
        "channels": ["local-demo"],
        "name": folder.name,
    } | settings
    file = folder / "service.json"
    file.write_text(json.dumps(content, indent=4))
    file.chmod(0o600)
    return folder


def fails(folder: Path, code: int) -> str:
    """Run a project that cannot run; gives its last line, the only one that is no log line."""
    before = (folder / "service.json").read_text()
    ended = run_command("run", folder, cwd=folder)
    assert (ended.code, ended.output) == (code, ""), ended.errors
    assert PASSWORD not in ended.errors
    *logged, line = ended.errors.splitlines()
    assert all(json.loads(other)["level"] == "info" for other in logged)
    # At most the id of the service that was made is written.
    after = (folder / "service.json").read_text()
    assert re.sub(r'"service_id": ".*"', '"service_id": ""', after) == re.sub(
        r'"service_id": ".*"', '"service_id": ""', before
    )
    return line


@contextmanager
def running(folder: Path) -> Iterator[tuple[Command, list[str]]]:
    """Run a project; gives the process and the bands it took."""
    with open_command("run", folder, "--ready-json", cwd=folder) as command:
        yield command, command.ready()["services"][0]["channels"]
        assert command.stop().code == 0


def test_a_wrong_password(platform: str, tmp_path: Path) -> None:
    """Exit code 77; the account is named, the password is not."""
    with running(project(tmp_path / "first", platform)):
        pass
    folder = project(tmp_path / "second", platform, password="another")
    line = fails(folder, 77)
    assert f"{tmp_path.name}@example.org" in line
    assert "password" in line
    assert '"service_id": ""' in (folder / "service.json").read_text()


def test_a_wrong_band_among_right_ones(platform: str, tmp_path: Path) -> None:
    """One line names it with the remedy; the service runs with the rest (F28)."""
    channels = ["local-nowhere", "local-two"]
    folder = project(tmp_path / "own", platform, channels=channels)
    with running(folder) as (command, taken):
        assert taken == ["local-two"]
        (line,) = [line for line in command.errors.splitlines() if "local-nowhere" in line]
    assert "warning" in line
    assert "there is no band local-nowhere" in line
    assert "channels in service.json" in line
    assert json.loads((folder / "service.json").read_text())["channels"] == channels


def test_only_wrong_bands(platform: str, tmp_path: Path) -> None:
    """Exit code 78, and each is named with its reason."""
    line = fails(project(tmp_path / "own", platform, channels=["local-no", "local-never"]), 78)
    assert "there is no band local-no " in line
    assert "there is no band local-never " in line
    assert "channels in service.json" in line


def test_the_id_of_a_service_of_somebody_else(platform: str, tmp_path: Path) -> None:
    """The remedy names the key that is wrong."""
    line = fails(project(tmp_path / "own", platform, service_id="local-not-mine"), 78)
    assert "local-not-mine" in line
    assert "service_id" in line


def test_a_band_that_another_service_holds(platform: str, tmp_path: Path) -> None:
    """Each policy in turn: ignore, unbind, include (F28)."""
    three = {"channels": ["local-three"]}
    with running(project(tmp_path / "holder", platform, **three)):
        line = fails(project(tmp_path / "own", platform, others="ignore", **three), 78)
        assert "held by service local-" in line
        assert "others to include" in line
        line = fails(project(tmp_path / "own", platform, others="unbind", **three), 78)
        assert "was unbound and the band left free" in line
        assert "include" in line
        with running(project(tmp_path / "own", platform, **three)) as (_, taken):
            assert taken == ["local-three"]
            other = project(tmp_path / "other", platform, others="include", **three)
            with running(other) as (_, taken):
                assert taken == ["local-three"]


def test_a_second_live_service_of_the_same_name(platform: str, tmp_path: Path) -> None:
    """It is told who has the name, and that another one is wanted."""
    folder = project(tmp_path / "own", platform, channels=["local-four"])
    with running(folder) as (command, _):
        line = fails(folder, 78)
        assert str(command.pid) in line
        assert "name" in line


def test_a_platform_that_is_not_there(tmp_path: Path) -> None:
    """Exit code 69; the line names the address, how often it was tried, and where it stands."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = fails(project(tmp_path / "own", f"http://127.0.0.1:{port}"), 69)
    assert f"http://127.0.0.1:{port}" in line
    assert re.search(r"\d attempts", line)
    assert "service.json" in line


def test_a_name_that_no_machine_has(tmp_path: Path) -> None:
    """The reserved top level ``invalid`` leads nowhere, whatever the network."""
    address = {"http_server_uri": "https://a.invalid", "ws_server_uri": "wss://a.invalid"}
    line = fails(project(tmp_path / "own", "", channels=["x"], **address), 69)
    assert "https://a.invalid" in line
