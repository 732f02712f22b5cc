"""This machine: versions, the runtime folder, the port of the local platform. No project here."""

from __future__ import annotations

import platform
import re
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Final

from moobius_trio.cli.doctor.findings import Finding, good, note, wrong
from moobius_trio.core.instance import runtime_folder
from moobius_trio.errors import ConfigError

__all__ = ("port_findings", "runtime_findings", "version_findings")

PACKAGE: Final = "moobius_trio"
OLDEST_PYTHON: Final = (3, 11)
_AT_LEAST: Final = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)")
_FOR_TESTS: Final = ("pytest", "pytest-trio")


def version_findings(*, needs_redis: bool) -> Iterator[Finding]:
    """Python, this package and what it is made of.

    Args:
        needs_redis: whether a container is kept on a Redis server.
    """
    area = "versions"
    system = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield wrong(area, system, "Install Python 3.11 or newer.")
    else:
        yield good(area, system)
    try:
        yield good(area, f"{PACKAGE} {metadata.version(PACKAGE)}")
        wanted = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        yield note(area, f"{PACKAGE} runs from its source and is not installed")
        wanted = ["trio>=0"]
    there = []
    for name, least in filter(None, map(_required, wanted)):
        version = _version(name)
        if version is None or _numbers(version) < _numbers(least):
            found = "is missing" if version is None else f"{version} is too old"
            yield wrong(area, f"{name} {found}", f"pip install --upgrade '{name}>={least}'")
        else:
            there.append(f"{name} {version}")
    yield good(area, ", ".join([*there, f"SQLite {sqlite3.sqlite_version}"]))
    yield from _extras(area, needs_redis)


def _extras(area: str, needs_redis: bool) -> Iterator[Finding]:
    redis = _version("coredis")
    if redis is not None:
        yield good(area, f"coredis {redis}, for containers on a Redis server")
    elif needs_redis:
        remedy = f"pip install '{PACKAGE}[redis]'"
        yield wrong(area, "coredis is missing, and db.json names the engine redis", remedy)
    missing = [name for name in _FOR_TESTS if _version(name) is None]
    if missing:
        remedy = f"For tests: pip install '{PACKAGE}[test]'"
        yield note(area, f"{' and '.join(missing)} not installed", remedy)


def _required(requirement: str) -> tuple[str, str] | None:
    """Name and oldest version; None for what only an extra wants."""
    found = _AT_LEAST.fullmatch(requirement.strip())
    return (found[1], found[2]) if found is not None else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found is not None else ()


def runtime_findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The folder of locks and spell sockets."""
    area = "runtime folder"
    try:
        folder = runtime_folder(environ)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except ConfigError as exc:
        yield wrong(area, f"{exc.where}: {exc.problem}", f"{exc.remedy}.")
    except OSError as exc:
        remedy = "Set XDG_RUNTIME_DIR to a folder of your own."
        yield wrong(area, f"it cannot be written ({exc.strerror})", remedy)
    else:
        yield good(area, str(folder))


def port_findings(port: int, *, platform_there: bool) -> Iterator[Finding]:
    """Whether `dev` could listen where it does if nothing else is said.

    Args:
        platform_there: whether a local platform answered there just now.
    """
    area = f"port {port}"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as exc:
            remedy = "Give `moobius-trio dev` another one: --port 0 takes any that is free."
            if platform_there:
                yield note(area, "a local platform runs there", remedy)
            else:
                yield wrong(area, f"another program has it ({exc.strerror})", remedy)
        else:
            yield good(area, "free")
