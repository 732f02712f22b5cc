"""The pytest plug-in: ``async def test_x(local):`` with no setting of the user's own.

Registered by entry point wherever the package is installed, so it must load without the extra
``[test]`` too; the fixture then says what is missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from moobius_trio.network.groups import leaves
from moobius_trio.testing.neighbours import reclaimed, without_doubles
from moobius_trio.testing.opening import open_local

if TYPE_CHECKING:
    from moobius_trio.testing.harness import Local

try:
    from pytest_trio import trio_fixture  # type: ignore[import-untyped]
except ImportError:
    trio_fixture = None

__all__ = ("local", "pytest_collection_modifyitems", "pytest_configure")

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours

FIXTURE = "local"
MISSING = "the `local` fixture needs pytest-trio: pip install 'moobius_trio[test]'"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "local(**options): how the `local` fixture opens the platform, such as sockets=True",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that use the fixture on trio; in memory on a clock that jumps by itself."""
    if trio_fixture is None:
        return
    ours = {item for item in items if _uses_our_fixture(item)}
    singles = set(without_doubles([item for item in items if item in ours]))
    items[:] = [
        reclaimed(item) if item in ours else item
        for item in items
        if item in singles or item not in ours
    ]
    for item in items:
        if _uses_our_fixture(item):
            sockets = _options(item).get("sockets", False)
            item.add_marker(pytest.mark.trio(run=_run if sockets else _run_simulated))


def _uses_our_fixture(item: pytest.Item) -> bool:
    """Whether `local` means ours: a project may well have a fixture of that name itself."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = list(info.name2fixturedefs.get(FIXTURE, ())) if info is not None else []
    while definitions:
        definition = definitions.pop()
        if definition.func.__module__ == __name__:
            return True
        if FIXTURE not in definition.argnames:
            return False  # one that replaces ours; with the argument it would build on it
    return False


def _run_simulated(
    async_fn: Callable[[], Any],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> Any:
    clock = clock or trio.testing.MockClock(autojump_threshold=0)
    return _run(async_fn, clock=clock, instruments=instruments)


def _run(
    async_fn: Callable[[], Any],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> Any:
    """``trio.run``, with one error in place of a group of one, which pytest shows better."""
    try:
        return trio.run(async_fn, clock=clock, instruments=instruments)
    except BaseExceptionGroup as group:
        errors = [leaf for leaf in leaves(group) if not isinstance(leaf, trio.Cancelled)]
        if len(errors) != 1:
            raise
    raise errors[0] from errors[0].__cause__


def _options(item: pytest.Item) -> dict[str, Any]:
    marker = item.get_closest_marker("local")
    return dict(marker.kwargs) if marker is not None else {}


if trio_fixture is None:

    @pytest.fixture
    def local() -> None:
        """Say what is missing."""
        pytest.fail(MISSING, pytrace=False)

else:

    @trio_fixture  # type: ignore[untyped-decorator]
    def local(request: pytest.FixtureRequest) -> AsyncIterator[Local]:
        """A local platform for one test; see `moobius_trio.testing.open_local`.

        ``@pytest.mark.local(sockets=True)`` gives its options.
        """
        # No async function itself: in their automatic modes other plug-ins run those.
        return _opened(_options(request.node))


async def _opened(options: dict[str, Any]) -> AsyncIterator[Local]:  # noqa: ASYNC900
    async with open_local(**options) as opened:
        yield opened  # noqa: ASYNC119  # pytest-trio drives it, to its end
