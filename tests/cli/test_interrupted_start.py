"""One Ctrl+C before the service is ready."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from moobius_trio.testing.commands import Ended, open_command

SLOW = """
import trio
from moobius_trio import MoobiusService


class Slow(MoobiusService):
    async def on_start(self):
        print("on_start", flush=True)
        await trio.sleep_forever()
"""


def ended_well(ended: Ended) -> None:
    """As if it had been ready: exit code 0, and nothing that looks like a fault."""
    assert ended.code == 0, ended.errors
    assert "Traceback" not in ended.errors
    assert "Error" not in ended.errors


@pytest.mark.parametrize("ready", [[], ["--ready-json"]])
def test_while_the_author_prepares(ready: list[str], tmp_path: Path) -> None:
    """``on_start`` has no time limit, so it must be possible to interrupt it."""
    (tmp_path / "slow.py").write_text(SLOW)
    options = ("--port", "0", "--no-browser", *ready)
    with open_command("dev", "slow.py", *options, cwd=tmp_path) as dev:
        assert dev.read_line() == "on_start"
        ended = dev.stop()
    ended_well(ended)
    assert ended.output == "on_start\n"


def test_while_the_platform_does_not_answer(tmp_path: Path) -> None:
    """Something takes the connection and is silent."""
    (tmp_path / "slow.py").write_text(SLOW)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        port = silent.getsockname()[1]
        settings = {
            "http_server_uri": f"http://127.0.0.1:{port}",
            "ws_server_uri": f"ws://127.0.0.1:{port}",
            "email": "me@example.org",
            "password": "x",
            "channels": ["local-demo"],
        }
        (tmp_path / "service.json").write_text(json.dumps(settings))
        (tmp_path / "service.json").chmod(0o600)
        with open_command("run", "slow.py", cwd=tmp_path) as command:
            connection, _ = silent.accept()
            with connection:
                ended = command.stop()
    ended_well(ended)
    assert ended.output == ""
