"""The settings of a `MoobiusUser`: a file of its own, arguments, and the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moobius_trio import ChannelId, MoobiusUser, Secret
from moobius_trio.config import find_user_config, load_settings, load_user_settings
from moobius_trio.core.environment import Environment
from moobius_trio.errors import ConfigError
from moobius_trio.testing import run_inline
from moobius_trio.user.serving import UserLife

CANARY = "c4n4ry-p455word"

GOOD: dict[str, object] = {
    "http_server_uri": "https://platform.example/",
    "ws_server_uri": "wss://platform.example/ws",
    "email": "anna@example.org",
    "password": CANARY,
    "channels": ["band-1", "band-1", "band-2"],
    "protocol": "1.8",
    "service_mode": False,
}


def write(folder: Path, **changes: object) -> Path:
    """A user.json with the good settings, some of them changed; None leaves one out."""
    values = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path = folder / "user.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_file_gives_them(tmp_path: Path) -> None:
    """With the keys of service.json; bands may be left out, and what a service has says nothing."""
    settings = load_user_settings(write(tmp_path), {}, environ={})
    assert settings.channels == ("band-1", "band-2")
    assert settings.password.reveal() == CANARY
    assert (settings.protocol, settings.service_mode) == ("1.8", False)
    assert settings.logs == "logs/user"  # a service beside it writes into logs
    assert load_user_settings(write(tmp_path, logs="mine"), {}, environ={}).logs == "mine"
    for without in (None, []):
        path = write(tmp_path, channels=without, service_id="", others="include")
        assert load_user_settings(path, {}, environ={}).channels == ()


def test_the_environment_wins_over_the_file_and_the_program_over_both(tmp_path: Path) -> None:
    """So a test may give an account of its own."""
    path, environ = write(tmp_path), {"MOOBIUS_EMAIL": "eve@example.org", "MOOBIUS_PASSWORD": "p"}
    settings = load_user_settings(path, {"channels": ["other"]}, environ=environ)
    assert (settings.email, settings.password.reveal()) == ("eve@example.org", "p")
    assert settings.channels == ("other",)
    assert load_user_settings(path, {"email": "me@example.org"}, environ=environ).email == (
        "me@example.org"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"service_mode": None}, "key service_mode: is not false"),
        ({"service_mode": True}, "key service_mode: is not false"),
        ({"service_mode": "no"}, "key service_mode: is not false"),
        ({"email": None}, "MOOBIUS_EMAIL"),
        ({"channels": "band-1"}, "list of band ids"),
        ({"chanels": []}, "Did you mean 'channels'"),
        ({"channels": ["local-demo"]}, "an id of the local platform"),
        ({"http_server_uri": "http://platform.example/"}, "unencrypted"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    """One line with file and key; never the password."""
    with pytest.raises(ConfigError, match=words) as caught:
        load_user_settings(write(tmp_path, **changes), {}, environ={})
    assert "\n" not in str(caught.value)
    assert "user.json" in str(caught.value)
    assert CANARY not in str(caught.value) + repr(vars(caught.value))


def test_a_service_does_not_take_a_users_file(tmp_path: Path) -> None:
    """Otherwise it would run under an account that is meant for somebody else."""
    with pytest.raises(ConfigError, match="the file is for a MoobiusUser"):
        load_settings(write(tmp_path), environ={})


async def read(user: MoobiusUser, **environ: str) -> Any:
    """The settings with which a user would run."""
    return await UserLife(user, Environment(run_sync=run_inline, environ=environ)).read()


async def test_arguments_are_enough() -> None:
    """With an address given no file is looked for; a wrong argument is named as such."""

    def user(**changes: Any) -> MoobiusUser:
        given = {key: GOOD[key] for key in ("http_server_uri", "ws_server_uri", "email")}
        return MoobiusUser(**(given | changes))

    settings = await read(user(password=CANARY, channels=[ChannelId("band-1")], name="anna"))
    assert (settings.channels, settings.name, settings.path) == (("band-1",), "anna", None)
    assert settings.password.reveal() == CANARY
    assert (await read(user(password=Secret(CANARY)))).password.reveal() == CANARY
    assert (await read(user(), MOOBIUS_PASSWORD="p")).channels == ()
    with pytest.raises(ConfigError, match=r"MoobiusUser\(password=…\).*MOOBIUS_PASSWORD"):
        await read(user())
    with pytest.raises(ConfigError, match=r"MoobiusUser\(name=…\).*letters"):
        await read(user(password=CANARY, name="two words"))


async def test_arguments_join_a_file(tmp_path: Path) -> None:
    """The file is read where it is named, or beside the class."""
    settings = await read(MoobiusUser(write(tmp_path), protocol="0.0.1"))
    assert (settings.protocol, settings.email) == ("0.0.1", "anna@example.org")
    with pytest.raises(ConfigError, match=r"user\.json.*give the settings as arguments"):
        await read(MoobiusUser(email="me@example.org"))


def test_the_file_is_found(tmp_path: Path) -> None:
    """``config/user.json`` goes before ``user.json``."""
    path = write(tmp_path)
    assert find_user_config(tmp_path) == path
    (tmp_path / "config").mkdir()
    assert find_user_config(tmp_path) == path
    inner = write(tmp_path / "config")
    assert find_user_config(tmp_path) == inner


def test_nothing_shows_the_password() -> None:
    """Neither the object's attributes nor its repr."""
    user = MoobiusUser(password=CANARY)
    assert CANARY not in repr(user) + repr(vars(user))
