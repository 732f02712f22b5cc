"""The HTTP calls for bands, groups and characters in the form of generation 1.

Facts: docs/protocol/generation-1.md section 2.2. What generation 0 has in the same form is in
``api``. What is allowed is decided in ``rules_channels`` and ``rules_http``, and no wire name
stands here.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from moobius_trio.codec import http1
from moobius_trio.local import rules_accounts, rules_http
from moobius_trio.local import rules_channels as rules
from moobius_trio.local.api import limit, param, signed_body, signed_in, token_of
from moobius_trio.local.dialects import Dialects
from moobius_trio.local.history import as_frame, as_past
from moobius_trio.local.records import Group as Record
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.state import State
from moobius_trio.types import ChannelId, Character, Group, GroupId, ServiceId, UserId

__all__ = ("Api1",)

_HISTORY: Final = 200
_PAGE: Final = 64
"""Messages of the history that come without a limit."""


class Api1:
    """The handlers. Each gives the ``data`` of its reply, or raises ``Refused``."""

    def __init__(self, state: State, sessions: Sessions) -> None:
        self._state = state
        self._sessions = sessions
        self._dialects: Dialects = sessions.dialects

    # Characters

    async def profiles(self, request: Request) -> object:
        _, sent = await signed_body(self._state, request)
        user_ids = http1.decode_fetch_profiles(sent)
        return http1.profiles_data(self._dialects.profiles(user_ids))

    async def agents(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        service_id = ServiceId(param(request, "service_id"))
        figures = rules_http.characters_of(self._state.world, user_id, service_id)
        return http1.profiles_data(figures)

    async def create_agent(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_create_agent(sent)
        character = Character(
            user_id=UserId(self._state.new_id()),
            username=body.name,  # clients of generation 0 want one
            nickname=body.name,
            avatar=body.avatar,
            description=body.description,
        )
        figure = rules_http.new_figure(self._state.world, user_id, body.service_id, character)
        self._state.change(figure)
        await self._state.saved()
        return http1.agent_data(figure.character)

    async def update_agent(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_update_agent(sent)
        figure = rules_accounts.changed_figure(
            self._state.world,
            user_id,
            body.service_id,
            body.character_id,
            body.name,
            body.avatar,
            body.description,
        )
        self._state.change(figure)
        await self._state.saved()
        return http1.agent_data(figure.character)

    async def member_ids(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        asking, channel_id = param(request, "service_id"), ChannelId(param(request, "channel_id"))
        return http1.member_ids_data(
            rules.member_ids(self._state.world, user_id, asking, channel_id)
        )

    # Bands

    async def create_channel(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_create_channel(sent)
        fresh = ChannelId(self._state.new_id())
        band = rules.new_channel(self._state.world, user_id, body.name, body.description, fresh)
        self._state.change(band)
        self._sessions.board.changed()
        await self._state.saved()
        return http1.channel_id_data(band.channel_id)

    async def update_channel(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_update_channel(sent)
        band = rules.changed_channel(
            self._state.world, user_id, body.channel_id, body.name, body.description
        )
        self._state.change(band)
        self._sessions.board.changed()
        await self._state.saved()
        return None

    async def popular(self, request: Request) -> object:
        signed_in(self._state, request)
        return http1.channels_data(rules.popular(self._state.world))

    async def channels(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        return http1.channels_data(rules.joined(self._state.world, user_id))

    async def history(self, request: Request) -> object:
        """What was said in a band. That a service of generation 0 may ask, and what it is
        answered, is not known of the platform: a knob says."""
        mode = self._state.knobs.history
        is_old = self._state.tokens.generation(token_of(request)) == 0
        if mode == "absent" and is_old:
            raise HTTPException(404)
        user_id = signed_in(self._state, request)
        if mode == "refused":
            raise Refused(403, "a service may not read the history")
        channel_id = ChannelId(param(request, "channel_id"))
        most = limit(request, _HISTORY, _HISTORY if is_old else _PAGE)
        before = http1.decode_history_before(request.query_params.get("before"))
        messages = rules.history_of(self._state.world, user_id, channel_id, most, before)
        if is_old:
            return [as_frame(message) for message in messages]
        return http1.history_data(as_past(each, self._dialects.groups.id_of) for each in messages)

    # Groups

    async def create_group(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_create_group(sent)
        fresh = GroupId(self._state.new_id())
        world = self._state.world
        return http1.group_data(
            await self._keep(
                rules_http.new_group(world, user_id, body.group_id, body.user_ids, fresh)
            )
        )

    async def create_channel_group(self, request: Request) -> object:
        user_id, sent = await signed_body(self._state, request)
        body = http1.decode_create_channel_group(sent)
        fresh = GroupId(self._state.new_id())
        group = rules.new_channel_group(
            self._state.world, user_id, body.channel_id, body.name, body.user_ids, fresh
        )
        return http1.channel_group_data(await self._keep(group))

    async def _keep(self, group: Record) -> GroupId:
        if self._state.world.use_group(group.group_id) != group:
            self._state.change(*rules.with_room(self._state.world, group))
            await self._state.saved()
        return group.group_id

    async def service_group(self, request: Request) -> object:
        signed_in(self._state, request)
        return http1.members_data(self._members(request))

    async def user_group(self, request: Request) -> object:
        """One path, two meanings (docs/protocol/generation-1.md section 7): the reply has the
        profile of a member for generation 0, and the members for generation 1."""
        signed_in(self._state, request)
        user_id, channel_id = UserId(param(request, "user_id")), param(request, "channel_id")
        world = self._state.world
        if self._state.tokens.generation(token_of(request)) == 0:
            group_id = GroupId(param(request, "group_id"))
            rules_http.member_of_group(world, user_id, ChannelId(channel_id), group_id)
        return http1.user_group_data(self._members(request), world.character(user_id))

    def _members(self, request: Request) -> tuple[UserId, ...]:
        group_id = GroupId(param(request, "group_id"))
        if (members := self._dialects.groups.members(group_id)) is None:
            raise Refused(404, f"there is no group {group_id}")
        return members

    async def channel_groups(self, request: Request) -> object:
        user_id = signed_in(self._state, request)
        asking, channel_id = param(request, "service_id"), ChannelId(param(request, "channel_id"))
        groups = rules.channel_groups(self._state.world, user_id, asking, channel_id)
        return http1.groups_data(
            Group(group_id=each.group_id, members=each.members) for each in groups
        )

    async def temporary_groups(self, request: Request) -> object:
        """Groups that end by themselves: there are none here, as those made at once are the
        platform's own."""
        signed_in(self._state, request)
        return http1.groups_data(())
