"""Importing the package does nothing but import."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import subprocess
import sys

import pytest

import moobius_trio
from moobius_trio.lean import importing

WATCH = """
import os, sys, sysconfig

allowed = tuple(
    os.path.realpath(path) + os.sep
    for path in {*sys.path, *sysconfig.get_paths().values(), sys.prefix, sys.base_prefix}
    if path and os.path.isdir(path)
)
seen = []


def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        seen.append(f"{event} {arguments!r}")
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.startswith(allowed):
            seen.append(f"open {path}")
    if event in ("subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        seen.append(f"{event} {arguments!r}")


import trio  # asks the system for the name of its thread library, with a child process

sys.addaudithook(watch)
import moobius_trio

print("\\n".join(seen))
"""


def test_import_opens_no_socket_and_no_file_outside_the_import_path() -> None:
    """An audit hook sees only modules being read while the package is imported (S22)."""
    found = subprocess.run(
        [sys.executable, "-c", WATCH], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == ""


HEAVY = """
import sys, moobius_trio

heavy = ("httpx", "starlette", "hypercorn", "cyclopts", "coredis")
print([name for name in heavy if name in sys.modules])

import trio
from moobius_trio.network.http import open_http_api
from moobius_trio.types import Secret


async def main():
    async with open_http_api("http://127.0.0.1:1", email="", password=Secret(""), run_sync=None):
        print("httpx" in sys.modules, "httpcore" in sys.modules)


trio.run(main)
print([name for name in ("rich", "click", "h2", "cyclopts") if name in sys.modules])
from importlib.util import find_spec

there = ("httpx._main", "httpcore._async.http2", "rich")
print([name for name in there if find_spec(name) is None])
import rich
"""


def test_import_leaves_the_heavy_parts_alone() -> None:
    """The server, the HTTP client and the command line are imported when they are used, and what
    other packages import for theirs is not, though it can be."""
    found = subprocess.run(
        [sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split("\n") == ["[]", "True True", "[]", "[]", ""]


def test_what_is_left_out_of_an_import_is_there_afterwards() -> None:
    """A module is hidden for the block alone, also when it fails, and not if it is there; garbage
    is collected again after the outermost block."""
    with pytest.raises(ModuleNotFoundError), importing(without=("this", "sys")):
        assert importlib.import_module("sys") is sys
        with importing():
            pass
        assert not gc.isenabled()
        importlib.import_module("this")
    assert "this" not in sys.modules
    assert importlib.util.find_spec("this") is not None
    assert gc.isenabled()


def test_every_public_name_is_there_and_documented() -> None:
    """`__all__` is sorted, complete, and each class and function of it has a docstring."""
    names = moobius_trio.__all__
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(moobius_trio, name)
        if callable(value) and not hasattr(value, "__supertype__"):
            assert value.__doc__, name
    public = {
        name
        for name, value in vars(moobius_trio).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("moobius_trio")
    }
    assert public <= {*names}
