"""What was done and what came of it, and whether that is what is known of the original.

The list of excepted errors is exact: one that is not in it fails the run, and so does one in it
that occurs no more.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Literal, TypeAlias

import attrs
import trio

__all__ = ("Excepted", "Report", "Row", "Step")

STEP_SECONDS: Final = 20.0
"""What a step may take; all of them together take a few seconds."""

Verdict: TypeAlias = Literal["ok", "excepted", "FAILED"]


@attrs.frozen(kw_only=True)
class Excepted:
    """An error that the original is known to make.

    Attributes:
        scene, did: of the step that it spoils.
        defect: its number in docs/protocol/generation-1.md section 9.
        error: part of what is said of it.
    """

    scene: str
    did: str
    defect: int
    error: str


@attrs.define(kw_only=True)
class Row:
    """One step."""

    scene: str
    did: str
    came: str
    verdict: Verdict


class Step:
    """What a step notes of what came of it."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def came(self, note: str) -> None:
        """Something came, in words."""
        self.notes.append(note)


class Report:
    """The steps in their order."""

    def __init__(self, excepted: Sequence[Excepted]) -> None:
        self.rows: list[Row] = []
        self._excepted = {(each.scene, each.did): each for each in excepted}
        self._called: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        if len(self._excepted) != len(excepted):
            raise ValueError("two excepted errors for one step")

    @asynccontextmanager
    async def step(
        self, scene: str, did: str, errors: Callable[[], Iterable[str]] = tuple
    ) -> AsyncIterator[Step]:
        """One thing that is done. An error in the block is noted, and the next step follows.

        Args:
            did: what is called or happens.
            errors: gives what was logged meanwhile, which is an error of this step.
        """
        step = Step()
        error = ""
        try:
            with trio.fail_after(STEP_SECONDS):
                await trio.lowlevel.checkpoint()
                yield step
        except Exception as exc:
            # A named boundary: whatever goes wrong in a step is what the report is about.
            error = " ".join(_words(exc).split())
        logged = [" ".join(text.split()) for text in errors()]
        if logged:
            error = "; ".join(filter(None, [error, *(f"it logged: {text}" for text in logged)]))
        came = "; ".join(step.notes)
        self.rows.append(self._judge(scene, did, came, error))

    @contextmanager
    def scene(self, scene: str) -> Iterator[None]:
        """A scene as a whole; one that does not come about is a step that failed."""
        try:
            yield
        except Exception as exc:
            # A named boundary: the other scenes are played all the same.
            words = " ".join(_words(exc).split())
            self.rows.append(Row(scene=scene, did="the scene", came=words, verdict="FAILED"))

    def _judge(self, scene: str, did: str, came: str, error: str) -> Row:
        known = self._excepted.get((scene, did))
        row = Row(scene=scene, did=did, came=came, verdict="ok")
        if known is None and error:
            row.came, row.verdict = "; ".join(filter(None, [came, error])), "FAILED"
        elif known is not None and not error:
            row.verdict = "FAILED"
            row.came = f"defect {known.defect} of section 9 occurs no more: take it off the list"
        elif known is not None and known.error not in error:
            row.verdict = "FAILED"
            row.came = f"not defect {known.defect} of section 9 ({known.error!r}) but: {error}"
        elif known is not None:
            row.came, row.verdict = f"section 9, {known.defect}: {error}", "excepted"
        return row

    def count(self, called: Counter[str], told: Counter[str]) -> None:
        """So often were these calls of the original made, and these hooks of it called."""
        self._called += called
        self._told += told

    def missing(self) -> list[Excepted]:
        """Excepted errors of steps that there are not."""
        done = {(row.scene, row.did) for row in self.rows}
        return [each for where, each in self._excepted.items() if where not in done]

    @property
    def good(self) -> bool:
        """Whether all is as it is known."""
        return not self.missing() and all(row.verdict != "FAILED" for row in self.rows)

    def lines(self) -> list[str]:
        """The report for people."""
        lines, scene = [], ""
        for row in self.rows:
            if row.scene != scene:
                scene = row.scene
                lines += ["", scene]
            lines.append(f"  {row.verdict:8}  {row.did}")
            if row.came:
                lines.append(f"            {_short(row.came)}")
        for each in self.missing():
            lines.append(f"  FAILED    {each.scene}, {each.did}: on the list, but no step")
        counts = {
            verdict: sum(row.verdict == verdict for row in self.rows)
            for verdict in ("ok", "excepted", "FAILED")
        }
        lines += ["", f"Calls   {_counted(self._called)}", f"Events  {_counted(self._told)}"]
        lines += ["", ", ".join(f"{count} {verdict}" for verdict, count in counts.items())]
        return lines


def _words(exc: BaseException) -> str:
    if isinstance(exc, trio.TooSlowError):
        return f"did not come within {STEP_SECONDS:g} s"
    if isinstance(exc, BaseExceptionGroup):
        return "; ".join(_words(each) for each in exc.exceptions)
    if isinstance(exc, AssertionError):
        # Without words of its own it is the line that has them.
        *_, frame = traceback.extract_tb(exc.__traceback__)
        return f"not as expected: {exc}" if str(exc) else f"not so: {frame.line}"
    return f"{type(exc).__name__}: {exc}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _short(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:200]} … {text[-180:]}"
