"""Faults have numbers, and tests name those that they are about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "tools" / "faults.py"


def test_every_fault_has_a_test_or_a_reason() -> None:
    """No number is made up, and none loses its last test unnoticed."""
    found = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
