"""Sizes that a reader can rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

import moobius_trio

PACKAGE = Path(moobius_trio.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_stays_small_and_says_what_it_is(module: Path) -> None:
    """At most 400 lines, and a docstring in front unless the file is empty."""
    source = (PACKAGE / module).read_text(encoding="utf-8")
    assert source.count("\n") <= 400
    assert not source or source.startswith('"""')
