"""``moobius-trio tape record``: listening to a running platform until somebody has enough."""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import trio

from moobius_trio.cli.output import counted, say
from moobius_trio.cli.tape.files import check_place, save_tape
from moobius_trio.cli.tape.remote import UNAVAILABLE, open_remote
from moobius_trio.codec.text import parse_object
from moobius_trio.core.signals import counted_signals
from moobius_trio.errors import ConnectionLost
from moobius_trio.network.streams import CouldNotConnect
from moobius_trio.network.websocket import FrameStream, websocket_connector
from moobius_trio.tapes import Recorder
from moobius_trio.types import JsonValue

__all__ = ("record_tape",)

HELLO_BYTES = 64 * 1024 * 1024
"""The first text has all frames that are kept."""

LAST_WORDS = 0.3
"""Seconds in which what was done last may still show its effect."""

PROGRESS_SECONDS = 1.0


async def record_tape(file: Path, *, url: str, seconds: float | None, force: bool) -> None:
    """Write down what happens until Ctrl+C, or for so many seconds.

    Raises:
        UsageError: the file cannot be written, or the address is none.
        SystemExit: no platform answers; or it went away, and what had come until then is written.
    """
    check_place(file, force=force)
    done, gone = trio.Event(), False
    with (
        trio.CancelScope() as scope,
        counted_signals(drain=done.set, cancel=scope.cancel) as signals,
    ):
        async with open_remote(url) as remote:
            before = await remote.status()
            recorder = _recorder(before)
            uploads: dict[str, bytes] = {}

            async def fetch() -> None:
                for key in set(recorder.uploads) - uploads.keys():
                    if (content := await remote.file(key)) is not None:
                        uploads[key] = content

            try:
                async with websocket_connector(
                    remote.socket("/local/inspect"), max_message_bytes=HELLO_BYTES
                )() as stream:
                    say(f"  Recording what people do at {remote.url}. One Ctrl+C ends it.")
                    gone = not await _listen(stream, recorder, done, seconds, fetch)
            except (CouldNotConnect, ConnectionLost) as exc:
                say(f"{remote.url}: the platform cannot be listened to ({exc}).")
                raise SystemExit(UNAVAILABLE) from None
            after = before
            if not gone:
                try:
                    await fetch()
                    after = await remote.status()
                except SystemExit:  # it has gone just now, and has been said to
                    gone = True
            _write(file, recorder, uploads, after, gone=gone)
    if signals.interrupted:
        raise SystemExit(signals.exit_code())
    if gone:
        raise SystemExit(UNAVAILABLE)


def _recorder(status: Mapping[str, JsonValue]) -> Recorder:
    members, names = status.get("members"), status.get("names")
    return Recorder(
        {
            band: tuple(map(str, ids)) if isinstance(ids, list | tuple) else ()
            for band, ids in (members.items() if isinstance(members, Mapping) else ())
        },
        _texts(names),
        began=_now(status),
    )


def _texts(names: JsonValue) -> dict[str, str]:
    return {key: str(name) for key, name in names.items()} if isinstance(names, Mapping) else {}


def _now(status: Mapping[str, JsonValue]) -> int:
    now = status.get("now")
    return now if isinstance(now, int) else 0


async def _listen(
    stream: FrameStream,
    recorder: Recorder,
    done: trio.Event,
    seconds: float | None,
    fetch: Callable[[], Awaitable[None]],
) -> bool:
    """Feed the recorder, and fetch files as they appear; False if the platform went away."""
    ended = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_up, recorder, fetch)

        async def read() -> None:
            nonlocal ended
            try:
                while True:
                    text = await stream.receive_text()
                    recorder.feed(parse_object(text, "record", max_bytes=HELLO_BYTES))
            except ConnectionLost:
                ended = True
                done.set()

        nursery.start_soon(read)
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await done.wait()
        if not ended:
            await trio.sleep(LAST_WORDS)
        nursery.cancel_scope.cancel()
    return not ended


async def _keep_up(recorder: Recorder, fetch: Callable[[], Awaitable[None]]) -> None:
    """Once a second the files that are new, since the platform may go away, and a word."""
    while True:
        await trio.sleep(PROGRESS_SECONDS)
        await fetch()
        if sys.stderr.isatty():
            sys.stderr.write(f"\r  {_counts(recorder)}  ")
            sys.stderr.flush()


def _counts(recorder: Recorder) -> str:
    return f"{counted(recorder.ups, 'deed')}, {counted(recorder.downs, 'frame')} seen"


def _write(
    file: Path,
    recorder: Recorder,
    uploads: Mapping[str, bytes],
    after: Mapping[str, JsonValue],
    *,
    gone: bool,
) -> None:
    recorder.learn(_texts(after.get("names")))
    service = after.get("service")
    tape = recorder.tape(
        uploads,
        ended=_now(after),
        service=service if isinstance(service, str) else "",
        recorded=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_tape(file, tape)
    say("" if sys.stderr.isatty() else f"  {_counts(recorder)}", f"  Tape      {file}")
    if gone:
        say("  The platform went away; what had come until then is on the tape.")
    if recorder.left_out:
        say(f"  Not on it: {counted(recorder.left_out, 'frame')}, too large or too many.")
    if recorder.missed:
        say(f"  Not on it: {counted(recorder.missed, 'record')} that came faster than was read.")
