"""Forks to be killed: what they say, where they died, and that none stays."""

from __future__ import annotations

import os
import select
import time

import pytest

from moobius_trio.testing.forks import Mark, open_forks, say


def act(mark: Mark, word: str) -> None:
    """What the forks of these tests do."""
    say(word)
    if word == "fail":
        raise ValueError(word)
    if word == "stay":
        with mark.held():
            say("inside")
            time.sleep(3_600)


def test_a_fork_is_killed_and_says_where_it_was() -> None:
    """Its lines come in order, and the mark keeps the value that it had."""
    with open_forks(act) as forks:
        for _ in range(3):
            fork = forks.start("stay")
            assert fork.read_line() == "stay"
            assert forks.mark.wait()
            assert fork.kill() in (["inside"], [])
            assert forks.mark
        ended = forks.start("end")
        assert ended.wait() == ["end"]
        assert not forks.mark


def test_a_fork_that_fails_fails_the_test(capfd: pytest.CaptureFixture[str]) -> None:
    """Its end is not taken for a kill, and standard error says what happened."""
    with open_forks(act) as forks:
        fork = forks.start("fail")
        assert fork.read_line() == "fail"
        with pytest.raises(AssertionError, match="ended by itself with 1"):
            fork.read_line()
    assert "ValueError: fail" in capfd.readouterr().err


def test_no_fork_stays() -> None:
    """One that runs when the block ends is gone with it."""
    with open_forks(act) as forks:
        fork = forks.start("stay")
        fork.read_line()
        descriptor = os.pidfd_open(fork.pid) if hasattr(os, "pidfd_open") else None
    if descriptor is None:
        pytest.skip("this system cannot wait for the end of a process of somebody else's")
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)
