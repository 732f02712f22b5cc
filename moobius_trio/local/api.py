"""The HTTP calls for services, bands and characters in the form of generation 0, and what all calls
have in common (docs/protocol/generation-0.md section 2.2).

Each handler reads its request by the codec, asks a rule, makes the change and gives the ``data``
of the reply. What is allowed is decided in ``rules_http``, and no wire name stands here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeAlias

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from moobius_trio.codec import http0
from moobius_trio.errors import MalformedPayload, StorageError
from moobius_trio.local import rules_http as rules
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId, Character, ServiceId, UserId

__all__ = (
    "Api",
    "Handler",
    "answered",
    "failure",
    "limit",
    "param",
    "read_body",
    "signed_body",
    "signed_in",
    "token_of",
)

Handler: TypeAlias = Callable[[Request], Awaitable[object]]

_BODY_BYTES: Final = 128 * 1024

_PATIENCE_BYTES: Final = 100 * 1024 * 1024
"""How much of a refused request is read on, and thrown away."""

_log = structlog.get_logger()


def failure(status: int, message: str) -> Response:
    """The envelope of a failure. Its code is the HTTP status, two zeros behind it: no source
    gives the real ones (docs/protocol/generation-0.md section 9)."""
    content = http0.encode_failure(status * 100, message)
    return Response(content, status_code=status, media_type="application/json")


def answered(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of the handler: its data or its failure in the envelope."""

    async def endpoint(request: Request) -> Response:
        try:
            data = await handler(request)
        except Refused as exc:
            return await _refusal(request, exc.status, exc.message)
        except MalformedPayload as exc:
            return await _refusal(request, 400, str(exc))
        except ClientDisconnect:
            return failure(400, "the request ended early")  # which nobody will read
        except StorageError as exc:
            _log.error("call failed", path=request.url.path, error=str(exc))
            return failure(503, "the platform cannot keep its state at the moment; see its log")
        if isinstance(data, Response):
            return data
        return Response(http0.encode_reply(data), media_type="application/json")

    return endpoint


async def _refusal(request: Request, status: int, message: str) -> Response:
    _log.warning("call refused", path=request.url.path, status=status, reason=message)
    # A client that is still sending would see a broken connection instead of these words.
    size = 0
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > _PATIENCE_BYTES:
                    break
    except (ClientDisconnect, RuntimeError):
        pass  # it has gone, or (Starlette's RuntimeError) all of it was read before
    return failure(status, message)


async def read_body(request: Request, limit: int = _BODY_BYTES) -> bytes:
    """The whole body, if it has ``limit`` bytes at most.

    Raises:
        Refused: it has more.
    """
    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise Refused(413, f"more than {limit:,} bytes are too many for this request")
    return bytes(body)


def param(request: Request, name: str) -> str:
    """A parameter of the query.

    Raises:
        Refused: there is none of this name.
    """
    value = request.query_params.get(name)
    if value is None:
        raise Refused(400, f"the parameter {name} is missing")
    return value


def limit(request: Request, most: int, otherwise: int | None = None) -> int:
    """How many rows are asked for: ``most`` at most, and that or ``otherwise`` where the query does
    not say."""
    asked = request.query_params.get("limit", "")
    if asked.isdecimal() and len(asked) < 6:
        return min(int(asked), most)
    return most if otherwise is None else otherwise


def token_of(request: Request) -> str:
    """The access token that the request has, good or not; empty when it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def signed_in(state: State, request: Request) -> UserId:
    """Whose access token the request has.

    Raises:
        Refused: none, a wrong one or one that has expired; HTTP 401.
    """
    user_id = state.user_of(token_of(request))
    if user_id is None:
        raise Refused(401, "the access token is missing, wrong or expired; sign in again")
    return user_id


async def signed_body(state: State, request: Request) -> tuple[UserId, bytes]:
    """Whose access token the request has, and its body.

    The token has to be good when the body has come as well: the account may have ended meanwhile.

    Raises:
        Refused: as ``signed_in`` and ``read_body``.
    """
    signed_in(state, request)
    body = await read_body(request)
    return signed_in(state, request), body


class Api:
    """The handlers. Each gives the ``data`` of its reply, or raises ``Refused``."""

    def __init__(self, state: State, sessions: Sessions) -> None:
        self._state = state
        self._sessions = sessions

    async def service_list(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        return http0.services_data(rules.services_of(self._state.world, user_id))

    async def service_create(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        description = http0.decode_create_service(sent)
        fresh = ServiceId(self._state.new_id())
        service = rules.new_service(self._state.world, user_id, description, fresh)
        self._state.change(service)
        await self._state.saved()
        return http0.service_id_data(service.service_id)

    async def service_bind(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http0.decode_binding(sent)
        world = self._state.world
        band = rules.bind(world, user_id, body.service_id, body.channel_id)
        if band != world.bands[band.channel_id]:
            self._state.change(band)
            self._sessions.board.service_began(band.channel_id)
        await self._state.saved()
        return None

    async def service_unbind(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http0.decode_binding(sent)
        band = rules.unbind(self._state.world, user_id, body.service_id, body.channel_id)
        self._state.change(band)
        self._sessions.board.changed()
        await self._state.saved()
        return None

    async def channel_userlist(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        service_id = ServiceId(param(request, "service_id"))
        channel_id = ChannelId(param(request, "channel_id"))
        people = rules.members_for(self._state.world, user_id, service_id, channel_id)
        return http0.user_list_data(people)

    async def fetch_profile(self, request: Request) -> object:
        _, sent = await signed_body(self._state, request)
        user_ids = http0.decode_fetch_profile(sent)
        data: dict[object, object] = {}
        for character in rules.profiles(self._state.world, user_ids):
            one = http0.profile_data(character)
            data.update(one if isinstance(one, dict) else {})
        return data

    async def character_create(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http0.decode_create_character(sent)
        character = Character(
            user_id=UserId(self._state.new_id()),
            username=body.username,
            nickname=body.nickname,
            avatar=body.avatar,
            description=body.description,
        )
        figure = rules.new_figure(self._state.world, user_id, body.service_id, character)
        self._state.change(figure)
        await self._state.saved()
        return http0.character_data(figure.character)

    async def character_list(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        service_id = ServiceId(param(request, "service_id"))
        return http0.characters_data(rules.characters_of(self._state.world, user_id, service_id))
