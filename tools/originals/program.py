"""A program on the published SDK 1.8, as its users write one. It does what it is told.

Run by that SDK's own Python, which has nothing of this project installed; the SDK is imported and
used as it is. One socket, whose number is in ``ORIGINALS_SOCKET``, carries JSON lines: first the
configuration, then calls to make, and back what each gave or raised and every event that came.
What to call and what to expect is not known here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import operator
import os
import pathlib
import socket
import sys
from typing import Any

sys.argv = sys.argv[:1]  # importing the SDK reads the command line (generation-1.md section 9, 22)

import moobius  # type: ignore[import-not-found]  # noqa: E402
from loguru import logger  # type: ignore[import-not-found]  # noqa: E402

CALL_SECONDS = 20.0
"""What a call may take; the SDK itself has loops without an end."""

EVENTS = (
    *("on_button_click", "on_menu_item_click", "on_join", "on_leave", "on_refresh"),
    *("on_unknown_payload", "on_message_down", "on_update_characters", "on_update_channel_info"),
    *("on_update_canvas", "on_update_buttons", "on_update_style", "on_update_menu"),
)
"""The hooks that only tell; the others have something to do besides."""

channel = socket.socket(fileno=int(os.environ["ORIGINALS_SOCKET"]))


def tell(**news: object) -> None:
    """One line to whoever runs this."""
    channel.sendall(json.dumps(news, default=_plain).encode() + b"\n")


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def _from_plain(value: Any) -> Any:
    """An argument as it was sent, or a value of the SDK's own: ``{"$": "Button", …}``."""
    if isinstance(value, list):
        return [_from_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    fields = {key: _from_plain(each) for key, each in value.items() if key != "$"}
    if "$" not in value:
        return fields
    if value["$"] == "Path":
        return pathlib.Path(fields["path"])
    return getattr(moobius.types, value["$"])(**fields)


def _teller(hook: str) -> Any:
    async def told(self: Any, value: object) -> None:
        tell(event=hook, value=value)

    return told


class Program(moobius.Moobius):  # type: ignore[misc]
    """Tells of everything, answers what is said to it, and makes the calls it is told to."""

    async def before_channel_init(self) -> None:
        self._watch_errors()
        tell(event="before_channel_init", value=None)

    async def on_channel_init(self, channel_id: str) -> None:
        await super().on_channel_init(channel_id)
        tell(event="on_channel_init", value=channel_id)

    async def on_channel_checkin(self, channel_id: str) -> None:
        tell(event="on_channel_checkin", value=channel_id)

    async def on_start(self) -> None:
        self._watch_errors()
        self._calls = asyncio.create_task(self._make_calls())
        tell(event="on_start", value=self.client_id)

    async def on_copy_client(self, copy: Any) -> None:
        await super().on_copy_client(copy)
        tell(event="on_copy_client", value=copy)

    async def on_message_up(self, message: Any) -> None:
        """Whoever speaks to the service is answered by an echo, as in every first example."""
        tell(event="on_message_up", value=message)
        if message.recipients == [] and self.service_mode:
            await self.send_message(message, recipients=[message.sender])

    def _watch_errors(self) -> None:
        """What the SDK catches and logs as an error is told too."""
        logger.add(
            lambda line: tell(event="error", value=str(line).strip()),
            level="ERROR",
            format="{message} {exception}",
            backtrace=False,
            diagnose=False,
        )

    async def _make_calls(self) -> None:
        reader, _ = await asyncio.open_connection(sock=channel.dup())
        while line := await reader.readline():
            order = json.loads(line)
            try:
                given = await asyncio.wait_for(self._make(order), CALL_SECONDS)
            except Exception as exc:
                # boundary: whatever a call raises is what was asked for
                tell(id=order["id"], error=f"{type(exc).__name__}: {exc}")
            else:
                tell(id=order["id"], given=given)
        os._exit(0)

    async def _make(self, order: dict[str, Any]) -> object:
        name, arguments = order["call"], _from_plain(order["arguments"])
        named = _from_plain(order["named"])
        match name:
            case "store":
                container = getattr(self.channels[arguments[0]], arguments[1])
                container[arguments[2]] = arguments[3]
                return None
            case "stored":
                return dict(getattr(self.channels[arguments[0]], arguments[1]))
            case "str":
                return str(self)
        return await operator.attrgetter(name)(self)(*arguments, **named)


for hook in EVENTS:
    setattr(Program, hook, _teller(hook))


def read_line() -> bytes:
    """The first line, and nothing behind it."""
    line = b""
    while not line.endswith(b"\n"):
        line += channel.recv(1)
    return line


if __name__ == "__main__":
    moobius.MoobiusWand().run(Program, **json.loads(read_line()))
