"""Two tapes of the same deeds: what is the first thing that somebody saw otherwise?

Compared is what each person was sent from one step to the next. The order of frames for one person
is theirs; between people there is none. Updates are states, of which a newer one may replace one
that waits (docs/architecture.md section 5), so only the last of each kind in a step counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Final, TypeAlias

import attrs

from moobius_trio.codec.text import dump
from moobius_trio.tapes.tape import Down, Frame, Step, Tape, words_of
from moobius_trio.types import JsonValue

__all__ = ("Difference", "compare")

_SHOWN: Final = 400
"""Characters of a frame that are told."""

_Person: TypeAlias = tuple[str, str]


@attrs.frozen(kw_only=True)
class Difference:
    """The first thing that is not as the tape has it."""

    step: int
    """Counted from one; 0 is what was seen before anybody did anything."""
    did: tuple[str, ...]
    """What was done in that step, in words."""
    who: str
    """Who was to see it."""
    band: str
    expected: Frame | None
    """What the tape has; None: nothing more."""
    got: Frame | None
    """What came instead; None: nothing more."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The difference in words, for people."""
        did = "; ".join(self.did) or "before anybody did anything"
        lines = [
            f"step {self.step}: {did}",
            f"  {self.who} in {self.band} was to see  {_shown(self.expected)}",
            f"  {self.who} in {self.band} sees        {_shown(self.got)}",
        ]
        if self.expected is not None and self.got is not None:
            path, one, other = next(_leaves(self.expected, self.got, ""))
            lines.append(f"  at {path}: {one} became {other}")
        return tuple(lines)


def compare(expected: Tape, got: Tape, *, time: bool = False) -> Difference | None:
    """The first difference, step by step; None where everybody saw the same.

    Args:
        time: compare also what the service sent by itself, such as jobs.
    """
    steps = zip_longest(expected.steps, got.steps, fillvalue=Step())
    for number, (one, other) in enumerate(steps):
        seen, sees = _by_person(one, time), _by_person(other, time)
        for person in dict.fromkeys((*seen, *sees)):
            pairs = zip_longest(seen.get(person, ()), sees.get(person, ()))
            for wanted, came in pairs:
                if not _same(wanted, came):
                    return Difference(
                        step=number,
                        did=tuple(map(words_of, one.ups or other.ups)),
                        who=person[1],
                        band=person[0],
                        expected=wanted,
                        got=came,
                    )
    return None


def _same(one: Frame | None, other: Frame | None) -> bool:
    return (one is None) == (other is None) and (
        one is None or other is None or _key(one) == _key(other)
    )


def _key(frame: JsonValue) -> JsonValue:
    """A frame so that equal frames are equal, whatever the order of their keys; True is not 1."""
    if isinstance(frame, Mapping):
        return [[key, _key(frame[key])] for key in sorted(frame)]
    if isinstance(frame, list | tuple):
        return [_key(each) for each in frame]
    return dump(frame)


def _by_person(step: Step, time: bool) -> dict[_Person, list[Frame]]:
    """What each person ends up with, in the order of the frames."""
    found: dict[_Person, list[Down]] = {}
    for down in step.downs:
        if time or not down.by:
            for name in down.to:
                found.setdefault((down.band, name), []).append(down)
    return {
        person: _last_states((down for down in downs if not down.by), mixed=len(step.ups) > 1)
        + _last_states((down for down in downs if down.by), mixed=False)
        for person, downs in found.items()
    }


def _last_states(downs: Iterable[Down], *, mixed: bool) -> list[Frame]:
    """The frames without states that a later one replaced.

    Args:
        mixed: of several deeds at once, so that the order of states says nothing: they come last.
    """
    frames: dict[str, Frame] = {}
    for number, down in enumerate(downs):
        state = _state(down.frame)
        key = state or f"\x00{number:09}"
        frames.pop(key, None)
        frames[key] = down.frame
    if mixed:
        messages = [key for key in frames if key.startswith("\x00")]
        frames = {key: frames[key] for key in (*messages, *sorted(frames.keys() - messages))}
    return list(frames.values())


def _state(frame: Frame) -> str:
    """Which part of the screen an update replaces; empty for what replaces nothing."""
    body = frame.get("body")
    if frame.get("type") != "update" or not isinstance(body, Mapping) or "subtype" in frame:
        return ""
    subtype = str(body.get("subtype"))
    if subtype != "update_style":
        return subtype if subtype.startswith("update_") else ""
    items = body.get("content")
    widgets = (
        [str(each.get("widget")) for each in items if isinstance(each, Mapping)]
        if isinstance(items, list | tuple)
        else []
    )
    return f"{subtype} {sorted(widgets)}"


def _shown(frame: Frame | None) -> str:
    text = "nothing more" if frame is None else dump(frame)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _leaves(one: JsonValue, other: JsonValue, path: str) -> Iterator[tuple[str, str, str]]:
    """Where two values differ: path and both texts."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*one, *other)):
            if key not in one or key not in other:
                there = "nothing" if key not in one else dump(one[key])
                yield (
                    f"{path}.{key}".lstrip("."),
                    there,
                    ("nothing" if key not in other else dump(other[key])),
                )
            else:
                yield from _leaves(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        for index, (a, b) in enumerate(zip(one, other, strict=False)):
            yield from _leaves(a, b, f"{path}[{index}]")
        if len(one) != len(other):
            yield path.lstrip("."), f"{len(one)} entries", f"{len(other)}"
    elif _key(one) != _key(other):
        yield path.lstrip("."), dump(one), dump(other)
