"""The demo as the tests of it get it."""

from __future__ import annotations

from typing import Any

import pytest

from moobius_trio.cli.dev import demo_folder
from moobius_trio.cli.loading import load_service


@pytest.fixture(scope="session")
def demo() -> type[Any]:
    """Its class, as `moobius-trio demo` finds it; known by its path alone, so without a type."""
    return type(load_service(str(demo_folder())))
