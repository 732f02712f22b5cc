"""All connections of the platform: who is logged in where, and what becomes of their frames.

Texts become values by the codec, the rules say what they lead to, and what comes out is handed
to the sessions it is for. Nothing here waits while a frame is handled, so that frames have
their effects in the order in which they were read. What a frame leads to is decided in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
import trio

from moobius_trio.codec.generation0 import (
    ClientFrame,
    decode_from_client,
    encode_for_service,
    encode_for_user,
    name_of_frame,
)
from moobius_trio.errors import MalformedPayload
from moobius_trio.local.board import Board
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Delivery, Outcome, ToUsers, from_service, from_user
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import GOING_AWAY, POLICY_VIOLATION, TOO_BIG, Socket
from moobius_trio.local.state import State
from moobius_trio.types import (
    Copy,
    MessageId,
    Ping,
    RequestId,
    ServiceId,
    ServiceLogin,
    UserId,
    UserLogin,
)

__all__ = ("Sessions",)

_NOT_GOOD = "the access token is wrong or has expired; sign in again"

_log = structlog.get_logger()


class Sessions:
    """The open connections, for the whole platform."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._all: dict[Session, None] = {}
        self._services: Roster[ServiceId] = Roster()
        self._users: Roster[UserId] = Roster()
        self._service_frames = 0
        self._one_ended = trio.Event()
        self.board = Board(state, self._services.__contains__)

    @property
    def in_flight(self) -> int:
        """Frames accepted for sockets and not yet handed over to them."""
        return sum(session.waiting for session in self._all)

    async def serve(self, socket: Socket) -> None:
        """Serve one connection of the protocol until it ends; cancelled, it is closed with 1001.

        The first login on it decides whether it is a service's or a user's.
        """
        session = Session(socket)
        await self._run(session, lambda text: self._on_text(session, text))

    async def watch(self, socket: Socket) -> None:
        """Serve one connection of a page that watches the list of bands. What it sends is not
        read."""
        session = Session(socket)
        self.board.add(session)
        await self._run(session, lambda text: None)

    async def _run(self, session: Session, on_text: Callable[[str], None]) -> None:
        self._all[session] = None
        try:
            lost = await session.run(on_text)
            _log.debug("connection ended", code=lost.code, reason=lost.reason)
        finally:
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

    def cut(self, service_id: ServiceId | None = None, code: int = GOING_AWAY) -> None:
        """Begin to close the connections of one service, or of all; what waits for them is lost,
        as when the platform's host cuts them (docs/protocol/generation-0.md section 4.4)."""
        for session in self._all:
            if session.role is Role.SERVICE and service_id in (None, session.service_id):
                session.close(code, "cut")

    def _on_text(self, session: Session, text: str) -> None:
        limit = self._state.knobs.message_limit
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if size > limit:
            _log.warning("frame too large", size=size, limit=limit, user_id=session.user_id)
            session.close(TOO_BIG, f"a frame may have {limit} bytes, not {size}")
            return
        try:
            frame = decode_from_client(text)
        except MalformedPayload as exc:
            self._copy(session, *name_of_frame(text), str(exc), status=False)
            return
        outcome = self._outcome(session, frame)
        answered = not isinstance(frame.command, Ping) or self._state.knobs.answer_pings
        if outcome.refusal:
            self._copy(session, frame.request_id, frame.origin_type, outcome.refusal, status=False)
            return
        self._state.change(*outcome.changes)
        if answered:
            self._copy(session, frame.request_id, frame.origin_type, outcome.note, status=True)
        self._deliver(outcome.frames)
        if session.role is Role.SERVICE and outcome.changes:
            self._count_service_frame()

    def _copy(
        self, session: Session, request_id: RequestId, origin_type: str, words: str, *, status: bool
    ) -> None:
        """The receipt for a frame. Clients differ in where they look for the words."""
        if not status:
            who = session.service_id or session.user_id
            _log.warning("frame refused", client=who, origin_type=origin_type, reason=words)
        if self._state.knobs.copies_echo_id == "absent":
            return
        if self._state.knobs.copies_echo_id == "foreign":
            request_id = RequestId(self._state.new_id())
        context = {"msg": words, "message": words}
        copy = Copy(request_id=request_id, origin_type=origin_type, status=status, context=context)
        session.send_nowait(encode_for_service(copy))

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
        if isinstance(frame.command, Ping):
            return Outcome()
        if session.service_id is None:
            return Outcome(refusal="log in with a service_id first; so far there was an empty one")
        return self._from_service(session.service_id, frame)

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
        if user_id is None:
            return Outcome(refusal=_NOT_GOOD)
        if session.role is Role.USER:
            return Outcome(refusal="a user is logged in on this connection")
        if not login.service_id:
            # The original's very first start has no id yet and logs in all the same
            # (docs/protocol/generation-0.md section 4.1).
            session.role, session.user_id = Role.SERVICE, user_id
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
        session.role, session.user_id = Role.SERVICE, user_id
        if session.service_id == service.service_id:
            # The original logs in again after every refusal (docs/protocol/generation-0.md section
            # 3.3). Taken for a new connection, that would make all pages ask the service again, and
            # an answer of it that is refused each time would go round for ever.
            return Outcome(note="logged in already")
        self._leave_service(session)
        session.service_id = service.service_id
        self._services.add(service.service_id, session)
        self.board.service_began(*self._state.world.bands_of(service.service_id))
        _log.info("service connected", service_id=service.service_id)
        return Outcome(note="logged in")

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
                sessions = list(self._services[frame.service_id])
                text = encode_for_service(frame.event) if sessions else ""
            for session in sessions:
                session.send_nowait(text)

    def _count_service_frame(self) -> None:
        self._service_frames += 1
        every = self._state.knobs.cut_every
        if every is not None and self._service_frames % every == 0:
            self.cut()
