"""The owner of the connection: connects, logs in, connects again; at most one at a time.

What happens on one connection is the session's, what is sent the outbox's. Rules and figures:
docs/architecture.md section 5.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Generic, NoReturn

import structlog
import trio
from typing_extensions import TypeVar

from moobius_trio.errors import (
    ConnectionLost,
    LoginRejected,
    MoobiusError,
    SignInRefused,
    Unreachable,
)
from moobius_trio.network.acknowledgement import Acknowledgement, Mode
from moobius_trio.network.backoff import Backoff
from moobius_trio.network.clocks import LOOK_SECONDS, watch_clocks
from moobius_trio.network.duplicates import Duplicates
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.items import ClientId, ServiceWire, Side, service_side
from moobius_trio.network.limits import TRIES, LoginLimit
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.reports import Gap, LinkState, LinkStatistics
from moobius_trio.network.session import Counters, LoginRefused, RotationDue, Session
from moobius_trio.network.streams import Connector, CouldNotConnect
from moobius_trio.types import ServiceCommand, ServiceFrame

__all__ = (
    "ClientId",
    "Gap",
    "Link",
    "LinkState",
    "LinkStatistics",
    "ServiceWire",
    "Side",
    "service_side",
)

log = structlog.get_logger()

C = TypeVar("C", default=ServiceCommand)
E = TypeVar("E", default=ServiceFrame)

ROTATION_SECONDS: Final = (105 * 60.0, 115 * 60.0)
"""A connection is given up at some moment between these ages: the platform's host cuts those of
two hours, and not all services should come back at one time."""


class Link(Generic[C, E]):
    """Keeps one service, or one user, connected for as long as ``serve`` runs."""

    def __init__(
        self,
        *,
        connect: Connector,
        wire: Side[C, E],
        outbox: Outbox[C],
        address: str,
        client_id: ClientId,
        login: Callable[[], C],
        renew: Callable[[], Awaitable[None]],
        on_event: Callable[[E], None],
        on_gap: Callable[[Gap], None],
        random: random.Random,
        wall_clock_ms: Callable[[], int],
        clock_seconds: float = LOOK_SECONDS,
    ) -> None:
        """A link that is not connected.

        Args:
            address: what errors and logs call the platform.
            login: makes the login frame with the token of the moment.
            renew: fetches new tokens after a refused login.
            on_event: told of everything that could be read, copies and errors of the platform
                included; must not wait and must not raise.
            on_gap: told after each login but the first; must not wait and must not raise.
            random: for the waits between attempts, and for the length of connections.
            wall_clock_ms: the machine's time, which may jump; looked at every ``clock_seconds``,
                never if that is infinite.
        """
        self._connect = connect
        self._wire = wire
        self._outbox = outbox
        self._address = address
        self._client_id = client_id
        self._login = login
        self._renew = renew
        self._on_event = on_event
        self._on_gap = on_gap
        self._random = random
        self._wall_clock_ms = wall_clock_ms
        self._clock_seconds = clock_seconds
        self._backoff = Backoff(random)
        self._limit = LoginLimit()
        self._duplicates = Duplicates()
        self._session: Session[C, E] | None = None
        self._rotations = 0
        self._clock_jumped = trio.Event()
        self._ack = Acknowledgement(self._on_mode)
        self._counters = Counters()
        self._state: LinkState = "stopped"
        self._attempt = 0
        self._next_attempt_at: float | None = None
        self._was_logged_in = False
        self._session_began: float | None = None
        self._lost: tuple[float, str] | None = None
        self._gaps = 0
        self._sign_in_refused: SignInRefused | None = None
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and stay connected until ``stop``; once per link.

        ``started()`` is called after the first login is confirmed, or has gone unanswered for
        2 s on a platform that answers none. Before that three attempts are made; after it
        faults of the network never end this. Cancelled, the connection says goodbye within a
        second. However it ends, every frame of the outbox has an outcome then.

        Raises:
            Unreachable: no connection in three attempts before the first login.
            LoginRejected: the login was refused, also with new tokens: three times in a row at
                the start, ten times within the hour later.
            SignInRefused: renewing the tokens showed that the account's password is wrong.
        """
        try:
            with self._scope, unwrapped():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._watch_clocks)
                    nursery.start_soon(self._mend_after_jumps)
                    await self._keep_connected(task_status)
        finally:
            self._set_state("stopped")
            self._outbox.close("it has stopped")
            self._ended.set()

    async def stop(self) -> None:
        """Close with 1000 and let ``serve`` return; takes at most a second with a dead peer.

        What is still to be sent should be flushed before. Does nothing before ``serve``.
        """
        self._scope.cancel()
        if self._state != "stopped":
            await self._ended.wait()
        await trio.lowlevel.checkpoint()

    def statistics(self) -> LinkStatistics:
        """A snapshot."""
        due = self._next_attempt_at
        return LinkStatistics(
            state=self._state,
            attempt=self._attempt,
            next_attempt_in=max(0.0, due - trio.current_time()) if due is not None else None,
            acknowledgement=self._ack.mode,
            liveness="proven" if self._ack.heartbeat_answered else "unproven",
            connections=self._counters.connections,
            rotations=self._rotations,
            logins=self._counters.logins,
            refused_logins=self._limit.refused,
            gaps=self._gaps,
            heartbeats=self._counters.heartbeats,
            received=self._counters.received,
            malformed=self._counters.malformed,
            platform_errors=self._counters.platform_errors,
            duplicates=self._counters.duplicates,
            foreign_copies=self._ack.foreign_copies,
        )

    async def _keep_connected(self, task_status: trio.TaskStatus[None]) -> NoReturn:
        while True:
            self._attempt += 1
            asked_for, at_least = None, 0.0
            try:
                await self._hold_one_connection(task_status)
            except RotationDue:
                self._rotations += 1
                self._attempt = 0
                self._backoff.begin_anew(trio.current_time())
                continue
            except LoginRefused as refusal:
                await self._after_refusal(refusal.reason)
                self._attempt = 0  # the platform was there; it has limits of its own for refusals
                continue
            except CouldNotConnect as error:
                reason, asked_for = error.reason, error.retry_after
            except ConnectionLost as lost:
                reason, at_least = str(lost), self._wait_after_end(lost)
            if not self._was_logged_in and self._attempt >= TRIES:
                raise Unreachable(self._address, self._attempt, reason)
            now = trio.current_time()
            delay = self._backoff.next_delay(now, self._session_seconds(), asked_for)
            delay = max(delay, at_least)
            log.warning(
                "not connected, trying again",
                reason=reason,
                attempt=self._attempt + 1,
                delay=round(delay, 2),
            )
            await self._wait(delay)

    async def _hold_one_connection(self, task_status: trio.TaskStatus[None]) -> NoReturn:
        """One connection from its making to its end; the next can only begin behind it."""
        self._session_began = None
        await self._wait(self._limit.allowed_in(trio.current_time()))
        self._set_state("connecting")
        session = self._session = None
        try:
            async with self._connect() as stream:
                self._counters.connections += 1
                self._set_state("logging in")
                session = self._session = Session(
                    stream,
                    wire=self._wire,
                    outbox=self._outbox,
                    login=self._login,
                    acknowledgement=self._ack,
                    counters=self._counters,
                    duplicates=self._duplicates,
                    on_event=self._on_event,
                    seconds=self._random.uniform(*ROTATION_SECONDS),
                )
                await session.run(partial(self._on_ready, task_status))
        except (ConnectionLost, LoginRefused, RotationDue) as error:  # the connector's own included
            if session is not None:
                self._on_end(session, error)
            raise
        finally:
            self._session = None
        raise AssertionError("a session ends only by raising")

    def _on_ready(self, task_status: trio.TaskStatus[None]) -> None:
        now = self._session_began = trio.current_time()
        self._set_state("connected")
        self._attempt = 0
        self._limit.note_login()
        self._sign_in_refused = None
        log.info("logged in", address=self._address, acknowledgement=self._ack.mode)
        if self._lost is not None:
            since, reason = self._lost
            self._lost = None
            self._gaps += 1
            self._on_gap(Gap(since, now, reason))
        if not self._was_logged_in:
            self._was_logged_in = True
            task_status.started()

    def _on_end(
        self, session: Session[C, E], error: ConnectionLost | LoginRefused | RotationDue
    ) -> None:
        code = error.code if isinstance(error, ConnectionLost) else None
        if isinstance(error, RotationDue):
            reason, since = "a planned new connection", error.since
            log.info("the connection is given up for a new one, as planned")
        else:
            # without a close frame it may have been dead for some time
            since = trio.current_time() if code is not None else session.quiet_since
            reason = str(error)
        self._outbox.connection_lost(reason, code)
        if self._session_began is not None:
            self._lost = (since, reason)

    def _wait_after_end(self, lost: ConnectionLost) -> float:
        """How long to keep away from a platform that does not seem to want this service."""
        if self._session_began is None:
            return 0.0
        wait = self._limit.wait_after_end(self._session_seconds(), lost.code)
        if wait:
            log.error(
                "the platform closes each connection right after its login: another instance?",
                client_id=self._client_id,
                reason=str(lost),
                delay=wait,
                remedy="let one process run it; each new login ends the one before",
            )
        return wait

    def _session_seconds(self) -> float:
        began = self._session_began
        return trio.current_time() - began if began is not None else 0.0

    async def _after_refusal(self, reason: str) -> None:
        """Fetch new tokens for the next login; give up when enough of them were refused."""
        self._limit.note_refusal(trio.current_time())
        wait = self._limit.wait_after_refusal(self._was_logged_in)
        log.warning(
            "the login was refused",
            reason=reason,
            refusals=self._limit.in_a_row,
            delay=wait,
        )
        if wait is None:
            raise self._sign_in_refused or LoginRejected(self._client_id, reason)
        await self._wait(wait)
        await self._renew_tokens()

    async def _renew_tokens(self) -> None:
        try:
            await self._renew()
        except SignInRefused as refused:
            if not self._was_logged_in:
                raise
            self._sign_in_refused = refused
        except MoobiusError as error:  # the platform's HTTP side is out of reach, or out of order
            log.warning("no new tokens", reason=str(error))

    async def _watch_clocks(self) -> NoReturn:
        await watch_clocks(self._wall_clock_ms, self._on_jump, every=self._clock_seconds)

    def _on_jump(self, seconds: float) -> None:
        log.info("the clock has jumped: the connection is checked", seconds=round(seconds))
        self._clock_jumped.set()
        if self._session is not None:
            self._session.check()

    async def _mend_after_jumps(self) -> NoReturn:
        """The machine slept, perhaps for longer than a token lives."""
        while True:
            await self._clock_jumped.wait()
            self._clock_jumped = trio.Event()
            if self._was_logged_in:
                await self._renew_tokens()

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._next_attempt_at = trio.current_time() + seconds
            self._set_state("waiting", until=self._next_attempt_at)
            await trio.sleep_until(self._next_attempt_at)

    def _set_state(self, state: LinkState, *, until: float | None = None) -> None:
        self._state = state
        self._next_attempt_at = until

    def _on_mode(self, mode: Mode) -> None:
        self._outbox.use_mode(mode)
        log.info("how the platform acknowledges frames is known", acknowledgement=mode)
