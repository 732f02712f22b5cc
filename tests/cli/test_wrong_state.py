"""State folders that cannot be used, and ports that are taken: one line each."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.testing.commands import Ended, open_command, run_command

LOCAL = ("local", "--port", "0", "--state")
DEMO = ("demo", "--port", "0", "--no-browser", "--state")


def line_of(ended: Ended, code: int) -> str:
    """The last line; before it only ``demo`` says something, where its source lies."""
    assert (ended.code, ended.output) == (code, ""), ended.errors
    *before, line = ended.errors.splitlines()
    assert all(other.startswith("  Source ") for other in before)
    return line


@pytest.mark.parametrize("command", [LOCAL, DEMO])
def test_a_file_in_place_of_the_state_folder(command: tuple[str, ...], tmp_path: Path) -> None:
    """The file stays as it is."""
    place = tmp_path / "state"
    place.write_text("mine")
    line = line_of(run_command(*command, place, cwd=tmp_path), 2)
    assert str(place) in line
    assert "it is a file" in line
    assert "--state" in line
    assert place.read_text() == "mine"


def test_a_state_folder_below_a_file(tmp_path: Path) -> None:
    """It cannot be made."""
    (tmp_path / "file").write_text("")
    line = line_of(run_command(*LOCAL, tmp_path / "file" / "state", cwd=tmp_path), 2)
    assert "Not a directory" in line
    assert "--state" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_a_state_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Not even by the administrator."""
    line = line_of(run_command(*LOCAL, "/proc/state", cwd=tmp_path), 2)
    assert "/proc/state" in line
    assert "--state" in line


def test_a_state_folder_with_something_else_in_it(tmp_path: Path) -> None:
    """A file of the platform's name that is no state is not touched."""
    file = tmp_path / "platform.sqlite3"
    file.write_bytes(b"a letter to my aunt" * 100)
    line = line_of(run_command(*LOCAL, tmp_path, cwd=tmp_path), 78)
    assert str(file) in line
    assert "--state" in line
    assert file.read_bytes() == b"a letter to my aunt" * 100


def test_an_account_file_that_is_not_one(tmp_path: Path) -> None:
    """What an earlier run of ``demo`` kept and somebody changed is named, and stays."""
    file = tmp_path / "demo-service.json"
    file.write_text(json.dumps({"email": 1}))
    line = line_of(run_command(*DEMO, tmp_path, cwd=tmp_path), 2)
    assert str(file) in line
    assert "begin afresh" in line
    assert json.loads(file.read_text()) == {"email": 1}


def test_a_state_folder_that_is_in_use(tmp_path: Path) -> None:
    """It says what runs there, by its id, and what to do."""
    with open_command(*LOCAL, tmp_path / "state", "--ready-json", cwd=tmp_path) as first:
        pid = first.ready()["pid"]
        line = line_of(run_command(*LOCAL, tmp_path / "state", cwd=tmp_path), 2)
        assert f"runs there already (process {pid})" in line
        assert "--state" in line
        assert first.stop().code == 0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("command", ["local", "demo"])
def test_a_port_in_use(command: str, taken: int, tmp_path: Path) -> None:
    """The line says which, and how to get another one."""
    options = ["--no-browser"] if command == "demo" else []
    ended = run_command(
        command, "--port", str(taken), "--state", tmp_path / "state", *options, cwd=tmp_path
    )
    line = line_of(ended, 2)
    assert f"port {taken} is in use" in line
    assert "--port 0" in line
