"""structlog and the standard library's logging, set up for a console.

What a line may show is decided in `redaction`; what an event means is not known here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from textwrap import indent
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from moobius_trio.logs.redaction import Redactor, escape
from moobius_trio.types import Secret

__all__ = (
    "configure_logs",
    "is_unconfigured",
    "quiet_unless_configured",
    "redact",
    "register_secrets",
    "set_level",
)

_CHATTY = ("httpx", "httpcore", "hypercorn")
"""Libraries that report each request at level info; they are heard from ``warning`` on."""


def configure_logs(
    *, level: str = "info", secrets: Iterable[Secret] = (), stream: TextIO | None = None
) -> None:
    """Log to the console: one line an event, in colour on a terminal, without secrets.

    Replaces whatever configuration structlog has; secrets registered before stay registered.
    Records of the standard library's ``logging`` go the same way; a handler that
    ``logging.basicConfig`` has put on the console is replaced. The environment variables
    ``NO_COLOR`` and ``FORCE_COLOR`` decide over colour if they are set.

    Args:
        level: the least level shown: debug, info, warning, error or critical, in any case.
        secrets: what must never be seen; more can follow with `register_secrets`.
        stream: where to; standard error when None.

    Raises:
        ValueError: there is no such level.
    """
    number = _number(level)
    chain = _configure(
        structlog.make_filtering_bound_logger(number), stream or sys.stderr, tuple(secrets)
    )
    _take_over_logging(chain, number, stream or sys.stderr)


def quiet_unless_configured() -> None:
    """Let the package log only warnings while nobody has configured structlog.

    structlog prints everything, also debug, as long as it is unconfigured. `serve` calls this, so
    that ``trio.run(service.serve)`` is quiet: this package's own events below ``warning`` are
    dropped at the call; a user's own are shown as before. Tracebacks are printed without the
    values of variables, and secrets are masked. A configuration made before or after wins.
    """
    if not structlog.is_configured():
        _configure(_QuietLogger, sys.stderr, ())


def is_unconfigured() -> bool:
    """True while structlog has no configuration but the one of `quiet_unless_configured`."""
    return not structlog.is_configured() or _current("wrapper_class") is _QuietLogger


def set_level(level: str) -> None:
    """Change the least level shown. Does nothing when `configure_logs` has not been called."""
    if any(isinstance(handler, _ConsoleHandler) for handler in logging.getLogger().handlers):
        number = _number(level)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
        _set_logging_level(number)


def register_secrets(*secrets: Secret) -> None:
    """Mask these in every later line, as long as a `Redactor` is in structlog's chain."""
    for redactor in _redactors():
        redactor.add(*secrets)


def redact(text: str) -> str:
    """A text that goes past the log, such as a traceback, with the registered secrets masked."""
    for redactor in _redactors():
        text = redactor.redact(text)
    return text


def _redactors() -> list[Redactor]:
    return [found for found in _current("processors") if isinstance(found, Redactor)]


def _current(key: str) -> Any:
    return structlog.get_config()[key]


def _number(level: str) -> int:
    try:
        return logging.getLevelNamesMapping()[level.upper()]
    except KeyError:
        raise ValueError(f"there is no log level {level!r}") from None


def _configure(
    wrapper: type[Any], stream: TextIO, secrets: tuple[Secret, ...]
) -> tuple[Processor, ...]:
    """Set structlog up; gives the part of the chain that other records share."""
    console, redactor = _Console(stream), Redactor()
    for earlier in _redactors():
        redactor.add_from(earlier)
    redactor.add(*secrets)
    chain: tuple[Processor, ...] = (
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # without variables: they may hold anything
        _escape_values,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(
            colors=_in_colour(stream), exception_formatter=structlog.dev.plain_traceback
        ),
        redactor,
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *chain,
        ],
        wrapper_class=wrapper,
        context_class=dict,
        logger_factory=lambda *_: console,
        cache_logger_on_first_use=False,  # a level set later must hold for every module
    )
    return chain


def _in_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


class _Console:
    """What structlog calls with a finished line; losing a line must not stop a service."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader of a pipe has gone, or the stream is closed
            pass

    debug = info = warning = error = critical = exception = log = warn = fatal = err = failure = msg


_AS_BLOCK = ("exception", "stack")
"""Keys with a text of several lines, which are indented: none may look like a log line."""


def _escape_values(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Whatever a user wrote into a name or a message stays within its line."""
    return {escape(str(key)): _written(key, value) for key, value in event.items()}


def _written(key: str, value: object) -> str:
    if key in _AS_BLOCK:
        lines = str(value).split("\n")
        return indent("\n".join(map(escape, lines)), "    ")
    if isinstance(value, str):
        return escape(value)
    try:
        return escape(repr(value))
    except Exception as exc:  # boundary: a value's own repr must not stop the handler that logs it
        return f"<{type(value).__name__}, whose repr raised {type(exc).__name__}>"


def _make_quiet(name: str) -> Callable[..., Any]:
    loud: Callable[..., Any] = getattr(_Everything, name)

    def method(self: object, event: str, *args: Any, **fields: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        return None if caller.startswith("moobius_trio.") else loud(self, event, *args, **fields)

    return method


_Everything = structlog.make_filtering_bound_logger(logging.NOTSET)
_QuietLogger = type(
    "_QuietLogger", (_Everything,), {name: _make_quiet(name) for name in ("debug", "info")}
)


class _ConsoleHandler(logging.Handler):
    """The standard library's records, written like every other line."""

    def __init__(self, console: _Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # boundary, as in every logging handler: a bad record is reported
            self.handleError(record)
        else:
            self._console.msg(line)


def _take_over_logging(chain: tuple[Processor, ...], level: int, stream: TextIO) -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        on_console = type(handler) is logging.StreamHandler and handler.stream in (
            sys.stderr,
            sys.stdout,
        )
        if on_console or isinstance(handler, _ConsoleHandler):
            root.removeHandler(handler)
    handler = _ConsoleHandler(_Console(stream))
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.processors.add_log_level, add_logger_name],
            processors=[ProcessorFormatter.remove_processors_meta, *chain],
        )
    )
    root.addHandler(handler)
    _set_logging_level(level)


def _set_logging_level(level: int) -> None:
    logging.getLogger().setLevel(level)
    for name in _CHATTY:
        chatty = logging.DEBUG if level <= logging.DEBUG else max(level, logging.WARNING)
        logging.getLogger(name).setLevel(chatty)
