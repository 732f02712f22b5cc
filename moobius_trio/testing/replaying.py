"""Playing a tape: the people on it do again what they did.

In memory against a service in a test, whose tape is then compared with the first; or on a running
platform, to be watched. What a tape is, and what counts as a difference, stands in ``tapes``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from moobius_trio.errors import UsageError
from moobius_trio.local.inspected import as_plain
from moobius_trio.tapes import Recorder, Step, Tape, compare, read_tape
from moobius_trio.tapes.normal import command_of
from moobius_trio.testing.actors import Actor
from moobius_trio.testing.uploading import upload
from moobius_trio.types import MenuItemClick, MessageId

if TYPE_CHECKING:
    from moobius_trio.testing.harness import Local

__all__ = ("Stage", "check_tape", "replay")

__tracebackhide__ = True  # pytest shows the test's line and the service's, not ours

ROOM = 50_000
"""Frames that one step may lead to."""


@attrs.frozen(kw_only=True)
class Stage:
    """The people of a tape, and what they need to do it again.

    Attributes:
        actors: everybody by band and name.
        files: the address of each uploaded file, by what stands for it on the tape.
        figure: the id of a figure by its name, for names that are nobody's of these.
    """

    actors: Mapping[tuple[str, str], Actor]
    files: Mapping[str, str]
    figure: Callable[[str], str]

    async def perform(self, number: int, step: Step) -> None:
        """Do what was done in one step; returns when the platform has taken it.

        Raises:
            UsageError: it cannot be done: the platform refused it, or it is nothing that is done.
        """
        for up in step.ups:
            command = command_of(up, self._identity, self.files)
            actor = self.actors[up.band, up.who]
            if isinstance(command, MenuItemClick):
                command = attrs.evolve(command, message_id=_message_of(command, actor))
            try:
                await actor.act(command, settle=False)
            except AssertionError as exc:
                raise UsageError(f"step {number}: {str(exc).splitlines()[0]}") from None

    def _identity(self, name: str) -> str:
        for (_, known), actor in self.actors.items():
            if known == name:
                return actor.user_id
        return self.figure(name)


def _message_of(click: MenuItemClick, actor: Actor) -> MessageId:
    """The id of the newest message that says what the click repeats; empty when there is none."""
    found = (
        each.msg_id for each in reversed(actor.messages) if each.content == click.message_content
    )
    return next(found, MessageId(""))


async def replay(local: Local, tape: Tape, *, time: bool = False) -> Tape:
    """Do what people did on a tape, step by step, and give the tape of what they see now.

    The services run already, on the tape's bands. Those who were there when the tape began join
    first; that is on neither tape.

    Args:
        time: let the time of the tape pass between its steps. Without it no job runs, unless a
            handler sleeps.

    Raises:
        UsageError: somebody does what cannot be done.
        Exception: what was raised in a service.
    """
    actors: dict[tuple[str, str], Actor] = {}
    for band, name in tape.people:
        actors[band, name] = actor = await local.band(band).visit(name)
        if name in tape.members.get(band, ()):
            await actor.rejoin()
    site = local._site
    files: dict[str, str] = {}
    if tape.files and tape.people:
        token = local.platform.sign_in_guest(tape.people[0][1]).tokens.access
        for name, content in tape.files.items():
            files[name] = await upload(site.http_uri(), site.transport(), token, name, content)
    members, nicknames = local.platform.who_is_there()
    began = trio.current_time()
    recorder = Recorder(members, nicknames, began=site.wall_clock_ms())
    stage = Stage(actors=actors, files=files, figure=recorder.names.identity)
    with local.platform.inspector.subscribe(ROOM) as viewing:

        async def look() -> None:
            await local.settle()
            recorder.learn(local.platform.who_is_there()[1])
            while True:
                try:
                    recorder.feed(as_plain(viewing.receive_nowait()))
                except trio.WouldBlock:
                    return

        for number, step in enumerate(tape.steps[1:], start=1):
            if time:
                await _pass(local, began, step.ups[0].ms, look)
            recorder.begin_step()
            await stage.perform(number, step)
            await look()
        if time:
            await _pass(local, began, tape.ms, look)
    return recorder.tape(
        await local.platform.load_uploads(recorder.uploads),
        ended=site.wall_clock_ms(),
        service=tape.service,
        recorded=tape.recorded,
    )


async def _pass(local: Local, began: float, ms: int, look: Callable[[], Awaitable[None]]) -> None:
    await local.skip(seconds=max(0.0, began + ms / 1000 - trio.current_time()))
    await look()


async def check_tape(local: Local, path: Path | str, *, time: bool = False) -> None:
    """Play a tape against the services that run, and see whether everybody sees the same.

    Args:
        path: the tape's file.
        time: as `replay`, and what the service sends by itself is compared too.

    Raises:
        AssertionError: somebody sees something else; it says who, what, and after which step.
        UsageError: the file is no tape that can be played.
    """
    expected = _read(path)
    difference = compare(expected, await replay(local, expected, time=time), time=time)
    if difference is not None:
        raise AssertionError("\n".join((str(path), *difference.lines)))


def _read(path: Path | str) -> Tape:
    return read_tape(Path(path).read_text(encoding="utf-8"), str(path))
