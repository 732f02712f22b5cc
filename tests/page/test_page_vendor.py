"""The vendored libraries are the recorded ones, with their licences."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "vendor.py"


@pytest.fixture(scope="module")
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_tool", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_vendored_files_have_their_recorded_sums() -> None:
    """`tools/vendor.py --check` finds nothing wrong with the repository."""
    ran = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_library_comes_with_its_licence(vendor: ModuleType) -> None:
    """The folder holds the licence text of each recorded package."""
    record = json.loads((vendor.VENDOR / "vendor.json").read_text("utf-8"))["packages"]
    assert [entry["name"] for entry in record][:3] == ["preact", "htm", "markdown-it"]
    for entry in record:
        assert (vendor.VENDOR / f"LICENSE-{entry['name']}").read_text("utf-8").strip()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "htm.js").write_text("x"), "htm.js has SHA-256"),
        (lambda folder: (folder / "htm.js").unlink(), "htm.js is recorded"),
        (lambda folder: (folder / "more.js").write_text("x"), "more.js is not recorded"),
        (lambda folder: (folder / "vendor.json").unlink(), "vendor.json cannot be read"),
        (lambda folder: (folder / "vendor.json").write_text('{"packages": []}'), "this script"),
    ],
    ids=["changed", "missing", "unknown", "no record", "other record"],
)
def test_a_difference_is_found(
    vendor: ModuleType, tmp_path: Path, change: object, said: str
) -> None:
    """A file that was changed, removed or added is named, and so is a record that is off."""
    folder = tmp_path / "vendor"
    shutil.copytree(vendor.VENDOR, folder)
    assert callable(change)
    change(folder)
    assert said in "\n".join(vendor.problems(vendor.PACKAGES, folder))


def test_bare_imports_become_relative_and_source_maps_go(vendor: ModuleType) -> None:
    """What a strict policy would refuse, or what would be asked for in vain, is rewritten."""
    source = "import{h}from\"preact\";import x from 'htm';\n//# sourceMappingURL=a.map\n"
    relative = "import{h}from\"./preact.js\";import x from './htm.js';\n"
    assert vendor.rewritten(source) == relative
    with pytest.raises(KeyError, match="unknown-library"):
        vendor.rewritten('import x from "unknown-library"')
