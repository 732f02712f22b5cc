"""``moobius-trio local exec``: a command, and a platform for as long as it runs."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from moobius_trio.testing.commands import open_command, run_command

ASK = """
import json, os, sys, urllib.request
with urllib.request.urlopen(os.environ["MOOBIUS_HTTP_SERVER_URI"] + "local/bands") as reply:
    bands = [band["channel_id"] for band in json.load(reply)["data"]]
print(json.dumps([bands, os.environ["MOOBIUS_CHANNELS"], os.environ["MOOBIUS_WS_SERVER_URI"]]))
sys.exit(7)
"""
WAIT = """
import signal, sys
def end(number, frame):
    print("told", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("waiting", flush=True)
signal.pause()
"""


def test_a_command_finds_its_platform_and_gives_its_exit_code(tmp_path: Path) -> None:
    """Addresses and bands are in its environment; nothing is left in the folder."""
    ended = run_command(
        *("local", "exec", "--band", "two", "--", sys.executable, "-c", ASK), cwd=tmp_path
    )
    assert ended.code == 7
    bands, channels, socket = json.loads(ended.output)
    assert bands == channels.split(",") == ["local-demo", "local-two"]
    assert socket.startswith("ws://127.0.0.1:")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_is_the_commands_to_follow(tmp_path: Path) -> None:
    """It ends as it likes, and the platform after it."""
    with open_command("local", "exec", "--", sys.executable, "-c", WAIT, cwd=tmp_path) as command:
        assert command.read_line() == "waiting"
        command.signal(signal.SIGTERM)
        assert command.read_line() == "told"
        assert command.wait().code == 3


def test_a_command_that_was_killed_is_told_as_shells_do(tmp_path: Path) -> None:
    """128 and the signal."""
    kill = "import os; os.kill(os.getpid(), 9)"
    assert run_command("local", "exec", "--", sys.executable, "-c", kill, cwd=tmp_path).code == 137


def test_no_command_and_one_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    """Exit 2."""
    for command, words in (((), "say which command"), (("--", "not-there"), "cannot be run")):
        ended = run_command("local", "exec", *command, cwd=tmp_path)
        assert (ended.code, ended.output, len(ended.errors.splitlines())) == (2, "", 1)
        assert words in ended.errors
