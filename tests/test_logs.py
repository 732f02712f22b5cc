"""What a log line looks like, and what never stands in one."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import sys
import types
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio import logs
from moobius_trio.logs import PassingSecrets
from moobius_trio.types import Secret

CANARY = 'c4n4ry/"ü+ x\\y'
TOKEN = "eyJhbGciOiJIUzI1NiJ9.c4n4ry-t0ken_x"

NAMES = ("", "httpx", "httpcore", "hypercorn")


@pytest.fixture(autouse=True)
def log_settings_are_restored() -> Iterator[None]:
    """structlog and logging are as before, whatever a test has configured."""
    before = structlog.get_config() if structlog.is_configured() else None
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in NAMES}
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def configured(level: str = "debug", *secrets: Secret) -> io.StringIO:
    """Logs go into the stream that is returned."""
    stream = io.StringIO()
    logs.configure_logs(level=level, secrets=secrets, stream=stream, form="console")
    return stream


def written(secret: str) -> dict[str, str]:
    """A secret in the forms in which libraries and payloads show it."""
    raw = secret.encode()
    return {
        "plain": secret,
        "repr": repr(secret),
        "bytes in a header": base64.b64encode(b"anna@example.org:" + raw).decode(),
        "base64": base64.b64encode(raw).decode(),
        "base64 for addresses": base64.urlsafe_b64encode(b"x" + raw).decode().rstrip("="),
        "url": urllib.parse.quote(secret),
        "url, all": urllib.parse.quote(secret, safe=""),
        "form": urllib.parse.urlencode({"password": secret}),
        "url, lower case": re.sub("%..", lambda hit: hit[0].lower(), urllib.parse.quote(secret)),
        "json": json.dumps({"password": secret}),
        "json, not ascii": json.dumps({"password": secret}, ensure_ascii=False),
        "json in json": json.dumps(json.dumps({"password": secret})),
        "json in a repr": repr(json.dumps({"password": secret})),
    }


@pytest.mark.parametrize("secret", [CANARY, TOKEN])
@pytest.mark.parametrize("form", list(written("xxxx")))
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_secret_is_masked_in_every_form_and_at_every_level(
    secret: str, form: str, level: str
) -> None:
    """In the event, in a value, in a nested value and in a key."""
    stream = configured("debug", Secret(secret))
    text = written(secret)[form]
    log = structlog.get_logger()
    getattr(log, level)(f"before {text} after", value=text, nested=[{"deep": text}], **{text: 1})
    line = stream.getvalue()
    assert line.count("before") == 1
    assert line.count("***") >= 4
    for shown in (text, secret):
        assert shown not in line
        assert shown.strip("'\"") not in line
    assert "c4n4ry" not in line
    assert "YzRuNHJ5" not in line  # the canary's beginning in base64


@given(secret=st.text(min_size=8, max_size=30), before=st.binary(max_size=5), after=st.binary())
def test_base64_hides_a_secret_wherever_it_stands(secret: str, before: bytes, after: bytes) -> None:
    """Decoding what is left of a masked text never gives the secret back."""
    raw = secret.encode("utf-8", "surrogatepass")
    redactor = logs.Redactor()
    redactor.add(Secret(secret))
    text = base64.b64encode(before + raw + after).decode()
    assert logs.MASK in redactor.redact(text)


@given(
    secret=st.text(min_size=4, max_size=12).filter(lambda text: len(text.lstrip("\\")) >= 4),
    quoted=st.lists(st.sampled_from([json.dumps, repr, logs.escape, ascii]), max_size=4),
    before=st.text(alphabet="\\ab\"'", max_size=4),
)
def test_escapes_of_escapes_hide_no_secret(
    secret: str, quoted: list[Callable[[str], str]], before: str
) -> None:
    """However often a text was quoted on its way, the secret in it is found."""
    redactor = logs.Redactor()
    redactor.add(Secret(secret))
    text = before + secret
    for quote in quoted:
        text = quote(text)
    assert logs.MASK in redactor.redact(text)


def test_a_message_of_backslashes_does_not_hold_up_the_log() -> None:
    """The work grows with the message, not with its square."""
    redactor = logs.Redactor()
    redactor.add(Secret("\\\\a\"b\\\\c'd"), Secret("\\\\\\\\"), Secret(CANARY))
    text = "a" + "\\" * 2_000_000
    assert len(redactor.redact(text)) <= len(text)


def test_a_secret_in_a_traceback_is_masked() -> None:
    """In the message of the error, in its cause; and no variable is shown."""
    stream = configured("debug", Secret(TOKEN))

    def fail(unregistered: str) -> None:
        try:
            raise ValueError(f"bad token {TOKEN}")
        except ValueError as exc:
            raise RuntimeError(f"sign-in with {TOKEN!r}") from exc

    try:
        fail("variable-" * 3)
    except RuntimeError:
        structlog.get_logger().exception("it failed", token=TOKEN)
    text = stream.getvalue()
    assert "bad token ***" in text
    assert "RuntimeError: sign-in with '***'" in text
    assert TOKEN not in text
    assert "variable-variable-variable-" not in text


def test_secrets_can_be_registered_later_and_outlive_a_new_configuration() -> None:
    """Tokens come after the log is set up, and the level may change after that."""
    configured()
    logs.register_secrets(Secret(TOKEN))
    stream = configured("info")
    structlog.get_logger().info("hello", token=TOKEN)
    assert TOKEN not in stream.getvalue()
    assert logs.redact(f"a {TOKEN} b") == "a *** b"


def test_of_secrets_that_replace_one_another_the_newest_are_masked() -> None:
    """A service that has had thousands of tokens looks for the last ones only in each line."""
    configured()
    passing, tokens = PassingSecrets(), [f"{TOKEN}-of-day-{day}" for day in range(10, 60)]
    logs.register_secrets(Secret(tokens[0]))
    passing.register(Secret(tokens[-1]))
    for token in tokens:
        passing.register(Secret(token), Secret(tokens[-1]))
    assert logs.redact(" ".join(tokens[-passing.KEPT :])) == " ".join(["***"] * passing.KEPT)
    assert logs.redact(tokens[-passing.KEPT - 1]) == tokens[-passing.KEPT - 1]
    assert logs.redact(tokens[0]) == "***"  # somebody else holds it too
    configured("info")
    passing.register(Secret("a new token of another day"))
    assert logs.redact(f"{tokens[-1]} {tokens[0]}") == "*** ***"
    assert logs.redact(tokens[-passing.KEPT]) == tokens[-passing.KEPT]


def test_very_short_secrets_leave_lines_readable() -> None:
    """A password of three letters would otherwise hide half of every word."""
    stream = configured("debug", Secret("abc"), Secret(""))
    structlog.get_logger().info("abc and nothing else")
    assert "abc and nothing else" in stream.getvalue()


@pytest.mark.parametrize(
    "nasty",
    ["a\nb", "a\r\nb", "a\x1b[31mb", "a\u2028b", "a\x85b", "a\u202eb", "a\ud800b", "a\x00b"],
)
def test_a_text_of_a_user_stays_within_its_line(nasty: str) -> None:
    """Line breaks, terminal codes and invisible characters are written as escapes."""

    class Odd:
        def __repr__(self) -> str:
            return nasty

    stream = configured()
    structlog.get_logger().info(nasty, name=nasty, inner=[nasty], odd=Odd(), **{nasty: 1})
    line = stream.getvalue()
    assert line.splitlines() == [line.removesuffix("\n")]
    assert line.removesuffix("\n").isprintable()


def test_no_line_of_a_traceback_looks_like_a_log_line() -> None:
    """An error's own line breaks included."""
    stream = configured()
    try:
        raise ValueError("x\n2026-01-01 00:00:00 [info     ] all is well")
    except ValueError:
        structlog.get_logger().exception("it failed")
    first, *others = stream.getvalue().splitlines()
    assert "it failed" in first
    assert others
    assert all(line.startswith("    ") for line in others)


def test_a_value_that_cannot_be_shown_stops_nobody() -> None:
    """Its type is named instead."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    stream = configured()
    structlog.get_logger().info("hello", value=Broken())
    assert "<Broken, whose repr raised RuntimeError>" in stream.getvalue()


def test_the_level_decides_what_is_shown() -> None:
    """Below it nothing is; a level set later holds for loggers that exist already."""
    stream = configured("warning")
    log = structlog.get_logger()
    log.info("one")
    log.warning("two")
    logs.set_level("debug")
    log.debug("three")
    assert [word in stream.getvalue() for word in ("one", "two", "three")] == [False, True, True]
    with pytest.raises(ValueError, match="no log level 'loud'"):
        logs.set_level("loud")


def test_setting_a_level_leaves_a_users_own_configuration_alone() -> None:
    """Only what configure_logs has set up is changed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    before = structlog.get_config()["wrapper_class"]
    logs.set_level("debug")
    assert structlog.get_config()["wrapper_class"] is before


def test_a_configuration_made_after_ours_keeps_its_level() -> None:
    """As one in a module that the command line imports."""
    configured()
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger("error"),
    )
    before = structlog.get_config()["wrapper_class"]
    logs.set_level("debug")
    assert structlog.get_config()["wrapper_class"] is before


def test_records_of_the_standard_library_look_the_same() -> None:
    """Same line, same mask, same level; a library that reports each request is heard less."""
    stream = configured("info", Secret(TOKEN))
    logging.getLogger("mine").info("hello %s", TOKEN, extra={"x": 1})
    logging.getLogger("mine").debug("not this")
    logging.getLogger("httpx").info("HTTP Request: POST")
    logging.getLogger("httpx").warning("slow")
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logging.getLogger("mine").exception("a\nb")
    text = stream.getvalue()
    lines = text.splitlines()
    assert "[info     ] hello ***" in lines[0]
    assert "[mine]" in lines[0]
    assert "[warning  ] slow" in lines[1]
    assert "[error    ] a\\nb" in lines[2]
    assert "ValueError: ***" in lines[-1]
    assert TOKEN not in text
    assert "not this" not in text


def test_configuring_twice_or_after_basic_config_logs_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The console has one handler; others are left alone."""
    console, kept = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", console)
    root = logging.getLogger()
    root.addHandler(logging.StreamHandler())
    other = logging.StreamHandler(kept)
    root.addHandler(other)
    logs.configure_logs()
    logs.configure_logs()
    logging.getLogger("mine").warning("hello")
    assert console.getvalue().count("hello") == 1
    assert kept.getvalue().count("hello") == 1


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and FORCE_COLOR decide over it; a mask holds in colour too."""
    for variables, stream, colour in [
        ({}, io.StringIO(), False),
        ({}, Terminal(), True),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
    ]:
        with monkeypatch.context() as patch:
            patch.delenv("NO_COLOR", raising=False)
            patch.delenv("FORCE_COLOR", raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            logs.configure_logs(secrets=[Secret(TOKEN)], stream=stream)
        structlog.get_logger().info("hello", token=TOKEN)
        assert ("\x1b[" in stream.getvalue()) is colour
        assert TOKEN not in stream.getvalue()


def test_a_lost_reader_of_the_log_stops_nobody() -> None:
    """A closed stream or a broken pipe loses lines, nothing else."""
    stream = configured()
    stream.close()
    structlog.get_logger().info("hello")
    logging.getLogger("mine").warning("hello")


def of_the_package(name: str = "moobius_trio.some.module") -> Callable[[], None]:
    """A function that logs at each level, as if it stood in this module."""
    module = types.ModuleType(name)
    source = (
        "import structlog\n"
        "log = structlog.get_logger()\n"
        "def speak():\n"
        "    bound = log.bind(band='b')\n"
        "    log.debug('one'); log.info('two'); bound.info('three'); bound.warning('four')\n"
    )
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - the text above
    speak: Callable[[], None] = module.speak
    return speak


def test_unconfigured_the_package_logs_warnings_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A user's own lines are shown all the same."""
    assert logs.is_unconfigured()
    logs.quiet_unless_configured()
    assert logs.is_unconfigured()
    of_the_package()()
    of_the_package("users_own")()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[-2 if "band" in line else -1] for line in lines] == [
        "four",
        "one",
        "two",
        "three",
        "four",
    ]


def test_a_configuration_of_the_user_is_left_alone() -> None:
    """Made before, it stays; made after, it wins."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    before = structlog.get_config()
    logs.quiet_unless_configured()
    assert structlog.get_config() == before
    assert not logs.is_unconfigured()
    structlog.reset_defaults()
    logs.quiet_unless_configured()
    stream = configured("info")
    assert not logs.is_unconfigured()
    of_the_package()()
    assert "two" in stream.getvalue()


def test_secrets_are_masked_and_variables_hidden_while_unconfigured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The warnings that remain may have a traceback."""
    logs.quiet_unless_configured()
    logs.register_secrets(Secret(TOKEN))
    hidden = "value-of-a-variable"
    try:
        raise ValueError(TOKEN + hidden[:0])
    except ValueError:
        structlog.get_logger().exception("it failed")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "ValueError: ***" in shown.err
    assert TOKEN not in shown.err
    assert hidden not in shown.err
