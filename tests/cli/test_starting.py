"""The ways to start a service, and what stays between two starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from moobius_trio.testing.commands import open_command

SERVICE = """
from moobius_trio import MoobiusService, run


class Echo(MoobiusService):
    pass


class Other(Echo):
    pass


if __name__ == "__main__":
    run(Echo().serve)
"""

OPTIONS = ("--port", "0", "--no-browser", "--ready-json")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("project/service.py", "other"),
        ("project", "other"),
        ("project/service.py:Echo", "echo"),
        ("project:Echo", "echo"),
        ("package.rooms:Echo", "echo"),
    ],
)
def test_dev_takes_a_file_a_folder_or_a_class(target: str, name: str, tmp_path: Path) -> None:
    """It is ready with that service in the band, and keeps its state beside the file."""
    for file in ("project/service.py", "package/rooms.py"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(SERVICE)
    with open_command("dev", target, *OPTIONS, cwd=tmp_path) as dev:
        (service,) = dev.ready()["services"]
        ended = dev.stop()
    assert (ended.code, service["name"], service["channels"]) == (0, name, ["local-demo"])
    folder = tmp_path / ("package" if "package" in target else "project")
    assert (folder / ".moobius-trio" / f"{name}.json").is_file()
    assert str(folder / ".moobius-trio") in ended.errors


def test_the_ready_line_is_all_that_standard_output_has(tmp_path: Path) -> None:
    """One line of JSON with the address, the process and the services; the rest is for people."""
    (tmp_path / "echo.py").write_text(SERVICE)
    with open_command("dev", "echo.py:Echo", *OPTIONS, cwd=tmp_path) as dev:
        ready = dev.ready()
        assert ready["pid"] == dev.pid
        ended = dev.stop()
    assert json.loads(ended.output) == ready
    assert ended.output.count("\n") == 1
    assert ready["ready"] is True
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ready["url"])
    assert f"{ready['url']}/?as=alice" in ended.errors
    assert f"{ready['url']}/?as=bob" in ended.errors


def test_without_ready_json_standard_output_stays_empty(tmp_path: Path) -> None:
    """What people read goes to standard error."""
    (tmp_path / "echo.py").write_text(SERVICE.replace("    pass", READY, 1))
    with open_command("dev", "echo.py:Echo", *OPTIONS[:-1], cwd=tmp_path) as dev:
        assert dev.read_line() == "of the service"
        ended = dev.stop()
    assert (ended.code, ended.output) == (0, "of the service\n")


READY = """
    async def on_start(self):
        self.spells.send_nowait("")

    async def on_spell(self, spell):
        print("of the service", flush=True)
"""


def test_the_state_folder_is_kept_between_two_runs(tmp_path: Path) -> None:
    """The second run has the same service, stores and platform; without the folder, others."""
    (tmp_path / "counter.py").write_text(COUNTER)
    state = tmp_path / "somewhere" / "state"
    seen = []
    for _ in range(2):
        with open_command("dev", "counter.py", *OPTIONS, "--state", state, cwd=tmp_path) as dev:
            service_id = dev.ready()["services"][0]["service_id"]
            ended = dev.stop()
        assert ended.code == 0
        assert str(state) in ended.errors
        seen.append((service_id, ended.output.splitlines()[-1]))
    assert seen == [(seen[0][0], "starts: 1"), (seen[0][0], "starts: 2")]
    assert not (tmp_path / ".moobius-trio").exists()
    assert state.stat().st_mode & 0o077 == 0
    shutil.rmtree(state)
    with open_command("dev", "counter.py", *OPTIONS, "--state", state, cwd=tmp_path) as dev:
        assert dev.ready()["services"][0]["service_id"] != seen[0][0]
        assert dev.stop().output.endswith("starts: 1\n")


COUNTER = """
from moobius_trio import MoobiusService, container


class Counter(MoobiusService):
    counts = container(int)

    async def on_start(self):
        self.counts["starts"] = self.counts.get("starts", 0) + 1

    async def on_stop(self):
        print("starts:", self.counts["starts"], flush=True)
"""


def test_dev_leaves_the_projects_own_files_alone(tmp_path: Path) -> None:
    """No account, id or band is read from its service.json, and nothing is written into it."""
    (tmp_path / "service.py").write_text(SERVICE)
    settings = {
        "http_server_uri": "https://example.org/",
        "ws_server_uri": "wss://example.org/",
        "email": "me@example.org",
        "password": "canary-of-the-password",
        "service_id": "mine",
        "channels": ["elsewhere"],
        "others": "unbind",
    }
    (tmp_path / "service.json").write_text(json.dumps(settings))
    with open_command("dev", ".", *OPTIONS, cwd=tmp_path) as dev:
        (service,) = dev.ready()["services"]
        ended = dev.stop()
    assert ended.code == 0
    assert service["service_id"].startswith("local-")
    assert service["channels"] == ["local-demo"]
    assert json.loads((tmp_path / "service.json").read_text()) == settings
    kept = [file for file in (tmp_path / ".moobius-trio").rglob("*") if file.is_file()]
    for text in (ended.errors.encode(), *(file.read_bytes() for file in kept)):
        assert b"canary" not in text


def test_demo_says_where_its_source_lies(tmp_path: Path) -> None:
    """And writes nothing there: its state is the user's, or in --state."""
    environ = {"XDG_STATE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    with open_command("demo", *OPTIONS, cwd=tmp_path, environ=environ) as demo:
        (service,) = demo.ready()["services"]
        ended = demo.stop()
    assert (ended.code, service["name"]) == (0, "demo-service")
    (source,) = re.findall(r"^  Source +(.*)$", ended.errors, re.MULTILINE)
    assert (Path(source) / "service.py").is_file()
    assert not (Path(source) / ".moobius-trio").exists()
    (kept,) = tmp_path.rglob("demo-service.json")
    assert f"  State     {kept.parent}\n" in ended.errors


def test_a_port_of_ones_own(tmp_path: Path) -> None:
    """``--port`` is where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open_command(
        "local", "--port", str(port), "--state", "s", "--ready-json", cwd=tmp_path
    ) as local:
        assert local.ready()["url"] == f"http://127.0.0.1:{port}"
        assert local.stop().code == 0


def test_local_makes_bands_and_prints_them(tmp_path: Path) -> None:
    """Every band of ``--band`` is there, and in the service.json that is printed."""
    options = ("--port", "0", "--state", "s", "--ready-json", "--band", "one", "--band", "two")
    with open_command("local", *options, cwd=tmp_path) as local:
        ready = local.ready()
        ended = local.stop()
    assert ready["services"] == []
    (printed,) = re.findall(r"^\{$.*?^\}$", ended.errors, re.DOTALL | re.MULTILINE)
    assert json.loads(printed)["channels"] == ["local-demo", "local-one", "local-two"]


@pytest.mark.skipif(os.name != "posix", reason="scripts as browsers")
def test_the_page_is_opened_in_the_users_browser(tmp_path: Path) -> None:
    """With the address of the page; a browser that does not return holds nothing up."""
    (tmp_path / "echo.py").write_text(SERVICE)
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n')
    browser.chmod(0o755)
    options = ("--port", "0", "--ready-json")
    environ = {"BROWSER": f"{browser} %s"}
    with open_command("dev", "echo.py:Echo", *options, cwd=tmp_path, environ=environ) as dev:
        url = dev.ready()["url"]
        assert opened.read_text() == f"{url}/?as=alice\n"
        assert dev.stop().code == 0
