"""The text of a tape: JSON, one line for each event, written and read.

Format 1. The first line has ``tape``, the format's number; the last one has ``end``, so that a
tape that was cut off is known as one. Files are not opened here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final, TypeVar, cast

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.text import dump, parse_object
from moobius_trio.errors import MalformedPayload, UsageError
from moobius_trio.tapes.tape import DEEDS, SIGHTS, Down, Event, Frame, Tape, Up

__all__ = ("FORMAT", "PROTOCOL", "TAPE_BYTES", "read_tape", "write_tape")

FORMAT: Final = 1
PROTOCOL: Final = "0.0.1"
"""The generation of the protocol whose frames stand in a tape."""

TAPE_BYTES: Final = 32 * 1024 * 1024
"""A longer tape is not read."""

LINE_BYTES: Final = 2 * 1024 * 1024

_OWN: Final = frozenset(("up", "down", "band", "ms", "by", "together"))
"""Keys of a line that are not the frame's."""

_NO_TAPE: Final = "this is no tape of moobius-trio"

T = TypeVar("T")


@attrs.frozen
class _Head:
    tape: int
    protocol: str
    service: str = ""
    recorded: str = ""
    members: dict[str, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen
class _File:
    file: str
    base64: str


@attrs.frozen
class _Up:
    up: str
    band: str
    type: str
    body: JsonObject
    ms: int = 0
    together: bool = False


@attrs.frozen
class _Down:
    down: tuple[str, ...]
    band: str
    type: str
    ms: int = 0
    by: str = ""


@attrs.frozen
class _End:
    end: int


def write_tape(tape: Tape) -> str:
    """The text of a tape; `read_tape` gives the tape back."""
    return "".join(dump(line) + "\n" for line in _lines(tape))


def _lines(tape: Tape) -> Iterator[dict[str, object]]:
    head = {"tape": FORMAT, "protocol": PROTOCOL, "service": tape.service}
    yield {**head, "recorded": tape.recorded, "members": dict(tape.members)}
    for name, content in tape.files.items():
        yield {"file": name, "base64": base64.b64encode(content).decode("ascii")}
    for event in tape.events:
        if isinstance(event, Up):
            line: dict[str, object] = {"up": event.who, "band": event.band, "ms": event.ms}
            if event.together:
                line["together"] = True
        else:
            line = {"down": event.to, "band": event.band, "ms": event.ms}
            if event.by:
                line["by"] = event.by
        yield {**line, **event.frame}
    yield {"end": tape.ms}


def read_tape(text: str, name: str) -> Tape:
    """The tape that a text is.

    Args:
        name: what it is called in an error, such as the file's path.

    Raises:
        UsageError: it is none, of another format, damaged, cut off or too long; one line that
            says where.
    """
    if len(text) > TAPE_BYTES:
        raise UsageError(f"{name}: a tape may have {TAPE_BYTES:,} bytes, this one has more.")
    lines = text.split("\n")
    head = _read_head(lines[0], name)
    files: dict[str, bytes] = {}
    events: list[Event] = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{name}, line {number}"
        if not line and number == len(lines):
            break
        plain = _plain(line, where, cut=number == len(lines))
        if "end" in plain:
            end = _as(_End, plain, where).end
            if any(lines[number:]):
                raise UsageError(f"{where}: the tape ends here, and yet lines follow.")
            return Tape(
                service=head.service,
                recorded=head.recorded,
                members=head.members,
                files=files,
                events=tuple(events),
                ms=end,
            )
        if "file" in plain:
            file = _as(_File, plain, where)
            files[file.file] = _content(file, where)
        else:
            events.append(_event(plain, where))
    raise UsageError(f"{name}: the tape is cut off: its last line, with `end`, is missing.")


def _read_head(line: str, name: str) -> _Head:
    try:
        plain = parse_object(line, "head", max_bytes=LINE_BYTES)
    except MalformedPayload:
        raise UsageError(f"{name}: {_NO_TAPE}; the first line of one has `tape`.") from None
    if "tape" not in plain:
        raise UsageError(f"{name}: {_NO_TAPE}; the first line of one has `tape`.")
    head = _as(_Head, plain, f"{name}, line 1")
    if head.tape != FORMAT:
        raise UsageError(
            f"{name}: a tape of format {head.tape}; this version reads format {FORMAT}. "
            + ("Install a newer one." if head.tape > FORMAT else "Record it anew.")
        )
    if head.protocol != PROTOCOL:
        raise UsageError(
            f"{name}: a tape of protocol {head.protocol!r}; this version plays {PROTOCOL!r}."
        )
    return head


def _plain(line: str, where: str, *, cut: bool) -> dict[str, object]:
    try:
        return parse_object(line, "line", max_bytes=LINE_BYTES)
    except MalformedPayload as exc:
        if cut:
            raise UsageError(f"{where}: the tape is cut off in the middle of this line.") from None
        raise UsageError(f"{where}: {'; '.join(exc.faults)}.") from None


def _as(kind: type[T], plain: dict[str, object], where: str) -> T:
    try:
        return structure(plain, kind, what="line")
    except MalformedPayload as exc:
        raise UsageError(f"{where}: {'; '.join(exc.faults)}.") from None


def _content(file: _File, where: str) -> bytes:
    try:
        return base64.b64decode(file.base64, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{where}: the file's content is no base64.") from None


def _event(plain: dict[str, object], where: str) -> Event:
    frame = cast("Frame", {key: value for key, value in plain.items() if key not in _OWN})
    if "up" in plain:
        up = _as(_Up, plain, where)
        if up.type not in DEEDS:
            raise UsageError(f"{where}: nobody does {up.type!r}; one of {sorted(DEEDS)}.")
        return Up(who=up.up, band=up.band, ms=up.ms, together=up.together, frame=frame)
    if "down" in plain:
        down = _as(_Down, plain, where)
        if down.type not in SIGHTS:
            raise UsageError(f"{where}: nobody is sent {down.type!r}; one of {sorted(SIGHTS)}.")
        return Down(to=down.down, band=down.band, ms=down.ms, by=down.by, frame=frame)
    raise UsageError(f"{where}: a line of a tape has one of `up`, `down`, `file`, `end`.")
