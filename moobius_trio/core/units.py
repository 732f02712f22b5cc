"""A unit of work: one handler, job run, spell or task, from its first line to its last.

It says which records a frame has to wait for and which handler a log line belongs to. Storage
decides what is written; nothing here touches a store or a socket.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import ContextVar, Token, copy_context
from types import TracebackType
from typing import Any, Self

import attrs
import structlog
import trio

from moobius_trio.database import StorageUnit, current_unit
from moobius_trio.errors import StorageError
from moobius_trio.types import ChannelId, MessageId, RequestId, UserId

__all__ = ("Naming", "Unit", "current", "latest", "save", "unit_of_work")

FINISH_SECONDS = 10.0

_numbers = itertools.count(1)


@attrs.define(eq=False, kw_only=True)
class Unit:
    """One unit of work (docs/architecture.md section 6).

    (Not frozen: there is one for each event, and a frozen one takes three times as long to make.)
    """

    number: int = attrs.field(factory=_numbers.__next__)
    handler: str
    """Class and method, such as ``Demo.on_msg_up``."""
    channel_id: ChannelId | None = None
    user_id: UserId | None = None
    request_id: RequestId | None = None
    """That of the frame it is about, where the event has one."""
    msg_id: MessageId | None = None
    """That of the message it is about."""
    picked: tuple[UserId, ...] | None = None
    """Whom a person spoke to, or who asks for a part of the screen, where it is about that."""
    in_lane: bool = False
    """True where waiting for a lane might never end: it holds one, or they are not open yet."""
    started: float = attrs.field(factory=trio.current_time)
    """trio's clock, in seconds."""
    storage: StorageUnit = attrs.field(factory=StorageUnit, repr=False)
    unsaved: tuple[StorageError, ...] = attrs.field(default=(), init=False)
    """What could not be saved at the end of a unit that has failed by itself already."""

    @property
    def cause(self) -> str | None:
        """What the event that began it is known by on the wire, if it has such a name."""
        return self.msg_id or self.request_id

    @property
    def log_fields(self) -> dict[str, str]:
        """What every log line of the unit bears."""
        fields: dict[str, str] = {"handler": self.handler}
        if self.channel_id is not None:
            fields["band"] = self.channel_id
        if self.user_id is not None:
            fields["user"] = self.user_id
        if self.request_id is not None:
            fields["request_id"] = self.request_id
        return fields


current: ContextVar[Unit | None] = ContextVar("moobius_trio_unit", default=None)
"""The unit the running code belongs to. Tasks of a handler's own nursery inherit it."""

latest: ContextVar[Unit | None] = ContextVar("moobius_trio_latest_unit", default=None)
"""The unit a task has run last, where it runs none: for whoever looks at the task when a step has
ended."""


def _log_variables() -> list[ContextVar[Any]]:
    """Where structlog keeps what is bound by these names; set directly, at a third of the cost."""
    names = dict.fromkeys(("handler", "band", "user", "request_id"), "")
    tokens = copy_context().run(structlog.contextvars.bind_contextvars, **names)
    return [tokens[name].var for name in names]


_HANDLER, _BAND, _USER, _REQUEST_ID = _log_variables()


class Naming:
    """Says, for the block, in the task's context variables which unit runs.

    Units that follow each other share one block: only what differs is set anew, since to set a
    variable copies a part of the context.
    """

    __slots__ = ("_named", "_tokens")

    def __init__(self) -> None:
        self._named: Unit | None = None
        self._tokens: tuple[Token[Any], ...] = ()

    def __enter__(self) -> Self:
        return self

    def name(self, unit: Unit) -> None:
        """From now on this one runs."""
        before, self._named = self._named, unit
        if before is None:
            self._tokens = (
                current.set(unit),
                current_unit.set(unit.storage),
                _HANDLER.set(unit.handler),
                _BAND.set(_logged(unit.channel_id)),
                _USER.set(_logged(unit.user_id)),
                _REQUEST_ID.set(_logged(unit.request_id)),
            )
            return
        current.set(unit)
        current_unit.set(unit.storage)
        # Compared with what is there: a handler may have cleared or bound them itself.
        if _HANDLER.get(None) != unit.handler:
            _HANDLER.set(unit.handler)
        if _BAND.get(None) != (band := _logged(unit.channel_id)):
            _BAND.set(band)
        if _USER.get(None) != (user := _logged(unit.user_id)):
            _USER.set(user)
        if _REQUEST_ID.get(None) != (request_id := _logged(unit.request_id)):
            _REQUEST_ID.set(request_id)

    def __exit__(self, *failure: object) -> None:
        if self._named is not None:
            latest.set(self._named)
        for token in self._tokens:
            token.var.reset(token)


def _logged(value: str | None) -> object:
    """structlog's own sign for a variable that is not bound stands for None."""
    return ... if value is None else value


class unit_of_work:
    """Run the block as this unit: what it changes is saved when it ends, also by error.

    The last look at what was touched is shielded from cancellation and bounded, so that a
    handler that ran out of time still leaves memory and disk alike.

    Args:
        on_end: told when it has ended, with what it raised; must not raise.

    Raises:
        StorageError: the block ended well, and something it changed cannot be stored. Where the
            block raised, that is raised, and this noted in `Unit.unsaved`.
    """

    __slots__ = ("_naming", "_on_end", "_unit")

    def __init__(
        self, unit: Unit, on_end: Callable[[Unit, BaseException | None], None] | None = None
    ) -> None:
        self._unit = unit
        self._on_end = on_end
        self._naming = Naming()

    async def __aenter__(self) -> Unit:
        self._naming.name(self._unit)
        return self._unit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await save(self._unit, error)  # noqa: ASYNC102  # it has a shield and a limit
        except StorageError as exc:
            error = exc
            raise
        finally:
            self._naming.__exit__()
            if self._on_end is not None:
                self._on_end(self._unit, error)


async def save(unit: Unit, error: BaseException | None) -> None:
    """Save what the unit has changed, as its end; ``error`` is what it raised.

    Where it has to wait it is shielded from cancellation, and bounded.

    Raises:
        StorageError: as `unit_of_work`.
    """
    storage = unit.storage
    try:
        if storage.many:
            with trio.move_on_after(FINISH_SECONDS, shield=True):
                await storage.finish()
        else:
            storage.finish_at_once()
    except StorageError as exc:
        if error is None:
            raise
        unit.unsaved = (*unit.unsaved, exc)
