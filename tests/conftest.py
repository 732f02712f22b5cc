"""How the tests run; what tests share lives in moobius_trio/testing."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import settings

from moobius_trio.logs import is_unconfigured

# Installed, it is registered already under this name, and this changes nothing; from the checkout
# alone nobody else would load it.
pytest_plugins = ("moobius_trio.testing.plugin",)

UNCLOSED = "Unclosed <MemoryObject"

QUIETENED = ("httpx", "httpcore", "hypercorn")
"""Loggers whose level is set with that of all logs."""

# No verdict may hang on how fast the machine is. The rest stays as hypothesis chose it, which on a
# CI machine means the same examples in every run.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The one warning that is let through, where connections of the Redis client fail on purpose.

    It leaves two memory streams of anyio open then, which says so when they are collected.
    """
    for item in items:
        if item.path.name.startswith("test_redis"):
            item.add_marker(
                pytest.mark.filterwarnings("ignore:Unclosed <MemoryObj:ResourceWarning")
            )


@pytest.fixture(autouse=True, scope="module")
def _collect_what_redis_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have them collected before another module's tests, where the warning is an error."""
    yield
    if request.path.name.startswith("test_redis"):
        gc.collect()


@contextmanager
def _own_runtime_folder() -> Iterator[None]:
    """Names of services are held in it; its path is short enough for sockets."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="mt-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        yield
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(autouse=True, scope="session")
def _runtime_folder_of_the_process() -> Iterator[None]:
    """Services that several tests share are in that of the test run's process."""
    with _own_runtime_folder():
        yield


@pytest.fixture(autouse=True)
def _runtime_folder() -> Iterator[None]:
    """Each test has one of its own: tests that run elsewhere at the time may use its names."""
    with _own_runtime_folder():
        yield


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are() -> Iterator[None]:
    """Whoever sets up logs, as each command does, does so for this test only."""
    if is_unconfigured():  # a service that several tests share has made them quiet
        structlog.reset_defaults()
    configured, before = structlog.is_configured(), structlog.get_config()
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, QUIETENED))}
    yield
    structlog.reset_defaults()
    if configured:
        structlog.configure(**before)
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)
