"""Where a service runs: the few things that differ between production, `dev` and the test kit.

Values and function types only; nothing here does anything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from moobius_trio.config import Settings
from moobius_trio.core.request_ids import new_request_id
from moobius_trio.core.threads import run_in_thread
from moobius_trio.core.timers import REREAD_SECONDS
from moobius_trio.core.unheard import Unheard
from moobius_trio.core.watchdog import watched_loop
from moobius_trio.database import ENGINES, ContainerSpec, OpenEngine, StrayChange
from moobius_trio.types import ChannelId, RequestId, RunSync, UserId

if TYPE_CHECKING:
    import httpx

    from moobius_trio.network.websocket import Connector

__all__ = ("Environment", "TraceRecord", "UnitRecord")


@attrs.frozen(kw_only=True)
class TraceRecord:
    """One frame on its way out, and what caused it (docs/architecture.md section 4)."""

    frame: str
    """The frame as it was written."""
    unit: int | None
    """The unit of work that sent it."""
    handler: str
    """Class and method; empty for what the SDK sends by itself."""
    milliseconds: float
    """From the start of the unit to the write."""
    records: int
    """Changes the frame had to wait for; those that one commit takes count as one."""
    cause: str | None = None
    """What the event that began the unit is known by on the wire: of a message its ``msg_id``, of
    anything else its request id if it has one. Actions and key presses have none."""
    channel_id: ChannelId | None = None
    """The band of the unit, if it is about one."""
    user_id: UserId | None = None
    """Whose event began the unit, if it was a user's."""


@attrs.frozen(kw_only=True)
class UnitRecord:
    """A unit of work that has ended, also one that sent nothing.

    It may come before the record of the last frame that the unit has sent.
    """

    unit: int
    handler: str
    """Class and method."""
    milliseconds: float
    """From its first line to its last, its records encoded."""
    records: int
    """Changes it made or came upon before they were durable; those of one commit count as one."""
    error: str = ""
    """In one line what it raised; empty when it ended well."""
    cause: str | None = None
    """As in `TraceRecord`, like the two below."""
    channel_id: ChannelId | None = None
    user_id: UserId | None = None


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()


@attrs.frozen(kw_only=True)
class Environment:
    """What a run of a service is given. The defaults are those of production."""

    settings: Settings | None = None
    """Instead of the service's own service.json, which is then neither read nor written."""
    containers: tuple[ContainerSpec, ...] | None = None
    """Instead of the service's own db.json."""
    engines: Mapping[str, OpenEngine] = ENGINES
    """The storage engines there are."""
    default_engine: str = "sqlite"
    """The engine of containers that nothing names."""
    state: Path | None = None
    """Folder of the stores, and of the service's id unless the settings stand here too; None:
    ``STATE_DIRECTORY``, else the service's own folder."""
    connect: Connector | None = attrs.field(default=None, repr=False)
    """Instead of a WebSocket to ``ws_server_uri``."""
    transport: httpx.AsyncBaseTransport | None = attrs.field(default=None, repr=False)
    """Instead of httpx's own transport."""
    run_sync: RunSync = run_in_thread
    now: Callable[[], datetime] = _local_time
    """The aware time that drives jobs and that ``service.now()`` gives."""
    reread_seconds: float = REREAD_SECONDS
    """How long cron jobs wait before they look at ``now`` again; infinite in simulated time."""
    wall_clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    new_request_id: Callable[[], RequestId] = new_request_id
    random: random.Random = attrs.field(factory=random.SystemRandom, repr=False)
    trace: Callable[[TraceRecord | UnitRecord], None] | None = None
    """Told of each frame that leaves, and of each unit of work that has ended."""
    on_failure: Callable[[object, BaseException], None] | None = None
    """Told of each failed event, job run, spell or task, with what failed."""
    on_stray: Callable[[StrayChange], None] | None = None
    """Told of each record that was changed outside any unit of work."""
    on_unheard: Callable[[Unheard], None] | None = None
    """Told of each frame that somebody it is for will not get; None: the log is."""
    watchdog: Callable[[], AbstractContextManager[None]] = attrs.field(
        default=watched_loop, repr=False
    )
    """Entered around the run: it reports when the event loop stands still."""
    exclusive: bool = True
    """Refuse a second live service of the same name on this machine."""
    reached_as: str | None = None
    """The name under which other processes find it; None: its own if `exclusive`, else none."""
    environ: Mapping[str, str] | None = None
    """Instead of the process's environment variables."""
