"""Pages that are generated are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"


def test_the_reference_pages_are_up_to_date() -> None:
    """They say what the tables say that read service.json and write the figures."""
    pages: dict[Path, str] = runpy.run_path(str(TOOLS / "reference.py"))["pages"]()
    assert len(pages) == 2
    for place, text in pages.items():
        assert place.read_text(encoding="utf-8") == text
