"""Pages that are generated are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"


def test_the_reference_page_of_service_json_is_up_to_date() -> None:
    """docs/reference/service-json.md says what the table says that reads the file."""
    tool = runpy.run_path(str(TOOLS / "reference.py"))
    page: Path = tool["PAGE"]
    assert page.read_text(encoding="utf-8") == tool["render"]()
