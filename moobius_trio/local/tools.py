"""What a builder does to the service and its surroundings from the page: ``/local/control``.

Each tool is a few lines that ask somebody else: the sessions, the state, or the program that runs
the service (``control``). Where there is none, the tools that need it are not offered. The forms
are read by ``page/inspect_wire.js``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import attrs
import structlog
from starlette.requests import Request

from moobius_trio.codec.text import parse_object
from moobius_trio.errors import UsageError
from moobius_trio.local import rules_http as rules
from moobius_trio.local.api import read_body, signed_in
from moobius_trio.local.control import Control
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId

__all__ = ("SLOWEST", "Tools")

SLOWEST: Final = 10.0
"""Seconds by which frames of services can be delayed here."""
YEAR: Final = 366 * 24 * 3600.0

Body: TypeAlias = Mapping[str, object]
Tool: TypeAlias = Callable[[Request, Body], Awaitable[None]]

_log = structlog.get_logger()


class Tools:
    """The handlers of ``/local/control``; each gives the ``data`` of its reply, or raises
    ``Refused``.

    Args:
        recording: whether a tape is being recorded.
    """

    def __init__(self, state: State, sessions: Sessions, recording: Callable[[], bool]) -> None:
        self._state = state
        self._sessions = sessions
        self._recording = recording
        self._offset = 0.0
        self._everywhere: Mapping[str, Tool] = MappingProxyType(
            {
                "drop_socket": self._drop_socket,
                "slow": self._slow,
                "expire_token": self._expire_token,
                "reset_band": self._reset_band,
                "rename": self._rename,
            }
        )
        self._by_control: Mapping[str, Tool] = MappingProxyType(
            {"restart": self._restart, "run_job": self._run_job, "advance": self._advance}
        )

    async def show(self, request: Request) -> object:
        """What can be done, and how things stand."""
        control = self._sessions.board.control
        jobs = () if control is None else await control.jobs()
        offered = [] if control is None else ["jobs", *self._by_control]
        return {
            "can": [*offered, *self._everywhere],
            "jobs": [attrs.asdict(job) for job in jobs],
            "offset_seconds": self._offset,
            "slow_seconds": self._state.knobs.slow_seconds,
            "recording": self._recording(),
        }

    async def do(self, request: Request) -> object:
        """Do the one thing that the request names."""
        body = parse_object(await read_body(request), "request")
        name = _text(body, "do")
        tool = self._everywhere.get(name) or self._by_control.get(name)
        if tool is None:
            known = ", ".join((*self._everywhere, *self._by_control))
            raise Refused(400, f"there is no tool {name!r}; there are: {known}")
        try:
            await tool(request, body)
        except UsageError as exc:
            raise Refused(400, str(exc)) from None
        _log.info("tool used", tool=name)
        return {}

    # Of the platform itself

    async def _drop_socket(self, request: Request, body: Body) -> None:
        self._sessions.cut()

    async def _slow(self, request: Request, body: Body) -> None:
        seconds = _seconds(body, SLOWEST)
        # Not by Platform.knobs: what other knobs count goes on.
        self._state.knobs = attrs.evolve(self._state.knobs, slow_seconds=seconds)

    async def _expire_token(self, request: Request, body: Body) -> None:
        owners = {service.owner for service in self._state.world.services.values()}
        self._state.tokens.expire(refresh=False, of=owners)

    async def _reset_band(self, request: Request, body: Body) -> None:
        channel_id = ChannelId(_text(body, "band"))
        if channel_id not in self._state.world.bands:
            raise Refused(400, f"there is no band {channel_id}")
        self._sessions.empty_band(channel_id)
        await self._state.saved()

    async def _rename(self, request: Request, body: Body) -> None:
        user_id = signed_in(self._state, request)
        self._state.change(rules.renamed(self._state.world, user_id, _text(body, "name")))
        await self._state.saved()

    # Of the program that runs the service

    async def _restart(self, request: Request, body: Body) -> None:
        await self._control().restart()

    async def _run_job(self, request: Request, body: Body) -> None:
        await self._control().run_job(_text(body, "name"))

    async def _advance(self, request: Request, body: Body) -> None:
        self._offset = await self._control().advance(_seconds(body, YEAR))

    def _control(self) -> Control:
        control = self._sessions.board.control
        if control is None:
            raise Refused(
                400,
                "this platform did not start the service, so it cannot do that to it; "
                "moobius-trio dev runs both",
            )
        return control


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Refused(400, f"{name!r} is needed, as a text")
    return value


def _seconds(body: Body, most: float) -> float:
    value = body.get("seconds")
    if type(value) not in (int, float) or not 0 <= cast("float", value) <= most:
        raise Refused(400, f"'seconds' is needed, as a number from 0 to {most:,.0f}")
    return cast("float", value)
