"""The settings of a service as one frozen value, and the table that describes each of them.

The defaults stand in `Settings`, everything else about a key in `SETTINGS_TABLE`. Nothing here
reads a file or the environment.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

from moobius_trio.config.files import kind_of, suggest
from moobius_trio.types import ChannelId, Secret, ServiceId

__all__ = (
    "LOG_LEVELS",
    "SETTINGS_TABLE",
    "Setting",
    "Settings",
    "WrongValue",
    "is_loopback",
    "read_flag",
    "read_text",
)

MESSAGE_BYTES_LIMIT = 131_072
"""The most that the platform's host is known to take (docs/protocol/generation-0.md 4.4)."""

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@attrs.frozen(kw_only=True)
class Settings:
    """What a service runs with. `SETTINGS_TABLE` says what each field means.

    ``path`` is the file that the id of a new service is written into: the one they were read
    from, or one in a state folder. None when they come from somewhere else.
    """

    http_server_uri: str
    ws_server_uri: str
    email: str
    password: Secret
    service_id: ServiceId | None = None
    channels: tuple[ChannelId, ...]
    others: Literal["ignore", "unbind", "include"] = "ignore"
    protocol: Literal["0.0.1", "1.8"] = "0.0.1"
    name: str | None = None
    max_message_bytes: int = 65_000
    lanes: Literal["channel", "sender"] = "channel"
    ordering: Literal["pipelined", "strict"] = "pipelined"
    handler_seconds: float | None = 60.0
    ops_port: int | None = None
    log_level: str = "info"
    logs: str | None = "logs"
    ca_file: str | None = None
    service_mode: bool = True
    path: Path | None = None


class WrongValue(Exception):
    """A value that a setting cannot have. Never holds the value of a secret."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


Reader: TypeAlias = Callable[[object], object]
"""Takes a JSON value and gives the setting's value, or raises `WrongValue`."""


@attrs.frozen
class Setting:
    """One key of service.json."""

    key: str
    type: str
    """The type, in words for the reference page."""
    meaning: str
    read: Reader = attrs.field(repr=False)

    @property
    def required(self) -> bool:
        """True when there is no default. E-mail and password may come from the environment."""
        return self._field.default is attrs.NOTHING

    @property
    def default(self) -> object:
        """The value when the key is absent; None for a required key."""
        return None if self.required else self._field.default

    @property
    def _field(self) -> attrs.Attribute[Any]:
        return attrs.fields_dict(Settings)[self.key]


def is_loopback(address: str) -> bool:
    """Whether a URL's host is this machine: ``localhost`` or a loopback number."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _expect(value: object, kind: type | tuple[type, ...], words: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise WrongValue(f"must be {words}, not {kind_of(value)}")


def read_text(value: object) -> str:
    """A text that is not empty and has neither control characters nor a ``<placeholder>``."""
    _expect(value, str, "a text")
    text = str(value)
    if not text.strip():
        raise WrongValue("is empty", "Fill it in")
    if not text.isprintable():
        raise WrongValue("has a character that cannot be seen (a line break, a control character)")
    if re.search("<[^<>]*>", text):
        raise WrongValue("still has the text of the template", "Fill in your own")
    return text


def read_flag(value: object) -> bool:
    """True or false."""
    _expect(value, bool, "true or false")
    return value is True


def _read_id(value: object) -> str:
    text = read_text(value)
    if len(text) > 200 or any(mark in text for mark in " /\\"):
        raise WrongValue("is not an id: it has spaces or slashes, or more than 200 characters")
    return text


def _read_service_id(value: object) -> ServiceId | None:
    return None if value is None or value == "" else ServiceId(_read_id(value))


def _read_channels(value: object) -> tuple[ChannelId, ...]:
    if not isinstance(value, list):
        raise WrongValue(f"must be a list of band ids, not {kind_of(value)}")
    ids: list[ChannelId] = []
    for number, entry in enumerate(value, 1):
        try:
            ids.append(ChannelId(_read_id(entry)))
        except WrongValue as exc:
            raise WrongValue(f"entry {number} {exc.problem}", exc.remedy) from None
    if not ids:
        raise WrongValue("names no band", "Put the id of at least one band into it")
    return tuple(dict.fromkeys(ids))


def _read_password(value: object) -> Secret:
    _expect(value, str, "a text")
    if not value:
        raise WrongValue("is empty", "Fill it in or set MOOBIUS_PASSWORD")
    return Secret(str(value))


def _address(plain: str, safe: str) -> Reader:
    """A URL with one of two schemes; the plain one only on this machine."""

    def read(value: object) -> str:
        text = read_text(value)
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise WrongValue("is not an address") from None
        if parts.scheme not in (plain, safe) or not host or " " in text:
            raise WrongValue(f"must be an address that begins with {safe}:// (or {plain}://)")
        if parts.username is not None or parts.query or parts.fragment:
            raise WrongValue("must be host and path only, without user, query or fragment")
        if parts.scheme == plain and not is_loopback(text):
            raise WrongValue(
                f"would send the password unencrypted to {host}",
                f"Use {safe}://; {plain}:// is for this machine only",
            )
        return text

    return read


def _choice(*words: str) -> Reader:
    def read(value: object) -> str:
        _expect(value, str, "a text")
        if value not in words:
            raise WrongValue(f"cannot be {value!r}", suggest(str(value), words))
        return str(value)

    return read


def _read_level(value: object) -> str:
    return str(_choice(*LOG_LEVELS)(value.lower() if isinstance(value, str) else value))


def _read_name(value: object) -> str:
    text = read_text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text):
        raise WrongValue(
            "must have 1 to 64 letters a-z or A-Z, digits or the marks _ . - and no mark in front"
        )
    return text


def _whole(lowest: int, highest: int) -> Reader:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise WrongValue(f"must be a whole number, not {_number_or_kind(value)}")
        if not lowest <= value <= highest:
            raise WrongValue(f"must be from {lowest:,} to {highest:,}, not {value:,}")
        return value

    return read


def _number_or_kind(value: object) -> str:
    return str(value) if isinstance(value, float) else kind_of(value)


def _read_seconds(value: object) -> float:
    _expect(value, (int, float), "a number of seconds or null")
    seconds = float(str(value))  # through text, since a huge whole number would overflow
    if not 0 < seconds < math.inf:
        raise WrongValue("must be a number of seconds above 0, or null for no limit")
    return seconds


def _or_null(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


SETTINGS_TABLE: tuple[Setting, ...] = (
    Setting(
        "http_server_uri",
        "address",
        "The platform's HTTP address; https, or http on this machine.",
        _address("http", "https"),
    ),
    Setting(
        "ws_server_uri",
        "address",
        "The platform's WebSocket address; wss, or ws on this machine.",
        _address("ws", "wss"),
    ),
    Setting(
        "email",
        "text",
        "The account. MOOBIUS_EMAIL wins over it, and then the key may be absent.",
        read_text,
    ),
    Setting(
        "password",
        "text",
        "The account's password. MOOBIUS_PASSWORD, or the content of the file that "
        "MOOBIUS_PASSWORD_FILE names, wins over it, and then the key may be absent.",
        _read_password,
    ),
    Setting(
        "service_id",
        "text",
        "The service to run as. Absent or empty: a service is created and its id written here.",
        _read_service_id,
    ),
    Setting(
        "channels",
        "list of texts",
        "The ids of the bands to serve. The file is never changed here: a band that cannot be "
        "taken is reported and stays in the list.",
        _read_channels,
    ),
    Setting(
        "others",
        "'ignore', 'unbind' or 'include'",
        "What to do with a band that another service holds: leave it alone; take it from that "
        "service without serving it; take it and serve it.",
        _choice("ignore", "unbind", "include"),
    ),
    Setting(
        "protocol",
        "'0.0.1' or '1.8'",
        "The words that the platform speaks: those of the SDK's first public version, or those of "
        "today, which moobius.ai speaks.",
        _choice("0.0.1", "1.8"),
    ),
    Setting(
        "name",
        "text or null",
        "What the service is called on this machine, for spells from other processes. Null: the "
        "class name in kebab-case. A second live service of the same name is refused.",
        _or_null(_read_name),
    ),
    Setting(
        "max_message_bytes",
        "whole number",
        f"The largest frame that is sent, in bytes; at most {MESSAGE_BYTES_LIMIT:,}.",
        _whole(1, MESSAGE_BYTES_LIMIT),
    ),
    Setting(
        "lanes",
        "'channel' or 'sender'",
        "What is handled one at a time: the events of a band, or those of one user in a band.",
        _choice("channel", "sender"),
    ),
    Setting(
        "ordering",
        "'pipelined' or 'strict'",
        "How frames of one band leave: each at once, or when the platform has answered the one "
        "before. Strict keeps their order also where the platform handles what it gets side by "
        "side; it costs a round trip for each frame.",
        _choice("pipelined", "strict"),
    ),
    Setting(
        "handler_seconds",
        "number or null",
        "How long a handler may run, in seconds. Null: no limit.",
        _or_null(_read_seconds),
    ),
    Setting(
        "ops_port",
        "whole number or null",
        "A port of this machine alone that serves /healthz, /readyz and /metrics; 0: any free one, "
        "which is logged. Services of one process may share a port. Null: none.",
        _or_null(_whole(0, 65_535)),
    ),
    Setting(
        "log_level",
        "'debug', 'info', 'warning', 'error' or 'critical'",
        "The least level that is logged.",
        _read_level,
    ),
    Setting(
        "logs",
        "text or null",
        "The folder of service.log and error.log, which begin anew at midnight and are kept for "
        "seven days; of a `MoobiusUser` logs/user if nothing is said. LOGS_DIRECTORY, as systemd "
        "sets it, wins over it. Null: no files.",
        _or_null(read_text),
    ),
    Setting(
        "ca_file",
        "text or null",
        "A file of certificate authorities (PEM) whose word on the platform's certificate counts "
        "besides that of those which this machine trusts; `moobius-trio local --tls` prints the "
        "path of its own. Null: none.",
        _or_null(read_text),
    ),
    Setting(
        "service_mode",
        "true or false",
        "False: the file is for a `MoobiusUser`, which logs in as the account itself and joins "
        "`channels` (there may be none). `service_id`, `others` and `lanes` say nothing then.",
        read_flag,
    ),
)
"""Every key that service.json may have, in the order of the reference page."""
