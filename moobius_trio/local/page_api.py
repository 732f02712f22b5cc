"""The page's own calls, and its files. None of this is part of the platform's protocol.

The forms of the replies are read by ``page/calls.js`` and ``page/wire.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import attrs
from starlette.requests import Request
from starlette.responses import Response

from moobius_trio.codec.http0 import tokens_data
from moobius_trio.codec.text import parse_object
from moobius_trio.local import rules_http as rules
from moobius_trio.local.api import limit, param, read_body, signed_body, signed_in
from moobius_trio.local.history import as_frame
from moobius_trio.local.records import Account, Band
from moobius_trio.local.rules_channels import channel_groups, new_channel_group, with_room
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId, GroupId, Tokens, UserId

__all__ = ("Guest", "PageApi", "make_band", "page_files", "sign_in_guest")

HISTORY: Final = 200
"""Messages that a page gets when it opens a band."""

_PAGE: Final = Path(__file__).parent / "page"
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".png": "image/png",
        ".svg": "image/svg+xml",
    }
)


@attrs.frozen(kw_only=True)
class Guest:
    """A person who has come in by name, with the tokens to speak as them."""

    user_id: UserId
    nickname: str
    tokens: Tokens


def sign_in_guest(state: State, name: str) -> Guest:
    """The guest of this name, made at the first time.

    Raises:
        Refused: nobody can have this name.
    """
    account: Account | None = state.world.account(rules.guest_login(name))
    if account is None:
        account = rules.new_guest(state.world, name, UserId(state.new_id()))
        state.change(account)
    return Guest(
        user_id=account.user_id,
        nickname=account.person.nickname,
        tokens=state.issue_tokens(account),
    )


def make_band(state: State, sessions: Sessions, name: str) -> Band:
    """The band of this name, made if there is none.

    Raises:
        Refused: no band can have this name.
    """
    band = rules.new_band(state.world, name, ChannelId(state.new_id()))
    if band.channel_id not in state.world.bands:
        state.change(band)
        sessions.board.changed()
    return band


def page_files() -> Mapping[str, Path]:
    """The files of the page by their address below ``/page/``: what lies in the package's folder
    now, and nothing else ever. Blocking: call it through ``run_sync``."""
    files = (path for path in _PAGE.rglob("*") if path.suffix in _MEDIA_TYPES)
    return MappingProxyType({path.relative_to(_PAGE).as_posix(): path for path in files})


class PageApi:
    """The handlers. Each gives the ``data`` of its reply or a whole response, or raises
    ``Refused``."""

    def __init__(self, state: State, sessions: Sessions, files: Mapping[str, Path]) -> None:
        self._state = state
        self._sessions = sessions
        self._files = files
        self.on_new_band: Callable[[Band], None] | None = None

    async def index(self, request: Request) -> Response:
        return await self._file("index.html")

    async def file(self, request: Request) -> Response:
        return await self._file(request.path_params["name"])

    async def _file(self, name: str) -> Response:
        path = self._files.get(name)
        if path is None:
            raise Refused(404, "the page has no such file")
        try:
            content = await self._state.run_sync(path.read_bytes)
        except OSError:
            raise Refused(404, "the page has no such file any more") from None
        headers = {"Cache-Control": "no-cache"}
        return Response(content, media_type=_MEDIA_TYPES[path.suffix], headers=headers)

    async def guest(self, request: Request) -> object:
        guest = sign_in_guest(self._state, await _name(request))
        await self._state.saved()
        data = cast("dict[str, object]", tokens_data(guest.tokens))
        return {**data, "user_id": guest.user_id, "nickname": guest.nickname}

    async def people(self, request: Request) -> object:
        """Everybody who has come in by name so far, the first one first."""
        return [
            {"name": name, "user_id": account.user_id, "nickname": account.person.nickname}
            for account in self._state.world.accounts.values()
            if (name := rules.guest_name(account))
        ]

    async def bands(self, request: Request) -> object:
        return self._sessions.board.rows()

    async def add_band(self, request: Request) -> object:
        name = await _name(request)
        count = len(self._state.world.bands)
        band = make_band(self._state, self._sessions, name)
        await self._state.saved()
        if self.on_new_band is not None and len(self._state.world.bands) > count:
            self.on_new_band(band)
        return {"channel_id": band.channel_id}

    async def membership(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        channel_id = ChannelId(param(request, "channel_id"))
        return {"member": self._state.world.is_member(channel_id, user_id)}

    async def history(self, request: Request) -> object:
        """The last messages that the user sent or was sent, oldest first; with ``before``, the id
        of one, those before it."""
        user_id = signed_in(self._state, request)
        channel_id = ChannelId(param(request, "channel_id"))
        before = request.query_params.get("before") or None
        most = limit(request, HISTORY)
        messages = self._state.world.history_of(channel_id, user_id, most, before)
        return [as_frame(message) for message in messages]

    async def groups(self, request: Request) -> object:
        """The lists of recipients that the user made in a band."""
        user_id = signed_in(self._state, request)
        channel_id = ChannelId(param(request, "band"))
        groups = channel_groups(self._state.world, user_id, "", channel_id)
        return [
            {"group_id": each.group_id, "name": each.name, "members": each.members}
            for each in groups
        ]

    async def add_group(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = parse_object(sent, "request")
        band, name, members = body.get("band"), body.get("name"), body.get("members")
        if not isinstance(band, str) or not isinstance(name, str) or not _are_texts(members):
            raise Refused(400, "a band and a name are needed as texts, and members as a list")
        fresh = GroupId(self._state.new_id())
        group = new_channel_group(
            self._state.world,
            user_id,
            ChannelId(band),
            name.strip(),
            tuple(cast("list[UserId]", members)),
            fresh,
        )
        self._state.change(*with_room(self._state.world, group))
        await self._state.saved()
        return {"group_id": group.group_id}

    async def agents(self, request: Request) -> object:
        """The characters of the service that holds a band, oldest first."""
        signed_in(self._state, request)
        band = rules.band_of(self._state.world, ChannelId(param(request, "band")))
        return [
            {
                "id": each.character.user_id,
                "name": each.character.nickname,
                "avatar": each.character.avatar,
                "description": each.character.description,
            }
            for each in self._state.world.figures.values()
            if each.service_id == band.service_id
        ]

    async def puppets(self, request: Request) -> object:
        signed_in(self._state, request)
        body = parse_object(await read_body(request), "request")
        asked = body.get("user_ids")
        if not isinstance(asked, list):
            raise Refused(400, "user_ids are needed, as a list")
        figures = self._state.world.figures
        return {"puppets": [each for each in asked if isinstance(each, str) and each in figures]}


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


async def _name(request: Request) -> str:
    body = parse_object(await read_body(request), "request")
    name = body.get("name")
    if not isinstance(name, str):
        raise Refused(400, "a name is needed, as a text")
    return name
