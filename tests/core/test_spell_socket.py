"""The file of a spell socket: whose it is, who may use it, and what is found in its place (S15)."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.core.spell_socket import bound_socket, peer_of, socket_path, try_connect
from moobius_trio.errors import ConfigError

LEAVE = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A runtime folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mt-") as name:
        yield Path(name)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o177])
def test_only_this_user_can_connect_whatever_the_umask(mask: int, folder: Path) -> None:
    """The file has mode 0600, and the process's umask is what it was (S15)."""
    path = folder / "own.sock"
    before = os.umask(mask)
    try:
        with bound_socket(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert not path.exists()


def test_the_file_is_closed_to_others_before_anybody_may_connect(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its first moment, not only when all is done (S15)."""
    seen: list[int] = []
    chmod = Path.chmod

    def look(path: Path, mode: int) -> None:
        seen.append(stat.S_IMODE(path.stat().st_mode))
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", look)
    before = os.umask(0o000)
    try:
        with bound_socket(folder / "own.sock"):
            pass
    finally:
        os.umask(before)
    assert [mode & 0o077 for mode in seen] == [0]


def test_the_socket_of_a_killed_process_is_replaced(folder: Path) -> None:
    """It is this user's and nobody answers."""
    path = folder / "own.sock"
    subprocess.run([sys.executable, "-c", LEAVE, str(path)], check=False)
    assert path.is_socket()
    with bound_socket(path), try_connect(path) or pytest.fail("nobody listens"):
        pass


def test_a_socket_that_somebody_answers_at_is_left_alone(folder: Path) -> None:
    """The second one is told the pid of the first, which goes on (S15)."""
    path = folder / "own.sock"
    with bound_socket(path):
        with pytest.raises(ConfigError, match="somebody answers") as refused, bound_socket(path):
            pytest.fail("the socket was taken twice")
        if sys.platform == "linux":
            assert f"pid {os.getpid()}" in str(refused.value)
        with try_connect(path) or pytest.fail("the first one is deaf"):
            pass


def test_a_planted_link_is_refused_in_one_line(folder: Path) -> None:
    """Also one that leads to a socket that nobody answers at; what it leads to stays (S15)."""
    target, path = folder / "elsewhere", folder / "own.sock"
    path.symlink_to(target)
    with pytest.raises(ConfigError, match=r"own\.sock: this is no socket of this user's"):
        bound_socket(path).__enter__()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(target))
    with pytest.raises(ConfigError, match=r"own\.sock: this is no socket of this user's"):
        bound_socket(path).__enter__()
    assert path.is_symlink()
    assert target.is_socket()


def test_a_file_in_its_place_is_refused(folder: Path) -> None:
    """And left as it is."""
    path = folder / "own.sock"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="no socket of this user's"):
        bound_socket(path).__enter__()
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make somebody else's socket")
def test_a_socket_of_another_user_is_refused(folder: Path) -> None:
    """Although nobody answers at it."""
    path = folder / "own.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="no socket of this user's"):
        bound_socket(path).__enter__()
    assert path.is_socket()


def test_only_ones_own_file_is_removed_at_the_end(folder: Path) -> None:
    """What somebody has put in its place meanwhile stays."""
    path = folder / "own.sock"
    with bound_socket(path):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["../escape", "a/b", "über", "x" * 300, "=", ".", "", "a\0b", "\ud800"]
)
def test_no_name_leads_out_of_the_folder(name: str, folder: Path) -> None:
    """A name that is not plain, or too long, has a hash in its place, another one for each."""
    path = socket_path(folder, name)
    assert path.parent == folder
    assert path != socket_path(folder, name + "x")
    with bound_socket(path):
        assert path.is_socket()


def test_a_plain_name_can_be_read_in_the_folder(folder: Path) -> None:
    """With the port that ``dev`` puts behind it."""
    assert socket_path(folder, "My.echo_2@8765").name == "My.echo_2@8765.sock"


def test_a_folder_with_a_path_too_long_for_sockets(folder: Path) -> None:
    """Is named in one line with what to do."""
    with pytest.raises(ConfigError, match=r"too long for a socket.*XDG_RUNTIME_DIR"):
        socket_path(folder / ("x" * 90), "own")


def test_the_peer_is_known(folder: Path) -> None:
    """Both ends see the user of the other one."""
    path = folder / "own.sock"
    with bound_socket(path) as listening, try_connect(path) or pytest.fail("deaf") as connected:
        accepted, _ = listening.accept()
        with accepted:
            assert not peer_of(accepted).foreign
            assert not peer_of(connected).foreign


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("opened", [False, True], ids=["as it is", "modes opened"])
def test_another_user_is_kept_out(opened: bool, folder: Path) -> None:
    """By the modes, and where somebody has opened those, by who it is (S15)."""
    path = folder / "own.sock"
    with bound_socket(path) as listening:
        if opened:
            folder.chmod(0o755)
            path.chmod(0o666)
        child = os.fork()
        if child == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                try:
                    connected = try_connect(path)
                except PermissionError:
                    os._exit(13)
                assert connected is not None
                connected.setblocking(True)
                os._exit(len(connected.recv(1)))  # until it is closed
            finally:
                os._exit(99)
        if opened:
            listening.setblocking(True)
            accepted, _ = listening.accept()
            with accepted:
                assert peer_of(accepted).foreign
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (0 if opened else 13)
