"""Who may log in on a connection, and what becomes of connections that are logged in.

What the frames besides the logins do is decided in ``rules``; how long a connection of a service
lives is said by the knobs.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import structlog
import trio

from moobius_trio.local.board import Board
from moobius_trio.local.dialects import Dialects
from moobius_trio.local.faults import Faults
from moobius_trio.local.post import Post
from moobius_trio.local.receipts import Receipts
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Outcome
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import POLICY_VIOLATION
from moobius_trio.local.state import State
from moobius_trio.types import ServiceId, ServiceLogin, UserId, UserLogin

__all__ = ("Logins",)

_NOT_GOOD: Final = "the access token is wrong or has expired; sign in again"

_SOON: Final = 1e-6
"""Seconds that are just enough to be behind the receipt for what is being handled."""

_log = structlog.get_logger()


class Logins:
    """Lets clients in, and takes them out of the rosters again.

    Args:
        services: the connections of services that are logged in; changed here only.
        users: likewise.
    """

    def __init__(
        self,
        state: State,
        faults: Faults,
        dialects: Dialects,
        receipts: Receipts,
        board: Board,
        post: Post,
        services: Roster[ServiceId],
        users: Roster[UserId],
    ) -> None:
        self._state = state
        self._faults = faults
        self._dialects = dialects
        self._receipts = receipts
        self._board = board
        self._post = post
        self._services = services
        self._users = users

    def log_in(self, session: Session, login: UserLogin | ServiceLogin) -> Outcome:
        """What a login leads to. A refusal, too, is in the words of whom the token was given."""
        if session.role is Role.NOBODY and not session.settled:
            session.generation = self._state.tokens.generation(login.access_token)
        if isinstance(login, UserLogin):
            return self._user(session, login)
        return self._service(session, login)

    def outlived(self, session: Session) -> str:
        """Why a service's connection is no good any more; empty while it is."""
        mode = self._state.knobs.live_token
        if mode == "ignored" or self._state.user_of(session.access_token) is not None:
            return ""
        if mode == "closed":
            session.close(POLICY_VIOLATION, "the access token has expired")
        return _NOT_GOOD

    def leave(self, session: Session) -> None:
        """The connection has ended; also for one on which nobody logged in."""
        if session.user_id is not None:
            self._users.remove(session.user_id, session)
        self._leave_service(session)

    def cut_as_planned(self, session: Session) -> None:
        """Cut a connection as the platform's host does; the knobs say how."""
        knobs = self._state.knobs
        if knobs.cut_notice is None:
            session.close(knobs.cut_code, "cut")
        else:
            session.send_nowait(self._receipts.host_error("Going away"))
            close = partial(session.close, knobs.cut_code, "cut")
            session.after(knobs.cut_notice, close, effect=False)

    def _user(self, session: Session, login: UserLogin) -> Outcome:
        user_id = self._state.user_of(login.access_token)
        if user_id is None:
            return Outcome(refusal=_NOT_GOOD)
        if session.role is Role.SERVICE or session.user_id not in (None, user_id):
            return Outcome(refusal="somebody else is logged in on this connection")
        session.role, session.user_id = Role.USER, user_id
        self._dialects.begin(session, login.access_token)
        self._users.add(user_id, session)
        return Outcome(note="logged in")

    def _service(self, session: Session, login: ServiceLogin) -> Outcome:
        user_id = self._state.user_of(login.access_token)
        if user_id is None or self._faults.refuses_login():
            return Outcome(refusal=_NOT_GOOD)
        if session.role is Role.USER:
            return Outcome(refusal="a user is logged in on this connection")
        if not login.service_id:
            # The original's very first start has no id yet and logs in all the same
            # (docs/protocol/generation-0.md section 4.1).
            self._let_in(session, user_id, login)
            return Outcome(note="logged in; create a service and log in with its id")
        service = self._state.world.services.get(login.service_id)
        if service is None or service.owner != user_id:
            return Outcome(refusal=f"this account has no service {login.service_id}")
        connected = self._services[service.service_id]
        others = [each for each in connected if each is not session and not each.closing]
        match self._state.knobs.second_login if others else "both":
            case "refuse":
                return Outcome(refusal="the service is connected already")
            case "displace":
                for other in others:
                    other.close(POLICY_VIOLATION, "the service logged in on another connection")
        self._let_in(session, user_id, login)
        if session.service_id == service.service_id:
            # The original logs in again after every refusal (docs/protocol/generation-0.md section
            # 3.3). Taken for a new connection, that would make all pages ask the service again, and
            # an answer of it that is refused each time would go round for ever.
            return Outcome(note="logged in already")
        self._leave_service(session)
        session.service_id = service.service_id
        self._services.add(service.service_id, session)
        self._post.service_began(service.service_id)
        for text in self._faults.events_again(service.service_id):
            session.after(_SOON, partial(session.send_nowait, text))
        self._board.service_began(*self._state.world.bands_of(service.service_id))
        _log.info("service connected", service_id=service.service_id, generation=session.generation)
        return Outcome(note="logged in")

    def _let_in(self, session: Session, user_id: UserId, login: ServiceLogin) -> None:
        first = session.role is Role.NOBODY
        session.role, session.user_id = Role.SERVICE, user_id
        self._dialects.begin(session, login.access_token)
        knobs = self._state.knobs
        if first and knobs.connection_seconds is not None:
            cut = partial(self.cut_as_planned, session)
            session.after(knobs.connection_seconds, cut, effect=False)
        if first and knobs.idle_seconds is not None:
            self._watch_idle(session, knobs.idle_seconds)

    def _watch_idle(self, session: Session, limit: float) -> None:
        left = session.heard_at + limit - trio.current_time()
        if left <= 0:
            self.cut_as_planned(session)
        else:
            session.after(left, partial(self._watch_idle, session, limit), effect=False)

    def _leave_service(self, session: Session) -> None:
        """The session speaks for no service any more; also for one that never did."""
        if session.service_id is not None:
            self._services.remove(session.service_id, session)
            _log.info("service disconnected", service_id=session.service_id)
            session.service_id = None
            self._board.changed()
