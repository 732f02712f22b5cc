"""``run`` with a `MoobiusUser`: found as a service is, run as a service is; ``dev`` says no."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from moobius_trio import MoobiusService
from moobius_trio.cli.loading import load_program, load_service
from moobius_trio.errors import UsageError
from moobius_trio.testing import Local
from moobius_trio.testing.commands import open_command

BOT = """
from moobius_trio import MoobiusUser

class Bot(MoobiusUser):
    async def on_start(self):
        for channel_id in self.channels:
            await self.say(channel_id, "here I am")
"""
BOTH = BOT + "\nfrom moobius_trio import MoobiusService\n\nclass Room(MoobiusService):\n    pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Two files; what they import is forgotten afterwards."""
    (tmp_path / "bot_alone.py").write_text(BOT, encoding="utf-8")
    (tmp_path / "bot_and_room.py").write_text(BOTH, encoding="utf-8")
    path = sys.path[:]
    yield tmp_path
    sys.path[:] = path
    for name in ("bot_alone", "bot_and_room"):
        sys.modules.pop(name, None)


async def test_a_user_is_found_like_a_service(project: Path) -> None:
    """By its file alone, by its name, and not where there is a choice."""
    assert type(load_program(f"{project}/bot_alone.py")).__name__ == "Bot"
    assert type(load_program(f"{project}/bot_and_room.py:Bot")).__name__ == "Bot"
    assert type(load_program(f"{project}/bot_and_room.py:Room")).__name__ == "Room"
    with pytest.raises(UsageError, match=r"services and users \(Room, Bot\)"):
        load_program(f"{project}/bot_and_room.py")
    with pytest.raises(UsageError, match="MoobiusService or MoobiusUser called Other"):
        load_program(f"{project}/bot_and_room.py:Other")


async def test_where_a_service_is_needed_a_user_is_refused(project: Path) -> None:
    """The error says which command runs it; a service beside it is taken."""
    assert type(load_service(f"{project}/bot_and_room.py")).__name__ == "Room"
    for target in ("bot_alone.py", "bot_alone.py:Bot", "bot_and_room.py:Bot"):
        with pytest.raises(UsageError, match=r"Bot is a MoobiusUser.*`moobius-trio run`"):
            load_service(f"{project}/{target}")


@pytest.mark.local(sockets=True)
async def test_run_runs_a_user(local: Local, project: Path) -> None:
    """It reads user.json, joins, says ready with its id, and one Ctrl+C ends it with 0."""
    band = await local.start(MoobiusService())
    [alice] = await band.join("Alice")
    site = local._site
    settings = {
        "http_server_uri": site.http_uri(),
        "ws_server_uri": site.ws_uri(),
        "email": "bot@example.org",
        "password": "c4n4ry",
        "channels": ["local-demo"],
        "service_mode": False,
        "logs": None,
    }
    (project / "user.json").write_text(json.dumps(settings), encoding="utf-8")
    (project / "user.json").chmod(0o600)
    environ = {"XDG_RUNTIME_DIR": str(project)}
    with open_command(
        "run", "bot_alone.py", "--ready-json", cwd=project, environ=environ
    ) as command:
        [ready] = (await trio.to_thread.run_sync(command.ready))["services"]
        assert (ready["name"], ready["channels"]) == ("bot", ["local-demo"])
        await local.until(lambda: alice.names == ["Alice", "bot"])
        assert ready["user_id"] == alice.character("bot").user_id
        command.signal(signal.SIGINT)
        ended = await trio.to_thread.run_sync(command.wait)
    assert ended.code == 0
    assert "c4n4ry" not in ended.output + ended.errors
