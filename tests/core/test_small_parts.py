"""Small parts of the core: settings of a run, key files, and calls that nobody awaited."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from moobius_trio import Feature, MoobiusService, NeverAwaited, load_features
from moobius_trio.core.environment import Environment
from moobius_trio.core.reading import own_choices, read_settings, service_name
from moobius_trio.core.unawaited import watch_unawaited
from moobius_trio.core.units import Unit, current
from moobius_trio.errors import ConfigError
from moobius_trio.testing import Local, run_inline

GIVEN: dict[str, Any] = {
    "http_server_uri": "http://127.0.0.1:1/",
    "ws_server_uri": "ws://127.0.0.1:1/",
    "email": "a@example.org",
    "password": "a password",
    "service_id": "",
    "channels": ["red"],
    "lanes": "sender",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service.json with a db.json beside it."""
    path = tmp_path / "service.json"
    path.write_text(json.dumps(GIVEN))
    (tmp_path / "db.json").write_text('[{"implementation": "json", "name": "scores"}]')
    return path


def environment(**changes: Any) -> Environment:
    """One that reads files inline, and no variables of the machine."""
    return attrs.evolve(Environment(run_sync=run_inline, environ={}), **changes)


@pytest.mark.parametrize(
    ("name", "kebab"),
    [
        ("DemoService", "demo-service"),
        ("Echo", "echo"),
        ("HTTPProxy", "http-proxy"),
        ("Riddle2", "riddle-2"),
        ("_Private", "private"),
    ],
)
def test_a_service_is_named_after_its_class(name: str, kebab: str) -> None:
    """In kebab-case, as folders and commands want it."""
    assert service_name(type(name, (), {})) == kebab


def test_the_folder_of_a_service_is_that_of_its_class() -> None:
    """Where the file lies that defines the class, whatever the working directory."""

    class Service(MoobiusService):
        pass

    assert Service().folder == Path(__file__).resolve().parent


async def test_settings_come_from_the_services_own_files(config: Path) -> None:
    """service.json as given, and db.json beside it."""
    settings, containers = await read_settings(MoobiusService(config), environment())
    assert (settings.path, settings.lanes, settings.channels) == (config, "sender", ("red",))
    assert [spec.name for spec in containers] == ["scores"]


async def test_a_path_of_its_own_for_the_containers(config: Path, tmp_path: Path) -> None:
    """``db_config_path`` wins over the file beside service.json; a missing one is an error."""
    other = tmp_path / "other.json"
    other.write_text("[]")
    _, containers = await read_settings(MoobiusService(config, other), environment())
    assert containers == ()
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        await read_settings(MoobiusService(config, tmp_path / "nowhere.json"), environment())


async def test_an_environment_stands_in_for_the_files(config: Path) -> None:
    """Given settings and containers, no file is read at all."""
    settings, _ = await read_settings(MoobiusService(config), environment())
    service = MoobiusService("/nowhere/service.json", "/nowhere/db.json")
    read = await read_settings(service, environment(settings=settings, containers=()))
    assert read == (settings, ())


async def test_no_service_file_at_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where it was looked for."""
    monkeypatch.setattr(MoobiusService, "folder", Path("/nowhere"))
    with pytest.raises(ConfigError, match=r"^/nowhere: .*service\.json"):
        await read_settings(MoobiusService(), environment())


def test_a_local_run_takes_only_the_choices_of_the_project(config: Path) -> None:
    """Neither address nor account nor id of service.json reaches a run on a local platform."""
    options, containers = own_choices(MoobiusService(config))
    assert options == {"lanes": "sender"}
    assert [spec.name for spec in containers] == ["scores"]


def test_a_local_run_needs_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without service.json has all defaults."""
    monkeypatch.setattr(MoobiusService, "folder", Path("/nowhere"))
    assert own_choices(MoobiusService()) == ({}, ())


# features.json


def test_a_file_of_keys(tmp_path: Path) -> None:
    """The original's features.json gives the values that `send_update_features` takes."""
    path = tmp_path / "features.json"
    path.write_text('[{"feature_id": "k", "feature_name": "n", "button_text": "K"}]')
    keys = load_features(path)
    assert keys == (Feature(feature_id="k", feature_name="n", button_text="K"),)
    assert load_features(str(path)) == keys


@pytest.mark.parametrize("content", [b'{"no": "list"}', b"[1]", b"not json", b"\xff\xfe"])
def test_a_wrong_file_of_keys_is_one_error(tmp_path: Path, content: bytes) -> None:
    """It names the file and what is wrong with it."""
    path = tmp_path / "features.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"features\.json: .+"):
        load_features(path)
    with pytest.raises(ConfigError, match=r"nothing\.json: cannot be read"):
        load_features(tmp_path / "nothing.json")


# Calls that nobody awaited


@pytest.fixture
def forgotten() -> Iterator[list[NeverAwaited]]:
    """What is found while the test runs."""
    found: list[NeverAwaited] = []
    with watch_unawaited(found.append):
        yield found


async def _call() -> None:
    """An async function to forget."""


def test_a_call_without_await_is_found(forgotten: list[NeverAwaited]) -> None:
    """With the function's name, file and line."""
    _call()  # type: ignore[unused-coroutine]
    gc.collect()
    [found] = forgotten
    assert found.call == "_call"
    assert found.handler == ""
    assert found.where.startswith(__file__)


@pytest.mark.parametrize(
    ("call", "handler", "known_as"),
    [
        ("Sending.reply", "Demo.on_msg_up", "Demo.reply"),
        ("Callbacks.on_start", "", "MoobiusService.on_start"),
        ("Band.create_message", "Demo.on_msg_up", "Band.create_message"),
        ("Demo.greet", "Demo.on_msg_up", "Demo.greet"),
    ],
)
def test_a_call_has_the_name_that_its_author_knows(
    forgotten: list[NeverAwaited], call: str, handler: str, known_as: str
) -> None:
    """What a service is made of inside is not told."""

    async def lost() -> None: ...

    lost.__qualname__ = call
    token = current.set(Unit(handler=handler, started=0.0)) if handler else None
    lost()  # type: ignore[unused-coroutine]
    gc.collect()
    if token is not None:
        current.reset(token)
    assert [found.call for found in forgotten] == [known_as]


def test_other_warnings_are_shown_as_before(forgotten: list[NeverAwaited]) -> None:
    """Only this one kind is taken."""
    with pytest.warns(UserWarning, match="something else"):
        warnings.warn("something else", stacklevel=1)
    assert forgotten == []


async def test_a_handler_that_forgets_await_is_named(local: Local) -> None:
    """The report says in which handler the call stands."""

    class Service(MoobiusService):
        async def on_start(self) -> None:
            self.create_message("local-demo", "hi", "alice")  # type: ignore[arg-type,unused-coroutine]

    with pytest.raises(NeverAwaited, match=r"create_message.*test_small_parts\.py.*`await`"):
        await local.start(Service())
