"""``spell``, ``ps`` and ``stop`` on services that really run."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moobius_trio.testing.commands import Command, Ended, open_command, run_command

SERVICE = """
import trio

from moobius_trio import MoobiusService


class Echo(MoobiusService):
    async def on_spell(self, spell):
        match spell:
            case "raise":
                raise ValueError("no such magic")
            case "set":
                return {1}
            case "sleep":
                await trio.sleep(3600)
        return {"cast": spell}

    async def on_stop(self):
        print("tidied", flush=True)
"""


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """A runtime folder of this test's own, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mt-") as folder:
        yield {"XDG_RUNTIME_DIR": folder}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local platform; its URL."""
    folder = tmp_path_factory.mktemp("platform")
    options = ("--port", "0", "--state", "state", "--ready-json", "--band", "two")
    with open_command("local", *options, cwd=folder) as local:
        yield local.ready()["url"]
        assert local.stop().code == 0


@contextmanager
def running(
    folder: Path, url: str, environ: dict[str, str], *, name: str = "echo", band: str = "local-demo"
) -> Iterator[Command]:
    """``moobius-trio run`` beside ``moobius-trio local``; killed at the end if it still runs."""
    project = folder / name
    project.mkdir(exist_ok=True)
    (project / "service.py").write_text(SERVICE)
    settings = {
        "http_server_uri": url,
        "ws_server_uri": url.replace("http", "ws"),
        "email": "spells@example.org",
        "password": "made-up",
        "service_id": "",
        "channels": [band],
        "others": "include",
        "name": name,
    }
    file = project / "service.json"
    if not file.exists():
        file.write_text(json.dumps(settings))
        file.chmod(0o600)
    with open_command("run", ".", "--ready-json", cwd=project, environ=environ) as command:
        command.ready()
        yield command


def test_the_commands_on_a_running_service(
    platform: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """Cast, wait, be refused, look, stop: each prints what it should and ends as it should."""

    def call(*arguments: str) -> Ended:
        return run_command(*arguments, cwd=tmp_path, environ=environ)

    with running(tmp_path, platform, environ) as service:
        ended = call("spell", "echo", '{"say": "rain soon"}')
        assert (ended.code, ended.output, ended.errors) == (0, "", "")
        ended = call("spell", "echo", '["ä", 1.5, null]', "--wait")
        assert (ended.code, ended.output, ended.errors) == (0, '{"cast":["ä",1.5,null]}\n', "")
        assert call("spell", "echo", "-1", "--wait").output == '{"cast":-1}\n'

        ended = call("spell", "echo", '"raise"', "--wait")
        assert (ended.code, ended.output) == (1, "")
        raised = "SpellRaised: on_spell of service echo raised ValueError: no such magic\n"
        assert ended.errors == raised
        ended = call("spell", "echo", '"set"', "--wait")
        assert (ended.code, ended.errors.count("\n")) == (69, 1)
        assert "has cast the spell, but cannot answer" in ended.errors
        ended = call("spell", "echo", "rain soon", "--wait")
        assert (ended.code, ended.errors.count("\n")) == (2, 1)
        assert "moobius-trio spell echo '\"rain soon\"'" in ended.errors
        ended = call("spell", "ecco", "1")
        assert (ended.code, ended.errors.count("\n")) == (69, 1)
        assert "Did you mean echo?" in ended.errors

        (shown,) = json.loads(call("ps", "--json").output)
        assert (shown["name"], shown["pid"], shown["state"]) == ("echo", service.pid, "ready")
        assert shown["bands"] == ["local-demo"]
        heading, line = call("ps").output.splitlines()
        assert heading.split() == ["NAME", "PID", "SERVICE", "ID", "STATE", "SINCE", "BANDS"]
        assert line.split()[:4] == ["echo", str(service.pid), shown["service_id"], "ready"]

        ended = call("stop", "echo")
        assert (ended.code, ended.output) == (0, "")
        assert ended.errors == f"  echo (pid {service.pid}) is stopping.\n  echo has stopped.\n"
        left = service.wait()
    assert (left.code, left.output.splitlines()[-1]) == (0, "tidied")
    ended = call("ps")
    assert (ended.code, ended.output) == (0, "")
    assert "No service of this user runs here" in ended.errors
    assert call("ps", "--json").output == "[]\n"
    assert call("stop", "echo").code == 69
    assert not [*Path(environ["XDG_RUNTIME_DIR"]).rglob("*.sock")]


def test_a_killed_service_is_gone_and_may_start_again(
    platform: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """After SIGKILL its socket lies about; ``ps`` shows the others, and a new start cleans up."""
    with running(tmp_path, platform, environ, name="other", band="local-two"):
        with running(tmp_path, platform, environ) as killed:
            killed.signal(signal.SIGKILL)
            killed.wait()
        shown = json.loads(run_command("ps", "--json", cwd=tmp_path, environ=environ).output)
        assert [service["name"] for service in shown] == ["other"]
        assert run_command("spell", "echo", "1", cwd=tmp_path, environ=environ).code == 69
        with running(tmp_path, platform, environ):
            ended = run_command("spell", "echo", "1", "--wait", cwd=tmp_path, environ=environ)
            assert (ended.code, ended.output) == (0, '{"cast":1}\n')
            shown = json.loads(run_command("ps", "--json", cwd=tmp_path, environ=environ).output)
            assert [service["name"] for service in shown] == ["echo", "other"]


def test_times_are_kept(platform: str, environ: dict[str, str], tmp_path: Path) -> None:
    """A spell and a stop that take too long: exit code 69, with what is known."""
    with running(tmp_path, platform, environ) as service:
        options = ("--timeout", "0.5")
        ended = run_command(
            "spell", "echo", '"sleep"', "--wait", *options, cwd=tmp_path, environ=environ
        )
        assert (ended.code, ended.output) == (69, "")
        assert "was accepted, and goes on" in ended.errors
        ended = run_command("stop", "echo", *options, cwd=tmp_path, environ=environ)
        assert ended.code == 69
        assert f"`kill {service.pid}`, given twice, ends it at once" in ended.errors


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process stands still")
def test_a_process_that_stands_still_is_shown_as_silent(
    platform: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """``ps`` does not wait for it for ever."""
    with running(tmp_path, platform, environ) as service:
        service.signal(signal.SIGSTOP)
        try:
            (shown,) = json.loads(run_command("ps", "--json", cwd=tmp_path, environ=environ).output)
        finally:
            service.signal(signal.SIGCONT)
        assert (shown["name"], shown["state"]) == ("echo", "silent")
        if os.uname().sysname == "Linux":
            assert shown["pid"] == service.pid


def test_dev_says_how_to_cast_a_spell(environ: dict[str, str], tmp_path: Path) -> None:
    """With its port in the name, so that it takes none from a service on a real platform."""
    (tmp_path / "service.py").write_text(SERVICE)
    options = ("--port", "0", "--no-browser", "--ready-json")
    with open_command("dev", "service.py", *options, cwd=tmp_path, environ=environ) as dev:
        name = f"echo@{dev.ready()['url'].rpartition(':')[2]}"
        assert f"  Spells    moobius-trio spell {name} " in dev.errors
        ended = run_command("spell", name, "1", "--wait", cwd=tmp_path, environ=environ)
        assert ended.output == '{"cast":1}\n'
        assert run_command("stop", name, cwd=tmp_path, environ=environ).code == 0
        assert dev.wait().code == 0
