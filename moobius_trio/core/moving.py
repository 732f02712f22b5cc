"""The tables of docs/moving.md, made from the table of old names.

The page's prose is written by hand; only what stands between its markers is made here.
"""

from __future__ import annotations

import re

from moobius_trio.core.moved import MOVED, Moved

__all__ = ("render_moving",)

_HEADINGS = {
    "callback": "Callbacks",
    "method": "Methods and attributes",
    "argument": "Arguments",
    "form": "Forms",
}
_MARKED = re.compile(
    r"(?P<begin><!-- made from the table: (?P<origin>\S+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def render_moving(page: str) -> str:
    """The page with the tables between its markers made anew; all else stays as it is."""
    return _MARKED.sub(
        lambda match: f"{match['begin']}\n{_tables(match['origin'])}\n{match['end']}", page
    )


def _tables(origin: str) -> str:
    sections = []
    for kind, heading in _HEADINGS.items():
        rows = [_row(moved) for moved in MOVED if (moved.origin, moved.kind) == (origin, kind)]
        if rows:
            sections.append(f"| {heading} in {origin} | Here |\n|---|---|\n" + "".join(rows))
    return "\n".join(sections)


def _row(moved: Moved) -> str:
    ours = f"`{moved.new}`" if moved.new else "nothing stands for it"
    row = f"| `{moved.old}` | {ours}{': ' + moved.note if moved.note else ''} |"
    return row + "\n"
