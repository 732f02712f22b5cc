"""`moobius_trio.run`: results come back, and every end has its line and its exit code."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio import (
    BandNotTaken,
    LoginRejected,
    MoobiusError,
    Secret,
    ServiceStopped,
    SignInRefused,
    StoreLocked,
    Unreachable,
    UsageError,
    run,
)
from moobius_trio.core.run import ending
from moobius_trio.core.signals import SignalState, ToldToStop
from moobius_trio.core.threads import run_in_thread
from moobius_trio.errors import ConfigError
from moobius_trio.logs.redaction import Redactor


@pytest.fixture(autouse=True)
def _logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` sets up logs for the whole process; a test must not."""
    monkeypatch.setattr("moobius_trio.core.run.is_unconfigured", lambda: False)


def end_of(error: BaseException) -> object:
    """The exit code that a program gets which raises this in `run`."""

    async def program() -> None:
        raise error

    with pytest.raises(SystemExit) as info:
        run(program)
    return info.value.code


def test_the_result_comes_back() -> None:
    """`run` is `trio.run` where nothing goes wrong."""

    async def add(one: int, other: int) -> int:
        await trio.lowlevel.checkpoint()
        return one + other

    assert run(add, 1, 2) == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("the port is in use"), 2),
        (Unreachable("ws://host", 3, "refused"), 69),
        (SignInRefused("a@example.org", "no"), 77),
        (LoginRejected("id", "no"), 77),
        (ConfigError("service.json", "is wrong"), 78),
        (BandNotTaken(["red: held"]), 78),
        (StoreLocked("states", 17), 78),
        (ServiceStopped("demo"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_the_package_is_one_line(
    error: MoobiusError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name and its words, no traceback, and the exit code of its kind."""
    assert end_of(error) == code
    captured = capsys.readouterr()
    assert captured.err == f"{type(error).__name__}: {error}\n"
    assert captured.out == ""


def test_several_errors_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Of services that fail together, in a nursery of the user's own, the gravest code counts."""
    group = ExceptionGroup(
        "nursery", [ServiceStopped("demo"), ExceptionGroup("inner", [ConfigError("x", "is wrong")])]
    )
    assert end_of(group) == 78
    assert capsys.readouterr().err.splitlines() == [
        "ServiceStopped: service demo is not running; nothing was handed to it.",
        "ConfigError: x: is wrong.",
    ]


def test_any_other_error_is_raised_as_it_is() -> None:
    """A bug has its traceback, also beside an error of the package."""

    async def program() -> None:
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        run(program)
    mixed = ExceptionGroup("both", [LookupError("a bug"), ServiceStopped("demo")])
    with pytest.RaisesGroup(LookupError, ServiceStopped) as info, ending():
        raise mixed
    assert info.value is mixed


@pytest.mark.parametrize("code", [0, 130])
def test_an_exit_inside_a_group_is_that_exit(code: int) -> None:
    """A service that was told twice to stop ends the program, whatever nurseries are around it."""
    exit_group = BaseExceptionGroup("nursery", [SystemExit(code), LookupError("cleanup")])
    assert end_of(exit_group) == code


def test_the_code_of_a_stop_is_what_holds_when_the_process_ends() -> None:
    """Of two services one ended at the first signal; at the second the other is just cancelled."""
    state = SignalState()
    state._received = 1
    end = ToldToStop(state)
    assert end.code == 0
    state._received = 2
    assert end_of(BaseExceptionGroup("nursery", [end])) == 130


def test_an_interrupt_is_130() -> None:
    """Ctrl+C where nothing serves is an exit too, and no traceback."""
    assert end_of(KeyboardInterrupt()) == 130
    assert end_of(BaseExceptionGroup("nursery", [KeyboardInterrupt()])) == 130


def test_no_secret_and_no_control_character_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an error repeats of the platform's words is masked and made visible."""
    redactor = Redactor()
    redactor.add(Secret("canary-of-the-run-test"))
    monkeypatch.setattr("moobius_trio.core.run.redact", redactor.redact)
    end_of(SignInRefused("a@example.org", "canary-of-the-run-test \x1b[31mred"))
    shown = capsys.readouterr().err
    assert "refused (" in shown
    assert "canary" not in shown
    assert "\x1b" not in shown


def test_threads_are_refused_under_a_clock_that_jumps() -> None:
    """It would jump hours ahead while the thread works; under any other clock they are used."""

    async def in_thread() -> Any:
        return await run_in_thread(sum, [1, 2])

    clock = trio.testing.MockClock(autojump_threshold=0)
    with pytest.raises(RuntimeError, match="clock that jumps by itself"):
        trio.run(in_thread, clock=clock)
    assert trio.run(in_thread) == 3
    assert trio.run(in_thread, clock=trio.testing.MockClock(rate=1.0)) == 3


def test_of_two_that_end_at_two_signals_the_second_counts() -> None:
    """One that was not ready says 0 at the first signal, one that closes 130 at the second."""
    assert end_of(BaseExceptionGroup("nursery", [SystemExit(0), SystemExit(130)])) == 130
