"""People of ours beside the original: programs on ``MoobiusUser``, one on each generation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio

from moobius_trio import MoobiusUser
from moobius_trio.types import (
    MessageDown,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("Person", "configure", "open_person")

T = TypeVar("T")


def configure(path: Path, url: str, ca_file: Path, email: str, **more: object) -> Path:
    """A service.json for a service or a user of ours on a platform with TLS."""
    settings = {
        "http_server_uri": f"{url}/",
        "ws_server_uri": url.replace("https", "wss", 1) + "/",
        "email": email,
        "password": "made-up-at-the-first-sign-in",
        "ca_file": str(ca_file),
        "logs": None,
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


class Seen:
    """What came, until somebody asks for it."""

    def __init__(self) -> None:
        self._seen: list[object] = []
        self._more = trio.Event()

    def add(self, what: object) -> None:
        """Something came."""
        self._seen.append(what)
        self._more.set()
        self._more = trio.Event()

    async def first(self, kind: type[T], fits: Callable[[T], object] = lambda what: True) -> T:
        """Wait for the first of its kind that fits; it is not found again."""
        while True:
            for what in self._seen:
                if isinstance(what, kind) and fits(what):
                    self._seen.remove(what)
                    return what
            await self._more.wait()

    def forget(self) -> None:
        """What came so far is of no interest."""
        self._seen.clear()


class Person(MoobiusUser):
    """Keeps what it is told and shown."""

    def __init__(self, config: Path) -> None:
        super().__init__(config)
        self.seen = Seen()

    async def on_msg_down(self, msg_down: MessageDown) -> None:
        self.seen.add(msg_down)

    async def on_update_user_list(self, update: UpdateUserList) -> None:
        self.seen.add(update)

    async def on_update_features(self, update: UpdateFeatures) -> None:
        self.seen.add(update)

    async def on_update_playground(self, update: UpdatePlayground) -> None:
        self.seen.add(update)

    async def on_update_style(self, update: UpdateStyle) -> None:
        self.seen.add(update)

    async def on_update_menu(self, update: UpdateMenu) -> None:
        self.seen.add(update)

    async def on_update_channel_info(self, update: UpdateChannelInfo) -> None:
        self.seen.add(update)


@asynccontextmanager
async def open_person(
    folder: Path, url: str, ca_file: Path, name: str, protocol: str, channel_id: str
) -> AsyncIterator[Person]:
    """Somebody who has joined a band, on the generation named."""
    more: dict[str, Any] = {} if protocol == "0.0.1" else {"protocol": protocol}
    config = configure(
        folder / name / "service.json",
        url,
        ca_file,
        f"{name}@example.org",
        channels=[channel_id],
        name=f"originals-{name}",
        service_mode=False,
        **more,
    )
    person = Person(config)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(person.serve)
        yield person
        await handle.stop()
