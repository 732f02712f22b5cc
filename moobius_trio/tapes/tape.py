"""What a tape holds: who did what, who then saw what, and in which steps that belongs together.

Values only. How they are written stands in ``text``, how they come about in ``recorder``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, cast

import attrs

from moobius_trio.types import JsonValue

__all__ = ("DEEDS", "SIGHTS", "Down", "Event", "Frame", "Step", "Tape", "Up", "words_of")

Frame: TypeAlias = Mapping[str, JsonValue]
"""A frame of the wire without what differs from run to run: ids are names, times are left out."""

DEEDS: Final = frozenset(("msg_up", "action", "feature_call"))
"""Types of the frames by which people do something."""

SIGHTS: Final = frozenset(("msg_down", "update"))
"""Types of the frames by which they see something."""

_TEXT_SHOWN: Final = 60


@attrs.frozen(kw_only=True)
class Up:
    """What somebody did."""

    who: str
    """The person's name; unique in the tape."""
    band: str
    """The band's id."""
    ms: int = 0
    """Milliseconds since the tape began."""
    together: bool = False
    """Done before what was done before it had shown its effect: one step with it."""
    frame: Frame


@attrs.frozen(kw_only=True)
class Down:
    """What people then were sent, by one frame of the service."""

    to: tuple[str, ...]
    """Their names, in the order of the frame's recipients."""
    band: str
    ms: int = 0
    by: str = ""
    """Class and method that sent it by itself, such as a job; empty for what somebody's deed led
    to."""
    frame: Frame


Event: TypeAlias = Up | Down


@attrs.frozen(kw_only=True)
class Step:
    """What was done at once, and all that came of it until the next step."""

    ups: tuple[Up, ...] = ()
    """Empty for what was seen before anybody did anything."""
    downs: tuple[Down, ...] = ()


@attrs.frozen(kw_only=True)
class Tape:
    """A whole recording."""

    service: str = ""
    """Its name, for whoever reads the tape."""
    recorded: str = ""
    """When, in ISO 8601; empty where it does not matter."""
    members: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Who was in each band when it began, in joining order."""
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    """What people had uploaded, by the name that stands for its address."""
    events: tuple[Event, ...] = ()
    ms: int = 0
    """How long it is, in milliseconds."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands it is about, in the order in which they appear."""
        return tuple(dict.fromkeys((*self.members, *(event.band for event in self.events))))

    @property
    def people(self) -> tuple[tuple[str, str], ...]:
        """Everybody who is in it or does something, each as band and name."""
        there = ((band, name) for band, names in self.members.items() for name in names)
        deeds = ((each.band, each.who) for each in self.events if isinstance(each, Up))
        return tuple(dict.fromkeys((*there, *deeds)))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The events in steps; the first one has no deeds and may be empty."""
        steps = [Step()]
        for event in self.events:
            last = steps[-1]
            if isinstance(event, Down):
                steps[-1] = attrs.evolve(last, downs=(*last.downs, event))
            elif event.together and last.ups:
                steps[-1] = attrs.evolve(last, ups=(*last.ups, event))
            else:
                steps.append(Step(ups=(event,)))
        return tuple(steps)

    def sights(self, *, time: bool) -> int:
        """How many frames people were sent, with ``time`` also those of jobs and the like."""
        downs = [event for event in self.events if isinstance(event, Down)]
        return sum(time or not down.by for down in downs)


def words_of(up: Up) -> str:
    """What somebody did, for people: ``Alice clicks key1 (magic_type=Mickey)``."""
    body = up.frame.get("body")
    body = body if isinstance(body, Mapping) else {}
    match up.frame.get("type"):
        case "feature_call":
            return f"{up.who} clicks {body.get('feature_id')}{_form(body)}"
        case "action" if "menu_item_id" in body:
            return f"{up.who} chooses {body.get('menu_item_id')}{_form(body)}"
        case "msg_up":
            content = body.get("content")
            text = content.get("text") if isinstance(content, Mapping) else None
            what = (
                f"says {_shortened(text)}" if text is not None else f"sends {body.get('subtype')}"
            )
            to = ", ".join(str(each).removeprefix("@") for each in _list(body, "recipients"))
            return f"{up.who} {what} to {to or 'the Service'}"
        case _:
            return f"{up.who}: {body.get('subtype')}"


def _form(body: Mapping[str, JsonValue]) -> str:
    given = [each for each in _list(body, "arguments") if isinstance(each, Mapping)]
    form = ", ".join(f"{each.get('name')}={each.get('value')}" for each in given)
    return f" ({form})" if form else ""


def _list(body: Mapping[str, JsonValue], key: str) -> Iterable[JsonValue]:
    value = body.get(key)
    return cast("Iterable[JsonValue]", value) if isinstance(value, list | tuple) else ()


def _shortened(text: JsonValue) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= _TEXT_SHOWN else shown[: _TEXT_SHOWN - 1] + "…")
