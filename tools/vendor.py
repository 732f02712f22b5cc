"""Copy the page's libraries into ``moobius_trio/local/page/vendor`` and keep account of them.

``tools/vendor.py`` packs the npm packages named in ``PACKAGES``, copies the few files the page
needs, rewrites their bare imports to relative ones (so that the page needs no import map, which a
strict content security policy would refuse), and writes ``vendor.json``: name, version, licence
and SHA-256 of everything. ``tools/vendor.py --check`` needs no network: it compares the folder with
``vendor.json`` and ends with 1 when they differ. To take a newer version: change it here and run.

No logic of the page may live here or in the folder this writes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ("PACKAGES", "VENDOR", "Package", "main", "problems", "rewritten", "vendor")

VENDOR = Path(__file__).resolve().parents[1] / "moobius_trio" / "local" / "page" / "vendor"


class Package(NamedTuple):
    """One npm package: what to take from it, as (path in the package, name in the folder)."""

    name: str
    version: str
    licence: str
    files: tuple[tuple[str, str], ...]


PACKAGES = (
    Package(
        "preact",
        "11.2.0",
        "MIT",
        (
            ("dist/preact.mjs", "preact.js"),
            ("hooks/dist/hooks.mjs", "hooks.js"),
            ("LICENSE", "LICENSE-preact"),
        ),
    ),
    Package(
        "htm",
        "3.1.1",
        "Apache-2.0",
        (("dist/htm.mjs", "htm.js"), ("LICENSE", "LICENSE-htm")),
    ),
    Package(
        "markdown-it",
        "15.0.3",
        "MIT",
        (
            ("dist/browser/markdown-it.esm.min.mjs", "markdown-it.js"),
            ("LICENSE", "LICENSE-markdown-it"),
        ),
    ),
    # What is inside markdown-it.js: only their licences are copied.
    Package("entities", "8.1.0", "BSD-2-Clause", (("LICENSE", "LICENSE-entities"),)),
    Package("linkify-it", "6.1.0", "MIT", (("LICENSE", "LICENSE-linkify-it"),)),
    Package("mdurl", "2.1.0", "MIT", (("LICENSE", "LICENSE-mdurl"),)),
    Package("punycode.js", "2.3.1", "MIT", (("LICENSE-MIT.txt", "LICENSE-punycode.js"),)),
    Package("uc.micro", "3.0.0", "MIT", (("LICENSE.txt", "LICENSE-uc.micro"),)),
)

IMPORTS = {"preact": "./preact.js", "preact/hooks": "./hooks.js", "htm": "./htm.js"}
_BARE_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])([^"'./][^"']*)\2""")
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def rewritten(source: str) -> str:
    """The module with relative imports and without the address of its source map.

    Raises:
        KeyError: it imports a package that the page does not vendor.
    """
    relative = _BARE_IMPORT.sub(
        lambda found: f"{found[1]}{found[2]}{IMPORTS[found[3]]}{found[2]}", source
    )
    return _SOURCE_MAP.sub("", relative)


def vendor(packages: Sequence[Package], folder: Path) -> None:
    """Fill the folder from the registry that npm is set up for; needs npm and a network.

    Raises:
        subprocess.CalledProcessError: npm could not pack a package.
        ValueError: a package's licence is not the one written here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    record = [_take(package, folder) for package in packages]
    text = json.dumps({"packages": record}, indent=2) + "\n"
    (folder / "vendor.json").write_text(text, encoding="utf-8")


def _take(package: Package, folder: Path) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        packed = subprocess.run(
            ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
            cwd=scratch,
            check=True,
            capture_output=True,
            text=True,
        )
        archive = Path(scratch) / packed.stdout.split()[-1]
        with tarfile.open(archive) as opened:
            content = _read(opened, ["package.json", *(source for source, _ in package.files)])
        archive_sum = _sha256(archive.read_bytes())
    licence = json.loads(content["package.json"])["license"]
    if licence != package.licence:
        raise ValueError(f"{package.name} says {licence!r}, this script says {package.licence!r}")
    files = []
    for source, name in package.files:
        data = content[source]
        if name.endswith(".js"):
            data = rewritten(data.decode("utf-8")).encode("utf-8")
        (folder / name).write_bytes(data)
        files.append({"file": name, "from": source, "sha256": _sha256(data)})
    return {
        "name": package.name,
        "version": package.version,
        "licence": package.licence,
        "archive_sha256": archive_sum,
        "files": files,
    }


def _read(archive: tarfile.TarFile, names: Sequence[str]) -> Mapping[str, bytes]:
    content = {}
    for name in names:
        member = archive.extractfile(f"package/{name}")
        if member is None:
            raise ValueError(f"{name} is no file of the package")
        content[name] = member.read()
    return content


def problems(packages: Sequence[Package], folder: Path) -> Iterator[str]:
    """Each difference between the folder, its ``vendor.json`` and the packages, as one line."""
    try:
        record = json.loads((folder / "vendor.json").read_text(encoding="utf-8"))["packages"]
    except (OSError, ValueError, KeyError) as error:
        yield f"vendor.json cannot be read: {error}"
        return
    recorded = [(entry["name"], entry["version"], entry["licence"]) for entry in record]
    wanted = [(package.name, package.version, package.licence) for package in packages]
    if recorded != wanted:
        yield f"vendor.json records {recorded}, this script wants {wanted}"
    sums = {file["file"]: file["sha256"] for entry in record for file in entry["files"]}
    found = {path.name for path in folder.iterdir()} - {"vendor.json"}
    for name in sorted(found - sums.keys()):
        yield f"{name} is not recorded in vendor.json"
    for name, expected in sums.items():
        if name not in found:
            yield f"{name} is recorded in vendor.json and not there"
        elif (actual := _sha256((folder / name).read_bytes())) != expected:
            yield f"{name} has SHA-256 {actual}, vendor.json says {expected}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """The command line; gives the exit code: 0 good, 1 the folder differs, 2 wrong usage."""
    if arguments == ["--check"]:
        found = list(problems(PACKAGES, VENDOR))
        sys.stderr.writelines(f"{line}\n" for line in found)
        return 1 if found else 0
    if arguments:
        sys.stderr.write("usage: tools/vendor.py [--check]\n")
        return 2
    vendor(PACKAGES, VENDOR)
    sys.stdout.write(f"vendored {len(PACKAGES)} packages; now read the difference and run tests\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
