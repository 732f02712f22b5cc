"""``moobius-trio doctor``: what may stand in the way is found, and said with a remedy."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from moobius_trio.cli.doctor import machine as doctor_machine
from moobius_trio.cli.doctor import project as doctor_project
from moobius_trio.cli.doctor.findings import Finding
from moobius_trio.cli.doctor.machine import version_findings
from moobius_trio.cli.doctor.report import examine
from moobius_trio.cli.new import make_project
from moobius_trio.errors import ConfigError
from moobius_trio.testing.commands import open_command, run_command

PASSWORD = "canary-of-the-password"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project."""
    make_project("shiny", "zero", tmp_path)
    return tmp_path / "shiny"


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700, exist_ok=True)
    return {"XDG_RUNTIME_DIR": str(folder), "MOOBIUS_PASSWORD": PASSWORD, **more}


def configure(project: Path, **settings: object) -> None:
    path = project / "config" / "service.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def look(
    project: Path, tmp_path: Path, *, port: int | None = None, **more: str
) -> list[Finding]:
    """Everything that is found, with no platform where the project looks for one."""
    port = port or free_port()
    return await examine(str(project), environ(tmp_path, **more), port=port)


def wrongs(findings: list[Finding], area: str) -> list[Finding]:
    return [each for each in findings if (each.area, each.state) == (area, "wrong")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local platform; its URL."""
    folder = tmp_path_factory.mktemp("platform")
    options = ("--port", "0", "--state", "state", "--ready-json")
    with open_command("local", *options, cwd=folder) as local:
        yield local.ready()["url"]
        assert local.stop().code == 0


def test_a_project_that_can_run_is_told_so(project: Path, tmp_path: Path, platform: str) -> None:
    """Exit code 0 once the platform is there and the password given; with --sign-in it is tried."""
    configure(project, http_server_uri=f"{platform}/", ws_server_uri=platform.replace("http", "ws"))
    variables = environ(tmp_path)
    ended = run_command("doctor", "--sign-in", project, cwd=tmp_path, environ=variables)
    lines = ended.output.splitlines()
    assert f"  ok     {platform}/ answers (HTTP 200)" in lines
    assert "  ok     signed in as me@example.org" in lines
    assert [line for line in lines if "WRONG" in line and "port" not in line] == []
    assert (ended.code, lines[-1]) == (0, "Nothing stands in the way.")
    assert PASSWORD not in ended.output + ended.errors


def test_what_stands_in_the_way_is_exit_1(project: Path, tmp_path: Path) -> None:
    """For programs it is JSON; a path that is none is a usage error."""
    configure(project, http_server_uri="http://127.0.0.1:1/", ws_server_uri="ws://127.0.0.1:1/")
    ended = run_command("doctor", "--json", project, cwd=tmp_path, environ=environ(tmp_path))
    told = json.loads(ended.output)
    assert (ended.code, told["ok"], ended.errors) == (1, False, "")
    said = [each["said"] for each in told["findings"] if each["state"] == "wrong"]
    assert "http://127.0.0.1:1/: nobody listens there (connection refused)" in said
    ended = run_command("doctor", "nowhere", cwd=tmp_path)
    assert (ended.code, ended.errors.count("\n")) == (2, 1)


def test_a_fresh_project_lacks_only_what_run_needs(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its password and its platform: `dev` and tests do without."""
    uris = {"http_server_uri": "http://127.0.0.1:1/", "ws_server_uri": "ws://127.0.0.1:1/"}
    configure(project, **uris)
    ended = run_command(
        "doctor", project, cwd=tmp_path, environ=environ(tmp_path, MOOBIUS_PASSWORD="")
    )
    lines = ended.output.splitlines()
    wrong = [line.split()[-1] for line in lines if "WRONG" in line and "port" not in line]
    assert wrong == ["missing", "refused)", "refused)"]
    assert "ws://127.0.0.1:1/: nobody listens there (connection refused)" in ended.output
    assert ended.code == 1
    if "another program has it" not in ended.output:  # somebody may have port 8765
        assert lines[-2:] == [
            "3 things stand in the way of `moobius-trio run`.",
            "Nothing stands in the way of `moobius-trio dev` and of tests.",
        ]


async def test_code_that_is_no_python_is_found(project: Path, tmp_path: Path) -> None:
    """By its text alone: the service's file and those beside it; nothing of them is run."""
    service = project / "service.py"
    service.write_text("raise SystemExit('it was run')\nx = '\\d'\n")
    assert wrongs(await look(project, tmp_path), "project") == []
    service.write_text("import os\n\ndef broken(:\n")
    (project / "words.py").write_bytes(b"x = '\0'")
    first, second = wrongs(await look(project, tmp_path), "project")
    assert first.said.startswith(f"{service}, line 3: this is not valid Python (")
    assert str(project / "words.py") in second.said
    assert not first.run_only


async def test_a_broken_file_counts_once(project: Path, tmp_path: Path) -> None:
    """`dev` reads it too; a wrong address or password is a matter of `run` alone."""
    config = project / "config" / "service.json"
    text = config.read_text()
    config.write_text("{")
    findings = await look(project, tmp_path)
    [found] = [each for each in findings if each.state == "wrong"]
    assert (found.area, found.run_only) == ("config", False)
    config.write_text(text)
    configure(project, http_server_uri="http://example.org/")
    [found] = wrongs(await look(project, tmp_path), "config")
    assert found.run_only


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"emial": "x"}, "key 'emial' is not a setting"),
        ({"channels": []}, "names no band"),
        ({"http_server_uri": "http://example.org/"}, "key http_server_uri"),
        ({"service_id": 5}, "key service_id"),
    ],
)
async def test_a_wrong_config_is_found(
    project: Path, tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    """With the file, the key and what to do."""
    configure(project, **settings)
    [found] = wrongs(await look(project, tmp_path), "config")
    assert said in found.said
    assert found.remedy


async def test_where_the_password_comes_from(project: Path, tmp_path: Path) -> None:
    """It is asked for, and a file that others may read is told of."""
    [found] = wrongs(await look(project, tmp_path, MOOBIUS_PASSWORD=""), "config")
    assert found.said.endswith("key password is missing")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    for mode, expected in ((0o644, 1), (0o600, 0)):
        secret.chmod(mode)
        given = {"MOOBIUS_PASSWORD": "", "MOOBIUS_PASSWORD_FILE": str(secret)}
        findings = await look(project, tmp_path, **given)
        open_to_others = [each for each in findings if "may read the password" in each.said]
        assert len(open_to_others) == expected
        assert Finding("config", "ok", f"the password comes from {secret}") in findings
        assert not any(PASSWORD in f"{each}" for each in findings)


async def test_an_id_that_could_not_be_kept_is_found(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a service is made whose id would be lost."""

    def refuse(path: Path) -> None:
        raise ConfigError(str(path), "cannot be written", "Give this user the right")

    monkeypatch.setattr(doctor_project, "check_service_id_writable", refuse)
    [found] = wrongs(await look(project, tmp_path), "config")
    assert found.said.endswith("cannot be written")
    configure(project, service_id="some-service")
    assert wrongs(await look(project, tmp_path), "config") == []


async def test_a_name_that_nobody_knows_is_said_in_words(project: Path, tmp_path: Path) -> None:
    """And no certificate, no answer and no WebSocket likewise."""
    configure(
        project,
        http_server_uri="https://nobody.invalid/",
        ws_server_uri="wss://nobody.invalid/",
        channels=["a-band"],
    )
    http, web_socket = wrongs(await look(project, tmp_path), "platform")
    assert http.said.startswith("https://nobody.invalid/: the name is not known here")
    assert web_socket.said.startswith("wss://nobody.invalid/: ")


async def test_a_certificate_of_nobody_is_said_in_words(project: Path, tmp_path: Path) -> None:
    """The connection itself comes about."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with trio.move_on_after(5):
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.do_handshake()
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        serving = partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1")
        [listener] = await nursery.start(serving)
        port = listener.transport_listener.socket.getsockname()[1]
        configure(
            project,
            http_server_uri=f"https://localhost:{port}/",
            ws_server_uri=f"wss://localhost:{port}/",
        )
        http, web_socket = wrongs(await look(project, tmp_path), "platform")
        nursery.cancel_scope.cancel()
    assert "its certificate is not good (" in http.said
    assert "TLS" in web_socket.said


async def test_the_password_stays_here(project: Path, tmp_path: Path) -> None:
    """It is sent when that is asked for, and not before."""
    heard = bytearray()

    async def serve(stream: trio.SocketStream) -> None:
        with trio.move_on_after(5):
            heard.extend(await stream.receive_some())
            if b"sign_in" in heard:
                heard.extend(await stream.receive_some())
            await stream.send_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        uri = f"//127.0.0.1:{port}/"
        configure(project, http_server_uri=f"http:{uri}", ws_server_uri=f"ws:{uri}")
        findings = await look(project, tmp_path)
        assert any("answers (HTTP 404)" in each.said for each in findings)
        assert b"GET / " in heard
        assert PASSWORD.encode() not in heard
        await examine(str(project), environ(tmp_path), sign_in=True, port=free_port())
        assert PASSWORD.encode() in heard
        nursery.cancel_scope.cancel()


async def test_the_machine_is_looked_at(project: Path, tmp_path: Path) -> None:
    """A runtime folder that is none, a port that somebody has, a folder without a service."""
    (tmp_path / "file").touch()
    [found] = wrongs(
        await look(project, tmp_path, XDG_RUNTIME_DIR=str(tmp_path / "file")), "runtime folder"
    )
    assert "XDG_RUNTIME_DIR" in found.remedy
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        [found] = wrongs(await look(project, tmp_path, port=port), f"port {port}")
        assert "--port" in found.remedy
    (project / "service.py").unlink()
    [found] = wrongs(await look(project, tmp_path), "project")
    assert "neither service.py nor main.py" in found.said


async def test_a_local_platform_may_have_the_port(
    project: Path, tmp_path: Path, platform: str
) -> None:
    """That is good to know and no hindrance."""
    port = int(platform.rpartition(":")[2])
    findings = await look(project, tmp_path, port=port)
    [found] = [each for each in findings if each.area == f"port {port}"]
    assert (found.state, found.said) == ("note", "a local platform runs there")


async def test_a_store_that_cannot_be_opened_is_found(project: Path, tmp_path: Path) -> None:
    """Whatever a run of `dev` has kept is opened to look only."""
    kept = project / ".moobius-trio"
    (kept / "stores").mkdir(parents=True)
    (kept / "zero.json").write_text('{"service_id": "local-1"}')
    assert wrongs(await look(project, tmp_path), "stores") == []
    store = kept / "stores" / "service_local-1.sqlite3"
    store.write_bytes(b"this is no database, and long enough to be read as one" * 100)
    [found] = wrongs(await look(project, tmp_path), "stores")
    assert "zero (local-1)" in found.said
    assert store.read_bytes().startswith(b"this is no database")


def test_what_is_too_old_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library below what the package wants, and one that an engine needs."""
    versions = {"moobius_trio": "0.1.0", "trio": "0.9.1", "httpx": "0.28.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise doctor_machine.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor_machine.metadata, "version", version)
    wanted = ["trio>=0.30", "httpx>=0.28", "attrs>=25.1", "coredis>=6.9; extra == 'redis'"]
    monkeypatch.setattr(doctor_machine.metadata, "requires", lambda name: wanted)
    found = wrongs(list(version_findings(needs_redis=True)), "versions")
    assert [each.said for each in found] == [
        "trio 0.9.1 is too old",
        "attrs is missing",
        "coredis is missing, and db.json names the engine redis",
    ]
    assert found[0].remedy == "pip install --upgrade 'trio>=0.30'"
