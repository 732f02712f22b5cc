"""Signals in processes of their own: the first drains, the second cancels, the third ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from moobius_trio.testing.commands import interruptible

PREAMBLE = """
import signal, sys, time, trio
from moobius_trio.core.signals import counted_signals

def say(word):
    print(word, flush=True)

async def serve(name, work):
    draining = trio.Event()

    def drain():
        say(f"{name} drains")
        draining.set()

    def cancel():
        say(f"{name} cancelled")
        scope.cancel()

    with trio.CancelScope() as scope:
        with counted_signals(drain=drain, cancel=cancel) as state:
            await work(draining, state)
    say(f"{name} ended")
    if state.interrupted:
        raise SystemExit(state.exit_code())
"""

PATIENT = """
async def work(draining, state):
    say("ready")
    await draining.wait()

trio.run(serve, "A", work)
"""

STUBBORN = """
async def work(draining, state):
    say("ready")
    await trio.sleep_forever()

trio.run(serve, "A", work)
"""

SPINNING = """
def step():
    pass

async def work(draining, state):
    say("ready")
    told = False
    while True:
        if state.draining and not told:
            told = True
            say("counted")
        step()

trio.run(serve, "A", work)
"""

SPINNING_IN_TRIO = """
async def work(draining, state):
    send, receive = trio.open_memory_channel(1)
    say("ready")
    told = False
    while True:
        if state.draining and not told:
            told = True
            say("counted")
        send.send_nowait(1)
        receive.receive_nowait()

trio.run(serve, "A", work)
"""

PROTECTED = """
@trio.lowlevel.enable_ki_protection
def bookkeeping(state):
    while not state.draining:
        pass
    say("counted")
    while not state.interrupted:
        pass
    end = time.monotonic() + 0.8  # the loop is found held in the middle of this
    while time.monotonic() < end:
        pass
    say("kept whole")

async def work(draining, state):
    say("ready")
    bookkeeping(state)
    while True:
        pass

trio.run(serve, "A", work)
"""

BLOCKING = """
async def work(draining, state):
    say("ready")
    await draining.wait()
    time.sleep(600)

trio.run(serve, "A", work)
"""

SHIELDED = """
async def work(draining, state):
    say("ready")
    try:
        await trio.sleep_forever()
    finally:
        say("cleaning")
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

trio.run(serve, "A", work)
"""

DEAF = """
async def work(draining, state):
    say("ready")
    told = 0
    while True:
        try:
            while True:
                if state.received > told:
                    told = state.received
                    say(f"counted {told}")
        except BaseException:
            pass

trio.run(serve, "A", work)
"""

TWO = """
async def work(draining, state):
    say("ready")
    await trio.sleep_forever()

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, "A", work)
        nursery.start_soon(serve, "B", work)

try:
    trio.run(main)
except* SystemExit as group:
    sys.exit({exc.code for exc in group.exceptions}.pop())
"""

IGNORING = "signal.signal(signal.SIGINT, signal.SIG_IGN)" + PATIENT


class Program:
    """A script in a process of its own, whose words are read one line at a time."""

    def __init__(self, process: subprocess.Popen[str], stdout: IO[str], stderr: IO[str]) -> None:
        self.process = process
        self.stdout = stdout
        self.stderr = stderr

    def hear(self, *words: str) -> None:
        """Wait for these lines, in any order."""
        assert {self.stdout.readline().strip() for _ in words} == set(words)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end: exit code, and what was left on stdout and stderr."""
        rest, errors = self.process.communicate(timeout=20)
        return self.process.returncode, rest + errors


@contextmanager
def started(script: str) -> Iterator[Program]:
    """Run a script; it is killed at the end if it still lives."""
    process = subprocess.Popen(
        interruptible([sys.executable, "-c", PREAMBLE + script]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield Program(process, process.stdout, process.stderr)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_drains_and_exits_0(number: signal.Signals) -> None:
    """One signal lets the program end in good order, without a traceback."""
    with started(PATIENT) as program:
        program.hear("ready")
        program.signal(number)
        assert program.end() == (0, "A drains\nA ended\n")


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_cancels_and_exits_130(second: signal.Signals) -> None:
    """A program that does not drain is cancelled by the second signal of either kind."""
    with started(STUBBORN) as program:
        program.hear("ready")
        program.signal(signal.SIGINT)
        program.hear("A drains")
        program.signal(second)
        assert program.end() == (130, "A cancelled\nA ended\n")


@pytest.mark.parametrize("script", [SPINNING, SPINNING_IN_TRIO])
def test_second_signal_ends_a_handler_that_spins(script: str) -> None:
    """Code without checkpoints is interrupted, and nothing of trio's is broken by it."""
    with started(script) as program:
        program.hear("ready")
        program.signal(signal.SIGINT)
        program.hear("counted")
        program.signal(signal.SIGINT)
        code, rest = program.end()
        assert code == 130
        assert "Error" not in rest
        assert "Traceback" not in rest


def test_second_signal_breaks_no_protected_code() -> None:
    """Code that trio marks as protected is left to finish; what holds the loop after it is not."""
    with started(PROTECTED) as program:
        program.hear("ready")
        program.signal(signal.SIGINT)
        program.hear("counted")
        program.signal(signal.SIGINT)
        program.hear("kept whole")
        assert program.end()[0] == 130


def test_second_signal_ends_a_handler_that_blocks() -> None:
    """A blocking call is interrupted like code that spins."""
    with started(BLOCKING) as program:
        program.hear("ready")
        program.signal(signal.SIGTERM)
        program.hear("A drains")
        program.signal(signal.SIGTERM)
        code, rest = program.end()
        assert code == 130
        assert "Traceback" not in rest


def test_third_signal_ends_a_cleanup_that_hangs() -> None:
    """What survives being cancelled does not survive the third signal."""
    with started(SHIELDED) as program:
        program.hear("ready")
        program.signal(signal.SIGINT)
        program.hear("A drains")
        program.signal(signal.SIGINT)
        program.hear("A cancelled", "cleaning")
        program.signal(signal.SIGINT)
        assert program.end() == (130, "")


def test_third_signal_ends_a_handler_that_catches_everything() -> None:
    """A bare except round a busy loop does not hold up the third signal."""
    with started(DEAF) as program:
        program.hear("ready")
        for count in (1, 2):
            program.signal(signal.SIGINT)
            program.hear(f"counted {count}")
        program.signal(signal.SIGINT)
        assert program.end() == (130, "")


def test_two_users_share_one_count() -> None:
    """Both users drain at the first signal and both are cancelled by the second."""
    with started(TWO) as program:
        program.hear("ready", "ready")
        program.signal(signal.SIGINT)
        program.hear("A drains", "B drains")
        program.signal(signal.SIGINT)
        program.hear("A cancelled", "B cancelled")
        assert program.end()[0] == 130


def test_background_job_of_a_shell_drains_at_sigterm() -> None:
    """Where SIGINT is ignored it stays so, and SIGTERM is counted all the same."""
    with started(IGNORING) as program:
        program.hear("ready")
        program.signal(signal.SIGINT)
        program.signal(signal.SIGTERM)
        assert program.end() == (0, "A drains\nA ended\n")
