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

ROOM: Final = 16 * 1024 * 1024
"""Characters of all frames; what comes when they are taken is not on the tape."""

FILE_BYTES: Final = 512 * 1024
ALL_FILES_BYTES: Final = 8 * 1024 * 1024
"""How much of what people uploaded stands in a tape; a file that does not is only named."""


@attrs.define
class _Deed:
    """One frame up."""

    number: int
    who: str
    band: str
    at: int
    frame: Frame
    apart: bool
    """Whether it is known to be a step of its own."""


@attrs.define
class _Sight:
    """One frame down."""

    number: int
    to: tuple[str, ...]
    band: str
    at: int
    cause: int | None
    handler: str
    frame: Frame
    after: int
    """How many deeds had been done when it came."""


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
        self.left_out = 0
        """Frames so large that the inspector had only a part of them, and those that came when
        `ROOM` characters were taken."""
        self._room = ROOM
        self.missed = 0
        """Records that were lost on the way here; what they were about is not on the tape."""
        self.learn({each: nicknames.get(each, "") for ids in members.values() for each in ids})
        self.learn(nicknames)
        self._members = members
        self._began = began
        self._deeds: list[_Deed] = []
        self._sights: dict[int, _Sight] = {}
        self._keys: dict[str, None] = {}
        self._apart = False

    def learn(self, nicknames: Mapping[str, str]) -> None:
        """Nicknames by id, also of figures that no frame names; at any time before `tape`."""
        for identity, nickname in nicknames.items():
            self.names.learn(identity, nickname)

    def begin_step(self) -> None:
        """What comes next is a step of its own, however soon it comes."""
        self._apart = True

    def feed(self, record: Mapping[str, object]) -> None:
        """Take one record; those that belong on no tape are passed over."""
        match record.get("kind"):
            case "handled":
                self._take_news(record)
            case "missed":
                self.missed += _integer(record.get("count"))
            case "frame" if not record.get("refused"):
                self._take_frame(record)

    def _take_frame(self, record: Mapping[str, object]) -> None:
        direction, kind = record.get("direction"), record.get("type")
        if kind not in (DEEDS if direction == "up" else SIGHTS):
            return
        nicknames = record.get("names")
        if isinstance(nicknames, Mapping):
            self.learn({identity: str(nickname) for identity, nickname in nicknames.items()})
        text = str(record.get("plain") or record.get("frame"))
        try:
            frame = cast("Frame", parse_object(text, "frame"))
        except MalformedPayload:
            frame = None
        if frame is None or len(text) > self._room:
            self.left_out += 1
            return
        self._room -= len(text)
        self.names.learn_from(frame)
        self._keys.update(dict.fromkeys(_keys(frame)))
        if direction == "up":
            self._take_deed(record, frame)
        else:
            self._take_sight(record, frame)

    def _take_deed(self, record: Mapping[str, object], frame: Frame) -> None:
        self._deeds.append(
            _Deed(
                number=_integer(record.get("n")),
                who=str(record.get("from")),
                band=str(record.get("band")),
                at=_integer(record.get("at")),
                frame=frame,
                apart=self._apart,
            )
        )
        self._apart = False

    def _take_sight(self, record: Mapping[str, object], frame: Frame) -> None:
        to = record.get("to")
        if isinstance(to, list | tuple) and to:  # else nobody saw it
            number = _integer(record.get("n"))
            self._sights[number] = _Sight(
                number=number,
                to=tuple(map(str, to)),
                band=str(record.get("band")),
                at=_integer(record.get("at")),
                cause=_number(record.get("cause")),
                handler=str(record.get("handler") or ""),
                frame=frame,
                after=len(self._deeds),
            )

    def _take_news(self, record: Mapping[str, object]) -> None:
        found = self._sights.get(_integer(record.get("n")))
        if found is not None:
            found.cause = _number(record.get("cause"))
            found.handler = str(record.get("handler") or "")

    @property
    def ups(self) -> int:
        """What people did so far."""
        return len(self._deeds)

    @property
    def downs(self) -> int:
        """Frames that they were sent so far."""
        return len(self._sights)

    @property
    def uploads(self) -> tuple[str, ...]:
        """The keys of all uploads that stand in the frames, each once."""
        return tuple(self._keys)

    def tape(
        self, uploads: Mapping[str, bytes], *, ended: int, service: str = "", recorded: str = ""
    ) -> Tape:
        """The tape of all that was taken.

        Args:
            uploads: what the uploads hold, by key; one that is missing is nameless in the tape.
            ended: milliseconds since 1970, by the platform's clock.
        """
        labels = {key: file_name(key, content) for key, content in uploads.items()}
        sights = self._by_deed()
        events: list[Event] = [self._down(each, labels) for each in sights[0]]
        place = 0
        for deeds in self._in_steps():
            events += [self._up(each, labels, each is not deeds[0]) for each in deeds]
            of_step = [each for number in range(len(deeds)) for each in sights[place + number + 1]]
            events += [
                self._down(each, labels) for each in sorted(of_step, key=lambda each: each.number)
            ]
            place += len(deeds)
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

    def _by_deed(self) -> list[list[_Sight]]:
        """What came of each deed; first what came before any. Where nobody knows what a frame came
        of, it came of the last deed before it."""
        places = {each.number: place for place, each in enumerate(self._deeds, start=1)}
        found: list[list[_Sight]] = [[] for _ in range(len(self._deeds) + 1)]
        for each in self._sights.values():
            place = each.after if each.cause is None else places.get(each.cause)
            if place is not None:  # else it came of what was done before the tape began
                found[place].append(each)
        return found

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
            by="" if found.cause is not None else found.handler,
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


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _keys(value: JsonValue) -> list[str]:
    """The keys of the uploads whose addresses stand in a frame."""
    if isinstance(value, str):
        return UPLOAD.findall(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    return [key for each in value for key in _keys(each)] if isinstance(value, list | tuple) else []
