"""Where the bundled projects lie: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from moobius_trio.errors import UsageError

__all__ = ("project_folder",)


def project_folder(name: str) -> Path:
    """The folder of a bundled project, such as ``demo``.

    Raises:
        UsageError: it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_projects" / name, package.parent / "projects" / name):
        if (folder / "service.py").is_file():
            return folder
    raise UsageError(f"{name} is missing from this installation. Install the package again.")
