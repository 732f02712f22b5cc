"""What a program that runs a service tells the platform, as values."""

from __future__ import annotations

import random
import time

from moobius_trio.local import JobRow, Problem, ServiceState, open_platform
from moobius_trio.local.control import PROBLEM_LENGTH
from moobius_trio.testing.inline import run_inline


async def test_a_platform_has_no_control_until_it_is_given_one() -> None:
    """Where services run elsewhere there is nothing to restart."""
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=time.time, random=random.Random(0)
    ) as platform:
        assert platform.control is None


def test_a_long_problem_loses_its_middle() -> None:
    """The leaf at its head and the last lines stay, in at most 20,000 characters."""
    problem = Problem(text="first\n" + "x" * 50_000 + "\nlast", summary="too long")
    assert len(problem.text) <= PROBLEM_LENGTH
    assert problem.text.startswith("first\n")
    assert problem.text.endswith("\nlast")


def test_a_short_problem_stays_as_it_is() -> None:
    """At the limit itself nothing is left out."""
    text = "y" * PROBLEM_LENGTH
    assert Problem(text=text, summary="just right").text == text


def test_states_and_jobs_compare_by_value() -> None:
    """So that a change is told from a repetition."""
    assert ServiceState(name="echo", state="running") == ServiceState(name="echo", state="running")
    row = JobRow(name="tick", next_at="", runs=0, running=False)
    assert row == JobRow(name="tick", next_at="", runs=0, running=False)
