"""structlog and the standard library's logging, set up to reach the same sinks.

What a line may show is decided in `redaction`, how it looks in `sinks`; what an event means is
not known here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from moobius_trio.logs.files import LogFiles
from moobius_trio.logs.redaction import Redactor
from moobius_trio.logs.sinks import Sinks, console_form, console_sink, json_form, plain_values
from moobius_trio.types import Secret

__all__ = (
    "PassingSecrets",
    "configure_logs",
    "is_unconfigured",
    "open_log_files",
    "quiet_unless_configured",
    "redact",
    "register_secrets",
    "set_level",
)

_CHATTY = ("httpx", "httpcore", "hypercorn")
"""Libraries that report each request at level info; they are heard from ``warning`` on."""


def configure_logs(
    *,
    level: str = "info",
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
    form: Literal["auto", "console", "json"] = "auto",
) -> None:
    """Log to the console: one line an event, without secrets.

    Replaces whatever configuration structlog has; secrets registered before stay registered.
    Records of the standard library's ``logging`` go the same way; a handler that
    ``logging.basicConfig`` has put on the console is replaced, any other one is left alone. The
    environment variables ``NO_COLOR`` and ``FORCE_COLOR`` decide over colour if they are set.

    Args:
        level: the least level shown: debug, info, warning, error or critical, in any case.
        secrets: what must never be seen; more can follow with `register_secrets`.
        stream: where to; standard error when None.
        form: ``console`` for people, in colour on a terminal; ``json`` for programs; ``auto``:
            ``console`` on a terminal or with ``FORCE_COLOR``, else ``json``.

    Raises:
        ValueError: there is no such level.
    """
    number = _number(level)
    out = sys.stderr if stream is None else stream
    if form == "auto":
        form = "console" if os.environ.get("FORCE_COLOR") or _is_terminal(out) else "json"
    wrapper = structlog.make_filtering_bound_logger(number)
    chain = _configure(wrapper, out, tuple(secrets), form)
    _take_over_logging(chain, number)


@contextmanager
def open_log_files(folder: Path) -> Iterator[None]:
    """Log into ``service.log`` and ``error.log`` of a folder too, for as long as the block runs.

    Lines of JSON; in ``error.log`` only warnings and worse. A new file each midnight (local
    time), seven old ones are kept. The folder is made (0700); files are 0600. Blocks inside one
    another, in whatever tasks, write into the files of the first. Files that cannot be opened
    are one warning. Does nothing where structlog's configuration is not that of
    `configure_logs`: then the program has set its logs up itself.
    """
    files = next((files for files in _files() if not is_unconfigured()), None)
    if files is None:
        yield
        return
    problem = files.enter(folder)
    if problem is not None:
        structlog.get_logger().warning(
            "no log files are written",
            folder=str(folder),
            problem=problem,
            remedy="name another folder with key logs in service.json, or set it to null",
        )
    try:
        yield
    finally:
        files.leave()


def quiet_unless_configured() -> None:
    """Let the package log only warnings while nobody has configured structlog.

    structlog prints everything, also debug, as long as it is unconfigured. `serve` calls this, so
    that ``trio.run(service.serve)`` is quiet: this package's own events below ``warning`` are
    dropped at the call; a user's own are shown as before. Tracebacks are printed without the
    values of variables, and secrets are masked. A configuration made before or after wins.
    """
    if not structlog.is_configured():
        _configure(_QuietLogger, sys.stderr, (), "console")


def is_unconfigured() -> bool:
    """True while structlog has no configuration but the one of `quiet_unless_configured`."""
    return not structlog.is_configured() or _current("wrapper_class") is _QuietLogger


def set_level(level: str) -> None:
    """Change the least level shown; only where structlog is as `configure_logs` has set it up."""
    if _files() and not is_unconfigured():
        number = _number(level)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
        _set_logging_level(number)


def register_secrets(*secrets: Secret) -> None:
    """Mask these in every later line, as long as a `Redactor` is in structlog's chain."""
    for redactor in _redactors():
        redactor.add(*secrets)


class PassingSecrets:
    """Secrets that replace one another, such as the tokens of one account.

    The newest `KEPT` of them are masked: an access token is good for a day and has a successor
    after six hours, a refresh token after a week. What is older has been spent for long, and a
    process that runs for months would else look for every token it ever had in each of its lines.
    """

    KEPT: Final = 8

    def __init__(self) -> None:
        self._newest: dict[Secret, None] = {}

    def register(self, *secrets: Secret) -> None:
        """Mask these, as with `register_secrets`; one that is known already counts as new."""
        for secret in secrets:
            if secret not in self._newest:
                register_secrets(secret)
            self._newest.pop(secret, None)
            self._newest[secret] = None
        while len(self._newest) > self.KEPT:
            spent = next(iter(self._newest))
            del self._newest[spent]
            for redactor in _redactors():
                redactor.remove(spent)


def redact(text: str) -> str:
    """A text that goes past the log, such as a traceback, with the registered secrets masked."""
    for redactor in _redactors():
        text = redactor.redact(text)
    return text


def _redactors() -> list[Redactor]:
    return [
        found.redactor if isinstance(found, Sinks) else found
        for found in _current("processors")
        if isinstance(found, Redactor | Sinks)
    ]


def _files() -> list[LogFiles]:
    return [found.files for found in _current("processors") if isinstance(found, Sinks)]


def _current(key: str) -> Any:
    return structlog.get_config()[key]


def _number(level: str) -> int:
    try:
        return logging.getLevelNamesMapping()[level.upper()]
    except KeyError:
        raise ValueError(f"there is no log level {level!r}") from None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def _configure(
    wrapper: type[Any],
    stream: TextIO | None,
    secrets: tuple[Secret, ...],
    form: Literal["console", "json"],
) -> tuple[Processor, ...]:
    """Set structlog up; gives the part of the chain that other records share."""
    redactor = Redactor()
    for earlier in _redactors():
        redactor.add_from(earlier)
    redactor.add(*secrets)
    written = json_form if form == "json" else console_form(stream)
    files = next(iter(_files()), None) or LogFiles()
    sinks = Sinks(redactor, console_sink(stream, written), files)
    chain: tuple[Processor, ...] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # without variables: they may hold anything
        plain_values,
        sinks,
    )
    nothing = _Nothing()
    structlog.configure(
        processors=list(chain),
        wrapper_class=wrapper,
        context_class=dict,
        logger_factory=lambda *_: nothing,
        cache_logger_on_first_use=False,  # a level set later must hold for every module
    )
    return chain


class _Nothing:
    """What structlog calls when the sinks have had a line: nothing is left to print."""

    def msg(self, line: str) -> None:
        pass

    debug = info = warning = error = critical = exception = log = warn = fatal = err = failure = msg


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


class _Handler(logging.Handler):
    """The standard library's records, on the same way as every other event."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.format(record)  # the chain's last processor hands it to the sinks
        except Exception:  # boundary, as in every logging handler: a bad record is reported
            self.handleError(record)


def _take_over_logging(chain: tuple[Processor, ...], level: int) -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        on_console = type(handler) is logging.StreamHandler and handler.stream in (
            sys.stderr,
            sys.stdout,
        )
        if on_console or isinstance(handler, _Handler):
            root.removeHandler(handler)
    handler = _Handler()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_logger_name, ExtraAdder(), _without_formatted],
            processors=[ProcessorFormatter.remove_processors_meta, *chain],
        )
    )
    root.addHandler(handler)
    _set_logging_level(level)


def _without_formatted(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Leave out what other handlers have noted in the record; no field of a user's is so named."""
    for key in ("message", "asctime"):
        event.pop(key, None)
    return event


def _set_logging_level(level: int) -> None:
    logging.getLogger().setLevel(level)
    for name in _CHATTY:
        chatty = logging.DEBUG if level <= logging.DEBUG else max(level, logging.WARNING)
        logging.getLogger(name).setLevel(chatty)
