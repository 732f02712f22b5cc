"""service.json, db.json and the environment as a user writes them, right and wrong."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from structlog.testing import capture_logs

from moobius_trio.config import (
    SETTINGS_TABLE,
    Settings,
    find_database_config,
    find_service_config,
    is_loopback,
    load_database_settings,
    load_run_options,
    load_settings,
)
from moobius_trio.database import ContainerSpec
from moobius_trio.errors import ConfigError

CANARY = "c4n4ry-p455word"

GOOD: dict[str, object] = {
    "http_server_uri": "https://platform.example/",
    "ws_server_uri": "wss://platform.example/ws",
    "email": "anna@example.org",
    "password": CANARY,
    "service_id": "",
    "channels": ["band-1", "band-2"],
    "others": "ignore",
}


def write(folder: Path, content: object, *, mode: int = 0o600) -> Path:
    """A service.json (or any JSON file) with this content."""
    path = folder / "service.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(mode)
    return path


def fault(folder: Path, content: object, environ: dict[str, str] | None = None) -> ConfigError:
    """The error that this content gives; it never shows the password."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(folder, content), environ=environ or {})
    assert "\n" not in str(caught.value)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert CANARY not in repr(chain)
        assert CANARY not in repr(vars(chain))
        chain = chain.__context__
    return caught.value


def with_(**changes: object) -> dict[str, object]:
    """The good settings with some changed."""
    return {**GOOD, **changes}


def without(*keys: str) -> dict[str, object]:
    """The good settings with some left out."""
    return {key: value for key, value in GOOD.items() if key not in keys}


def test_the_seven_keys_of_the_original_are_enough(tmp_path: Path) -> None:
    """A file of the original loads as it is, and the rest has its defaults."""
    path = write(tmp_path, GOOD)
    settings = load_settings(path, environ={})
    assert settings.http_server_uri == "https://platform.example/"
    assert settings.email == "anna@example.org"
    assert settings.password.reveal() == CANARY
    assert settings.service_id is None
    assert settings.channels == ("band-1", "band-2")
    assert (settings.others, settings.protocol, settings.lanes) == ("ignore", "0.0.1", "channel")
    assert (settings.max_message_bytes, settings.handler_seconds) == (65_000, 60.0)
    assert (settings.name, settings.ops_port, settings.log_level) == (None, None, "info")
    assert settings.path == path
    assert CANARY not in repr(settings)


def test_every_key_of_ours_is_read(tmp_path: Path) -> None:
    """What the file says replaces each default."""
    ours = with_(
        service_id="service-1",
        others="include",
        protocol="1.8",
        name="my-demo",
        max_message_bytes=131_072,
        lanes="sender",
        handler_seconds=5,
        ops_port=None,
        log_level="DEBUG",
    )
    settings = load_settings(write(tmp_path, ours), environ={})
    assert settings.protocol == "1.8"
    assert (settings.service_id, settings.others, settings.name) == (
        "service-1",
        "include",
        "my-demo",
    )
    assert (settings.max_message_bytes, settings.lanes, settings.ops_port) == (
        131_072,
        "sender",
        None,
    )
    assert settings.handler_seconds == 5.0
    assert settings.log_level == "debug"


def test_null_is_no_limit_no_port_no_name_and_no_service(tmp_path: Path) -> None:
    """Null stands for "none" where there can be none."""
    nulls = with_(service_id=None, name=None, handler_seconds=None, ops_port=None)
    settings = load_settings(write(tmp_path, nulls), environ={})
    assert settings.service_id is None
    assert settings.name is None
    assert settings.handler_seconds is None
    assert settings.ops_port is None


def test_optional_keys_may_be_absent(tmp_path: Path) -> None:
    """Absent others means ignore; an absent service_id means that one is created."""
    settings = load_settings(write(tmp_path, without("others", "service_id")), environ={})
    assert (settings.others, settings.service_id) == ("ignore", None)


def test_a_band_listed_twice_is_taken_once(tmp_path: Path) -> None:
    """The order of the bands stays, and none comes twice."""
    settings = load_settings(write(tmp_path, with_(channels=["b", "a", "b"])), environ={})
    assert settings.channels == ("b", "a")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Some editors put one in front."""
    path = tmp_path / "service.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    path.chmod(0o600)
    assert load_settings(path, environ={}).email == "anna@example.org"


def test_the_table_describes_every_setting_and_nothing_else() -> None:
    """A new field of Settings needs a row, and a default is one that its own reader takes."""
    fields = [field.name for field in attrs.fields(Settings) if field.name != "path"]
    assert [setting.key for setting in SETTINGS_TABLE] == fields
    for setting in SETTINGS_TABLE:
        assert setting.meaning
        assert setting.type
        if not setting.required:
            assert setting.read(setting.default) == setting.default
    assert [setting.key for setting in SETTINGS_TABLE if setting.required] == [
        "http_server_uri",
        "ws_server_uri",
        "email",
        "password",
        "channels",
    ]


def test_an_unknown_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """A misspelt setting must not be ignored."""
    error = fault(tmp_path, with_(chanels=["x"]))
    assert "'chanels'" in error.where
    assert error.remedy == "Did you mean 'channels'?"
    assert "Possible are: ca_file, channels, email" in str(fault(tmp_path, with_(zzz=1)))
    assert "convert-config" in fault(tmp_path, with_(checkin_interval=3600)).remedy


@pytest.mark.parametrize("key", ["http_server_uri", "ws_server_uri", "channels"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    """The line says which key to add."""
    error = fault(tmp_path, without(key))
    assert error.where.endswith(f"key {key}")
    assert error.problem == "is missing"


@pytest.mark.parametrize(
    ("key", "variable"), [("email", "MOOBIUS_EMAIL"), ("password", "MOOBIUS_PASSWORD")]
)
def test_a_missing_account_names_key_and_variable(tmp_path: Path, key: str, variable: str) -> None:
    """The account may come from either place."""
    error = fault(tmp_path, without(key))
    assert error.where.endswith(f"key {key}")
    assert variable in error.remedy


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"email": 7}, "must be a text, not a number"),
        ({"email": " "}, "is empty"),
        ({"email": "a\nb"}, "has a character that cannot be seen"),
        ({"email": "<your e-mail>"}, "still has the text of the template"),
        ({"password": 12345678}, "must be a text, not a number"),
        ({"password": [CANARY]}, "must be a text, not a list"),
        ({"password": ""}, "is empty"),
        ({"channels": "band-1"}, "must be a list of band ids, not a text"),
        ({"channels": []}, "names no band"),
        ({"channels": ["a", 3]}, "entry 2 must be a text, not a number"),
        ({"channels": ["../a"]}, "entry 1 is not an id"),
        ({"service_id": 3}, "must be a text, not a number"),
        ({"service_id": "x" * 201}, "is not an id"),
        ({"others": "exclude"}, "cannot be 'exclude'"),
        ({"others": None}, "must be a text, not null"),
        ({"protocol": "1.9"}, "cannot be '1.9'"),
        ({"protocol": 1.8}, "must be a text, not a number"),
        ({"name": "../x"}, "must have 1 to 64"),
        ({"name": ".x"}, "must have 1 to 64"),
        ({"max_message_bytes": "65000"}, "must be a whole number, not a text"),
        ({"max_message_bytes": True}, "must be a whole number, not true or false"),
        ({"max_message_bytes": 1.5}, "must be a whole number, not 1.5"),
        ({"max_message_bytes": 131_073}, "must be from 1 to 131,072, not 131,073"),
        ({"max_message_bytes": 0}, "must be from 1 to 131,072, not 0"),
        ({"lanes": "user"}, "cannot be 'user'"),
        ({"handler_seconds": 0}, "above 0"),
        ({"handler_seconds": True}, "must be a number of seconds or null, not true or false"),
        ({"handler_seconds": 10**400}, "above 0, or null"),
        ({"ops_port": 65_536}, "must be from 0 to 65,535"),
        ({"logs": ""}, "is empty"),
        ({"log_level": "loud"}, "cannot be 'loud'"),
        ({"log_level": 10}, "must be a text, not a number"),
        ({"http_server_uri": "platform.example"}, "must be an address that begins with https://"),
        ({"http_server_uri": "wss://platform.example"}, "must be an address that begins with"),
        ({"http_server_uri": "https://"}, "must be an address that begins with"),
        ({"http_server_uri": "https://[x"}, "is not an address"),
        ({"http_server_uri": "https://h:99999/"}, "is not an address"),
        ({"http_server_uri": "https://h/?a=b"}, "host and path only"),
        ({"http_server_uri": f"https://u:{CANARY}@h/"}, "host and path only"),
        ({"http_server_uri": "http://platform.example/"}, "unencrypted to platform.example"),
        ({"ws_server_uri": "ws://192.168.1.4:8000/"}, "unencrypted to 192.168.1.4"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(
    tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    """Key, fault and, for a password, nothing of the value."""
    error = fault(tmp_path, with_(**changes))
    assert error.where.endswith(f"key {next(iter(changes))}")
    assert problem in error.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n  "email": "a",\n  "password": "' + CANARY + '"\n  "x": 1}', "line 4, column 3"),
        ('{"password": "' + CANARY + '", "password": "b"}', "has the key 'password' twice"),
        ('{"password": "' + CANARY + '", "ops_port": NaN}', "has the number NaN"),
        ('{"password": "' + CANARY + '", "ops_port": 1e999}', "has the number 1e999"),
        ('["' + CANARY + '"]', "must be an object {…}, not a list"),
        ("[" * 100_000, "is nested too deep"),
        ('{"ops_port": ' + "1" * 5_000 + "}", "is not JSON: Exceeds the limit"),
        ("", "line 1, column 1"),
    ],
    ids=["comma", "twice", "nan", "infinite", "list", "deep", "digits", "empty"],
)
def test_a_file_that_is_no_settings_says_where(tmp_path: Path, text: str, problem: str) -> None:
    """Wrong syntax is found by line and column; the text itself is not shown."""
    assert problem in str(fault(tmp_path, text))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """No file, a folder, too large, not UTF-8."""
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (1024 * 1024 + 1))
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"password": "' + CANARY.encode() + b'\xff"}')
    for path, problem in [
        (tmp_path / "none.json", "does not exist"),
        (tmp_path, "cannot be read (Is a directory)"),
        (large, "is larger than 1,048,576 bytes"),
        (latin, "is not UTF-8 text (byte 30)"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_settings(path, environ={})
        assert caught.value.problem == problem
        assert caught.value.where == str(path)
        assert caught.value.__context__ is None or CANARY not in repr(caught.value.__context__)


TEMPLATE = Path(__file__).parents[2] / "projects" / "service.json"


def test_the_template_says_what_is_left_to_fill_in(tmp_path: Path) -> None:
    """Each text of it is refused until it is replaced, and all of its keys are settings."""
    content: dict[str, object] = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    for key in ("http_server_uri", "ws_server_uri", "email", "channels"):
        error = fault(tmp_path, content)
        assert error.where.endswith(f"key {key}")
        assert "still has the text of the template" in error.problem
        content[key] = GOOD[key]
    load_settings(write(tmp_path, content), environ={})


def test_run_options_need_no_account_and_take_none(tmp_path: Path) -> None:
    """The template does; what is there of account, addresses and ids stays where it is."""
    assert load_run_options(TEMPLATE) == {"protocol": "1.8"}
    given = with_(lanes="sender", handler_seconds=None, protocol="1.8")
    options = load_run_options(write(tmp_path, given))
    assert options == {"lanes": "sender", "handler_seconds": None, "protocol": "1.8"}
    for content, where in [
        (with_(lanes="user"), "key lanes"),
        (with_(lane="sender"), "key 'lane'"),
        ([], "service.json"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_run_options(write(tmp_path, content))
        assert caught.value.where.endswith(where)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Account data from variables replace the file's; empty variables count as absent."""
    environ = {"MOOBIUS_EMAIL": "bob@example.org", "MOOBIUS_PASSWORD": "other"}
    settings = load_settings(write(tmp_path, GOOD), environ=environ)
    assert settings.email == "bob@example.org"
    assert settings.password.reveal() == "other"
    empty = dict.fromkeys([*environ, "MOOBIUS_PASSWORD_FILE"], "")
    settings = load_settings(write(tmp_path, GOOD), environ=empty)
    assert settings.email == "anna@example.org"
    assert settings.password.reveal() == CANARY


def test_the_account_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    """A file without email and password is complete then."""
    environ = {"MOOBIUS_EMAIL": "bob@example.org", "MOOBIUS_PASSWORD": "other"}
    settings = load_settings(write(tmp_path, without("email", "password")), environ=environ)
    assert (settings.email, settings.password.reveal()) == ("bob@example.org", "other")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_file_gives_its_first_line(tmp_path: Path, ending: str) -> None:
    """One line end is not part of the password; a blank in it is (S2)."""
    secret = tmp_path / "secret"
    secret.write_bytes(b" from file " + ending.encode())
    environ = {"MOOBIUS_PASSWORD_FILE": str(secret)}
    settings = load_settings(write(tmp_path, GOOD), environ=environ)
    assert settings.password.reveal() == " from file "


def test_faults_of_the_environment_name_the_variable(tmp_path: Path) -> None:
    """Not the file, which is right."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"\n")
    both = {"MOOBIUS_PASSWORD": CANARY, "MOOBIUS_PASSWORD_FILE": str(empty)}
    assert fault(tmp_path, GOOD, both).where == "MOOBIUS_PASSWORD_FILE"
    error = fault(tmp_path, GOOD, {"MOOBIUS_PASSWORD_FILE": str(empty)})
    assert error.where == f"MOOBIUS_PASSWORD_FILE ({empty})"
    assert error.problem == "is empty"
    missing = str(tmp_path / "none")
    assert fault(tmp_path, GOOD, {"MOOBIUS_PASSWORD_FILE": missing}).where == missing
    assert fault(tmp_path, GOOD, {"MOOBIUS_EMAIL": "a\x1bb"}).where == "MOOBIUS_EMAIL"


def test_a_password_that_others_can_read_is_warned_of_once(tmp_path: Path) -> None:
    """Group or others, not the owner alone; and only if there is a password in the file (S2)."""
    for mode, content, warnings in [
        (0o600, GOOD, 0),
        (0o640, GOOD, 1),
        (0o604, GOOD, 1),
        (0o644, without("password"), 0),
    ]:
        path = write(tmp_path, content, mode=mode)
        with capture_logs() as lines:
            load_settings(path, environ={} if "password" in content else {"MOOBIUS_PASSWORD": "x"})
        assert [line["log_level"] for line in lines] == ["warning"] * warnings
        assert CANARY not in repr(lines)


@pytest.mark.parametrize(
    "changes", [{"service_id": "local-1"}, {"channels": ["band-1", "local-demo"]}]
)
def test_ids_of_the_local_platform_stay_on_this_machine(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    """A file of the local platform with another address is a mix-up."""
    error = fault(tmp_path, with_(**changes))
    assert error.where.endswith(f"key {next(iter(changes))}")
    assert "id of the local platform" in error.problem
    here = {"http_server_uri": "http://127.0.0.1:8000/", "ws_server_uri": "ws://localhost:8000/"}
    load_settings(write(tmp_path, with_(**changes, **here)), environ={})
    half = {**here, "ws_server_uri": "wss://platform.example/"}
    assert "platform.example" in fault(tmp_path, with_(**changes, **half)).problem


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:80/", True),
        ("http://127.9.9.9/", True),
        ("ws://[::1]:80/", True),
        ("ws://LOCALHOST", True),
        ("ws://a.localhost", True),
        ("http://localhost.example/", False),
        ("http://0.0.0.0/", False),
        ("http://192.168.0.1/", False),
        ("nonsense", False),
    ],
)
def test_loopback_addresses_are_told_from_others(address: str, here: bool) -> None:
    """Only this machine counts, in each of its spellings."""
    assert is_loopback(address) is here


def test_the_config_is_found_in_either_place(tmp_path: Path) -> None:
    """config/service.json goes before service.json; both are named when neither is there."""
    with pytest.raises(ConfigError) as caught:
        find_service_config(tmp_path)
    assert "neither config/service.json nor service.json" in caught.value.problem
    assert "moobius-trio new" in caught.value.remedy
    assert caught.value.where == str(tmp_path)
    flat = write(tmp_path, GOOD)
    assert find_service_config(tmp_path) == flat
    (tmp_path / "config").mkdir()
    nested = write(tmp_path / "config", GOOD)
    assert find_service_config(tmp_path) == nested


def test_db_json_stands_beside_service_json(tmp_path: Path) -> None:
    """It is optional."""
    service = tmp_path / "service.json"
    assert find_database_config(service) is None
    (tmp_path / "db.json").write_text("[]", encoding="utf-8")
    assert find_database_config(service) == tmp_path / "db.json"


def test_containers_are_read_in_order_with_their_defaults(tmp_path: Path) -> None:
    """A db.json of the original loads as it is."""
    entries = [
        {"name": "states", "implementation": "json", "settings": {"root_dir": "data"}},
        {"name": "features", "implementation": "memory", "load": False, "clear": True},
    ]
    states, features = load_database_settings(write(tmp_path, entries))
    assert isinstance(states, ContainerSpec)
    assert (states.name, states.implementation, states.load, states.clear) == (
        "states",
        "json",
        True,
        False,
    )
    assert dict(states.settings) == {"root_dir": "data"}
    assert (features.load, features.clear, dict(features.settings)) == (False, True, {})
    assert load_database_settings(write(tmp_path, [])) == ()


STATES = {"name": "states", "implementation": "json"}


@pytest.mark.parametrize(
    ("content", "where", "problem"),
    [
        ({}, "service.json", "must be a list [{…}, …], not an object"),
        ([STATES, 3], "entry 2", "must be an object {…}, not a number"),
        ([{"implementation": "json"}], "entry 1, key name", "is missing"),
        ([{"name": "a"}], "entry 1, key implementation", "is missing"),
        ([{**STATES, "settngs": {}}], "entry 1, key 'settngs'", "is not known"),
        ([{**STATES, "load": "yes"}], "entry 1, key load", "must be true or false, not a text"),
        ([{**STATES, "clear": 1}], "entry 1, key clear", "must be true or false, not a number"),
        ([{**STATES, "settings": []}], "entry 1, key settings", "must be an object {…}, not a"),
        ([{**STATES, "name": "../up"}], "entry 1, key name", "cannot be written as an attribute"),
        ([{**STATES, "name": "_x"}], "entry 1, key name", "cannot be written as an attribute"),
        ([{**STATES, "name": "class"}], "entry 1, key name", "cannot be written as an attribute"),
        ([{**STATES, "implementation": ""}], "entry 1, key implementation", "is empty"),
        ([{**STATES, "implementation": "pickle"}], "entry 1, key implementation", "no storage"),
        ([STATES, STATES], "entry 2", "names 'states' a second time"),
    ],
)
def test_a_fault_of_db_json_names_entry_and_key(
    tmp_path: Path, content: object, where: str, problem: str
) -> None:
    """One line that says what is wrong with which entry."""
    with pytest.raises(ConfigError) as caught:
        load_database_settings(write(tmp_path, content))
    assert caught.value.where.endswith(where)
    assert problem in caught.value.problem


def test_a_database_password_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    """The same warning as for service.json."""
    entry = {**STATES, "settings": {"password": CANARY}}
    with capture_logs() as lines:
        load_database_settings(write(tmp_path, [entry], mode=0o644))
    assert [line["log_level"] for line in lines] == ["warning"]
    assert CANARY not in repr(lines)
