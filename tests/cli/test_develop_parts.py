"""The parts of ``dev`` that need no process: what is said over the pipes, problems, what counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.cli.develop.pipes import Words
from moobius_trio.cli.develop.problems import exit_code, problem_of, problem_of_end
from moobius_trio.cli.develop.reporting import FRAME_LENGTH, TRACE_ROOM, Reporter, open_reporter
from moobius_trio.cli.develop.watching import counts, folders_to_watch, watch
from moobius_trio.cli.develop.words import (
    LINE_BYTES,
    Advanced,
    Crashed,
    Done,
    Failed,
    Load,
    Lost,
    Numbered,
    Order,
    Reply,
    Report,
    Rows,
    RunJob,
    Serve,
    read_order,
    read_report,
    write,
)
from moobius_trio.codec.text import parse
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.errors import ConfigError, UsageError
from moobius_trio.local import JobRow, Problem
from moobius_trio.types import ChannelId, UserId

SERVE = Serve(
    url="http://127.0.0.1:1",
    email="echo@service.local",
    password="canary-of-the-password",
    service_id=None,
    bands=("local-demo", "local-second"),
    stores="/somewhere",
    reached_as="echo@1",
    ahead=1.5,
)
PROBLEM = Problem(text="a\nb\ud800", summary="a", file="service.py", line=3)


# What is said


@pytest.mark.parametrize("order", [Load(target="é.py"), SERVE, RunJob(name="tick")], ids=str)
def test_an_order_comes_as_it_was_given(order: Order) -> None:
    """In one line of ASCII."""
    line = write(Numbered(7, order))
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert read_order(line) == Numbered(7, order)


REPORTS: list[Report] = [
    Reply(1, Done()),
    Reply(2, Rows(rows=(JobRow(name="tick", next_at="", runs=1, running=True),))),
    Reply(3, Advanced(ahead=60.0)),
    Reply(4, Failed(problem=PROBLEM, code=1, expected=False)),
    Crashed(problem=PROBLEM, code=1),
    Lost(records=3),
    TraceRecord(frame="{}", unit=1, handler="A.b", milliseconds=0.5, records=2, cause="m"),
    UnitRecord(
        unit=1,
        handler="A.b",
        milliseconds=0.5,
        records=2,
        channel_id=ChannelId("c"),
        user_id=UserId("u"),
    ),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_comes_as_it_was_given(report: Report) -> None:
    """Also with marks that are no text."""
    assert read_report(write(report)) == report


def test_a_password_on_its_way_is_in_no_repr() -> None:
    """Orders may come into a log by accident."""
    assert "canary" not in repr(Numbered(1, SERVE))


@given(st.binary(max_size=200))
def test_what_nobody_says_is_a_value_error(line: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError, match="no words of ours"):
        read_order(line)


async def test_lines_come_in_pieces_and_wrong_ones_are_left_out() -> None:
    """One that is too long is given up before it is all there, and those after it are read."""
    ours, theirs = trio.testing.memory_stream_one_way_pair()
    words = Words(theirs, read_report)
    good = [write(report) for report in REPORTS[:3]]
    text = b"".join([good[0], b"not ours\n", good[1], b"x" * (3 * LINE_BYTES) + b"\n", good[2]])
    for start in range(0, len(text), 10_007):
        await ours.send_all(text[start : start + 10_007])
    await ours.aclose()
    found = [await words.next() for _ in range(4)]
    assert found == [*REPORTS[:3], None]


# What waits for the parent


async def test_a_parent_that_does_not_read_holds_nothing_up() -> None:
    """What finds no room is left out, and counted before the next thing that is said."""
    out, into = os.pipe()
    record = UnitRecord(unit=1, handler="x" * 500, milliseconds=0.0, records=0)
    async with open_reporter(into) as reporter:
        for _ in range(TRACE_ROOM + 2_000):
            reporter.trace(record)  # does not wait, so nothing is written meanwhile
        lost = reporter._lost
        assert lost == 2_000
        async with trio.lowlevel.FdStream(out) as stream:
            words = Words(stream, read_report)
            assert await words.next() == Lost(records=lost)
            assert await words.next() == record


async def test_the_end_does_not_wait_for_a_parent_that_does_not_read() -> None:
    """Two seconds, and no more."""
    out, into = os.pipe()
    record = UnitRecord(unit=1, handler="x" * 500, milliseconds=0.0, records=0)
    with trio.fail_after(30):
        async with open_reporter(into) as reporter:
            for _ in range(TRACE_ROOM):
                reporter.trace(record)
    os.close(out)


async def test_a_parent_that_is_gone_is_no_error() -> None:
    """The process hears of it elsewhere."""
    out, into = os.pipe()
    os.close(out)
    async with open_reporter(into) as reporter:
        for report in REPORTS:
            await reporter.tell(report)


async def test_a_large_frame_is_told_by_its_name() -> None:
    """Which is all that is asked for."""
    reporter = Reporter()
    frame = '{"type":"msg_down","request_id":"r","body":"' + "x" * FRAME_LENGTH + '"}'
    reporter.trace(TraceRecord(frame=frame, unit=1, handler="", milliseconds=0.0, records=0))
    told = reporter._receive.receive_nowait()
    assert isinstance(told, TraceRecord)
    assert parse(told.frame, "frame") == {"type": "msg_down", "request_id": "r"}


# Problems


def run_file(path: Path, text: str) -> BaseException:
    """What the code of a file raises."""
    path.write_text(text)
    namespace: dict[str, Any] = {}
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # of any kind
        exec(compile(text, str(path), "exec"), namespace)  # noqa: S102  # the test's own text
    return caught.value


def test_a_problem_names_the_innermost_line_of_the_author(tmp_path: Path) -> None:
    """Relative to the project; what libraries do below it is in the text alone."""
    exc = run_file(
        tmp_path / "service.py", "import json\n\n\ndef f():\n    json.loads('{')\n\nf()\n"
    )
    problem = problem_of(exc, tmp_path)
    assert (problem.file, problem.line) == ("service.py", 5)
    assert problem.summary.startswith("JSONDecodeError: ")
    assert problem.summary.endswith("(service.py:5)")
    first, *rest = problem.text.splitlines()
    assert first.startswith("JSONDecodeError: ")
    assert any('service.py", line 7' in line for line in rest)
    assert "json/decoder.py" in problem.text


def test_a_syntax_error_shows_its_place(tmp_path: Path) -> None:
    """With the line and the mark under it, and the place in the summary once."""
    problem = problem_of(run_file(tmp_path / "a.py", "x = 1\ny = (\n"), tmp_path)
    assert (problem.file, problem.line) == ("a.py", 2)
    assert problem.summary == "SyntaxError: '(' was never closed (a.py:2)"
    assert "y = (" in problem.text
    assert "^" in problem.text


def test_an_error_of_ours_is_its_line_and_what_is_behind_it(tmp_path: Path) -> None:
    """The first line is what a command would say."""
    exc = run_file(
        tmp_path / "a.py",
        "from moobius_trio.errors import UsageError\n"
        "try:\n    import nothing_of_this_name\n"
        "except ImportError:\n    raise UsageError('not installed') from None\n",
    )
    problem = problem_of(exc, tmp_path)
    assert problem.text.splitlines()[0] == "UsageError: not installed"
    assert problem.summary == "ModuleNotFoundError: No module named 'nothing_of_this_name' (a.py:3)"


def test_a_group_is_told_by_its_leaves(tmp_path: Path) -> None:
    """The first of them in the summary, all in the text."""
    text = "raise ExceptionGroup('x', [ValueError('one'), KeyError('two')])\n"
    problem = problem_of(run_file(tmp_path / "a.py", text), tmp_path)
    assert problem.summary.startswith("ValueError: one")
    assert "KeyError: 'two'" in problem.text
    assert "ExceptionGroup" not in problem.text


def test_what_an_error_rests_on_is_told(tmp_path: Path) -> None:
    """As Python does."""
    text = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e\n"
    problem = problem_of(run_file(tmp_path / "a.py", text), tmp_path)
    assert "ValueError: bad" in problem.text
    assert "caused by ZeroDivisionError" in problem.text


@pytest.mark.parametrize(
    ("code", "words"),
    [(-9, "by SIGKILL"), (-200, "by signal 200"), (3, "with exit code 3")],
)
def test_a_process_that_ended_without_a_word(code: int, words: str) -> None:
    """What can be known of it."""
    assert words in problem_of_end(code).summary


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (ValueError(), 1),
        (UsageError("x"), 2),
        (SystemExit(3), 3),
        (SystemExit(0), 1),
        (SystemExit("text"), 1),
        (BaseExceptionGroup("", [ConfigError("x", "y"), ValueError()]), 78),
    ],
    ids=repr,
)
def test_the_exit_code_of_an_error(exc: BaseException, code: int) -> None:
    """Never 0: the service did not end because it was told to."""
    assert exit_code(exc) == code


# What counts


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("service.py", True),
        ("service.toml", True),
        ("config/service.json", True),
        ("resources/list.txt", True),
        ("resources/deep/picture.png", True),
        ("notes.txt", False),
        ("store.sqlite3", False),
        (".service.py.new", False),
        ("resources/.hidden", False),
        ("service.py~", False),
    ],
)
def test_which_files_count(name: str, does: bool) -> None:
    """By name alone."""
    assert counts(Path("/project") / name) == does


def test_which_folders_are_watched(tmp_path: Path) -> None:
    """Not the state, nor what is hidden, an environment, a store, or written by tools."""
    seen = ("", "config", "resources", "resources/deep", "bots")
    unseen = (
        ".git",
        ".git/objects",
        "venv",
        "venv/lib",
        "node_modules",
        "states",
        "kept",
        "kept/a",
    )
    for name in (*seen, *unseen, "bots/__pycache__"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "states" / ".format").touch()
    found = folders_to_watch([tmp_path, tmp_path / "bots"], tmp_path / "kept")
    assert sorted(found) == sorted(tmp_path / name for name in seen)
    assert len(folders_to_watch([tmp_path], tmp_path / "kept", at_most=2)) == 2


async def test_saves_are_told_also_in_folders_that_are_new(tmp_path: Path) -> None:
    """The file that came with the folder as well as later ones."""
    sends, receives = trio.open_memory_channel[Path](100)

    def note(files: tuple[Path, ...]) -> None:
        for file in files:
            sends.send_nowait(file.relative_to(tmp_path))

    async def told(path: str) -> None:
        while await receives.receive() != Path(path):
            pass

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(watch, [tmp_path], tmp_path / ".state", note)
            (tmp_path / "a.py").write_text("")
            await told("a.py")
            (tmp_path / "bots").mkdir()
            (tmp_path / "bots" / "b.py").write_text("")
            await told("bots/b.py")
            for number in range(5):
                folder = tmp_path / "bots" / f"more{number}"
                folder.mkdir()  # each is watched anew; nothing is missed meanwhile
                (tmp_path / "bots" / "b.py").write_text(f"changed {number}")
                await told("bots/b.py")
            (tmp_path / "a.py").unlink()
            await told("a.py")
            nursery.cancel_scope.cancel()


def test_this_test_sees_its_own_modules_as_an_authors() -> None:
    """What decides whose a file is works on this machine."""
    from moobius_trio.cli.develop.problems import is_authors

    assert is_authors(__file__)
    assert not is_authors(trio.__file__)
    assert not is_authors(os.__file__)
    assert not is_authors(sys.modules[UsageError.__module__].__file__ or "")
    assert not is_authors("<string>")
