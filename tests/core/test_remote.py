"""Wands for scripts: what a caster in another process is told, whatever the service does (F54)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moobius_trio import MoobiusWand, NoSuchService, ServiceStopped, SpellRaised, SpellTimedOut
from moobius_trio.core.spell_socket import bound_socket, socket_path
from moobius_trio.core.spell_wire import Accepted, Greeting, Raised, Returned, Stopped, frame
from moobius_trio.errors import ConfigError, SpellRefused
from moobius_trio.testing.commands import open_command

SERVICE = """
import time

import trio

from moobius_trio import MoobiusService


class Echo(MoobiusService):
    async def on_spell(self, spell):
        if spell == "raise":
            raise ValueError("no such magic")
        if spell == "block":
            time.sleep(3600)
        if spell == "sleep":
            await trio.sleep(3600)
        return {"cast": spell}
"""

SCRIPT = """
from moobius_trio import MoobiusWand

with MoobiusWand.connect(NAME) as wand:
    wand.spell({"say": "rain soon"})
    print(wand.spell([1, None, "ä"], wait=True))
    print(wand.status().state)
"""

OPTIONS = ("--port", "0", "--no-browser", "--ready-json")


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """A runtime folder of this test's own, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mt-") as folder:
        yield {"XDG_RUNTIME_DIR": folder}


@contextmanager
def service(environ: dict[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """A service in a process of its own; gives the name it is found by, and the pid of `dev`."""
    (folder / "service.py").write_text(SERVICE)
    with open_command("dev", "service.py", *OPTIONS, cwd=folder, environ=environ) as dev:
        ready = dev.ready()
        yield f"echo@{ready['url'].rpartition(':')[2]}", dev.pid


def test_a_plain_script_casts_spells(environ: dict[str, str], tmp_path: Path) -> None:
    """It knows nothing of trio, and blocks until it has its answer."""
    with service(environ, tmp_path) as (name, _):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.replace("NAME", repr(name))],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (0, "{'cast': [1, None, 'ä']}\nready\n"), done.stderr


def test_errors_come_back_as_exceptions(environ: dict[str, str], tmp_path: Path) -> None:
    """What on_spell raised, a name that is nearly right, and a service that is told to stop."""
    with service(environ, tmp_path) as (name, pid):
        wand = MoobiusWand.connect(name, environ=environ)
        assert wand.status().pid not in (pid, os.getpid())  # `dev` runs it in a process of its own
        os.kill(wand.status().pid, 0)
        with pytest.raises(SpellRaised) as raised:
            wand.spell("raise", wait=True)
        assert (raised.value.error, raised.value.text) == ("ValueError", "no such magic")
        with pytest.raises(NoSuchService, match=f"Did you mean {name}") as near:
            MoobiusWand.connect(name.replace("echo", "ecco"), environ=environ)
        assert near.value.running == (name,)
        wand.stop()
        with pytest.raises(ServiceStopped):  # its process may not have ended quite yet
            wand.spell("gone")
        assert isinstance(near.value, ServiceStopped)


def test_a_loop_that_stands_still_is_told_from_one_that_has_the_spell(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Accepted and going on; then, while the handler blocks the loop, certainly not delivered."""
    with service(environ, tmp_path) as (name, _):
        wand = MoobiusWand.connect(name, environ=environ)
        with pytest.raises(SpellTimedOut, match="was accepted, and goes on") as accepted:
            wand.spell("block", 1, wait=True)
        with pytest.raises(TimeoutError, match="is not delivered") as refused:
            wand.spell("late", 0.2)
    assert accepted.value.delivered is True
    assert isinstance(refused.value, SpellTimedOut)
    assert refused.value.delivered is False


def test_a_killed_service_is_not_taken_for_a_silent_one(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Who waits hears of the end at once; the next service of that name takes the file over."""
    with service(environ, tmp_path) as (name, _):
        wand = MoobiusWand.connect(name, environ=environ)
        killer = threading.Timer(0.2, os.kill, (wand.status().pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(ServiceStopped, match="had accepted the spell"):
            wand.spell("sleep", 60, wait=True)
        killer.join()
    path = socket_path(Path(environ["XDG_RUNTIME_DIR"]) / "moobius-trio", name)
    assert path.is_socket()
    with pytest.raises(NoSuchService):
        MoobiusWand.connect(name, environ=environ)
    with bound_socket(path):
        pass


# Services that say what a real one hardly would, to try the caster's half


@contextmanager
def saying(
    environ: dict[str, str], talk: Callable[[socket.socket], None]
) -> Iterator[Callable[..., object]]:
    """A service of few words; gives the way to cast a spell at it."""
    from moobius_trio.core.remote import Place, RemoteWand

    place = Place.of("odd", environ)

    def answer(listening: socket.socket) -> None:
        listening.setblocking(True)
        connected, _ = listening.accept()
        with connected:
            talk(connected)

    with bound_socket(place.path) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        try:
            yield RemoteWand(place).spell
        finally:
            thread.join()


def said(*answers: object) -> Callable[[socket.socket], None]:
    """A talk: a greeting, then these after the request, then the end."""

    def talk(connected: socket.socket) -> None:
        connected.sendall(frame(Greeting("odd")))
        connected.recv(65_540)
        for answer in answers:
            connected.sendall(answer if isinstance(answer, bytes) else frame(answer))  # type: ignore[arg-type]

    return talk


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ((), "may have taken what was sent"),
        ((Accepted(),), "what became of that is not known"),
        ((frame(Accepted())[:5],), "may have taken what was sent"),
        ((Accepted(), Stopped(begun=True)), "the spell was cancelled"),
        ((Stopped(begun=False),), "the spell was not cast"),
    ],
)
def test_an_end_is_told_truthfully(
    answers: tuple[object, ...], text: str, environ: dict[str, str]
) -> None:
    """Whatever was said before it."""
    with saying(environ, said(*answers)) as spell, pytest.raises(ServiceStopped, match=text):
        spell("x", wait=True)


def test_an_end_before_the_greeting_delivers_nothing(environ: dict[str, str]) -> None:
    """Since nothing was sent."""
    with (
        saying(environ, lambda connected: None) as spell,
        pytest.raises(ServiceStopped, match="nothing was handed to it"),
    ):
        spell("x")


def test_no_answer_after_the_spell_was_sent_may_mean_anything(environ: dict[str, str]) -> None:
    """The caster hears that nobody can tell."""
    done = threading.Event()

    def talk(connected: socket.socket) -> None:
        said()(connected)
        done.wait(60)

    with saying(environ, talk) as spell:
        with pytest.raises(SpellTimedOut, match="may have been delivered") as late:
            spell("x", 0.2)
        done.set()
    assert late.value.delivered is None


@pytest.mark.parametrize(
    "answers",
    [(b"\0\0\0\x02{}",), (b"\0\0\0\x04ouch",), (Accepted(), b"\0\0\0\x02[]")],
)
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(
    answers: tuple[object, ...], environ: dict[str, str]
) -> None:
    """And never a traceback from the depths."""
    with saying(environ, said(*answers)) as spell, pytest.raises(SpellRefused, match="no sense"):
        spell("x", wait=True)


def test_an_error_of_any_length_is_told(environ: dict[str, str]) -> None:
    """Cut to what one may want to read."""
    with (
        saying(environ, said(Accepted(), Raised("E", "x" * 5000))) as spell,
        pytest.raises(SpellRaised) as raised,
    ):
        spell("x", wait=True)
    assert len(raised.value.text) == 1000


def test_a_value_comes_back(environ: dict[str, str]) -> None:
    """The same talk, when all goes well."""
    with saying(environ, said(Accepted(), Returned([1]))) as spell:
        assert spell("x", wait=True) == [1]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(environ: dict[str, str]) -> None:
    """Before anything in it is looked at (S15)."""
    folder = Path(environ["XDG_RUNTIME_DIR"]) / "moobius-trio"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="not this user's alone"):
        MoobiusWand.connect("echo", environ=environ)
