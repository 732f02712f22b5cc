"""Where events go: a console and files. Each has its form, and none can harm another or the caller.

What an event means and who set the logs up is not known here.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from textwrap import indent
from typing import Generic, Protocol, TextIO, TypeAlias, TypeVar

import attrs
import structlog
from structlog.typing import EventDict, WrappedLogger

from moobius_trio.logs.redaction import MASK, Redactor, escape

__all__ = ("Form", "Sink", "Sinks", "console_form", "console_sink", "json_form", "plain_values")

Form: TypeAlias = Callable[[EventDict], str]
"""Makes one finished text of an event whose values are plain (`plain_values`)."""

_AS_BLOCK = ("exception", "stack")
"""Keys with a text of several lines; on the console they are indented: none may look like a line
of the log."""

_LEVELS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}


def plain_values(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Texts, numbers, truth and nothing stay; of everything else its repr stays."""
    return {str(key): _plain(value) for key, value in event.items()}


def _plain(value: object) -> object:
    if type(value) in (str, int, bool) or value is None:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    try:
        return repr(value)
    except Exception as exc:  # boundary: a value's own repr must not stop the handler that logs it
        return f"<{type(value).__name__}, whose repr raised {type(exc).__name__}>"


def json_form(event: EventDict) -> str:
    """One line of JSON: ``timestamp`` (UTC), ``level``, ``event``, and the rest in its order."""
    head = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": event.get("level"),
        "event": event.get("event"),
    }
    text = json.dumps({**head, **event, "timestamp": head["timestamp"]}, ensure_ascii=False)
    if text.isprintable():
        return text
    # What json leaves as it is though a terminal or a reader of lines would not, such as U+2028.
    return "".join(mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in text)


def console_form(stream: TextIO | None) -> Form:
    """For people: time, level, event and fields, in colour on a terminal."""
    render = structlog.dev.ConsoleRenderer(
        colors=_in_colour(stream), exception_formatter=structlog.dev.plain_traceback
    )

    def form(event: EventDict) -> str:
        shown = {escape(key): _shown(key, value) for key, value in event.items()}
        shown["timestamp"] = time.strftime("%Y-%m-%d %H:%M:%S")
        return str(render(None, "", shown))

    return form


def _shown(key: str, value: object) -> str:
    """Whatever a user wrote into a name or a message stays within its line."""
    if key in _AS_BLOCK:
        return indent("\n".join(map(escape, str(value).split("\n"))), "    ")
    return escape(value if isinstance(value, str) else repr(value))


def _in_colour(stream: TextIO | None) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream is not None and stream.isatty())


@attrs.define(eq=False)
class Sink:
    """One place for lines.

    Args:
        name: what a report of its failure calls it.
        form: how it writes an event.
        write: takes a finished line without its end; may raise.
        level: the least level it takes, as a number of ``logging``.
    """

    name: str
    form: Form
    write: Callable[[str], None]
    level: int = logging.NOTSET
    lost: int = 0
    """Lines it did not take since it last took one."""


def console_sink(stream: TextIO | None, form: Form) -> Sink:
    """Lines on a stream, each written out at once."""

    def write(line: str) -> None:
        if stream is None:  # as sys.stderr is in a process that has none
            raise OSError("there is no standard error")
        stream.write(line + "\n")
        stream.flush()

    return Sink("console", form, write)


class MoreSinks(Protocol):
    """Sinks that come and go."""

    @property
    def sinks(self) -> Sequence[Sink]:
        """Those that there are now."""
        ...


M = TypeVar("M", bound=MoreSinks)


class Sinks(Generic[M]):
    """The last processor of a chain: hands an event to every sink.

    A sink that fails loses its lines and nothing else: whatever it raises goes no further, and
    the other sinks have one line about it, and one when it works again, with how many it lost.

    Args:
        redactor: masks secrets in every line.
        console: where each line goes.
        files: where lines go besides.
    """

    def __init__(self, redactor: Redactor, console: Sink, files: M) -> None:
        self.redactor = redactor
        self.files = files
        self._console = console

    @property
    def _sinks(self) -> tuple[Sink, ...]:
        return (self._console, *self.files.sinks)

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        """structlog's processor; nothing is left for the logger behind it to print."""
        level = _LEVELS.get(str(event.get("level")), logging.INFO)
        lines: dict[Form, str] = {}
        for sink in self._sinks:
            if level >= sink.level:
                self._hand(sink, event, lines)
        return ""

    def _hand(self, sink: Sink, event: EventDict, lines: dict[Form, str]) -> None:
        try:
            line = lines.get(sink.form)
            if line is None:
                line = lines[sink.form] = self._line(sink.form, event)
            sink.write(line)
        except Exception as exc:  # boundary: no place for lines may harm whoever logs, or another
            sink.lost += 1
            if sink.lost == 1:
                self._tell("log lines are lost", sink, "error", problem=str(exc) or repr(exc))
            return
        if sink.lost:
            lost, sink.lost = sink.lost, 0
            self._tell("log lines are written again", sink, "warning", lines_lost=lost)

    def _line(self, form: Form, event: EventDict) -> str:
        line = form(event)
        if self.redactor.redact(line) == line:
            return line
        # Masked before the form escapes it, so that a line of JSON stays one; and once more after.
        return self.redactor.redact(form(_masked(self.redactor, event)))

    def _tell(self, text: str, about: Sink, level: str, **fields: object) -> None:
        """Tell the sinks that work of one that does not; of their own failures nobody is told."""
        event = {"event": text, "level": level, "log": about.name, **fields}
        for sink in self._sinks:
            if sink is not about and not sink.lost and _LEVELS[level] >= sink.level:
                try:
                    sink.write(self._line(sink.form, event))
                except Exception:  # boundary, as above
                    sink.lost += 1


def _masked(redactor: Redactor, event: EventDict) -> EventDict:
    return {redactor.redact(key): _mask(redactor, value) for key, value in event.items()}


def _mask(redactor: Redactor, value: object) -> object:
    if isinstance(value, str):
        return redactor.redact(value)
    text = repr(value)
    return value if redactor.redact(text) == text else MASK
