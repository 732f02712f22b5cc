"""``moobius-trio new``: a project folder to begin with, of files that came with the package.

Only copies and fills in names; what a project does stands in its own files.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from moobius_trio.cli.output import say
from moobius_trio.cli.projects import project_folder
from moobius_trio.errors import UsageError

__all__ = ("TEMPLATES", "TemplateName", "make_project")

TemplateName: TypeAlias = Literal["zero", "demo", "game"]

NAME_LENGTH: Final = 40
_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_TAKEN: Final = frozenset(("moobius_trio", "moobius-trio"))
"""A folder of this name would be imported in place of the package."""


@attrs.frozen
class Template:
    """A bundled project that new ones are made of."""

    what: str
    """What it is, for the README."""
    class_name: str
    """The service in it."""


TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        "zero": Template("A chat service that passes on what people say to each other.", "Zero"),
        "demo": Template(
            "A chat service in which every part can be seen: keys with a form, the stage, figures "
            "that speak, pictures, a job, spells, stored state.",
            "DemoService",
        ),
        "game": Template("A game for several people: find the number that the host has.", "Game"),
    }
)

_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "README.md": "README.md",
        "gitignore": ".gitignore",
        "pyproject.toml": "pyproject.toml",
        "requirements.txt": "requirements.txt",
        "service.json": "config/service.json",
    }
)
"""What every project has besides, and where."""

_OWN: Final = shutil.ignore_patterns("README.md", "config", "__pycache__", ".*", "*.sqlite3*")
"""What of a bundled project is its own and not copied."""


def make_project(name: str, template: TemplateName, into: Path) -> None:
    """Make a project folder, whole or not at all, and say what to do with it.

    Raises:
        UsageError: it cannot have this name, something of this name is there, or the place cannot
            be written.
    """
    _check_name(name)
    target = into / name
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target}: this is there already. Choose another name, or --into DIR.")
    if not into.is_dir():
        raise UsageError(f"{into}: there is no such folder. Make it first.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=into) as folder:
            made = Path(folder) / name
            _fill(made, name, template)
            made.rename(target)
    except OSError as exc:
        raise UsageError(f"{target}: the project cannot be made ({exc.strerror}).") from None
    say(
        f"  Made      {target}, of the template {template}",
        f"  Try it    cd {target} && moobius-trio dev .",
        f"  Test it   cd {target} && pytest",
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise UsageError(
            f"{name!r} cannot be a project's name: it has 1 to {NAME_LENGTH} letters a-z or A-Z, "
            "digits and the marks _ and -, a letter in front and no mark at its end."
        )
    if name.lower() in _TAKEN:
        raise UsageError(f"{name!r} is the name of this package. Choose another one.")


def _fill(folder: Path, name: str, template: TemplateName) -> None:
    # Without their modes: an installation may be there to be read only.
    shutil.copytree(project_folder(template), folder, ignore=_OWN, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    facts = TEMPLATES[template]
    words = {"name": name, "what": facts.what, "class": facts.class_name}
    common = Path(__file__).parent / "template"
    for source, place in _FILES.items():
        text = (common / source).read_text(encoding="utf-8")
        for word, meaning in words.items():
            text = text.replace("{{" + word + "}}", meaning)
        path = folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
