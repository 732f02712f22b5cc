"""Why a service does not run, from an exception or the end of a process to a `Problem`.

Nothing is shown and nothing is caught here.
"""

from __future__ import annotations

import signal
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from moobius_trio.errors import MoobiusError
from moobius_trio.local import Problem
from moobius_trio.logs import escape, redact
from moobius_trio.network.groups import leaves

__all__ = ("exit_code", "is_authors", "problem_of", "problem_of_end")

_PACKAGE: Final = Path(__file__).resolve().parents[2]
_OTHERS: Final = tuple(
    Path(folder).resolve()
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (folder := sysconfig.get_paths().get(name))
)
SUMMARY_LENGTH: Final = 500


def problem_of(exc: BaseException, project: Path) -> Problem:
    """What an exception says: of a group its leaves, the first of them in the summary.

    Args:
        project: the folder that files are named relative to.
    """
    found = leaves(exc) or [exc]
    first = _leaf(found[0])
    file, line = _place(first, project)
    summary = _words(first)
    if file:
        summary = f"{summary} ({file}:{line})"
    text = "\n\n".join(_text(each) for each in found)
    return Problem(text=redact(text), file=file, line=line, summary=escape(redact(summary)))


def problem_of_end(code: int) -> Problem:
    """What is known of a process that has ended without a word."""
    if code < 0:
        try:
            how = f"the service's process was ended by {signal.Signals(-code).name}"
        except ValueError:
            how = f"the service's process was ended by signal {-code}"
    else:
        how = f"the service's process ended by itself, with exit code {code}"
    return Problem(text=f"{how}.\nWhat it printed last may tell why.", summary=how)


def exit_code(exc: BaseException) -> int:
    """What a program ends with because of this (docs/architecture.md section 10)."""
    return max((_code_of(each) for each in leaves(exc)), default=1)


def _code_of(exc: BaseException) -> int:
    if isinstance(exc, SystemExit):
        return exc.code if isinstance(exc.code, int) and exc.code else 1
    return exc.exit_code if isinstance(exc, MoobiusError) else 1


def _leaf(exc: BaseException) -> BaseException:
    """What the author has to look at: behind our one line about an import, what Python said."""
    if isinstance(exc, MoobiusError) and isinstance(exc.__context__, SyntaxError | ImportError):
        return exc.__context__
    return exc


def _words(exc: BaseException) -> str:
    said = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    words = f"{type(exc).__name__}: {said}" if said else type(exc).__name__
    return words[:SUMMARY_LENGTH]


def _text(exc: BaseException) -> str:
    """The leaf first, then how it came to be."""
    if isinstance(exc, SyntaxError):
        return "".join(traceback.format_exception_only(exc)).rstrip()
    if isinstance(exc, MoobiusError):
        line = escape(f"{type(exc).__name__}: {exc}")
        return line if _leaf(exc) is exc else f"{line}\n\n{_text(_leaf(exc))}"
    trace = "".join(_own_frames(exc))
    notes = "".join(f"\n{note}" for note in getattr(exc, "__notes__", ()))
    behind = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    more = f"\n\ncaused by {_text(behind)}" if behind is not None else ""
    return f"{_words(exc)}{notes}\n{trace}".rstrip() + more


def _own_frames(exc: BaseException) -> Iterator[str]:
    """The frames from the author's first one on; all, if none is the author's."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [number for number, frame in enumerate(frames) if is_authors(frame.filename)]
    yield from traceback.format_list(frames[own[0] :] if own else frames)


def _place(exc: BaseException, project: Path) -> tuple[str, int]:
    """File and line of the innermost code of the author's."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return _name(exc.filename, project), exc.lineno or 0
    frames = traceback.extract_tb(exc.__traceback__)
    for frame in _innermost_first(frames):
        if is_authors(frame.filename):
            return _name(frame.filename, project), frame.lineno or 0
    behind = exc.__cause__ or exc.__context__
    return ("", 0) if behind is None else _place(behind, project)


def _innermost_first(frames: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    return list(frames)[::-1]


def is_authors(filename: str) -> bool:
    """Whether a file is not ours, not Python's and not an installed package's.

    Bundled projects are like an author's.
    """
    path = Path(filename)
    if filename.startswith("<"):
        return False
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "_projects")
    return not any(path.is_relative_to(folder) for folder in _OTHERS)


def _name(filename: str, project: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(project)) if path.is_relative_to(project) else filename
