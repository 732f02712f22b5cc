"""Tests with the `local` fixture beside other async plug-ins of pytest, which may claim all tests.

In their automatic modes pytest-asyncio makes every async test an item of its own kind, and anyio
one test for each event loop. Ours run once, on trio. What those plug-ins do to other tests is not
touched.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

__all__ = ("reclaimed", "without_doubles")

LOOP: Final = "anyio_backend"
"""The parameter by which anyio's tests differ."""


def reclaimed(item: pytest.Item) -> pytest.Item:
    """The item itself, or a plain one in place of pytest-asyncio's."""
    if not isinstance(item, pytest.Function) or type(item).__module__ != "pytest_asyncio.plugin":
        return item
    plain: pytest.Function = pytest.Function.from_parent(
        item.parent,
        name=item.name,
        callspec=getattr(item, "callspec", None),
        callobj=item.obj,
        fixtureinfo=item._fixtureinfo,
        originalname=item.originalname,
    )
    plain.own_markers = [mark for mark in item.own_markers if mark.name != "asyncio"]
    plain.keywords.update({mark.name: mark for mark in plain.own_markers})
    return plain


def without_doubles(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of the tests that anyio has doubled, the first of each."""
    kept: dict[object, pytest.Item] = {}
    for item in items:
        kept.setdefault(_identity(item), item)
    return list(kept.values())


def _identity(item: pytest.Item) -> object:
    """The same for tests that differ in the event loop alone."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is None or LOOP not in callspec.params:
        return item
    others = [(name, id(value)) for name, value in callspec.params.items() if name != LOOP]
    return (item.parent, getattr(item, "originalname", item.name), tuple(others))
