"""service.log and error.log: what is in them, who may read them, how long they stay (F56, S19)."""

from __future__ import annotations

import contextlib
import datetime
import errno
import io
import json
import logging
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from moobius_trio import logs
from moobius_trio.logs import files
from moobius_trio.types import Secret

TOKEN = 'c4n4ry-"t0ken"\\x'


@pytest.fixture(autouse=True)
def nothing_is_set_up() -> None:
    """Each test begins as a process does."""
    structlog.reset_defaults()


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts_of(path: Path) -> list[str]:
    return [line["event"] for line in lines_of(path)]


def console(level: str = "debug", *secrets: Secret) -> io.StringIO:
    stream = io.StringIO()
    logs.configure_logs(level=level, secrets=secrets, stream=stream)
    return stream


log = structlog.get_logger()


def test_both_files_have_what_they_are_for(tmp_path: Path) -> None:
    """Everything of the level in one, warnings and worse in the other, in lines of JSON."""
    console("info")
    with logs.open_log_files(tmp_path / "logs"):
        log.debug("not shown")
        log.info("one", band="b", number=3, ratio=0.5, nothing=None, nested=[1])
        log.warning("two")
        logging.getLogger("users.own").error("three %s", "!", extra={"room": "r"})
    log.warning("after the block")
    folder = tmp_path / "logs"
    assert texts_of(folder / "service.log") == ["one", "two", "three !"]
    assert texts_of(folder / "error.log") == ["two", "three !"]
    first, _, third = lines_of(folder / "service.log")
    moment = datetime.datetime.fromisoformat(first.pop("timestamp"))
    assert moment.utcoffset() == datetime.timedelta()
    assert first == {
        "level": "info",
        "event": "one",
        "band": "b",
        "number": 3,
        "ratio": 0.5,
        "nothing": None,
        "nested": "[1]",
    }
    assert (third["level"], third["logger"], third["room"]) == ("error", "users.own", "r")


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    """Folder 0700, files 0600, whatever the umask says (S19)."""
    before = os.umask(0)
    try:
        console()
        with logs.open_log_files(tmp_path / "logs"):
            log.error("one")
    finally:
        os.umask(before)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "logs", *(tmp_path / "logs").iterdir())
    }
    assert modes == {"logs": 0o700, "service.log": 0o600, "error.log": 0o600}


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """No log is written where somebody else points, and the console says that there is none."""
    victim = tmp_path / "victim"
    victim.touch()
    (tmp_path / "service.log").symlink_to(victim)
    stream = console()
    with logs.open_log_files(tmp_path):
        log.error("one")
    assert victim.read_bytes() == b""
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], second["event"]) == ("no log files are written", "one")
    assert "null" in first["remedy"]
    assert not (tmp_path / "error.log").exists()


def test_each_midnight_a_new_file_begins_and_seven_old_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine nights leave seven days behind, each with its own lines."""

    class Clock:
        now = time.time()

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("logging.handlers.time", clock)
    console()
    with logs.open_log_files(tmp_path):
        made = (tmp_path / "service.log").stat().st_mtime  # its day is the first one
        first = datetime.datetime.combine(datetime.date.fromtimestamp(made), datetime.time())
        days = [first + datetime.timedelta(days=day) for day in range(11)]
        for number in range(10):
            clock.now = days[number].timestamp() + 1
            log.warning(f"morning {number}")
            clock.now = days[number + 1].timestamp() - 1
            log.warning(f"night {number}")
    for name in ("service.log", "error.log"):
        assert texts_of(tmp_path / name) == ["morning 9", "night 9"]
        old = sorted(tmp_path.glob(f"{name}.*"))
        assert [path.name for path in old] == [f"{name}.{day:%Y-%m-%d}" for day in days[2:9]]
        assert texts_of(old[0]) == ["morning 2", "night 2"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in old} == {0o600}


def test_what_an_earlier_run_wrote_is_kept(tmp_path: Path) -> None:
    """A second run of the same day writes behind it; that of an earlier day is put aside."""
    console()
    for number in range(2):
        with logs.open_log_files(tmp_path):
            log.info(f"run {number}")
    assert texts_of(tmp_path / "service.log") == ["run 0", "run 1"]
    yesterday = datetime.datetime.now().timestamp() - 86_400
    os.utime(tmp_path / "service.log", (yesterday, yesterday))
    with logs.open_log_files(tmp_path):
        log.info("run 2")
    assert texts_of(tmp_path / "service.log") == ["run 2"]
    [old] = tmp_path.glob("service.log.*")
    assert texts_of(old) == ["run 0", "run 1"]


def test_services_of_one_process_share_the_files_of_the_first(tmp_path: Path) -> None:
    """Each line once; the files are closed when the last has ended."""
    console()
    with logs.open_log_files(tmp_path / "one"):
        with logs.open_log_files(tmp_path / "two"):
            log.info("both")
        log.info("one")
    assert texts_of(tmp_path / "one" / "service.log") == ["both", "one"]
    assert not (tmp_path / "two").exists()


def test_a_new_configuration_keeps_the_files(tmp_path: Path) -> None:
    """They belong to the block, not to the console."""
    console()
    with logs.open_log_files(tmp_path):
        console()
        log.info("hello")
    assert texts_of(tmp_path / "service.log") == ["hello"]


@pytest.mark.parametrize("configured", [False, True])
def test_a_program_that_sets_up_its_own_logs_gets_no_files(
    tmp_path: Path, configured: bool
) -> None:
    """Neither with a structlog configuration of its own nor without any."""
    if configured:
        structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    else:
        logs.quiet_unless_configured()
    with logs.open_log_files(tmp_path / "logs"):
        log.warning("hello")
    assert not (tmp_path / "logs").exists()


def test_no_secret_and_no_broken_line_reaches_a_file(tmp_path: Path) -> None:
    """Masked by value at every level and in each form, and every line is JSON (S1, S16)."""
    console("debug", Secret(TOKEN))
    nasty = "a\nb\r\x1b[31m\u2028\u0085\u202e\ud800\x00 \U000e0001"
    with logs.open_log_files(tmp_path):
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)(f"say {TOKEN}", **{TOKEN: TOKEN}, deep=[TOKEN], nasty=nasty)
            getattr(logging.getLogger("mine"), level)("std %s", TOKEN, extra={"nasty": nasty})
        try:
            raise ValueError(f"{TOKEN}\n{nasty}")
        except ValueError:
            log.exception("failed")
    text = (tmp_path / "service.log").read_bytes().decode()
    assert text.count("\n") == len(text.splitlines()) == 11
    assert text.replace("\n", "").isprintable()
    assert "c4n4ry" not in text
    found = lines_of(tmp_path / "service.log")
    assert found[0]["nasty"] == nasty
    assert found[0]["event"] == "say ***"
    assert "ValueError: ***" in found[-1]["exception"]


def test_a_full_disk_stops_nobody_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 lines go on reaching the console while a file takes none; then it goes on (F56)."""
    stream = console()
    full = True

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr(files.io, "FileIO", Full)
    with logs.open_log_files(tmp_path):
        for number in range(10_000):
            log.info("line", number=number)
        full = False
        log.info("last")
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in told if line["event"] not in ("line", "last")] == [
        "log lines are lost",
        "log lines are written again",
    ]
    assert len(told) == 10_003
    assert told[1]["log"] == "service.log"
    assert "No space left" in told[1]["problem"]
    assert told[-1]["lines_lost"] == 10_000
    assert texts_of(tmp_path / "service.log") == ["last"]


def test_a_lost_console_is_told_in_the_files(tmp_path: Path) -> None:
    """Once, and every line of the files is there (F56)."""
    read, write = os.pipe()
    os.close(read)
    broken = os.fdopen(write, "w", buffering=1)
    logs.configure_logs(stream=broken)
    with logs.open_log_files(tmp_path):
        log.info("one")
        with contextlib.suppress(BrokenPipeError):
            broken.close()
        log.info("two")
    assert texts_of(tmp_path / "service.log") == ["log lines are lost", "one", "two"]
    assert lines_of(tmp_path / "error.log")[0]["log"] == "console"


def test_without_a_console_the_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a process that was started without standard error."""
    monkeypatch.setattr(sys, "stderr", None)
    logs.configure_logs()
    with logs.open_log_files(tmp_path):
        log.info("one")
    assert texts_of(tmp_path / "service.log")[-1] == "one"


def test_json_is_for_programs_and_the_console_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself it goes by what the stream is."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, form, as_json in [
        (io.StringIO(), "auto", True),
        (Terminal(), "auto", False),
        (io.StringIO(), "console", False),
        (Terminal(), "json", True),
    ]:
        logs.configure_logs(stream=stream, form=form)  # type: ignore[arg-type]
        log.info("hello")
        assert stream.getvalue().startswith("{") is as_json


def test_lines_of_the_standard_library_bear_what_is_bound() -> None:
    """Band and handler of the running unit, as structlog's own lines do."""
    stream = console()
    with structlog.contextvars.bound_contextvars(band="b", handler="Echo.on_msg_up"):
        logging.getLogger("mine").warning("hello")
    line = json.loads(stream.getvalue())
    assert (line["band"], line["handler"]) == ("b", "Echo.on_msg_up")
