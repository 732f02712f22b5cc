"""What must hold for every file of the page, whatever it does."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from moobius_trio.local.rules_http import MAX_UPLOAD_BYTES

PAGE = Path(__file__).parents[2] / "moobius_trio" / "local" / "page"
SCRIPTS = sorted([*PAGE.glob("*.js"), *PAGE.glob("components/*.js")])
SHOWN = [*SCRIPTS, PAGE / "index.html", PAGE / "style.css", PAGE / "panel.css", PAGE / "icon.svg"]
NAMESPACE = "http://www.w3.org/2000/svg"


def _named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[path.name for path in paths])


@_named(SCRIPTS)
def test_no_text_can_become_markup_or_code(path: Path) -> None:
    """No script uses a way by which a text would be read as HTML or run (S11)."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc"
    assert not re.search(ways, path.read_text(encoding="utf-8"))


@_named(SHOWN)
def test_no_file_of_the_page_names_another_machine(path: Path) -> None:
    """Nothing is loaded from, or sent to, an address that is not the page's own."""
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    assert not re.search(r"(https?|wss?)://[a-z0-9]|@import|url\(", text)


@_named([*SCRIPTS, PAGE / "index.html"])
def test_a_strict_content_security_policy_lets_everything_work(path: Path) -> None:
    """There is no style attribute, no handler in an attribute, no script inside the document."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"""\sstyle=|\son[a-z]+=["']|<script(?![^>]*\ssrc=)|<style""", text)


@_named(SCRIPTS)
def test_every_import_is_a_file_of_the_page(path: Path) -> None:
    """Imports are relative and lead to a file that is there, so no build step is needed."""
    for target in re.findall(r"""(?:from|import) ["']([^"']+)["']""", path.read_text("utf-8")):
        assert target.startswith("."), target
        assert (path.parent / target).resolve().is_file(), target


PURE = (
    "effects.js",
    "files.js",
    "history.js",
    "inspect_reduce.js",
    "inspect_select.js",
    "inspect_steps.js",
    "inspect_wire.js",
    "markdown.js",
    "reduce.js",
    "reduce_room.js",
    "rooms.js",
    "select.js",
    "wire.js",
    "wire_up.js",
    "wire_values.js",
    "wire_widgets.js",
)


@pytest.mark.parametrize("name", PURE)
def test_the_pure_modules_use_nothing_of_the_browser(name: str) -> None:
    """Clock, chance, network, storage and document are not named outside comments."""
    code = re.sub(r"//.*|/\*(?s:.*?)\*/", "", (PAGE / name).read_text("utf-8"))
    used = (
        r"\b(document|window|location|fetch\(|WebSocket|sessionStorage|Date|Math\.random|crypto)\b"
    )
    assert not re.search(used, code)


def test_the_page_refuses_the_files_that_the_platform_would_refuse() -> None:
    """Its limit for a file is the platform's own."""
    limit = re.search(r"MAX_FILE_BYTES = ([\d* ]+);", (PAGE / "files.js").read_text("utf-8"))
    assert limit is not None
    assert math.prod(map(int, limit[1].split("*"))) == MAX_UPLOAD_BYTES


@_named(SCRIPTS)
def test_modules_stay_short(path: Path) -> None:
    """No module of the page has more than 300 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
