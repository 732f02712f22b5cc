"""``moobius-trio tape check``: a service in memory, and a tape that says what is to be seen.

And the same for the page, in a process of its own, since the author's code is not run by the
platform's.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import attrs
import trio
import trio.testing

from moobius_trio.cli.loading import load_service
from moobius_trio.cli.output import counted, say, tell
from moobius_trio.cli.tape.files import load_tape, save_tape
from moobius_trio.cli.tape.playing import play_tape
from moobius_trio.cli.tape.remote import open_remote
from moobius_trio.errors import UsageError
from moobius_trio.local import DEFAULT_BAND
from moobius_trio.logs import escape, redact
from moobius_trio.network.groups import unwrapped
from moobius_trio.tapes import Difference, Tape, compare
from moobius_trio.testing.opening import open_local
from moobius_trio.testing.replaying import replay
from moobius_trio.types import JsonValue

__all__ = ("Tools", "check_file", "difference_data")

CHECK_SECONDS = 120.0
"""How long the page waits for a check."""


@attrs.frozen(kw_only=True)
class _Seen:
    """What came of playing a tape to a service."""

    tape: Tape
    failures: tuple[str, ...]


def check_file(file: Path, service: str, *, time: bool, update: bool, as_json: bool) -> None:
    """Compare what a service does with a tape, and tell.

    Raises:
        UsageError: there is no such tape or service, or the tape cannot be played.
        SystemExit: somebody sees something else.
    """
    tape = load_tape(file)
    with unwrapped():
        seen: _Seen = trio.run(
            partial(_play, tape, service, time=time),
            clock=trio.testing.MockClock(autojump_threshold=0),
        )
    difference = compare(tape, seen.tape, time=time)
    for failure in seen.failures:
        say(f"  raised meanwhile: {failure}")
    if as_json:
        data = {"same": difference is None, "difference": difference_data(difference)}
        tell([json.dumps({**data, "frames": tape.sights(time=time)}, ensure_ascii=False)])
    else:
        tell(_report(file, tape.sights(time=time), difference))
    if update:
        save_tape(file, seen.tape)
        say(f"  Written   {file}")
    elif difference is not None:
        raise SystemExit(1)


async def _play(tape: Tape, target: str, *, time: bool) -> _Seen:
    service = load_service(target)
    async with open_local(bands=[band for band in tape.bands if band != DEFAULT_BAND]) as local:
        local.keep_failures = local.keep_unheard = True  # told beside what people see
        await local.start(service, bands=tape.bands or (DEFAULT_BAND,))
        seen = await replay(local, tape, time=time)
        failures = tuple(
            escape(redact(f"{type(exc).__name__}: {exc}".splitlines()[0]))
            for _, exc in local.failures
        )
        return _Seen(tape=seen, failures=failures)


def _report(file: Path, frames: int, difference: Difference | None) -> Sequence[str]:
    if difference is None:
        return [f"same: {counted(frames, 'frame')}"]
    return [f"{file}: not the same", *map(escape, difference.lines)]


def difference_data(difference: Difference | None) -> Mapping[str, JsonValue] | None:
    """A difference as plain data, for programs and the page."""
    if difference is None:
        return None
    return {
        "step": difference.step,
        "did": list(difference.did),
        "who": difference.who,
        "band": difference.band,
        "expected": difference.expected,
        "got": difference.got,
        "text": "\n".join(difference.lines),
    }


@attrs.frozen(kw_only=True)
class Tools:
    """What `dev` and `demo` give the platform for the tapes of its page.

    Attributes:
        url: where the platform is.
        service: what the command was given; empty where no service runs here.
    """

    url: str
    service: str = ""

    async def play(self, tape: Tape) -> None:
        """As ``moobius-trio tape play``."""
        try:
            async with open_remote(self.url) as remote:
                await play_tape(remote, tape)
        except SystemExit:
            raise UsageError("the platform does not answer itself") from None

    async def check(self, text: str) -> Mapping[str, JsonValue]:
        """As ``moobius-trio tape check``, in a process of its own."""
        if not self.service:
            raise UsageError("this platform runs no service; use moobius-trio tape check instead")
        with tempfile.TemporaryDirectory(prefix="moobius-trio-") as folder:
            tape = Path(folder) / "tape.jsonl"
            tape.write_text(text, encoding="utf-8", newline="\n")  # noqa: ASYNC240  # of our own
            command = [sys.executable, "-m", "moobius_trio", "tape", "check", "--json"]
            with trio.move_on_after(CHECK_SECONDS):
                ended = await trio.run_process(
                    [*command, "--", str(tape), self.service],
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                )
                return _answer(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
        raise UsageError(f"the check took more than {CHECK_SECONDS:g} s")


def _answer(code: int, output: str, errors: str) -> Mapping[str, JsonValue]:
    if code in (0, 1) and output.startswith("{"):
        return cast("Mapping[str, JsonValue]", json.loads(output))
    lines = [line for line in errors.splitlines() if line.strip()]
    raise UsageError(lines[-1] if lines else f"the check ended with {code}")
