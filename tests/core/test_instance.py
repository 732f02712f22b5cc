"""One live service of a name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from moobius_trio.core.instance import held_name, runtime_folder
from moobius_trio.errors import ConfigError, NameTaken

HOLD = """
import sys
from moobius_trio.core.instance import held_name
with held_name("chess", {"XDG_RUNTIME_DIR": sys.argv[1]}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_of_a_name_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    """While a process holds a name no other one gets it; once it was killed, the next one does."""
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(NameTaken) as refused, held_name("chess", environ):
            pytest.fail("the name was given twice")
        assert refused.value.pid == holder.pid
        assert str(holder.pid) in str(refused.value)
        with held_name("draughts", environ):
            pass
        holder.kill()
    with held_name("chess", environ):
        pass


def test_the_runtime_folder_is_this_users_alone(tmp_path: Path) -> None:
    """It is made with mode 0700, and one that others may write is refused in one line."""
    folder = runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="not this user's alone"):
        runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)})


def test_a_link_in_place_of_the_runtime_folder_is_refused(tmp_path: Path) -> None:
    """A planted link does not lead the lock elsewhere."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "moobius-trio").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not this user's alone"):
        runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)})


def test_systemds_folder_goes_first(tmp_path: Path) -> None:
    """`RUNTIME_DIRECTORY` wins over `XDG_RUNTIME_DIR`."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    environ = {"RUNTIME_DIRECTORY": str(tmp_path / "a"), "XDG_RUNTIME_DIR": str(tmp_path / "b")}
    assert runtime_folder(environ).parent == tmp_path / "a"
