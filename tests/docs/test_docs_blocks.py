"""The Python of the pages does what the pages say.

Each block has a line above it: ``<!-- file: NAME -->`` puts it into a file, ``<!-- run: NAME -->``
also runs that file as a program. The blocks of a page share a folder, and pytest runs in it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest

import moobius_trio

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "moving.md",
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorial").glob("*.md")),
]
PLUGIN = "moobius_trio.testing.plugin"

BLOCK = re.compile(
    r"(?:^<!-- (?P<what>file|run): (?P<name>\w+\.py) -->\n+)?^```py(?:thon)?\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@attrs.frozen
class Block:
    """One block of a page."""

    line: int
    what: str | None
    name: str | None
    code: str


def blocks_of(page: Path) -> list[Block]:
    """The Python of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, found.start("code")), *found.group("what", "name", "code"))
        for found in BLOCK.finditer(text)
    ]


def python(folder: Path, *arguments: str) -> None:
    """Run Python in the folder as a reader would, and expect that all is well."""
    package = Path(moobius_trio.__file__).parent.parent
    left_out = ("PYTEST", "PYTHONSAFEPATH")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(left_out)},
        "PYTHONPATH": str(package),
    }
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks_of(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """Its programs end well and its tests pass, in a folder with nothing else in it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # so that no settings above it count
    blocks = blocks_of(page)
    for block in blocks:
        assert block.name, f"{page.name}, line {block.line}: say what becomes of this block"
        (tmp_path / block.name).write_text(block.code, encoding="utf-8")
    for block in blocks:
        if block.what == "run":
            python(tmp_path, str(block.name))
    if any(str(block.name).startswith("test_") for block in blocks):
        registered = any(point.name == PLUGIN for point in entry_points(group="pytest11"))
        python(
            tmp_path,
            *("-m", "pytest", "-p", "no:asyncio"),  # which warns of its own settings
            *(() if registered else ("-p", PLUGIN)),
        )


def test_the_pages_are_found() -> None:
    """The README's two blocks, the kit's page and ten steps, each with its test, are among them."""
    found = {page.relative_to(ROOT).as_posix(): len(blocks_of(page)) for page in PAGES}
    assert found["README.md"] >= 2
    assert found["docs/how-to/testing.md"] >= 7
    steps = [page for page in PAGES if page.parent.name == "tutorial" and page.name[0].isdigit()]
    assert [int(step.name[:2]) for step in steps] == list(range(1, 11))
    for step in steps:
        names = [str(block.name) for block in blocks_of(step)]
        assert not names[0].startswith("test_")
        assert any(name.startswith("test_") for name in names)
