"""What the command line says about itself, and about words it does not know."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from moobius_trio.testing.commands import run_command


@pytest.mark.parametrize("command", ["demo", "dev", "local", "run"])
def test_each_command_explains_itself(command: str, tmp_path: Path) -> None:
    """``--help`` names its options on standard output, and nothing is said elsewhere."""
    ended = run_command(command, "--help", cwd=tmp_path)
    assert (ended.code, ended.errors) == (0, "")
    assert f"moobius-trio {command}" in ended.output
    assert "--ready-json" in ended.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "option"), [("spell", "--wait"), ("ps", "--json"), ("stop", "--timeout")]
)
def test_the_commands_for_running_services_explain_themselves(
    command: str, option: str, tmp_path: Path
) -> None:
    """The same for those that look at other processes."""
    ended = run_command(command, "--help", cwd=tmp_path)
    assert (ended.code, ended.errors) == (0, "")
    assert f"moobius-trio {command}" in ended.output
    assert option in ended.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["show", "export", "import", "convert"])
def test_each_storage_command_explains_itself(command: str, tmp_path: Path) -> None:
    """So does ``storage`` itself, with the names of all."""
    ended = run_command("storage", command, "--help", cwd=tmp_path)
    assert (ended.code, ended.errors) == (0, "")
    assert f"moobius-trio storage {command}" in ended.output
    assert "--service" in ended.output
    assert f" {command} " in run_command("storage", cwd=tmp_path).output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], tmp_path: Path) -> None:
    """So does the command without arguments."""
    ended = run_command(*arguments, cwd=tmp_path)
    assert (ended.code, ended.errors) == (0, "")
    for command in ("demo", "dev", "local", "run", "spell", "ps", "stop", "storage"):
        assert f" {command} " in ended.output


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    """``--version`` prints it and nothing else."""
    try:
        version = importlib.metadata.version("moobius_trio")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed here, it runs from its source")
    ended = run_command("--version", cwd=tmp_path)
    assert (ended.code, ended.output, ended.errors) == (0, f"{version}\n", "")


def test_the_installed_script_is_the_same_command(tmp_path: Path) -> None:
    """``moobius-trio`` is ``python -m moobius_trio``."""
    script = shutil.which("moobius-trio", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the package is not installed here, it runs from its source")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == run_command("--help", cwd=tmp_path).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["devv"], ['"devv"', "dev, demo, local, run"]),
        (["dev"], ["PATH", "requires an argument"]),
        (["dev", "echo.py", "--prot", "1"], ["--prot", "--port"]),
        (["local", "--port", "many"], ["--port", "many"]),
        (["local", "--port", "70000"], ["--port", "70000", "65535"]),
        (["local", "--port", "-1"], ["--port", "-1"]),
        (["local", "--message-limit", "0"], ["--message-limit", "0"]),
        (["local", "here"], ["here"]),
        (["spell", "echo"], ["JSON", "requires an argument"]),
        (["spell", "echo", "1", "2"], ["2"]),
        (["spell", "echo", "1", "--timeout", "0"], ["--timeout", "0"]),
        (["stop"], ["NAME", "requires an argument"]),
        (["storage", "shw"], ['"shw"', "show"]),
        (["storage", "convert"], ["--to", "requires an argument"]),
    ],
)
def test_a_wrong_word_is_one_line(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    """It names the word and where to look further; the exit code is 2 and nothing was begun."""
    ended = run_command(*arguments, cwd=tmp_path)
    assert (ended.code, ended.output) == (2, "")
    (line,) = ended.errors.splitlines()
    assert all(word in line for word in words)
    assert re.search(r"`moobius-trio( \w+)* --help`", line)
    assert list(tmp_path.iterdir()) == []
