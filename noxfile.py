"""What must hold before a change goes in. `nox -s tests`, `nox -s lint`, `nox -s types`, …

No logic of the package lives here; each session is what its name promises and no more.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHON_FILES = ("moobius_trio", "projects", "tests", "tools", "benchmarks", "noxfile.py")

ORIGINAL = "moobius==1.8.0"
"""What the benchmarks compare with and what runs on the local platform, each time in an
environment of its own."""

UNDECLARED = ("certifi", "redis")
"""What that imports and does not ask for (docs/protocol/generation-1.md section 9, 36)."""

IN_WHEEL = (
    "moobius_trio/py.typed",
    "moobius_trio/local/page/index.html",
    "moobius_trio/local/page/vendor/preact.js",
    "moobius_trio/_projects/README.md",
    "moobius_trio/_projects/service.json",
    "moobius_trio/_projects/demo/main.py",
    "moobius_trio/_projects/demo/service.py",
    "moobius_trio/_projects/demo/resources/light.png",
    "moobius_trio/_projects/demo/test_service.py",
    "moobius_trio/_projects/game/service.py",
    "moobius_trio/_projects/game/test_service.py",
    "moobius_trio/_projects/zero/service.py",
    "moobius_trio/_projects/zero/test_service.py",
    "moobius_trio/cli/template/README.md",
    "moobius_trio/cli/template/gitignore",
    "moobius_trio/cli/template/pyproject.toml",
    "moobius_trio/cli/template/requirements.txt",
    "moobius_trio/cli/template/service.json",
)
"""What a wheel must have beside the modules."""

FULL_LENGTH = {
    "MOOBIUS_TRIO_SOAK": "1",
    "MOOBIUS_TRIO_KILLS": "1000",
    "MOOBIUS_TRIO_COUNTER_KILLS": "300",
    "MOOBIUS_TRIO_SERVER_KILLS": "100",
    "MOOBIUS_TRIO_POWER_LOSS_STATES": "2000",
    "MOOBIUS_TRIO_FLOOD": "200000",
    "MOOBIUS_TRIO_SENDERS": "100000",
}
"""How often the tests marked `soak` do what they do."""

FAULT_TESTS = (
    "tests/faults",
    "tests/test_secrets.py",
    "tests/core/test_spells.py",
    "tests/database/test_crashes.py",
    "tests/network/http/test_http_failures.py",
)
"""What measures the figures of the scoreboard."""

PROCESSES = str((os.cpu_count() or 1) + 1)
"""One more than there are cores: many a test waits for a program that it has started."""

IN_PARALLEL = ("-n", PROCESSES, "--dist", "worksteal")
"""Who has no tests left takes some of another's."""

GROUPED = ("-n", PROCESSES, "--dist", "loadgroup")
"""The same, and tests marked as one group stay together."""

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""What keeps the checkout out of the imports."""

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder below it is made as any temporary one
MIB = 2**20
ROOM = 1024 * MIB
"""What the tests' files need at the most."""


def install(session: nox.Session, *groups: str, package: str | None = ".") -> None:
    """The package as a wheel, and what the named dependency groups want."""
    wanted = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*([package] if package else []), *wanted)


@contextmanager
def quick_disk() -> Iterator[dict[str, str]]:
    """Variables that put temporary files into memory, where there is room: syncing costs nothing.

    What a disk does when the power goes is a model in the tests; `soak` runs on the real one.
    """
    if (
        not IN_MEMORY.is_dir()
        or shutil.disk_usage(IN_MEMORY).free < ROOM
        or os.statvfs(IN_MEMORY).f_flag & os.ST_NOEXEC  # a test makes a program of its own
    ):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="mt-", dir=IN_MEMORY) as folder:
        Path(folder).chmod(0o711)  # a test connects as another user to a socket below it
        yield {"TMPDIR": folder}


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, against the installed wheel and never against the checkout.

    All but the fault suite, which has a session of its own for its long runs.
    """
    install(session, "tests", package=".[redis,test]")
    chosen = session.posargs or ("--ignore=tests/faults",)
    with quick_disk() as disk:
        session.run("pytest", *IN_PARALLEL, "-m", "not browser", *chosen, env={**SAFE_PATH, **disk})


@nox.session
def faults(session: nox.Session) -> None:
    """The fault suite with its long runs at full size, then the scoreboard of what it measured."""
    install(session, "tests", package=".[redis,test]")
    with tempfile.TemporaryDirectory() as folder, quick_disk() as disk:
        figures = Path(folder) / "figures.jsonl"
        figures.touch()
        session.run(
            "pytest",
            *GROUPED,
            *(session.posargs or FAULT_TESTS),
            env={
                **SAFE_PATH,
                **disk,
                "MOOBIUS_TRIO_SCOREBOARD": str(figures),
                "MOOBIUS_TRIO_MESSAGES": "10000",
                "MOOBIUS_TRIO_FLOOD": "200000",
            },
        )
        wanted = [0, 1] if session.posargs else [0]  # 1: figures are missing
        session.run("python", "tools/scoreboard.py", str(figures), success_codes=wanted)


@nox.session
def soak(session: nox.Session) -> None:
    """The tests that are marked so at their full length: processes killed a thousand times."""
    install(session, "tests", package=".[redis,test]")
    session.run("pytest", "-m", "soak", "-rP", *session.posargs, env={**FULL_LENGTH, **SAFE_PATH})


@nox.session
def browser(session: nox.Session) -> None:
    """The tests of the page, which need Chromium, against the installed wheel."""
    install(session, "browser", package=".[test]")
    chosen = ("-m", "browser", "tests/browser", *session.posargs)
    session.run("pytest", *IN_PARALLEL, *chosen, env=SAFE_PATH)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style, structured concurrency, import rule, vendored files."""
    install(session, "lint", package=None)
    session.run("ruff", "format", "--check", *PYTHON_FILES)
    session.run("ruff", "check", *PYTHON_FILES)
    session.run("flake8", *asynchronous_files())
    session.run("lint-imports")
    session.run("python", "tools/vendor.py", "--check")


def asynchronous_files() -> list[str]:
    """What flake8-async has rules for; it takes a quarter of a second for each file it reads."""
    return [
        str(path)
        for folder in PYTHON_FILES
        for path in sorted(Path(folder).rglob("*.py"))
        if re.search(r"\b(async|await)\b", path.read_text(encoding="utf-8"))
    ]


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over the package, the public API as users write it, and every project."""
    install(session, "types", package=".[redis]")
    session.run("mypy", "--strict", "moobius_trio", "noxfile.py", "tools", "benchmarks")
    projects = (service.parent for service in Path("projects").glob("*/service.py"))
    for folder in ("tests/typing", *projects):
        session.run("mypy", "--strict", str(folder))  # one by one: each project has a service.py


@nox.session
def docs(session: nox.Session) -> None:
    """The pages and the docstrings as HTML in build/docs; a link that leads nowhere is an error."""
    install(session, "docs", package=".[test]")
    strict = ("--fail-on-warning", "--keep-going", "--quiet")
    session.run("sphinx-build", *strict, "-E", "-c", "docs", ".", "build/docs", env=SAFE_PATH)
    session.log("Open %s.", Path("build/docs/index.html").resolve())


def original(session: nox.Session) -> str:
    """The Python of an environment with the published original and nothing of this project."""
    folder = Path(session.virtualenv.location) / "original"
    session.run("python", "-m", "venv", str(folder))
    python = str(folder / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", ORIGINAL, *UNDECLARED, external=True)
    return python


@nox.session
def bench(session: nox.Session) -> None:
    """Speed and memory beside the published original and beside what the wire allows, with the
    goals; arguments go to benchmarks/run.py (docs/benchmarks.md)."""
    install(session, "bench", package=".[redis]")
    session.run("python", "benchmarks/run.py", "--original", original(session), *session.posargs)


@nox.session
def originals(session: nox.Session) -> None:
    """The published original, unmodified, on the local platform: what it does, step by step."""
    install(session, package=".")
    session.run("python", "tools/originals", original(session))


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel, and look whether the wheel has what it needs and no more."""
    install(session, "build", package=None)
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder)
        (wheel,) = Path(folder).glob("*.whl")
        names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in IN_WHEEL if name not in names]
    strange = [name for name in names if name.startswith(("tests/", "projects/", "tools/"))]
    private = [name for name in names if name.endswith(("config/service.json", ".sqlite3"))]
    if missing or strange or private:
        session.error(f"the wheel lacks {missing}, has {strange} and should not have {private}")
    session.log("The wheel has %d files.", len(names))
