"""Writes the reference page of service.json from the table that reads it.

``python tools/reference.py`` writes docs/reference/service-json.md; ``--check`` only says whether
it is up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from moobius_trio.config import SETTINGS_TABLE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "service-json.md"

HEAD = """# service.json

One object. An unknown key is refused with a suggestion, a wrong value with its key and a remedy.
Paths inside the file count from the folder of the service's class. This page is written by
`tools/reference.py` from the table that reads the file.

| key | type | default | meaning |
|---|---|---|---|
"""


def render() -> str:
    """The page as it should be."""
    rows = [
        f"| `{one.key}` | {one.type} | {_default(one.required, one.default)} | {one.meaning} |"
        for one in SETTINGS_TABLE
    ]
    return HEAD + "\n".join(rows) + "\n"


def _default(required: bool, default: object) -> str:
    return "required" if required else f"`{json.dumps(default)}`"


def main() -> None:
    """Write, or check."""
    page = render()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
            sys.exit(f"{PAGE.name} is out of date: run python tools/reference.py")
        return
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
