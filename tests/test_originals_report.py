"""The report of `nox -s originals`: its list of excepted errors is exact."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools" / "originals"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOLS / "report.py"))


async def report_of(tool: dict[str, Any], error: str | None, logged: tuple[str, ...] = ()) -> Any:
    """A report of one step, which is excepted with `known`, or of one that is not."""
    known = tool["Excepted"](scene="a scene", did="listed", defect=12, error="known")
    report = tool["Report"]([known])
    for did, problem in (("listed", error), ("other", None)):
        async with report.step("a scene", did, lambda: logged if did == "listed" else ()) as step:  # noqa: B023
            step.came("an answer")
            if problem is not None:
                raise ValueError(problem)
    return report


@pytest.mark.parametrize(
    ("error", "logged"), [("a known error", ()), (None, ("it has known this",))]
)
async def test_a_listed_error_is_excepted_with_its_number(
    tool: dict[str, Any], error: str | None, logged: tuple[str, ...]
) -> None:
    """Raised or logged."""
    report = await report_of(tool, error, logged)
    assert report.good
    assert [row.verdict for row in report.rows] == ["excepted", "ok"]
    assert report.rows[0].came.startswith("section 9, 12: ")
    assert report.lines()[-1] == "1 ok, 1 excepted, 0 FAILED"


@pytest.mark.parametrize(("error", "words"), [(None, "occurs no more"), ("new", "not defect 12")])
async def test_one_that_is_gone_or_another_one_fails(
    tool: dict[str, Any], error: str | None, words: str
) -> None:
    """Either way somebody has to look at it."""
    report = await report_of(tool, error)
    assert not report.good
    assert report.rows[0].verdict == "FAILED"
    assert words in report.rows[0].came


async def test_an_error_that_is_not_listed_fails_and_the_next_step_follows(
    tool: dict[str, Any],
) -> None:
    """An assertion without words of its own is told by its line."""
    report = tool["Report"]([])
    async with report.step("a scene", "first"):
        raise AssertionError
    async with report.step("a scene", "second", lambda: ["something logged"]):
        pass
    with report.scene("another scene"):
        raise OSError("it did not come about")
    assert not report.good
    assert [row.verdict for row in report.rows] == ["FAILED"] * 3
    told = "\n".join(report.lines())
    for words in ("not so: raise AssertionError", "something logged", "did not come about"):
        assert words in told


async def test_a_listed_step_that_is_not_done_fails(tool: dict[str, Any]) -> None:
    """A renamed step must not lose its exception silently."""
    known = tool["Excepted"](scene="a scene", did="never", defect=1, error="x")
    report = tool["Report"]([known])
    assert not report.good
    assert "never: on the list, but no step" in "\n".join(report.lines())


def test_the_number_of_each_excepted_error_is_in_the_facts() -> None:
    """docs/protocol/generation-1.md section 9 has a row for it."""
    facts = (TOOLS.parent.parent / "docs" / "protocol" / "generation-1.md").read_text("utf-8")
    rows = {line.split("|")[1].strip() for line in facts.splitlines() if line.startswith("|")}
    source = (TOOLS / "excepted.py").read_text("utf-8")
    numbers = re.findall(r'", (\d+), "', source)
    assert numbers
    assert set(numbers) <= rows
