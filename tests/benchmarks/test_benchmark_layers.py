"""The table of layers counts a sample where it belongs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"

LOOP = "run (trio/_core/_run.py:1);unrolled_run (trio/_core/_run.py:2)"
WORK = f"{LOOP};_work (/x/moobius_trio/core/lanes.py:3)"


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("layers")


def test_a_sample_counts_for_the_innermost_layer(layers: Any) -> None:
    """What the standard library does counts for whoever asked for it."""
    counted = layers.shares(
        [
            f"{LOOP} 3",
            f"{WORK} 2",
            f"{WORK};put (/x/moobius_trio/network/outbox.py:9);uuid4 (uuid.py:1) 5",
            f"{WORK};events (wsproto/connection.py:1) 7",
            "main (somewhere.py:1) 1",
        ]
    )
    assert counted == {
        "trio's loop": 3,
        "lanes and dispatch": 2,
        "outbox and writer": 5,
        "WebSocket framing (wsproto)": 7,
        "the rest": 1,
    }


def test_every_named_file_exists(layers: Any) -> None:
    """A module that is renamed would silently count elsewhere."""
    root = FOLDER.parent
    named = [part for parts in layers.LAYERS.values() for part in parts]
    ours = [part for part in named if part.startswith("moobius_trio/")]
    assert ours
    assert [part for part in ours if not (root / part).exists()] == []


def test_no_output_of_py_spy_is_one_line(
    layers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file and what is wrong with it, and no traceback."""
    file = tmp_path / "profile.txt"
    file.write_text("not a profile\n")
    monkeypatch.setattr("sys.argv", ["layers.py", str(file)])
    with pytest.raises(SystemExit, match="no raw output of py-spy"):
        layers.main()
