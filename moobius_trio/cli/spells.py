"""``moobius-trio spell``, ``ps`` and ``stop``: running services, from another terminal."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs
import trio

from moobius_trio.cli.output import say, tell
from moobius_trio.codec.text import dump, parse
from moobius_trio.core.instance import runtime_folder
from moobius_trio.core.remote import Silent, live_services
from moobius_trio.core.wand import MoobiusWand, open_wand
from moobius_trio.errors import (
    MalformedPayload,
    NoSuchService,
    ServiceStopped,
    SpellTimedOut,
    UsageError,
)
from moobius_trio.logs import escape
from moobius_trio.network.groups import unwrapped
from moobius_trio.types import ServiceStatus

__all__ = ("cast_spell", "show_services", "stop_service")

ACCEPT_SECONDS, OUTCOME_SECONDS = 5.0, 60.0
STATUS_SECONDS = 2.0
PROGRESS_SECONDS = 5.0

UNAVAILABLE = 69
"""The exit code where a service is not there or does not answer (section 10)."""

HEADINGS = ("NAME", "PID", "SERVICE ID", "STATE", "SINCE", "BANDS")


def cast_spell(name: str, text: str, *, wait: bool, timeout: float | None) -> None:
    """Cast a spell, and print what came of it if that was to be waited for."""
    try:
        spell = parse(text, "spell")
    except MalformedPayload as exc:
        raise UsageError(_no_json(name, text, exc)) from None
    seconds = timeout if timeout is not None else OUTCOME_SECONDS if wait else ACCEPT_SECONDS
    with _stopped_is_unavailable():
        try:
            result = MoobiusWand.connect(name).spell(spell, seconds, wait=wait)
        except ValueError as exc:
            raise UsageError(f"the spell cannot be cast: {exc}.") from None
    if wait:
        tell([dump(result)])


def _no_json(name: str, text: str, exc: MalformedPayload) -> str:
    problem = "; ".join(exc.faults)
    if not problem.startswith("not JSON"):
        return f"the spell cannot be cast: {problem}."
    quoted = shlex.quote(json.dumps(text, ensure_ascii=False))
    return (
        f"{text!r} is {problem}. A text needs quotes of its own inside the shell's: "
        f"moobius-trio spell {shlex.quote(name)} {quoted}"
    )


async def show_services(*, as_json: bool) -> None:
    """Print the live services of this user."""
    found = await live_services(STATUS_SECONDS)
    if as_json:
        tell([json.dumps([_plain(service) for service in found], ensure_ascii=False)])
    elif not found:
        say(f"No service of this user runs here (in {runtime_folder(os.environ)}).")
    else:
        tell(_table([HEADINGS, *(_row(service) for service in found)]))


def _plain(service: ServiceStatus | Silent) -> dict[str, object]:
    plain: dict[str, object] = attrs.asdict(service)
    if isinstance(service, ServiceStatus):
        return plain | {"since": service.since.isoformat()}
    return plain | {"service_id": None, "bands": [], "state": "silent", "since": None}


def _row(service: ServiceStatus | Silent) -> tuple[str, ...]:
    if isinstance(service, Silent):
        return (service.name, str(service.pid or "?"), "-", "silent", "-", "-")
    return (
        service.name,
        str(service.pid),
        service.service_id or "-",
        service.state,
        f"{service.since.astimezone():%Y-%m-%d %H:%M:%S}",
        ", ".join(service.bands) or "-",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    rows = [[escape(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


async def stop_service(name: str, *, timeout: float) -> None:
    """Stop a service and wait until it has ended, with a word now and then.

    Raises:
        SystemExit: it has not ended in time, or does not answer.
    """
    pid: int | None = None
    with _stopped_is_unavailable(), unwrapped(), trio.move_on_after(timeout):
        async with open_wand(name) as wand:
            pid = (await wand.status()).pid
            say(f"  {escape(name)} (pid {pid}) is stopping.")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell_progress, name)
                await wand.stop()
                nursery.cancel_scope.cancel()
        say(f"  {escape(name)} has stopped.")
        return
    if pid is None:
        raise SpellTimedOut(name, timeout, delivered=False)
    say(f"  {escape(name)} has not ended in {timeout:g} s; it goes on stopping.")
    say(f"  `kill {pid}`, given twice, ends it at once.")
    raise SystemExit(UNAVAILABLE)


async def _tell_progress(name: str) -> None:
    begun = trio.current_time()
    while True:
        await trio.sleep(PROGRESS_SECONDS)
        say(f"  {escape(name)} is still stopping after {trio.current_time() - begun:.0f} s.")


@contextmanager
def _stopped_is_unavailable() -> Iterator[None]:
    """A service that stopped meanwhile is no bug of this program's."""
    try:
        yield
    except NoSuchService:
        raise
    except ServiceStopped as exc:
        say(f"ServiceStopped: {escape(str(exc))}")
        raise SystemExit(UNAVAILABLE) from None
