"""The page's reducer, run by node where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")
OLDEST_NODE = 20
"""The first whose test runner and URL functions are those that the tests use."""


def _node_version() -> int:
    if NODE is None:
        return 0
    told = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").partition(".")[0])


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_reducer_does_what_its_own_tests_say() -> None:
    """`node --test` passes on the modules of the page that are no views."""
    assert NODE is not None
    if _node_version() < OLDEST_NODE:
        pytest.skip(f"node {OLDEST_NODE} or newer is needed")
    tests = sorted(map(str, HERE.glob("*.test.mjs")))
    assert tests
    ran = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", *tests],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
