"""Engines that other packages bring: found where they are installed, and refused in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.database import ENGINES, ContainerSpec, find_engine, open_stores
from moobius_trio.errors import ConfigError
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, ServiceId

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "storage.md"
BAND = ChannelId("b")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, with one that brings engines."""
    site = tmp_path / "site-packages"
    about = site / "moobius_shelf-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: moobius-shelf\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[moobius_trio.engines]\n"
        "shelf = shelf:open_shelf\n"
        "cloud = shelf_cloud:open_cloud [cloud,fast]\n"
        "gone = shelf:open_gone\n"
    )
    example = re.search(
        r"<!-- file: shelf.py -->\n+```python\n(.*?)^```", PAGE.read_text(), re.S | re.M
    )
    assert example is not None
    (site / "shelf.py").write_text(example[1])
    (site / "shelf_cloud.py").write_text("import package_of_a_cloud.client\n")
    monkeypatch.syspath_prepend(site)
    yield site
    for name in ("shelf", "shelf_cloud"):
        sys.modules.pop(name, None)


async def test_an_engine_is_found_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    """By its name in db.json, with no line of code; what it stores is there the next time."""
    for number in range(2):
        async with open_stores(
            [ContainerSpec(name="box", implementation="shelf")],
            service_id=ServiceId("s1"),
            folder=tmp_path,
            run_sync=run_inline,
            on_problem=lambda problem: pytest.fail(str(problem)),
        ) as stores:
            box = (await stores.storage(BAND, {})).box
            assert dict(box) == ({"k": [1]} if number else {})
            box["k"] = [1]
    assert (tmp_path / "s1.shelf").exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "cloud",
            "needs the package package_of_a_cloud. "
            'Install it: pip install "moobius-shelf[cloud,fast]"',
        ),
        ("gone", "the engine 'gone' of moobius-shelf cannot be loaded"),
        ("shelv", "Did you mean 'shelf'"),
    ],
)
def test_an_engine_that_cannot_be_used_says_what_to_do(
    installed: Path, name: str, line: str
) -> None:
    """One line with the container, the package and what to install; never a traceback."""
    with pytest.raises(ConfigError, match=re.escape(line)) as caught:
        find_engine(name, ENGINES, "container box")
    assert str(caught.value).startswith("container box")
