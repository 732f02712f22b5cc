"""Writes the reference pages of service.json and of the operations port from their tables.

``python tools/reference.py`` writes docs/reference/service-json.md and operations.md; ``--check``
only says whether they are up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from moobius_trio.config import SETTINGS_TABLE
from moobius_trio.core.metrics import FIGURES

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

SETTINGS_HEAD = """# service.json

One object. An unknown key is refused with a suggestion, a wrong value with its key and a remedy.
Paths inside the file count from the folder of the service's class. This page is written by
`tools/reference.py` from the table that reads the file.

| key | type | default | meaning |
|---|---|---|---|
"""


OPERATIONS_HEAD = """# The operations port

`ops_port` in [service.json](service-json.md) opens it on 127.0.0.1, and nowhere else. It answers
to GET alone, and to nobody who calls it by another name than this machine's own (403). It shows
neither secrets nor anything of users. This page is written by `tools/reference.py` from the table
behind `/metrics`.

| page | answer |
|---|---|
| `/healthz` | 200 whenever the process lives and its event loop turns |
| `/readyz` | 200 when every service is connected and its stores take changes; else 503 and why |
| `/metrics` | the figures of every service that is ready, as Prometheus text |

All three tell of every service of the process. Services may have the same port: the first one
opens it; when that ends while others run, the next one opens it anew, which takes a moment.

Each figure has the label `service`, and `job`, `store` or `band` where there are several. A word,
such as the state of the connection, is a label of a figure that is 1. What is not known, such as
the time until the next attempt while connected, is left out.

| figure | type | meaning |
|---|---|---|
| `moobius_ready` | gauge | Whether every service is connected and its stores take changes. |
"""


def pages() -> dict[Path, str]:
    """Each page's place, and its text as it should be."""
    return {
        FOLDER / "service-json.md": render_settings(),
        FOLDER / "operations.md": render_operations(),
    }


def render_operations() -> str:
    """The page of the operations port."""
    rows = {}
    for figure in FIGURES:
        labels = [name for name, _ in figure.labels] + ([figure.label] if figure.label else [])
        shown = f"`moobius_{figure.name}`" + "".join(f" by `{label}`" for label in labels)
        rows[shown] = f"| {shown} | {figure.kind} | {figure.help} |"
    return OPERATIONS_HEAD + "\n".join(rows.values()) + "\n"


def render_settings() -> str:
    """The page of service.json."""
    rows = [
        f"| `{one.key}` | {one.type} | {_default(one.required, one.default)} | {one.meaning} |"
        for one in SETTINGS_TABLE
    ]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def _default(required: bool, default: object) -> str:
    return "required" if required else f"`{json.dumps(default)}`"


def main() -> None:
    """Write, or check."""
    for place, text in pages().items():
        if sys.argv[1:] != ["--check"]:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        elif not place.is_file() or place.read_text(encoding="utf-8") != text:
            sys.exit(f"{place.name} is out of date: run python tools/reference.py")


if __name__ == "__main__":
    main()
