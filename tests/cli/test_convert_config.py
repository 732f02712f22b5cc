"""``moobius-trio convert-config``: the configuration of SDK 1.x becomes ours, key by key."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from moobius_trio.cli import main
from moobius_trio.cli.doctor.project import read_project
from moobius_trio.config import load_database_settings, load_settings, load_user_settings
from moobius_trio.config.moved import convert_parts, read_parts, write_converted
from moobius_trio.errors import ConfigError

PASSWORD = "canary-of-the-password"
SERVICE: dict[str, object] = {
    "http_server_uri": "https://api.example.org/",
    "ws_server_uri": "wss://ws.example.org/",
    "service_id": "service-1",
    "channels": ["channel-1", "channel-2"],
    "others": "unbind",
    "service_mode": True,
    "checkin_interval": 600,
    "no_warn_cannot_save_service_id": False,
}
ACCOUNT = {"email": "me@example.org", "password": PASSWORD}
DATABASE: list[dict[str, Any]] = [
    {"implementation": "JSON", "name": "states", "clear": True, "settings": {"root_dir": "data"}}
]


def old_folder(project: Path, **parts: object) -> Path:
    """A folder as the generator of 1.x writes it; a part that is given replaces the usual one."""
    folder = project / "config"
    folder.mkdir(parents=True)
    usual: dict[str, object] = {
        "account": ACCOUNT,
        "service": SERVICE,
        "db": DATABASE,
        "log": {"log_level": "INFO", "log_file": "logs/service.log", "log_retention": "7 days"},
    }
    usual["config"] = {f"{name}_config": f"config/{name}.json" for name in usual}
    for name, value in {**usual, **parts}.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            (folder / f"{name}.json").write_text(text)
    return folder


def converted(place: Path) -> tuple[dict[str, object], list[object], dict[str, tuple[str, str]]]:
    """Both files and the fate of each key, without writing."""
    made = convert_parts(*read_parts(place))
    fates: dict[str, tuple[str, str]] = {each.key: (each.fate, each.said) for each in made.keys}
    assert len(fates) == len(made.keys), "a key is told of twice"
    return dict(made.settings), list(made.containers), fates


def refused(place: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        converted(place)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in f"{caught.value}{caught.value.__cause__!r}"
    return str(caught.value)


def test_every_key_is_carried_or_told_of(tmp_path: Path) -> None:
    """service.json gets the account and the protocol, and what has no home says why."""
    service, containers, fates = converted(old_folder(tmp_path))
    assert service == {
        "http_server_uri": "https://api.example.org/",
        "ws_server_uri": "wss://ws.example.org/",
        "email": "me@example.org",
        "password": PASSWORD,
        "service_id": "service-1",
        "channels": ["channel-1", "channel-2"],
        "others": "unbind",
        "protocol": "1.8",
        "log_level": "info",
        "logs": "logs",
        "service_mode": True,
    }
    assert containers == [
        {"implementation": "json", "name": "states", "settings": {"root_dir": "data"}}
    ]
    assert {key: fate for key, (fate, _) in fates.items()} == {
        "http_server_uri": "carried",
        "ws_server_uri": "carried",
        "service_id": "carried",
        "channels": "carried",
        "others": "carried",
        "service_mode": "carried",
        "checkin_interval": "dropped",
        "no_warn_cannot_save_service_id": "dropped",
        "email": "carried",
        "password": "carried",
        "log_level": "changed",
        "log_file": "changed",
        "log_retention": "dropped",
        "states.implementation": "changed",
        "states.clear": "dropped",
        "states.settings.root_dir": "carried",
        "protocol": "added",
    }
    assert "@every(seconds=600)" in fates["checkin_interval"][1]


def test_the_defaults_of_1_x_are_written_down(tmp_path: Path) -> None:
    """Above all `others`: absent it is include there and ignore here."""
    service, _, fates = converted(old_folder(tmp_path, service={"channels": [""]}, db=[], log={}))
    assert service["others"] == "include"
    assert "ignore" in fates["others"][1]
    assert service["http_server_uri"] == "https://api.moobius.ai/"
    assert service["ws_server_uri"] == "wss://ws.moobius.ai/"
    assert service["channels"] == ["<the id of your band>"]
    assert "service_id" not in service


@pytest.mark.parametrize("form", ["folder", "project", "file", "inline", "no config.json"])
def test_the_parts_are_found_wherever_they_stand(tmp_path: Path, form: str) -> None:
    """As files named in config.json or by their own names, or in config.json itself."""
    inline = {
        "account_config": ACCOUNT,
        "service_config": SERVICE,
        "db_config": DATABASE,
        "log_config": "somewhere/log.json",
    }
    change: dict[str, object] = {}
    if form == "inline":
        change = {"config": inline, "account": None, "service": None, "db": None}
    elif form == "no config.json":
        change = {"config": None}
    folder = old_folder(tmp_path / "old", **change)
    place = {"project": folder.parent, "file": folder / "config.json"}.get(form, folder)
    service, containers, _ = converted(place)
    assert (service["service_id"], service["password"]) == ("service-1", PASSWORD)
    assert (service["log_level"], len(containers)) == ("info", 1)


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("service", "{", "service.json: is not JSON: line 1"),
        ("service", [], "must be an object {…}, not a list"),
        ("service", {**SERVICE, "others": "all"}, "key others: cannot be 'all'"),
        ("service", {**SERVICE, "service_mode": "no"}, "service_mode: must be true or false"),
        ("service", {**SERVICE, "email": "a@b.c"}, "there is nothing to convert"),
        ("service", {**SERVICE, "ws_server_uri": "ws://x.org"}, "unencrypted to x.org"),
        ("service", {**SERVICE, "channels": "c"}, "key channels: must be a list"),
        ("service", {**SERVICE, "channels": [5]}, "key channels: entry 1 must be a text"),
        ("service", {**SERVICE, "checkin_interval": "1"}, "key checkin_interval: must be a number"),
        ("account", {"password": 5}, "key password: must be a text, not a number"),
        ("account", f'{{"password": "{PASSWORD}" ', "account.json: is not JSON"),
        ("log", {"log_level": "LOUD"}, "key log_level: cannot be 'loud'"),
        ("db", {}, "must be a list [{…}, …], not an object"),
        ("db", [{"name": "a"}], "entry 1, key implementation: is missing"),
        ("db", [{"name": "a", "implementation": "oracle"}], "cannot be 'oracle'"),
        ("db", [{"name": "a b", "implementation": "null"}], "entry 1, key name"),
        ("db", [{"name": "a", "implementation": "json"}], "key settings.root_dir: is missing"),
        (
            "db",
            [{"name": "a", "implementation": "redis", "settings": {"port": "x", "password": "p"}}],
            "entry 1, settings",
        ),
        ("db", [{"name": "a", "implementation": "null"}] * 2, "names 'a' a second time"),
        ("config", {"service_config": "nowhere.json"}, "there is no such file"),
        ("config", {"service_config": "x" * 5000}, "there is no such file"),
        (
            "db",
            [{"name": "a", "implementation": "json", "settings": {"root_dir": "a\0b"}}],
            "key settings.root_dir: has a character that cannot be seen",
        ),
        ("config", [], "config.json: must be an object"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, part: str, value: object, said: str) -> None:
    """With the file and the key, in the words of 1.x's own files, and no secret."""
    assert said in refused(old_folder(tmp_path, **{part: value}))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """And so is one that is not there."""
    assert "no configuration of SDK 1.x" in refused(tmp_path)
    assert "is no folder" in refused(tmp_path / "nowhere")


def test_levels_and_engines_of_other_names(tmp_path: Path) -> None:
    """The more talkative of two levels counts; engines are known by their aliases, in any case."""
    db = [
        {"implementation": "NullDatabase", "name": "a", "settings": {"root_dir": "x"}},
        {"implementation": "json_db", "name": "b", "load": False, "settings": {"root_dir": "x"}},
        {
            "implementation": "Redis",
            "name": "c",
            "settings": {"host": "h", "db": None, "password": PASSWORD},
        },
    ]
    log = {"terminal_log_level": "TRACE", "log_level": "SUCCESS", "log_file": None}
    service, containers, fates = converted(old_folder(tmp_path, db=db, log=log))
    assert (service["log_level"], service["logs"]) == ("debug", None)
    assert containers == [
        {"implementation": "memory", "name": "a"},
        {"implementation": "json", "name": "b", "load": False, "settings": {"root_dir": "x"}},
        {"implementation": "redis", "name": "c", "settings": {"host": "h", "password": PASSWORD}},
    ]
    assert PASSWORD not in str(fates)


def test_the_command_tells_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into the project here; for the owner only, the password nowhere else, what is there kept."""
    folder = old_folder(tmp_path / "old")
    (tmp_path / "old" / "data" / "service_service-1" / "channel_channel-1").mkdir(parents=True)
    project = tmp_path / "new"
    project.mkdir()
    monkeypatch.chdir(project)

    def run(*options: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["convert-config", str(folder), *options])
        output, errors = capsys.readouterr()
        assert PASSWORD not in output + errors
        return ended.value.code, output, errors

    code, output, errors = run()
    assert (code, errors) == (0, "")
    assert ["carried", "password", "not", "shown"] in [line.split() for line in output.splitlines()]
    assert f"storage import {tmp_path}/old/data .\n" in output
    assert "service.json has the password: keep it out of your repository\n" in output
    written = project / "config" / "service.json"
    assert json.loads(written.read_text())["password"] == PASSWORD
    for path in (written, written.with_name("db.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [spec] = load_database_settings(written.with_name("db.json"))
    assert (spec.name, spec.settings["root_dir"]) == ("states", "data")

    written.write_text("mine")
    code, output, errors = run()
    assert (code, output, errors.count("\n")) == (78, "", 1)
    assert "is there already" in errors
    assert written.read_text() == "mine"
    written.with_name("service.json.old-1").write_text("older")
    code, output, errors = run("--force")
    assert (code, errors) == (0, "")
    assert "the old one is service.json.old-2 now" in output
    assert written.with_name("service.json.old-2").read_text() == "mine"
    assert json.loads(written.read_text())["service_id"] == "service-1"
    assert sorted(path.name for path in written.parent.iterdir()) == [
        "db.json",
        "db.json.old-1",
        "service.json",
        "service.json.old-1",
        "service.json.old-2",
    ]


def test_a_users_configuration_becomes_user_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a service's by the names of its files; by itself where service_mode is false."""
    folder = old_folder(tmp_path / "old")
    (folder / "usermode_account.json").write_text(json.dumps({**ACCOUNT, "email": "bot@x.org"}))
    (folder / "usermode_service.json").write_text(json.dumps(SERVICE))
    (folder / "usermode_log.json").write_text(json.dumps({"log_file": "logs/service.log"}))
    project = tmp_path / "new"
    project.mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["convert-config", str(folder), "--into", str(project)])
    assert ended.value.code == 0
    assert "a user has none" in capsys.readouterr().out
    files = sorted(path.name for path in (project / "config").iterdir())
    assert files == ["db.json", "service.json", "user.json"]
    settings = load_user_settings(project / "config" / "user.json", {}, environ={})
    assert (settings.email, settings.channels) == ("bot@x.org", ("channel-1", "channel-2"))
    assert (settings.protocol, settings.logs) == ("1.8", "logs/user")
    service = load_settings(project / "config" / "service.json", environ={})
    assert (service.email, service.service_mode, service.others) == (
        "me@example.org",
        True,
        "unbind",
    )

    alone = old_folder(tmp_path / "alone", service={**SERVICE, "service_mode": False})
    made = convert_parts(*read_parts(alone))
    assert (made.file, made.containers) == ("user.json", ())
    assert not {"service_id", "others"} & made.settings.keys()
    assert made.settings["service_mode"] is False


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file nor an empty folder, and a project that is none is said to be none."""
    made = convert_parts(*read_parts(old_folder(tmp_path / "old")))

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    project = tmp_path / "new"
    with pytest.raises(ConfigError, match="is no folder"):
        write_converted([made], project)
    project.mkdir()
    link = Path.hardlink_to
    monkeypatch.setattr(Path, "hardlink_to", fail)
    with pytest.raises(ConfigError, match="No space left on device"):
        write_converted([made], project)
    assert list(project.iterdir()) == []

    def fail_later(self: Path, target: Path) -> None:
        (link if self.name == "db.json" else fail)(self, target)

    monkeypatch.setattr(Path, "hardlink_to", fail_later)
    with pytest.raises(ConfigError, match="No space left on device"):
        write_converted([made], project)
    # What a service is run with comes last, so nothing runs with half of it.
    assert [path.name for path in (project / "config").iterdir()] == ["db.json"]


def test_a_project_without_a_config_folder_gets_its_files_beside(tmp_path: Path) -> None:
    """Where a service.json lies that the project is run with, the new one comes."""
    made = convert_parts(*read_parts(old_folder(tmp_path / "old")))
    project = tmp_path / "new"
    project.mkdir()
    (project / "service.json").write_text("{}")
    write_converted([made], project, force=True)
    assert not (project / "config").exists()
    found, _ = read_project(str(project), {})
    assert found.config == project / "service.json"
