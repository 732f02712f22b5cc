"""``moobius-trio new``: what it makes works at once, and what it cannot make it does not begin."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import httpx
import pytest
import trio

import moobius_trio
from moobius_trio.cli import main
from moobius_trio.cli.new import TEMPLATES, TemplateName, make_project
from moobius_trio.cli.tape.remote import open_remote
from moobius_trio.config import load_settings
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing import SERVICE, Actor
from moobius_trio.testing.commands import open_command
from moobius_trio.testing.waiting import until
from moobius_trio.types import ChannelId

TEMPLATE_NAMES: tuple[TemplateName, ...] = get_args(TemplateName)
PACKAGE = Path(moobius_trio.__file__).parent.parent


def python(folder: Path, *arguments: str) -> None:
    """Run Python in a project as its author would, and expect that all is well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(PACKAGE), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_its_tests_pass_at_once(template: TemplateName, tmp_path: Path) -> None:
    """Of each template, by the project's own settings of pytest."""
    make_project("shiny", template, tmp_path)
    python(tmp_path / "shiny", "-m", "pytest", "-q", "-p", "moobius_trio.testing.plugin")


@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_it_is_whole(template: TemplateName, tmp_path: Path) -> None:
    """Service, tests, README, config; nothing of the bundled project's own, nothing left over."""
    make_project("shiny-2", template, tmp_path)
    folder = tmp_path / "shiny-2"
    assert [path.name for path in tmp_path.iterdir()] == ["shiny-2"]
    names = {path.name for path in folder.iterdir()}
    wanted = {".gitignore", "README.md", "config", "pyproject.toml", "requirements.txt"}
    assert names >= wanted | {"service.py", "test_service.py"}
    assert not names & {"__pycache__", ".mypy_cache", "service.json.example"}
    assert [path.name for path in (folder / "config").iterdir()] == ["service.json"]
    for path in folder.rglob("*.*"):
        if path.suffix in (".md", ".toml", ".json", ".txt"):
            assert "{{" not in path.read_text(encoding="utf-8")
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# shiny-2\n")
    assert f"class {TEMPLATES[template].class_name}(" in (folder / "service.py").read_text()


def test_its_config_is_one(tmp_path: Path) -> None:
    """With a password from elsewhere it is complete, and it names the project."""
    make_project("shiny", "zero", tmp_path)
    path = tmp_path / "shiny" / "config" / "service.json"
    settings = load_settings(path, environ={"MOOBIUS_PASSWORD": "secret"})
    assert settings.name == "shiny"
    assert json.loads(path.read_text())["protocol"] == settings.protocol == "1.8"
    assert "password" not in path.read_text()


@pytest.mark.parametrize(
    "name", ["", "-x", "x-", "1x", "a b", "a/b", "..", ".hidden", "ä", "x" * 41, "x\n", "a.b"]
)
def test_a_name_that_cannot_be_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is made."""
    refused(capsys, "cannot be a project's name", "--into", str(tmp_path), "--", name)
    assert list(tmp_path.iterdir()) == []


def refused(capsys: pytest.CaptureFixture[str], said: str, *arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["new", *arguments])
    output, errors = capsys.readouterr()
    assert (ended.value.code, output, errors.count("\n")) == (2, "", 1)
    assert said in errors


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a file, or a link of this name, and a place that is none."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        refused(capsys, "is there already", name, "--into", str(tmp_path))
    refused(capsys, "no such folder", "x", "--into", str(tmp_path / "nowhere"))
    refused(capsys, "name of this package", "Moobius-Trio", "--into", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "link"]


def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made beside and renamed."""

    def fail(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    refused(capsys, "cannot be made (No space left on device)", "x", "--into", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


async def _answer(url: str) -> str:
    """What the service says to somebody who comes in and speaks to it."""
    async with open_remote(url) as remote, trio.open_nursery() as nursery:
        guest = await remote.guest("Alice")
        actor = Actor(
            name="Alice",
            user_id=guest.user_id,
            token=guest.token,
            channel_id=ChannelId("local-demo"),
            settle=trio.lowlevel.checkpoint,
            wall_clock_ms=lambda: time.time_ns() // 1_000_000,
        )
        await nursery.start(actor.serve, websocket_connector(remote.socket("/")))
        await actor.rejoin()
        await actor.say("hello?", to=SERVICE)
        await until(lambda: bool(actor.texts))
        nursery.cancel_scope.cancel()
    return actor.texts[-1]


def test_dev_shows_a_page_that_answers(tmp_path: Path) -> None:
    """In the new folder, with nothing filled in; it runs under the project's name."""
    make_project("shiny", "zero", tmp_path)
    options = ("--port", "0", "--no-browser", "--ready-json")
    with open_command("dev", ".", *options, cwd=tmp_path / "shiny") as dev:
        ready = dev.ready()
        assert httpx.get(f"{ready['url']}/", trust_env=False).status_code == 200
        assert trio.run(_answer, ready["url"]) == "You said: hello?"
        assert ready["services"][0]["name"] == "shiny"
        assert dev.stop().code == 0
