"""All connections of the platform: who is logged in where, and what becomes of their frames.

Texts become values by the codec, the rules say what they lead to, and what comes out is handed
to the sessions it is for. Nothing here waits while a frame is handled, so that frames have
their effects in the order in which they were read. What a frame leads to is decided in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import structlog
import trio

from moobius_trio.codec.generation0 import (
    ROGER,
    ClientFrame,
    decode_from_client,
    encode_for_service,
    encode_for_user,
    name_of_frame,
)
from moobius_trio.errors import MalformedPayload
from moobius_trio.local.board import Board
from moobius_trio.local.faults import Faults
from moobius_trio.local.inspected import as_text, hello
from moobius_trio.local.inspector import Inspector
from moobius_trio.local.receipts import Receipts
from moobius_trio.local.records import BandEmptied
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Delivery, Outcome, ToUsers, from_service, from_user, leaving
from moobius_trio.local.scribe import Scribe
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import GOING_AWAY, POLICY_VIOLATION, TOO_BIG, Socket
from moobius_trio.local.state import State
from moobius_trio.local.viewing import Viewing
from moobius_trio.types import (
    ChannelId,
    MessageId,
    Ping,
    ServiceCommand,
    ServiceEvent,
    ServiceId,
    ServiceLogin,
    UnknownPayload,
    UserCommand,
    UserId,
    UserLogin,
)

__all__ = ("Sessions",)

_NOT_GOOD = "the access token is wrong or has expired; sign in again"

_SOON: Final = 1e-6
"""Seconds that are just enough to be behind the receipt for what is being handled."""

_log = structlog.get_logger()


class Sessions:
    """The open connections, for the whole platform."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._all: dict[Session, None] = {}
        self._services: Roster[ServiceId] = Roster()
        self._users: Roster[UserId] = Roster()
        self._one_ended = trio.Event()
        self.inspector = Inspector(lambda: state.now_ms, state.world.nickname)
        self.board = Board(state, self._services.__contains__)
        self.faults = Faults(state)
        self._scribe = Scribe(self.inspector, self._services)
        self._receipts = Receipts(state, self.faults, self._scribe)

    @property
    def in_flight(self) -> int:
        """Frames accepted for sockets and not yet handed over to them."""
        return sum(session.waiting for session in self._all)

    def knobs_changed(self) -> None:
        """The knobs have been replaced: count anew, and tell those that are connected."""
        self.faults.restart()
        for session in self._all:
            session.answer_pings(self._state.knobs.answer_socket_pings)

    async def serve(self, socket: Socket) -> None:
        """Serve one connection of the protocol until it ends; cancelled, it is closed with 1001.

        The first login on it decides whether it is a service's or a user's.
        """
        session = Session(socket)
        await self._run(session, lambda text: self._on_text(session, text))

    async def watch(self, socket: Socket, *, builds: bool = True) -> None:
        """Serve one connection of a page that watches the list of bands; ``builds`` as for
        ``Board.add``. What it sends is not read."""
        session = Session(socket)
        self.board.add(session, builds=builds)
        await self._run(session, lambda text: None)

    async def inspect(self, socket: Socket) -> None:
        """Serve one connection of a page that looks at frames: first those that are kept, then
        each that comes. What the page sends is not read."""
        session = Session(socket)
        with self.inspector.subscribe() as viewing:
            session.send_nowait(hello(self.inspector.kept))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_show, viewing, session)
                await self._run(session, lambda text: None)
                nursery.cancel_scope.cancel()

    async def _run(self, session: Session, on_text: Callable[[str], None]) -> None:
        self._all[session] = None
        if not self._state.knobs.answer_socket_pings:
            session.answer_pings(False)
        try:
            lost = await session.run(on_text)
            _log.debug("connection ended", code=lost.code, reason=lost.reason)
        finally:
            session.finish()
            del self._all[session]
            self.board.remove(session)
            if session.user_id is not None:
                self._users.remove(session.user_id, session)
            self._leave_service(session)
            self._one_ended.set()

    async def close_all(self, code: int = GOING_AWAY, reason: str = "shutting down") -> None:
        """Close every connection and wait until all have ended."""
        for session in self._all:
            session.close(code, reason)
        while self._all:
            self._one_ended = trio.Event()
            await self._one_ended.wait()
        self._receipts.tell_rest()

    def cut(self, service_id: ServiceId | None = None, code: int = GOING_AWAY) -> None:
        """Begin to close the connections of one service, or of all; what waits for them is lost,
        as when the platform's host cuts them (docs/protocol/generation-0.md section 4.4)."""
        for session in self._all:
            if session.role is Role.SERVICE and service_id in (None, session.service_id):
                session.close(code, "cut")

    def empty_band(self, channel_id: ChannelId) -> None:
        """Let everybody leave the band, of which its service hears in their order, and forget what
        was said in it."""
        for outcome in leaving(self._state.world, channel_id):
            self._state.change(*outcome.changes)
            self._scribe.done(outcome)
            self._deliver(outcome.frames)
        self._state.change(BandEmptied(channel_id=channel_id))
        self.board.emptied(channel_id)

    def _on_text(self, session: Session, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._is_too_large(session, text, size):
            return
        if session.role is Role.SERVICE and self._state.knobs.order == "concurrent":
            session.after(self.faults.delay(), partial(self._handle, session, text))
        else:
            self._handle(session, text)

    def _handle(self, session: Session, text: str) -> None:
        try:
            frame = decode_from_client(text)
        except MalformedPayload as exc:
            request_id, origin_type = name_of_frame(text)
            self._scribe.unreadable(session, text, origin_type, str(exc))
            self._receipts.refuse(session, request_id, origin_type, str(exc))
            return
        heartbeat = isinstance(frame.command, Ping | ServiceLogin | UserLogin)
        if session.role is Role.SERVICE and not heartbeat:
            seconds = self._state.knobs.slow_seconds
            session.in_order(seconds, partial(self._take, session, text, frame))
        else:
            self._take(session, text, frame)

    def _take(self, session: Session, text: str, frame: ClientFrame) -> None:
        outcome = self._outcome(session, frame)
        self._scribe.taken(session, text, frame, outcome)
        if outcome.refusal:
            is_login = isinstance(frame.command, ServiceLogin | UserLogin)
            refuse = self._receipts.refuse_login if is_login else self._receipts.refuse
            refuse(session, frame.request_id, frame.origin_type, outcome.refusal)
            return
        self._state.change(*outcome.changes)
        if self._is_answered(frame.command):
            self._receipts.confirm(session, frame.request_id, frame.origin_type, outcome.note)
        self._deliver(outcome.frames)
        if session.role is Role.SERVICE and outcome.changes and self.faults.cuts():
            for each in self._all:
                if each.role is Role.SERVICE:
                    self._cut_as_planned(each)

    def _is_answered(self, command: ServiceCommand | UserCommand | UnknownPayload) -> bool:
        if isinstance(command, Ping):
            return self._state.knobs.answer_pings
        return not (isinstance(command, UnknownPayload) and self._state.knobs.roger == "ignored")

    def _outcome(self, session: Session, frame: ClientFrame) -> Outcome:
        match frame.command:
            case ServiceLogin():
                return self._log_in_service(session, frame.command)
            case UserLogin():
                return self._log_in_user(session, frame.command)
        if session.role is Role.NOBODY or session.user_id is None:
            return Outcome(refusal="log in first")
        if session.role is Role.USER:
            return self._from_user(session.user_id, frame)
        if refusal := self._outlived(session):
            return Outcome(refusal=refusal)
        if isinstance(frame.command, Ping) or self._is_roger(frame.command):
            return Outcome()
        if session.service_id is None:
            return Outcome(refusal="log in with a service_id first; so far there was an empty one")
        if self.faults.refuses(frame.request_id):
            return Outcome(refusal="told to refuse it")
        return self._from_service(session.service_id, frame)

    def _outlived(self, session: Session) -> str:
        """Why a service's connection is no good any more; empty while it is."""
        mode = self._state.knobs.live_token
        if mode == "ignored" or self._state.user_of(session.access_token) is not None:
            return ""
        if mode == "closed":
            session.close(POLICY_VIOLATION, "the access token has expired")
        return _NOT_GOOD

    def _is_roger(self, command: ServiceCommand | UserCommand | UnknownPayload) -> bool:
        known = self._state.knobs.roger != "refused"
        return known and isinstance(command, UnknownPayload) and command.type == ROGER

    def _from_user(self, user_id: UserId, frame: ClientFrame) -> Outcome:
        if frame.client_id not in (None, "", user_id):
            return Outcome(refusal=f"client_id is {frame.client_id}, logged in is {user_id}")
        return from_user(
            self._state.world,
            user_id,
            frame.command,
            now=self._state.now_ms,
            msg_id=MessageId(self._state.new_id()),
        )

    def _from_service(self, service_id: ServiceId, frame: ClientFrame) -> Outcome:
        if frame.client_id not in (None, "", service_id):
            return Outcome(refusal=f"client_id is {frame.client_id}, logged in is {service_id}")
        return from_service(
            self._state.world,
            service_id,
            frame.request_id,
            frame.command,
            now=self._state.now_ms,
            drop_repeats=self._state.knobs.drop_repeats,
        )

    def _log_in_user(self, session: Session, login: UserLogin) -> Outcome:
        user_id = self._state.user_of(login.access_token)
        if user_id is None:
            return Outcome(refusal=_NOT_GOOD)
        if session.role is Role.SERVICE or session.user_id not in (None, user_id):
            return Outcome(refusal="somebody else is logged in on this connection")
        session.role, session.user_id = Role.USER, user_id
        self._users.add(user_id, session)
        return Outcome(note="logged in")

    def _log_in_service(self, session: Session, login: ServiceLogin) -> Outcome:
        user_id = self._state.user_of(login.access_token)
        if user_id is None or self.faults.refuses_login():
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
        for text in self.faults.events_again(service.service_id):
            session.after(_SOON, partial(session.send_nowait, text))
        self.board.service_began(*self._state.world.bands_of(service.service_id))
        _log.info("service connected", service_id=service.service_id)
        return Outcome(note="logged in")

    def _let_in(self, session: Session, user_id: UserId, login: ServiceLogin) -> None:
        first = session.role is Role.NOBODY
        session.role, session.user_id = Role.SERVICE, user_id
        session.access_token = login.access_token
        knobs = self._state.knobs
        if first and knobs.connection_seconds is not None:
            cut = partial(self._cut_as_planned, session)
            session.after(knobs.connection_seconds, cut, effect=False)
        if first and knobs.idle_seconds is not None:
            self._watch_idle(session, knobs.idle_seconds)

    def _watch_idle(self, session: Session, limit: float) -> None:
        left = session.heard_at + limit - trio.current_time()
        if left <= 0:
            self._cut_as_planned(session)
        else:
            session.after(left, partial(self._watch_idle, session, limit), effect=False)

    def _cut_as_planned(self, session: Session) -> None:
        """Cut a connection as the platform's host does; the knobs say how."""
        knobs = self._state.knobs
        if knobs.cut_notice is None:
            session.close(knobs.cut_code, "cut")
        else:
            session.send_nowait(self._receipts.host_error("Going away"))
            close = partial(session.close, knobs.cut_code, "cut")
            session.after(knobs.cut_notice, close, effect=False)

    def _leave_service(self, session: Session) -> None:
        """The session speaks for no service any more; also for one that never did."""
        if session.service_id is not None:
            self._services.remove(session.service_id, session)
            _log.info("service disconnected", service_id=session.service_id)
            session.service_id = None
            self.board.changed()

    def _deliver(self, frames: Iterable[Delivery]) -> None:
        for frame in frames:
            if isinstance(frame, ToUsers):
                sessions = [each for user_id in frame.users for each in self._users[user_id]]
                text = encode_for_user(frame.event) if sessions else ""
            else:
                self._tell_service(frame.service_id, frame.event)
                continue
            for session in sessions:
                session.send_nowait(text)

    def _tell_service(self, service_id: ServiceId, event: ServiceEvent) -> None:
        sessions = self._services[service_id]
        if not sessions:
            return
        for seconds, payload in self.faults.events(service_id, encode_for_service(event)):
            for session in sessions:
                session.after(seconds, partial(session.send_nowait, payload))

    def _is_too_large(self, session: Session, text: str, size: int) -> bool:
        """Whether a text is; then its connection is closed."""
        knobs = self._state.knobs
        frame = size if session.largest_frame is None else session.largest_frame
        if size > knobs.message_limit:
            what, found, limit = "message", size, knobs.message_limit
        elif knobs.frame_limit is not None and frame > knobs.frame_limit:
            what, found, limit = "frame", frame, knobs.frame_limit
        else:
            return False
        _log.warning("frame too large", size=found, limit=limit, user_id=session.user_id)
        words = f"a {what} may have {limit} bytes, not {found}"
        self._scribe.unreadable(session, text, "", words)
        session.close(TOO_BIG, words)
        return True


async def _show(viewing: Viewing, session: Session) -> None:
    """Hand news on as fast as the page reads; what it is too slow for is lost in the channel."""
    async for news in viewing:
        await session.wait_written()
        session.send_nowait(as_text(news))
