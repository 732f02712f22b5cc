"""From the records of an inspector to a tape.

Takes the records as plain data, in the form in which ``/local/inspect`` tells them; opens nothing
and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import attrs

from moobius_trio.codec.text import parse_object
from moobius_trio.errors import MalformedPayload
from moobius_trio.tapes.normal import UPLOAD, Names, deed, file_name, sight
from moobius_trio.tapes.tape import DEEDS, SIGHTS, Down, Event, Frame, Tape, Up
from moobius_trio.types import JsonValue

__all__ = ("TOGETHER_MS", "Recorder")

TOGETHER_MS: Final = 250
"""What follows within this time is one step with what was done before, as when a page opens: its
effects cross each other, and only what they end in is the same each time."""

FILE_BYTES: Final = 512 * 1024
ALL_FILES_BYTES: Final = 8 * 1024 * 1024
"""How much of what people uploaded stands in a tape; a file that does not is only named."""


@attrs.define
class _Deed:
    """One frame up, with all that came of it."""

    number: int
    who: str
    band: str
    at: int
    frame: Frame
    apart: bool
    """Whether it is known to be a step of its own."""
    downs: list[_Sight] = attrs.field(factory=list)


@attrs.define
class _Sight:
    """One frame down."""

    order: int
    to: tuple[str, ...]
    band: str
    at: int
    by: str
    frame: Frame


class Recorder:
    """Collects records until a tape is made of them.

    Args:
        members: who is in each band when it begins, as ids in joining order.
        nicknames: of these and whoever else is known, by id.
        began: milliseconds since 1970, by the platform's clock.
    """

    def __init__(
        self,
        members: Mapping[str, Sequence[str]],
        nicknames: Mapping[str, str],
        *,
        began: int,
    ) -> None:
        self.names = Names()
        self.ups = 0
        """What people did so far."""
        self.downs = 0
        """Frames that they were sent so far."""
        self.left_out = 0
        """Frames so large that the inspector had only a part of them."""
        for ids in members.values():
            for identity in ids:
                self.names.learn(identity, nicknames.get(identity, ""))
        for identity, nickname in nicknames.items():
            self.names.learn(identity, nickname)
        self._members = members
        self._began = began
        self._before: list[_Sight] = []
        self._deeds: list[_Deed] = []
        self._numbers: dict[int, _Deed] = {}
        self._apart = False

    def begin_step(self) -> None:
        """What comes next is a step of its own, however soon it comes."""
        self._apart = True

    def feed(self, record: Mapping[str, JsonValue]) -> None:
        """Take one record; those that belong on no tape are passed over."""
        direction, kind = record.get("direction"), record.get("type")
        if record.get("kind") != "frame" or record.get("refused"):
            return
        if (direction, kind in DEEDS) != ("up", True) and (
            (direction, kind in SIGHTS) != ("down", True)
        ):
            return
        nicknames = record.get("names")
        if isinstance(nicknames, Mapping):
            for identity, nickname in nicknames.items():
                self.names.learn(identity, str(nickname))
        try:
            frame = cast("Frame", parse_object(str(record.get("frame")), "frame"))
        except MalformedPayload:
            self.left_out += 1
            return
        self.names.learn_from(frame)
        if direction == "up":
            self._take_deed(record, frame)
        else:
            self._take_sight(record, frame)

    def _take_deed(self, record: Mapping[str, JsonValue], frame: Frame) -> None:
        number, at = _integer(record.get("n")), _integer(record.get("at"))
        found = _Deed(
            number=number,
            who=str(record.get("from")),
            band=str(record.get("band")),
            at=at,
            frame=frame,
            apart=self._apart,
        )
        self._apart = False
        self._deeds.append(found)
        self._numbers[number] = found
        self.ups += 1

    def _take_sight(self, record: Mapping[str, JsonValue], frame: Frame) -> None:
        cause, handler, to = record.get("cause"), record.get("handler"), record.get("to")
        recipients = tuple(map(str, to)) if isinstance(to, list | tuple) else ()
        if not recipients:
            return  # nobody saw it
        found = _Sight(
            order=self.downs,
            to=recipients,
            band=str(record.get("band")),
            at=_integer(record.get("at")),
            by=str(handler) if handler and cause is None else "",
            frame=frame,
        )
        if cause is None:
            (self._deeds[-1].downs if self._deeds else self._before).append(found)
        elif (deed_of_it := self._numbers.get(_integer(cause))) is not None:
            deed_of_it.downs.append(found)
        else:
            return  # it came of what was done before the tape began
        self.downs += 1

    @property
    def uploads(self) -> tuple[str, ...]:
        """The keys of all uploads that stand in the frames, each once."""
        sights = [*self._before, *(sight for deed in self._deeds for sight in deed.downs)]
        frames = [*(each.frame for each in self._deeds), *(each.frame for each in sights)]
        return tuple(dict.fromkeys(key for frame in frames for key in _keys(frame)))

    def tape(
        self, uploads: Mapping[str, bytes], *, ended: int, service: str = "", recorded: str = ""
    ) -> Tape:
        """The tape of all that was taken.

        Args:
            uploads: what the uploads hold, by key; one that is missing is nameless in the tape.
            ended: milliseconds since 1970, by the platform's clock.
        """
        labels = {key: file_name(key, content) for key, content in uploads.items()}
        events: list[Event] = [self._down(each, labels) for each in self._before]
        for first, *more in self._in_steps():
            events += [self._up(first, labels, False)]
            events += [self._up(each, labels, True) for each in more]
            downs = [down for each in (first, *more) for down in each.downs]
            downs.sort(key=lambda down: down.order)
            events += [self._down(each, labels) for each in downs]
        return Tape(
            service=service,
            recorded=recorded,
            members={
                band: tuple(map(self.names.of, ids)) for band, ids in self._members.items() if ids
            },
            files=self._files(uploads, labels),
            events=tuple(events),
            ms=max(0, ended - self._began),
        )

    def _in_steps(self) -> list[list[_Deed]]:
        steps: list[list[_Deed]] = []
        for each in self._deeds:
            if steps and not each.apart and each.at - steps[-1][-1].at < TOGETHER_MS:
                steps[-1].append(each)
            else:
                steps.append([each])
        return steps

    def _up(self, found: _Deed, labels: Mapping[str, str], together: bool) -> Up:
        return Up(
            who=self.names.of(found.who),
            band=found.band,
            ms=max(0, found.at - self._began),
            together=together,
            frame=deed(found.frame, self.names, labels),
        )

    def _down(self, found: _Sight, labels: Mapping[str, str]) -> Down:
        return Down(
            to=tuple(map(self.names.of, found.to)),
            band=found.band,
            ms=max(0, found.at - self._began),
            by=found.by,
            frame=sight(found.frame, self.names, labels),
        )

    def _files(self, uploads: Mapping[str, bytes], labels: Mapping[str, str]) -> dict[str, bytes]:
        """What people had uploaded themselves, as far as it is small."""
        files: dict[str, bytes] = {}
        room = ALL_FILES_BYTES
        for key in dict.fromkeys(key for each in self._deeds for key in _keys(each.frame)):
            content = uploads.get(key)
            if content is not None and len(content) <= min(FILE_BYTES, room):
                files[labels[key]] = content
                room -= len(content)
        return files


def _integer(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def _keys(value: JsonValue) -> list[str]:
    """The keys of the uploads whose addresses stand in a frame."""
    if isinstance(value, str):
        return UPLOAD.findall(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    return [key for each in value for key in _keys(each)] if isinstance(value, list | tuple) else []
