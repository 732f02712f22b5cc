"""Whether the rows of test_demo would notice: with any method of the demo empty, one fails."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from moobius_trio import MoobiusService
from moobius_trio.cli.dev import demo_folder
from moobius_trio.cli.loading import load_service
from moobius_trio.testing import Local, open_local

Row = Callable[[Local, type[MoobiusService[Any]]], Awaitable[None]]

DEMO = type(load_service(str(demo_folder())))
METHODS = [name for name, method in vars(DEMO).items() if inspect.iscoroutinefunction(method)]


def module_of_rows() -> ModuleType:
    """test_demo, loaded once more beside the one pytest has."""
    spec = importlib.util.spec_from_file_location(
        "rows_of_the_demo", Path(__file__).with_name("test_demo.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROWS: list[Row] = [
    row
    for name, row in vars(module_of_rows()).items()
    if name.startswith("test_") and list(inspect.signature(row).parameters) == ["local", "demo"]
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What fails here fails on purpose and need not be logged."""
    with structlog.testing.capture_logs():
        yield


def holds(row: Row, demo: type[MoobiusService[Any]]) -> bool:
    """Whether the row passes for this class."""

    async def main() -> None:
        async with open_local() as local:
            await row(local, demo)

    try:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    except Exception:  # whatever it is, pytest would call the test failed
        return False
    return True


def test_every_row_holds_for_the_demo_itself() -> None:
    """Run in this way, no row fails by itself."""
    assert len(ROWS) > 20
    assert [row for row in ROWS if not holds(row, DEMO)] == []


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_method_fails_a_row(name: str) -> None:
    """The demo without what this method does is noticed."""

    async def nothing(self: object, *args: object) -> None:
        pass

    original = getattr(DEMO, name)
    nothing.__dict__.update(original.__dict__)
    nothing.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    nothing.__name__ = name
    # Of the same name, since that is how the rows find what a handler has sent.
    without = type(DEMO.__name__, (DEMO,), {name: nothing, "__module__": DEMO.__module__})
    assert any(not holds(row, without) for row in ROWS)
