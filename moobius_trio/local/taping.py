"""Tapes of what goes through this platform: recording starts and stops, and who is there for it.

What a tape is stands in ``tapes``; what plays and checks one is given by the program that runs the
platform (``Platform.tape_tools``), since the platform knows no service and no client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request

from moobius_trio.codec.text import parse_object
from moobius_trio.errors import StorageError, UsageError
from moobius_trio.local.api import read_body
from moobius_trio.local.inspected import News, as_plain
from moobius_trio.local.inspector import Inspector
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.state import State
from moobius_trio.tapes import Recorder, Tape, read_tape, write_tape
from moobius_trio.tapes.text import TAPE_BYTES
from moobius_trio.types import JsonValue

__all__ = ("TapeDesk", "TapeTools", "load_uploads", "who_is_there")


class TapeTools(Protocol):
    """What a program that runs a platform can do with a tape."""

    async def play(self, tape: Tape) -> None:
        """Have the people on the tape do again what they did; returns when it is done.

        Raises:
            UsageError: they cannot.
        """
        ...

    async def check(self, text: str) -> Mapping[str, JsonValue]:
        """Play a tape against the service in memory: ``same``, and the first ``difference``.

        Raises:
            UsageError: there is no service to check, or it does not start.
        """
        ...


def who_is_there(state: State) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The members of each band, in joining order, and nicknames by id of these and of figures."""
    world = state.world
    members = {str(band): tuple(map(str, world.members(band))) for band in world.bands}
    people = [world.accounts[each].person for each in world.accounts]
    there = {identity for ids in members.values() for identity in ids}
    known = [each for each in people if each.user_id in there]
    known += [figure.character for figure in world.figures.values()]
    return members, {str(each.user_id): each.nickname for each in known}


async def load_uploads(state: State, keys: Iterable[str]) -> dict[str, bytes]:
    """The content of those of these uploads that there are."""
    found: dict[str, bytes] = {}
    for key in keys:
        if key in state.world.uploads:
            try:
                found[key] = await state.load_file(key)
            except StorageError:
                continue  # its file is gone; the tape names it by nothing
    return found


class TapeDesk:
    """The handlers of ``/local/tapes``; each gives the ``data`` of its reply or raises
    ``Refused``."""

    def __init__(self, state: State, inspector: Inspector) -> None:
        self.tools: TapeTools | None = None
        self._state = state
        self._inspector = inspector
        self._recorder: Recorder | None = None
        self._listening = ExitStack()

    @property
    def recording(self) -> bool:
        """Whether a tape is being recorded here."""
        return self._recorder is not None

    async def status(self, request: Request) -> object:
        """What a program that records by ``/local/inspect`` has to know besides."""
        members, nicknames = who_is_there(self._state)
        counted = {} if self._recorder is None else {"ups": self._recorder.ups}
        return {
            "recording": self.recording,
            "now": self._state.now_ms,
            "service": self._service(),
            "members": members,
            "names": nicknames,
            **counted,
        }

    async def order(self, request: Request) -> object:
        """Start, stop, play or check."""
        body = parse_object(await read_body(request, TAPE_BYTES), "request", max_bytes=TAPE_BYTES)
        try:
            match body.get("do"), body.get("tape"):
                case "start", _:
                    return self._start()
                case "stop", _:
                    return await self._stop()
                case "play", str(text):
                    tape = read_tape(text, "the tape")
                    await self._tools().play(tape)
                    return {}
                case "check", str(text):
                    read_tape(text, "the tape")
                    return await self._tools().check(text)
        except UsageError as exc:
            raise Refused(400, str(exc)) from None
        raise Refused(400, "do is one of start and stop, or play and check with a tape")

    def _start(self) -> object:
        if self._recorder is not None:
            raise Refused(400, "a tape is being recorded already; stop it first")
        members, nicknames = who_is_there(self._state)
        recorder = self._recorder = Recorder(members, nicknames, began=self._state.now_ms)
        self._listening.enter_context(self._inspector.listen(_into(recorder)))
        return {}

    async def _stop(self) -> object:
        recorder, self._recorder = self._recorder, None
        self._listening.close()
        if recorder is None:
            raise Refused(400, "no tape is being recorded; start one first")
        recorder.learn(who_is_there(self._state)[1])
        ended = self._state.now_ms
        at = datetime.fromtimestamp(ended / 1000, UTC)
        tape = recorder.tape(
            await load_uploads(self._state, recorder.uploads),
            ended=ended,
            service=self._service(),
            recorded=at.isoformat(timespec="seconds"),
        )
        return {
            "tape": write_tape(tape),
            "name": f"tape-{at:%Y-%m-%d-%H%M%S}.jsonl",
            "ups": recorder.ups,
            "downs": recorder.downs,
            "left_out": recorder.left_out,
        }

    def _service(self) -> str:
        """The description of the first service that holds a band."""
        world = self._state.world
        for band in world.bands.values():
            if band.service_id is not None and band.service_id in world.services:
                return world.services[band.service_id].description
        return ""

    def _tools(self) -> TapeTools:
        if self.tools is None:
            raise Refused(400, "this platform runs no service; use moobius-trio tape instead")
        return self.tools


def _into(recorder: Recorder) -> Callable[[News], None]:
    return lambda news: recorder.feed(as_plain(news))
