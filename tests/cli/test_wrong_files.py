"""``run PATH`` with something wrong in service.json or db.json: one line, nothing overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moobius_trio.cli.loading import load_service
from moobius_trio.errors import UsageError
from moobius_trio.testing.commands import run_command

SERVICE = "from moobius_trio import MoobiusService\n\n\nclass Own(MoobiusService):\n    pass\n"
PASSWORD = "canary-of-the-password"

GOOD = {
    "http_server_uri": "http://127.0.0.1:1/",
    "ws_server_uri": "ws://127.0.0.1:1/",
    "email": "me@example.org",
    "password": PASSWORD,
    "service_id": "",
    "channels": ["local-demo"],
    "others": "include",
}
"""Right in form; nothing listens there, so a test that came as far as that would end with 69."""

WRONG_SETTINGS: dict[str, tuple[Any, list[str]]] = {
    "empty": ({}, ["key http_server_uri", "is missing", "Add it"]),
    "a list": ([], ["must be an object", "a list"]),
    "no JSON": ('{"email": ', ["is not JSON", "line 1, column 11"]),
    "no e-mail": (
        {key: value for key, value in GOOD.items() if key != "email"},
        ["key email", "is missing", "MOOBIUS_EMAIL"],
    ),
    "a misspelt key": ({**GOOD, "chanels": []}, ["'chanels'", "not a setting", "'channels'?"]),
    "an unknown key": ({**GOOD, "colour": "red"}, ["'colour'", "not a setting", "lanes"]),
    "a number for a text": ({**GOOD, "email": 5}, ["key email", "must be a text", "a number"]),
    "a text for a list": ({**GOOD, "channels": "x"}, ["key channels", "list of band ids"]),
    "no band": ({**GOOD, "channels": []}, ["key channels", "names no band", "Put the id"]),
    "the template": ({**GOOD, "password": "<p>", "email": "<you>"}, ["key email", "template"]),
    "an unknown policy": ({**GOOD, "others": "steal"}, ["key others", "'steal'", "include"]),
    "no protocol": ({**GOOD, "protocol": "1.8.0"}, ["key protocol", "'1.8.0'", "mean '1.8'?"]),
    "no address": ({**GOOD, "http_server_uri": "x"}, ["key http_server_uri", "https://"]),
    "an open password": (
        {**GOOD, "http_server_uri": "http://example.org/"},
        ["key http_server_uri", "unencrypted to example.org", "Use https://"],
    ),
    "a local id elsewhere": (
        {**GOOD, "http_server_uri": "https://example.org", "ws_server_uri": "wss://example.org"},
        ["key channels", "'local-demo'", "not on this machine"],
    ),
}

ENTRY = {"name": "states", "implementation": "json"}

WRONG_CONTAINERS: dict[str, tuple[Any, list[str]]] = {
    "an object": ({}, ["must be a list"]),
    "no name": ([{"implementation": "json"}], ["entry 1, key name", "is missing", "Add it"]),
    "a misspelt key": ([{**ENTRY, "setings": {}}], ["entry 1", "'setings'", "'settings'?"]),
    "a name twice": ([ENTRY, ENTRY], ["entry 2", "'states'", "another name"]),
    "no attribute's name": ([{**ENTRY, "name": "my states"}], ["entry 1, key name", "attribute"]),
    "a name that is taken": ([{**ENTRY, "name": "members"}], ["members", "another name"]),
    "an unknown engine": (
        [{**ENTRY, "implementation": "sqlight"}],
        ["entry 1, key implementation", "'sqlight'", "'sqlite'?"],
    ),
    "no JSON": ("[", ["is not JSON", "line 1"]),
}


def write(path: Path, content: object) -> None:
    """A configuration file that only its owner may read."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails(folder: Path) -> str:
    """Run the service of a folder; gives the one line it ends with, having changed nothing."""
    before = contents(folder)
    ended = run_command("run", folder, cwd=folder, environ={"PYTHONDONTWRITEBYTECODE": "1"})
    assert contents(folder) == before
    assert (ended.code, ended.output) == (78, ""), ended.errors
    assert PASSWORD not in ended.errors
    (line,) = ended.errors.splitlines()
    return line


@pytest.mark.parametrize(("settings", "words"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_a_wrong_service_json_is_one_line(
    settings: object, words: list[str], tmp_path: Path
) -> None:
    """It names file, key and remedy, never the password; the exit code is 78."""
    (tmp_path / "service.py").write_text(SERVICE)
    write(tmp_path / "service.json", settings)
    line = fails(tmp_path)
    assert all(word in line for word in [str(tmp_path / "service.json"), *words]), line


@pytest.mark.parametrize(("containers", "words"), WRONG_CONTAINERS.values(), ids=WRONG_CONTAINERS)
def test_a_wrong_db_json_is_one_line(containers: object, words: list[str], tmp_path: Path) -> None:
    """It names the entry; the exit code is 78, before the platform is asked for anything."""
    (tmp_path / "service.py").write_text(SERVICE)
    write(tmp_path / "service.json", GOOD)
    write(tmp_path / "db.json", containers)
    line = fails(tmp_path)
    assert all(word in line for word in ["db.json", *words]), line


def test_a_missing_service_json_is_one_line(tmp_path: Path) -> None:
    """Both places where it could be are named."""
    (tmp_path / "service.py").write_text(SERVICE)
    line = fails(tmp_path)
    assert "config/service.json" in line
    assert "moobius-trio new" in line


def test_a_service_json_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Here a folder bears its name."""
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "service.json").mkdir()
    assert "cannot be read (Is a directory)" in fails(tmp_path)


def test_a_name_of_another_sdk_is_sent_to_the_table_of_names(tmp_path: Path) -> None:
    """An import of it ends in one line, not in a traceback."""
    service = tmp_path / "service.py"
    service.write_text("from moobius_trio import Moobius\n")
    with pytest.raises(UsageError, match=r"line 1: .*'Moobius'.* docs/moving\.md says"):
        load_service(str(service))


def test_an_empty_password_file_is_one_line(tmp_path: Path) -> None:
    """The variable that named the file is named."""
    (tmp_path / "service.py").write_text(SERVICE)
    write(tmp_path / "service.json", GOOD)
    write(tmp_path / "secret", "")
    ended = run_command(
        "run", tmp_path, cwd=tmp_path, environ={"MOOBIUS_PASSWORD_FILE": str(tmp_path / "secret")}
    )
    assert ended.code == 78
    (line,) = ended.errors.splitlines()
    assert "MOOBIUS_PASSWORD_FILE" in line
    assert "is empty" in line
