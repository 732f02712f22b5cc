"""``run`` with a store that cannot be opened: one line on standard error, exit code 78."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.testing.commands import MODULE, Command, Ended, open_command, run_command
from moobius_trio.testing.small_disk import READ_ONLY, on_small_disk, why_no_small_disk

SERVICE = "from moobius_trio import MoobiusService\n\n\nclass Own(MoobiusService):\n    pass\n"
FILE_ENGINES = ["sqlite", "json"]
REASON = why_no_small_disk()


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local platform; its URL."""
    folder = tmp_path_factory.mktemp("platform")
    options = ("--port", "0", "--state", "state", "--ready-json", "--band", "two")
    with open_command("local", *options, cwd=folder) as local:
        yield local.ready()["url"]
        assert local.stop().code == 0


def project(
    folder: Path, url: str, engine: str, root: Path | str, service_id: str = "", band: str = "demo"
) -> Path:
    """A service that keeps one container where it is told to."""
    folder.mkdir(exist_ok=True)
    (folder / "service.py").write_text(SERVICE)
    content = {
        "http_server_uri": url,
        "ws_server_uri": url.replace("http", "ws"),
        "email": f"{folder.parent.name}@example.org",
        "password": "a password",
        "service_id": service_id,
        "channels": [f"local-{band}"],
        "name": folder.name,
    }
    (folder / "service.json").write_text(json.dumps(content))
    (folder / "service.json").chmod(0o600)
    settings = {"root_dir": str(root)}
    container = {"name": "box", "implementation": engine, "load": True, "clear": False}
    (folder / "db.json").write_text(json.dumps([{**container, "settings": settings}]))
    return folder


def one_line(ended: Ended) -> str:
    """The line that a run which cannot begin ends with; all others are of the log."""
    assert (ended.code, ended.output) == (78, ""), ended.errors
    *logged, line = ended.errors.splitlines()
    assert all(json.loads(other)["level"] == "info" for other in logged)
    return line


def service_of(command: Command) -> str:
    """The id of a service that has begun."""
    service_id: str = command.ready()["services"][0]["service_id"]
    return service_id


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_a_file_where_the_folder_should_be(platform: str, tmp_path: Path, engine: str) -> None:
    """It is named, and left as it is."""
    (tmp_path / "file").write_text("mine")
    line = one_line(
        run_command("run", project(tmp_path / "own", platform, engine, "../file"), cwd=tmp_path)
    )
    assert "../file" in line
    assert "not a directory. A file stands where a folder is needed" in line
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(REASON is not None, reason=REASON or "there can be one")
@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_a_read_only_disk(platform: str, tmp_path: Path, engine: str) -> None:
    """The remedy names the setting."""
    disk = tmp_path / "disk"
    disk.mkdir()
    folder = project(tmp_path / "own", platform, engine, disk)
    ended = subprocess.run(
        on_small_disk(disk, "64k", [sys.executable, *MODULE, "run", folder], first=READ_ONLY),
        capture_output=True,
        text=True,
        check=False,
    )
    line = one_line(
        Ended(code=ended.returncode, output=ended.stdout, errors=ended.stderr, seconds=0)
    )
    assert str(disk) in line
    assert "read-only file system. Make the folder writable" in line
    assert "root_dir" in line


@pytest.mark.parametrize("engine", FILE_ENGINES)
def test_a_store_that_another_process_has_open(platform: str, tmp_path: Path, engine: str) -> None:
    """The second is refused with the pid of the first; when that one is killed, it can start.

    (F47)
    """
    root = tmp_path / "data"
    first = project(tmp_path / "first", platform, engine, root)
    with open_command("run", first, "--ready-json", cwd=first) as holder:
        service_id = service_of(holder)
        second = project(tmp_path / "second", platform, engine, root, service_id, band="two")
        line = one_line(run_command("run", second, cwd=second))
        assert f"another process has it open (pid {holder.pid}). Stop that process first" in line
        assert str(root) in line
        holder.signal(signal.SIGKILL)
        assert holder.wait().code == -signal.SIGKILL
    with open_command("run", second, "--ready-json", cwd=second) as later:
        assert service_of(later) == service_id
        assert later.stop().code == 0


def test_a_database_that_is_damaged(platform: str, tmp_path: Path) -> None:
    """A store whose file is no store of ours, or in pieces, is named and left as it is."""
    folder = project(tmp_path / "own", platform, "sqlite", "data")
    with open_command("run", folder, "--ready-json", cwd=folder) as command:
        service_of(command)
        assert command.stop().code == 0
    [path] = (folder / "data").glob("*.sqlite3")
    for content, words in (
        (b"this is no database, " * 100, "file is not a database"),
        (
            path.read_bytes()[:5_000],
            "is damaged (database disk image is malformed). Put a copy in its place",
        ),
    ):
        path.write_bytes(content)
        line = one_line(run_command("run", folder, cwd=folder))
        assert str(path) in line
        assert words in line
        assert path.read_bytes() == content
