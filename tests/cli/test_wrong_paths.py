"""``dev PATH`` when PATH is not what it takes: one line, exit code 2, nothing begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from moobius_trio.testing.commands import run_command

SERVICE = "from moobius_trio import MoobiusService\n\n\nclass Own(MoobiusService):\n    pass\n"
GUARD = 'if __name__ == "__main__":'

FILES = {
    "good.py": SERVICE,
    "two.py": SERVICE + "\n\nclass Other(MoobiusService):\n    pass\n",
    "none.py": "from moobius_trio import MoobiusService\n",
    "broken.py": "x = 1\nclass Own(:\n",
    "missing.py": "\nimport a_package_that_nobody_has\n",
    "misnamed.py": "\nfrom moobius_trio import MobiusService\n",
    "arguments.py": SERVICE.replace("    pass", "    def __init__(self, colour): ..."),
    "unmade.py": SERVICE.replace("    pass", "    def __init__(self): self.colour = 1"),
    "run_it.py": SERVICE + "\n\nfrom moobius_trio import run\nrun(Own().serve)\n",
    "trio_run.py": SERVICE + "\n\nimport trio\ntrio.run(Own().serve)\n",
    "notes.txt": "",
    "folder/readme.md": "",
    "nothing/service.py": "x = 1\n",
    "several/main.py": SERVICE + "\n\nclass Other(MoobiusService):\n    pass\n",
    "null.py": "\0",
}
"""One folder with every kind of file."""

WRONG = {
    "no such file": ("nope.py", ["nope.py", "no such file", "Check the path"]),
    "no such folder": ("nope", ["nope", "no such file or folder", "project folder"]),
    "no such module": ("nope:Own", ["nope", "no such module", "project folder"]),
    "no module's name": ("good.py:Own:x", ["good.py:Own:x", "no such file or folder"]),
    "not Python": ("notes.txt", ["notes.txt", "no Python file", "project folder"]),
    "an empty folder": ("folder", ["folder", "service.py", "main.py"]),
    "no service": ("none.py", ["none.py", "no subclass of MoobiusService"]),
    "a folder without a service": ("nothing", ["nothing/service.py: no subclass"]),
    "a folder with two services": ("several", ["several/main.py:Own"]),
    "two services": ("two.py", ["two.py", "Own, Other", "two.py:Own"]),
    "no such class": ("two.py:Third", ["two.py:Third", "Own, Other"]),
    "no service class": ("good:MoobiusServise", ["good:MoobiusServise", "Own"]),
    "wrong syntax": ("broken.py", ["broken.py, line 2", "not valid Python", "Correct"]),
    "no line at fault": ("null.py", ["null.py: this is not valid Python", "Correct that file"]),
    "a missing package": ("missing.py", ["missing.py, line 2", "'a_package_that_nobody_has'"]),
    "a name that is not there": ("misnamed.py", ["misnamed.py, line 2", "MobiusService"]),
    "a module with a missing package": ("missing:Own", ["missing.py, line 2", "Install"]),
    "constructor arguments": ("arguments.py", ["arguments.py", "Own()", "colour", "defaults"]),
    "no super().__init__()": ("unmade.py", ["unmade.py", "Own", "super().__init__()"]),
    "run without a guard": ("run_it.py", ["run_it.py", GUARD]),
    "trio.run without a guard": ("trio_run.py", ["trio_run.py", GUARD]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of `FILES`, in which nothing else may appear."""
    folder = tmp_path_factory.mktemp("paths")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(("target", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_path_is_one_line(target: str, words: list[str], folder: Path) -> None:
    """It says what is wrong, where, and what to do."""
    ended = run_command(
        "dev", target, "--no-browser", cwd=folder, environ={"PYTHONDONTWRITEBYTECODE": "1"}
    )
    assert (ended.code, ended.output) == (2, "")
    (line,) = ended.errors.splitlines()
    assert all(word in line for word in words), line
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == set(FILES)


@pytest.mark.parametrize(
    ("words", "help_"),
    [
        (["dev"], "`moobius-trio dev --help`"),
        (["tape", "check"], "`moobius-trio tape check --help`"),
        (["storage", "list"], "`moobius-trio storage --help`"),
        (["nothing"], "`moobius-trio --help`"),
    ],
    ids=["dev", "tape check", "storage list", "nothing"],
)
def test_a_wrong_command_line_names_the_help_that_fits(
    words: list[str], help_: str, tmp_path: Path
) -> None:
    """That of the command which was typed; the whole one where there is no such command."""
    ended = run_command(*words, cwd=tmp_path)
    assert (ended.code, ended.output) == (2, "")
    (line,) = ended.errors.splitlines()
    assert help_ in line


def test_a_misspelt_callback_is_one_line(tmp_path: Path) -> None:
    """It is found as the class is made; the line names the right callback, and it is a bug."""
    (tmp_path / "service.py").write_text(
        SERVICE.replace("    pass", "    async def on_join_chanel(self, action): ...")
    )
    ended = run_command("dev", tmp_path, "--no-browser", cwd=tmp_path)
    assert (ended.code, ended.output) == (1, "")
    (line,) = ended.errors.splitlines()
    assert "Own.on_join_chanel" in line
    assert "on_join_channel" in line.replace("Own.on_join_chanel", "")


def test_a_bug_in_the_users_module_keeps_its_traceback(tmp_path: Path) -> None:
    """What is no fault of usage is shown whole, with the line of the user's file."""
    (tmp_path / "service.py").write_text(SERVICE + "\n\n1 / 0\n")
    ended = run_command("dev", tmp_path, "--no-browser", cwd=tmp_path)
    assert ended.code == 1
    assert "service.py" in ended.errors
    assert ended.errors.splitlines()[-1] == "ZeroDivisionError: division by zero (service.py:8)"
