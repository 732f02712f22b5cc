"""Each state of a service, and one or two signals of either kind: how the process ends (F36, F52).

The processes are real and run side by side; a test looks at how its own one ended. Times are noted
as figures and not asserted: a process that does not end is killed after a minute, which fails its
test.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from moobius_trio.testing.commands import Command, Ended, open_command
from moobius_trio.testing.scoreboard import note

HERE = Path(__file__).parent
SERVICE = HERE / "shutdown_service.py"
SIDE_BY_SIDE = 10
ORDERLY, STUCK, TWICE = 0, 70, 130


@attrs.frozen
class State:
    """What a service is doing when the signal comes, and what has to become of it."""

    name: str
    code: int = ORDERLY
    """The exit code after one signal."""
    guilty: str = ""
    """The handler that the log must name."""
    line: str = ""
    """Part of its line in the service's source, if that is known."""
    twice: int = TWICE
    """The exit code after two."""
    quick: bool = False
    """Ends at the first signal, too soon for a second one to be certain to meet it."""


def stuck(place: str, handler: str, how: str, line: str) -> State:
    """A state that no cancellation ends."""
    return State(f"{place} {how}", STUCK, handler, f"the guilty line of {line}")


STATES = [
    State("reading a file that hangs", STUCK, "Held (past all its time limits)"),
    State("signing in", quick=True),
    State("logging in", quick=True),
    State("start that waits", quick=True),
    stuck("start", "Held.on_start", "that shields itself", "shielded"),
    stuck("start", "Held.on_start", "that spins", "spinning"),
    stuck("start", "Held.on_start", "in a thread", "thread"),
    State("idle"),
    State("handler that ends"),
    State("handler that waits"),
    stuck("handler", "Held.on_msg_up", "that shields itself", "shielded"),
    stuck("handler", "Held.on_msg_up", "that swallows", "swallowing"),
    stuck("handler", "Held.on_msg_up", "that spins", "spinning"),
    stuck("handler", "Held.on_msg_up", "that is deaf", "deaf"),
    stuck("handler", "Held.on_msg_up", "in a thread", "thread"),
    State("frames that nobody confirms"),
    State("reconnecting"),
    State("a disk that hangs", STUCK, "Held (past all its time limits)"),
    State("job that waits"),
    stuck("job", "tick", "that shields itself", "shielded"),
    State("spell that waits"),
    stuck("spell", "Held.on_spell", "that shields itself", "shielded"),
    State("second service still starting"),
    State("body of a wand", STUCK, "the body of the wand"),
    State("handler that is late, own signals", twice=ORDERLY),
    State("another stop"),
    stuck("beside another: handler", "Held.on_msg_up", "that shields itself", "shielded"),
]
SIGNALS = [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)]


@attrs.frozen
class Case:
    """One state and the signals it gets."""

    state: State
    signals: tuple[signal.Signals, ...]

    def __str__(self) -> str:
        return f"{self.state.name}, {' + '.join(one.name for one in self.signals)}"

    @property
    def band(self) -> str:
        """A band of its own."""
        return re.sub(r"[^a-z]+", "-", str(self).lower())


CASES = [Case(state, signals) for state in STATES for signals in SIGNALS]


@attrs.frozen
class End:
    """How one process ended and what it left."""

    ended: Ended
    seconds: float
    """From the first signal on."""
    sockets: list[str]
    locked: list[str]


@pytest.fixture(scope="module")
def ends(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[End]]]:
    """How the processes of all chosen cases end, which run some at a time."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and "ends" in item.fixturenames
        and item.path == Path(__file__)
    ]
    folder = tmp_path_factory.mktemp("shutdown")
    bands = [name for case in chosen for name in (case.band, f"{case.band}-b")]
    program = (str(HERE / "shutdown_platform.py"), *bands)
    with open_command(program=program, cwd=folder) as platforms:
        urls = json.loads(platforms.read_line())
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            yield {str(case): pool.submit(end_of, case, folder, urls) for case in chosen}
        assert platforms.stop().code == 0


def end_of(case: Case, folder: Path, urls: list[str]) -> End:
    """Bring a service into the state, send the signals, and see what is left."""
    home = folder / case.band
    home.mkdir()
    shutil.copy(SERVICE, home / "service.py")
    name = case.state.name
    with (
        tempfile.TemporaryDirectory() as runtime,  # pytest's own are too long for sockets
        reaching(case, home, urls) as (http, ws, variables, reached),
    ):
        for file, band in (("service", case.band), ("second", f"{case.band}-b")):
            settings = {
                "http_server_uri": http,
                "ws_server_uri": ws,
                "email": f"{file}-{case.band}@example.org",
                "password": "x" if "MOOBIUS_PASSWORD_FILE" not in variables else "",
                "channels": [f"local-{band}"],
                "name": f"{file}-{case.band}"[:60],
            }
            (home / f"{file}.json").write_text(json.dumps(settings))
            (home / f"{file}.json").chmod(0o600)
        words = ["long"] if len(case.signals) > 1 else []
        environ = {"XDG_RUNTIME_DIR": runtime, **variables}
        with open_command(
            name, *words, cwd=home, program=("service.py",), environ=environ
        ) as command:
            reached(command)
            begun = time.monotonic()
            for number in case.signals:
                command.signal(number)
                if not case.state.quick:
                    while command.read_line() != "counted":
                        pass
            ended = command.wait()
        return End(
            ended,
            time.monotonic() - begun,
            [str(path) for path in Path(runtime).rglob("*.sock")],
            [
                str(path)
                for place in (home, Path(runtime))
                for path in place.rglob("*.lock")
                if is_locked(path)
            ],
        )


def until_there(command: Command) -> None:
    """Read until the service says that it is in its state."""
    while command.read_line() != "there":
        pass


Reached = Callable[[Command], None]


@contextmanager
def reaching(
    case: Case, home: Path, urls: list[str]
) -> Iterator[tuple[str, str, dict[str, str], Reached]]:
    """What the state needs: addresses of a platform, variables, and how to wait for the state."""
    name, url = case.state.name, urls[0]
    if name == "frames that nobody confirms":
        url = urls[1]
    websocket = url.replace("http", "ws")
    if name == "reading a file that hangs":
        pipe = home / "password"
        os.mkfifo(pipe, 0o600)
        writers: list[int] = []
        variables = {"MOOBIUS_PASSWORD_FILE": str(pipe)}
        yield url, websocket, variables, lambda command: writers.append(os.open(pipe, os.O_WRONLY))
        os.close(writers[0])
    elif name in ("signing in", "logging in"):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(20)
            port = silent.getsockname()[1]
            http = f"http://127.0.0.1:{port}" if name == "signing in" else url
            taken: list[socket.socket] = []

            def accept(command: Command) -> None:
                try:
                    taken.append(silent.accept()[0])
                except TimeoutError:
                    raise AssertionError(f"it does not connect:\n{command.errors}") from None

            yield http, f"ws://127.0.0.1:{port}", {}, accept
            taken[0].close()
    elif name == "reconnecting":
        options = ("--port", "0", "--state", "platform", "--ready-json", "--band", case.band)
        with open_command("local", *options, cwd=home) as local:
            own: str = local.ready()["url"]

            def cut(command: Command) -> None:
                while command.read_line() != "connected":
                    pass
                local.stop()
                until_there(command)

            yield own, own.replace("http", "ws"), {}, cut
    else:
        yield url, websocket, {}, until_there


def is_locked(path: Path) -> bool:
    """Whether a process holds this lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@pytest.mark.xdist_group("shutdown")  # all cases share what `ends` has started
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_process_ends_from_each_state(case: Case, ends: Mapping[str, Future[End]]) -> None:
    """Exit code, the guilty handler with file and line, and nothing left behind (F36, F52)."""
    end = ends[str(case)].result()
    ended, state = end.ended, case.state
    note(f"shutdown: {case}", {"seconds": round(end.seconds, 2), "exit": ended.code})
    allowed = {state.twice if len(case.signals) > 1 else state.code}
    if state.quick:
        allowed.add(ORDERLY)
    assert ended.code in allowed, ended.errors
    assert "Traceback" not in ended.errors
    assert (end.sockets, end.locked) == ([], [])
    if len(case.signals) == 1 and state.guilty:
        last = ended.errors.splitlines()[-1]
        assert "the process ends" in last
        assert state.guilty in last
        if state.line:
            (line,) = [
                number
                for number, text in enumerate(SERVICE.read_text().splitlines(), 1)
                if text.endswith(f"# {state.line}")
            ]
            assert re.search(rf"{re.escape(state.guilty)} \(\S*service\.py:{line}\)", last)
    if "is late" in state.name:
        assert "ended late" in ended.output
    if state.name.startswith("beside another") and len(case.signals) == 1:
        assert "second on_stop" in ended.output
