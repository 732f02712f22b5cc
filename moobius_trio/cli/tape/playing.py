"""``moobius-trio tape play``: the people of a tape come to a running platform and do it again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from moobius_trio.cli.output import counted, say
from moobius_trio.cli.tape.files import load_tape
from moobius_trio.cli.tape.remote import Guest, Remote, open_remote
from moobius_trio.errors import ApiError, UsageError
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.tapes import Tape, words_of
from moobius_trio.testing.actors import Actor
from moobius_trio.testing.replaying import Stage
from moobius_trio.testing.uploading import upload
from moobius_trio.types import ChannelId

__all__ = ("play_file", "play_tape")

LONGEST_PAUSE = 1.0
"""Seconds; the tape's own pauses are kept up to this, for whoever watches."""


async def play_file(file: Path, *, url: str) -> None:
    """Play a tape on a platform that runs, and tell what is done.

    Raises:
        UsageError: it is no tape, or something on it cannot be done.
        SystemExit: no platform answers.
    """
    tape = load_tape(file)
    steps = len(tape.steps) - 1

    def tell(number: int, words: str) -> None:
        say(f"  {number}/{steps}  {words}")

    async with open_remote(url) as remote:
        await play_tape(remote, tape, tell)
    say(f"  Played {counted(steps, 'step')} of {file}.")


async def play_tape(
    remote: Remote, tape: Tape, tell: Callable[[int, str], None] = lambda number, words: None
) -> None:
    """Have everybody on a tape do again what they did.

    Args:
        tell: told of each step before it is done: its number and what is done, in words.

    Raises:
        UsageError: something on it cannot be done.
        SystemExit: no platform answers.
    """
    missing = set(tape.bands) - set(await remote.bands())
    if missing:
        raise UsageError(
            f"{remote.url} has no band {', '.join(sorted(missing))}. Make it there first, on the "
            "page or with `moobius-trio local --band NAME`."
        )
    before = 0
    async with _people(remote, tape) as stage:
        for number, step in enumerate(tape.steps[1:], start=1):
            await trio.sleep(min(LONGEST_PAUSE, max(0, step.ups[0].ms - before) / 1000))
            before = step.ups[-1].ms
            tell(number, "; ".join(map(words_of, step.ups)))
            await stage.perform(number, step)
        for actor in stage.actors.values():
            await actor.catch_up()


@asynccontextmanager
async def _people(remote: Remote, tape: Tape) -> AsyncIterator[Stage]:
    """Everybody, in the bands in which they were when the tape began."""
    names = dict.fromkeys(name for _, name in tape.people)
    guests = {name: await remote.guest(name) for name in names}
    files = await _files(remote, tape, guests)
    actors: dict[tuple[str, str], Actor] = {}

    def figure(name: str) -> str:
        for actor in actors.values():
            for character in actor.characters:
                if character.nickname == name:
                    return character.user_id
        return "local-nobody"

    with unwrapped():
        async with trio.open_nursery() as nursery:
            for band, name in tape.people:
                actor = Actor(
                    name=name,
                    user_id=guests[name].user_id,
                    token=guests[name].token,
                    channel_id=ChannelId(band),
                    settle=trio.lowlevel.checkpoint,
                    wall_clock_ms=lambda: time.time_ns() // 1_000_000,
                )
                await nursery.start(actor.serve, websocket_connector(remote.socket("/")))
                actors[band, name] = actor
                if name in tape.members.get(band, ()):
                    await actor.rejoin()
            yield Stage(actors=actors, files=files, figure=figure)
            nursery.cancel_scope.cancel()


async def _files(remote: Remote, tape: Tape, guests: Mapping[str, Guest]) -> dict[str, str]:
    files: dict[str, str] = {}
    for guest in list(guests.values())[:1]:
        for name, content in tape.files.items():
            try:
                files[name] = await upload(remote.url + "/", None, guest.token, name, content)
            except ApiError as exc:
                raise UsageError(f"{name} cannot be uploaded: {exc.message}.") from None
    return files
