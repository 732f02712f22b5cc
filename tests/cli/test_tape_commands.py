"""``moobius-trio tape``: recorded on the running demo, played to it, checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import trio

from moobius_trio.cli import main
from moobius_trio.cli.projects import project_folder
from moobius_trio.tapes import Tape, Up, read_tape, write_tape
from moobius_trio.testing.commands import Ended, open_command, run_command
from moobius_trio.testing.waiting import until
from moobius_trio.types import JsonValue

BAND = "local-demo"


def up(who: str, ms: int, kind: str, **body: JsonValue) -> Up:
    together = ms % 100 != 0
    return Up(who=who, band=BAND, ms=ms, together=together, frame={"type": kind, "body": body})


def click(who: str, ms: int, key: str, **form: str) -> Up:
    arguments = [{"name": name, "value": value} for name, value in form.items()]
    return up(who, ms, "feature_call", feature_id=key, arguments=arguments)


DEEDS = Tape(
    events=(
        up("Alice", 0, "action", subtype="join_channel"),
        up("Alice", 5, "action", subtype="fetch_userlist"),
        up("Bob", 600, "action", subtype="join_channel"),
        up("Bob", 605, "action", subtype="fetch_playground"),
        click("Alice", 1200, "key1", magic_type="Mickey"),
        click("Alice", 1800, "key1", magic_type="Talk"),
        up("Bob", 2400, "msg_up", subtype="text", content={"text": "hi"}, recipients=["@Alice"]),
        click("Bob", 3000, "key2"),
        up("Alice", 3600, "action", subtype="leave_channel"),
    ),
    ms=4000,
)
"""Nobody has seen anything yet: only to be played."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of these deeds, recorded while they were played to the running demo."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "deeds.jsonl").write_text(write_tape(DEEDS), encoding="utf-8")
    options = ("--port", "0", "--no-browser", "--ready-json", "--state", folder / "state")
    with open_command("demo", *options, cwd=folder) as demo:
        url = str(demo.ready()["url"])
        with open_command("tape", "record", "first.jsonl", "--url", url, cwd=folder) as record:
            trio.run(until, lambda: "Recording" in record.errors)
            played = run_command("tape", "play", "deeds.jsonl", "--url", url, cwd=folder)
            assert played.code == 0, played.errors
            assert "4/7  Alice clicks key1 (magic_type=Talk)" in played.errors
            ended = record.stop()
        assert ended.code == 0, ended.errors
        assert "9 deeds" in ended.errors
        assert demo.stop().code == 0
    return folder / "first.jsonl"


def check(tape: Path, service: Path, *options: str) -> Ended:
    return run_command("tape", "check", *options, tape, service, cwd=tape.parent)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the demo in which the dark stage has another word."""
    folder = tmp_path / "copy"
    shutil.copytree(project_folder("demo"), folder)
    source = (folder / "service.py").read_text(encoding="utf-8")
    changed = source.replace("Let There Be Dark!", "Let There Be Night!")
    (folder / "service.py").write_text(changed, encoding="utf-8")
    return folder


def test_the_service_of_the_recording_is_green(recorded: Path) -> None:
    """Whatever lay between its steps, over real sockets, in another process, in real time."""
    ended = check(recorded, project_folder("demo"))
    assert (ended.code, ended.errors) == (0, "")
    assert ended.output.startswith("same: ")
    tape = read_tape(recorded.read_text(encoding="utf-8"), "it")
    assert sum(len(step.ups) for step in tape.steps) == 9
    assert "local-" not in recorded.read_text(encoding="utf-8").replace(BAND, "")
    assert "127.0.0.1" not in recorded.read_text(encoding="utf-8")


def test_one_word_names_the_frame(recorded: Path, copy: Path) -> None:
    """Step, person, frame, and the words; for programs as JSON."""
    ended = check(recorded, copy)
    assert (ended.code, ended.errors) == (1, "")
    lines = ended.output.splitlines()
    assert lines[1].endswith("Bob clicks key2")
    assert lines[2].startswith("  Bob in local-demo was to see  {")
    assert lines[-1].endswith('"Let There Be Dark!" became "Let There Be Night!"')
    told = json.loads(check(recorded, copy, "--json").output)
    assert (told["same"], told["difference"]["who"]) == (False, "Bob")


def test_update_makes_the_new_behaviour_golden(recorded: Path, copy: Path, tmp_path: Path) -> None:
    """After the difference was told; then it is green."""
    tape = tmp_path / "golden.jsonl"
    shutil.copy(recorded, tape)
    ended = check(tape, copy, "--update")
    assert ended.code == 0
    assert "became" in ended.output
    assert check(tape, copy).output.startswith("same: ")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one line of a command that is refused; in this process, to save time."""
    with pytest.raises(SystemExit) as ended:
        main(["tape", *map(str, arguments)])
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    return int(ended.value.code or 0), errors


def test_what_is_no_tape_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong, cut off, of another format, not there, a folder: no traceback, and not zero."""
    whole = write_tape(DEEDS)
    texts = {
        "wrong": "hello\n",
        "cut": whole[: len(whole) // 2],
        "newer": whole.replace('"tape":1', '"tape":7'),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(40 * 1024 * 1024)
    for name in (*texts, "bytes", "huge", "missing", "."):
        code, line = refused(capsys, "check", tmp_path / name, project_folder("zero"))
        assert code == 2
        assert line.startswith("UsageError: ")


def test_without_a_platform_nothing_is_recorded_or_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 69, and no file is left."""
    (tmp_path / "deeds.jsonl").write_text(write_tape(DEEDS), encoding="utf-8")
    for command, name in (("record", "new.jsonl"), ("play", "deeds.jsonl")):
        code, line = refused(capsys, command, tmp_path / name, "--url", "http://127.0.0.1:1")
        assert code == 69
        assert "no local platform of this version answers there" in line
    assert [path.name for path in tmp_path.iterdir()] == ["deeds.jsonl"]


def test_a_platform_that_goes_away_leaves_a_tape(tmp_path: Path) -> None:
    """What had come until then is written; the exit code says that it was not all."""
    options = ("--port", "0", "--ready-json", "--state", tmp_path / "state")
    with open_command("local", *options, cwd=tmp_path) as local:
        url = str(local.ready()["url"])
        with open_command("tape", "record", "short.jsonl", "--url", url, cwd=tmp_path) as record:
            trio.run(until, lambda: "Recording" in record.errors)
            assert local.stop().code == 0
            ended = record.wait()
    assert ended.code == 69
    assert "The platform went away" in ended.errors
    assert read_tape((tmp_path / "short.jsonl").read_text(encoding="utf-8"), "it").events == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [("there.jsonl", "is there already"), ("no/where.jsonl", "cannot be written there")],
)
def test_a_place_that_cannot_be_is_found_out_first(
    tmp_path: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is recorded that could not be kept."""
    (tmp_path / "there.jsonl").touch()
    code, line = refused(capsys, "record", tmp_path / name)
    assert code == 2
    assert said in line


def test_a_service_or_an_address_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tape itself is good."""
    tape = tmp_path / "deeds.jsonl"
    tape.write_text(write_tape(DEEDS), encoding="utf-8")
    assert refused(capsys, "check", tape, tmp_path / "nothing.py")[0] == 2
    assert refused(capsys, "play", tape, "--url", "ftp://x")[0] == 2
