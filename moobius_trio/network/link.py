"""The owner of the connection: connects, logs in, connects again; at most one at a time.

What happens on one connection is the session's, what is sent the outbox's. Rules and figures:
docs/architecture.md section 5.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal, TypeAlias

import attrs
import structlog
import trio

from moobius_trio.errors import (
    ConnectionLost,
    LoginRejected,
    MoobiusError,
    SignInRefused,
    Unreachable,
)
from moobius_trio.network.acknowledgement import Acknowledgement, Mode
from moobius_trio.network.backoff import Backoff
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.items import ServiceWire
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.session import Counters, LoginRefused, Session
from moobius_trio.network.streams import Connector, CouldNotConnect
from moobius_trio.types import ServiceEvent, ServiceId, ServiceLogin

__all__ = ("Gap", "Link", "LinkState", "LinkStatistics", "ServiceWire")

log = structlog.get_logger()

LinkState: TypeAlias = Literal["connecting", "logging in", "connected", "waiting", "stopped"]

TRIES: Final = 3
"""Attempts before the first login. After it a restarting platform may answer anything."""
REFUSALS_A_MINUTE: Final = 3
REFUSAL_WAITS: Final = tuple(60.0 * minutes for minutes in (1, 2, 4, 8, 15, 15, 15))
"""Before the fourth and later logins in a row, when the service had been logged in before."""


@attrs.frozen
class Gap:
    """A time without a connection, by trio's clock in seconds. What came then is not known."""

    since: float
    """Not later than the first event that was missed."""
    until: float
    reason: str


@attrs.frozen(kw_only=True)
class LinkStatistics:
    """A snapshot. What has no other unit counts since the start."""

    state: LinkState
    attempt: int
    """Connection attempts since the last login."""
    next_attempt_in: float | None
    """Seconds; None unless ``state`` is ``waiting``."""
    acknowledgement: Mode
    liveness: Literal["proven", "unproven"]
    """``unproven``: this platform never answered a heartbeat, so silence tells nothing."""
    connections: int
    logins: int
    """Logins sent."""
    refused_logins: int
    gaps: int
    heartbeats: int
    """Heartbeats sent."""
    received: int
    """Frames that came in."""
    malformed: int
    """Those of them that could not be read."""
    platform_errors: int
    foreign_copies: int
    """Copies with an id that no frame of ours has, or not any more."""


class Link:
    """Keeps one service connected for as long as ``serve`` runs."""

    def __init__(
        self,
        *,
        connect: Connector,
        wire: ServiceWire,
        outbox: Outbox,
        address: str,
        service_id: ServiceId,
        login: Callable[[], ServiceLogin],
        renew: Callable[[], Awaitable[None]],
        on_event: Callable[[ServiceEvent], None],
        on_gap: Callable[[Gap], None],
        random: random.Random,
    ) -> None:
        """A link that is not connected.

        Args:
            address: what errors and logs call the platform.
            login: makes the login frame with the token of the moment.
            renew: fetches new tokens after a refused login.
            on_event: told of everything that could be read, copies and errors of the platform
                included; must not wait and must not raise.
            on_gap: told after each login but the first; must not wait and must not raise.
            random: for the waits between attempts.
        """
        self._connect = connect
        self._wire = wire
        self._outbox = outbox
        self._address = address
        self._service_id = service_id
        self._login = login
        self._renew = renew
        self._on_event = on_event
        self._on_gap = on_gap
        self._backoff = Backoff(random)
        self._ack = Acknowledgement(self._on_mode)
        self._counters = Counters()
        self._state: LinkState = "stopped"
        self._attempt = 0
        self._next_attempt_at: float | None = None
        self._was_logged_in = False
        self._session_began: float | None = None
        self._lost: tuple[float, str] | None = None
        self._gaps = 0
        self._refusals_in_a_row = 0
        self._refused_logins = 0
        self._refused_at: deque[float] = deque(maxlen=REFUSALS_A_MINUTE)
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
                await self._keep_connected(task_status)
        finally:
            self._set_state("stopped")
            self._outbox.close("the service has stopped")
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
            logins=self._counters.logins,
            refused_logins=self._refused_logins,
            gaps=self._gaps,
            heartbeats=self._counters.heartbeats,
            received=self._counters.received,
            malformed=self._counters.malformed,
            platform_errors=self._counters.platform_errors,
            foreign_copies=self._ack.foreign_copies,
        )

    async def _keep_connected(self, task_status: trio.TaskStatus[None]) -> None:
        while True:
            self._attempt += 1
            asked_for = None
            try:
                await self._hold_one_connection(task_status)
                return  # not reached: a session ends only by raising
            except LoginRefused as refusal:
                await self._after_refusal(refusal.reason)
                self._attempt = 0  # the platform was there; it has limits of its own for refusals
                continue
            except CouldNotConnect as error:
                reason, asked_for = error.reason, error.retry_after
            except ConnectionLost as lost:
                reason = str(lost)
            if not self._was_logged_in and self._attempt >= TRIES:
                raise Unreachable(self._address, self._attempt, reason)
            delay = self._backoff.next_delay(self._session_seconds(), asked_for)
            log.warning(
                "not connected, trying again",
                reason=reason,
                attempt=self._attempt + 1,
                delay=round(delay, 2),
            )
            await self._wait(delay)

    async def _hold_one_connection(self, task_status: trio.TaskStatus[None]) -> None:
        """One connection from its making to its end; the next can only begin behind it."""
        self._session_began = None
        await self._wait(self._login_allowed_in())
        self._set_state("connecting")
        session: Session | None = None
        try:
            async with self._connect() as stream:
                self._counters.connections += 1
                self._set_state("logging in")
                session = Session(
                    stream,
                    wire=self._wire,
                    outbox=self._outbox,
                    login=self._login,
                    acknowledgement=self._ack,
                    counters=self._counters,
                    on_event=self._on_event,
                )
                await session.run(partial(self._on_ready, task_status))
        except (ConnectionLost, LoginRefused) as error:  # the connector's own included
            if session is not None:
                self._on_end(session, error)
            raise

    def _on_ready(self, task_status: trio.TaskStatus[None]) -> None:
        now = self._session_began = trio.current_time()
        self._set_state("connected")
        self._attempt = self._refusals_in_a_row = 0
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

    def _on_end(self, session: Session, error: ConnectionLost | LoginRefused) -> None:
        code = error.code if isinstance(error, ConnectionLost) else None
        self._outbox.connection_lost(str(error), code)
        if self._session_began is not None:
            # without a close frame it may have been dead for some time
            since = trio.current_time() if code is not None else session.quiet_since
            self._lost = (since, str(error))

    def _session_seconds(self) -> float:
        began = self._session_began
        return trio.current_time() - began if began is not None else 0.0

    async def _after_refusal(self, reason: str) -> None:
        """Fetch new tokens for the next login; give up when enough of them were refused."""
        self._refused_logins += 1
        self._refusals_in_a_row += 1
        self._refused_at.append(trio.current_time())
        wait = self._wait_after_refusal()
        log.warning(
            "the login was refused",
            reason=reason,
            refusals=self._refusals_in_a_row,
            delay=wait,
        )
        if wait is None:
            raise self._sign_in_refused or LoginRejected(self._service_id, reason)
        await self._wait(wait)
        try:
            await self._renew()
        except SignInRefused as refused:
            if not self._was_logged_in:
                raise
            self._sign_in_refused = refused
        except MoobiusError as error:  # the platform's HTTP side is out of reach, or out of order
            log.warning("no new tokens", reason=str(error))

    def _wait_after_refusal(self) -> float | None:
        """Seconds before the next login; None when there is to be none."""
        late = self._refusals_in_a_row - TRIES
        if late < 0:
            return 0.0
        if not self._was_logged_in or late >= len(REFUSAL_WAITS):
            return None
        return REFUSAL_WAITS[late]

    def _login_allowed_in(self) -> float:
        """Seconds until one more refusal would not be the fourth within a minute."""
        if len(self._refused_at) < REFUSALS_A_MINUTE:
            return 0.0
        return max(0.0, self._refused_at[0] + 60.0 - trio.current_time())

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
