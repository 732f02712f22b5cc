"""Names and forms of 0.0.1, 1.8, discord.py and aiogram, and what stands for each of them here.

Data alone: `core.names` turns it into messages, `core.moving` into a page of the documentation.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ("MOVED", "Moved")


@attrs.frozen
class Moved:
    """One old name or form, and ours."""

    old: str
    """A bare name; for a form the code as it was written."""
    origin: Literal["0.0.1", "1.8", "discord.py", "aiogram"]
    kind: Literal["callback", "method", "argument", "form"]
    """``method`` covers every attribute of a service or band, ``form`` whatever is no name."""
    new: str
    """A callback's bare name or the code to write; empty when there is no counterpart."""
    note: str = ""
    """What the reader has to know besides: one sentence without its stop, or nothing."""


_USER = "of user mode; a service is no user, and in tests the kit's actors are"
_USER_MODE = "a program that is a user is a MoobiusUser"
_JOB = "@every(hours=1) async def check_in(self, band)"

_CALLBACKS = (
    Moved(
        "on_unknown_message",
        "0.0.1",
        "callback",
        "on_unknown_payload",
        "the original's examples define it and the original never calls it",
    ),
    Moved("on_fetch_userlist", "0.0.1", "callback", "on_fetch_user_list", "as its method is named"),
    Moved("on_copy_client", "0.0.1", "callback", "on_copy", "the frame's name, not the method's"),
    Moved("on_message_up", "1.8", "callback", "on_msg_up"),
    Moved("on_button_click", "1.8", "callback", "on_feature_call"),
    Moved("on_context_menu_click", "1.8", "callback", "on_menu_item_click"),
    Moved("on_join", "1.8", "callback", "on_join_channel"),
    Moved("on_leave", "1.8", "callback", "on_leave_channel"),
    Moved("before_channel_init", "1.8", "callback", "on_channel_init", "called before on_start"),
    Moved("initialize_channel", "1.8", "callback", "on_channel_init", "called before on_start"),
    Moved("on_channel_checkin", "1.8", "callback", _JOB, "a job that takes a band runs for each"),
    Moved("on_checkin", "1.8", "callback", _JOB, "a job that takes a band runs for each"),
    Moved("on_message_down", "1.8", "callback", "MoobiusUser.on_msg_down", _USER),
    Moved("on_update_characters", "1.8", "callback", "MoobiusUser.on_update_user_list", _USER),
    Moved("on_update_channel_info", "1.8", "callback", "MoobiusUser.on_update_channel_info", _USER),
    Moved("on_update_canvas", "1.8", "callback", "MoobiusUser.on_update_playground", _USER),
    Moved("on_update_buttons", "1.8", "callback", "MoobiusUser.on_update_features", _USER),
    Moved("on_update_style", "1.8", "callback", "MoobiusUser.on_update_style", _USER),
    Moved("on_update_menu", "1.8", "callback", "MoobiusUser.on_update_menu", _USER),
    Moved("on_message", "discord.py", "callback", "on_msg_up"),
    Moved("on_ready", "discord.py", "callback", "on_start", "called once, not at each reconnect"),
    Moved("setup_hook", "discord.py", "callback", "on_start"),
    Moved("on_member_join", "discord.py", "callback", "on_join_channel"),
    Moved("on_member_remove", "discord.py", "callback", "on_leave_channel"),
    Moved("on_interaction", "discord.py", "callback", "on_feature_call"),
    Moved("on_command_error", "discord.py", "callback", "on_error"),
    Moved("on_disconnect", "discord.py", "callback", "on_gap", "called after the next login"),
    Moved("on_resumed", "discord.py", "callback", "on_gap", "called after the next login"),
    Moved("on_startup", "aiogram", "callback", "on_start"),
    Moved("on_shutdown", "aiogram", "callback", "on_stop"),
    Moved("on_callback_query", "aiogram", "callback", "on_feature_call"),
)

_CREATE_MESSAGE = "create_message(channel_id, content, recipients)"
_USER_LIST = "send_update_user_list(channel_id, user_list, recipients)"
_FEATURES = "send_update_features(channel_id, feature_data, recipients)"
_PLAYGROUND = "send_update_playground(channel_id, content, recipients)"
_STYLE = "send_update_style(channel_id, style_content, recipients)"
_MENU = "send_update_menu(channel_id, menu, recipients)"
_CANVAS = "content is one Playground or several"
_MEMBERS = "self.bands[channel_id].members"
_AGENT = "create_agent(name, avatar, description)"
_ONCE = "ensure_characters makes one once and finds it again by its key"
_ACCOUNT = "the account is signed in by serve"
_RUN = "moobius_trio.run(service.serve)"

_METHODS = (
    Moved("scheduler", "0.0.1", "method", "@every(minutes=1) or self.jobs.add(fn, every=60)"),
    Moved("start", "0.0.1", "method", "serve", "run(Demo().serve) starts trio and the service"),
    Moved("channels", "1.8", "method", "self.bands"),
    Moved("channel_storages", "1.8", "method", "self.bands", "a band has its containers itself"),
    Moved("send_message", "1.8", "method", _CREATE_MESSAGE, "reply(event, text) answers a user"),
    Moved("send_characters", "1.8", "method", _USER_LIST),
    Moved("send_update_characters", "1.8", "method", _USER_LIST),
    Moved("send_buttons", "1.8", "method", _FEATURES),
    Moved("send_update_buttons", "1.8", "method", _FEATURES),
    Moved("send_canvas", "1.8", "method", _PLAYGROUND, _CANVAS),
    Moved("send_update_canvas", "1.8", "method", _PLAYGROUND, _CANVAS),
    Moved("send_style", "1.8", "method", _STYLE),
    Moved("send_menu", "1.8", "method", _MENU),
    Moved("send_update_context_menu", "1.8", "method", _MENU),
    Moved("send_heartbeat", "1.8", "method", "", "the connection beats by itself"),
    Moved("create_puppet", "1.8", "method", _AGENT, _ONCE),
    Moved("create_character", "1.8", "method", _AGENT, _ONCE),
    Moved("update_puppet", "1.8", "method", "update_agent(agent, name=…)"),
    Moved(
        "agent_join_service_channels",
        "1.8",
        "method",
        "",
        "a figure is wherever its service puts it into a list",
    ),
    Moved("fetch_member_ids", "1.8", "method", _MEMBERS, "kept up to date by the SDK"),
    Moved("fetch_characters", "1.8", "method", _MEMBERS, "kept up to date by the SDK"),
    Moved(
        "fetch_character_profile",
        "1.8",
        "method",
        "self.bands[channel_id].profile(user_id)",
        "self.http_api.fetch_user_profile(user_id) asks the platform",
    ),
    Moved("do_member_sync", "1.8", "method", "", "members are kept up to date by the SDK"),
    Moved("upload", "1.8", "method", "upload_file(path)"),
    Moved("sign_up", "1.8", "method", "self.http_api.sign_up", _ACCOUNT),
    Moved("sign_out", "1.8", "method", "self.http_api.sign_out", _ACCOUNT),
    Moved("bind_service_to_channel", "1.8", "method", "self.http_api.bind_service_to_channel"),
    Moved(
        "unbind_service_from_channel", "1.8", "method", "self.http_api.unbind_service_from_channel"
    ),
    Moved("fetch_bound_channels", "1.8", "method", "self.bands", "its keys"),
    Moved("send_join_channel", "1.8", "method", "MoobiusUser.join", _USER),
    Moved("send_leave_channel", "1.8", "method", "MoobiusUser.leave", _USER),
    Moved("send_button_click", "1.8", "method", "MoobiusUser.click", _USER),
    Moved("send_menu_item_click", "1.8", "method", "MoobiusUser.choose", _USER),
    Moved("send_refresh", "1.8", "method", "MoobiusUser.refresh", _USER),
    Moved("run", "discord.py", "method", _RUN),
    Moved("loop", "discord.py", "method", "self.start_soon(fn, *args)"),
    Moved("wait_until_ready", "discord.py", "method", "", "no event comes before on_start is done"),
    Moved("get_channel", "discord.py", "method", "self.bands[channel_id]"),
    Moved("start_polling", "aiogram", "method", _RUN),
    Moved("send_photo", "aiogram", "method", 'create_message(…, subtype="image")'),
)

_CONFIG = "service_config_path=…"
_LOGS = "logs in service.json"
_LOGGING = "structlog.configure(…)"

_ARGUMENTS = (
    Moved(
        "background",
        "0.0.1",
        "argument",
        "handle = await wand.run(Demo())",
        "services run side by side in the block of the wand, in one process",
    ),
    Moved("log_file", "0.0.1", "argument", _LOGS, "the folder of service.log and error.log"),
    Moved("error_log_file", "0.0.1", "argument", _LOGS, "the folder of service.log and error.log"),
    Moved("config", "1.8", "argument", _CONFIG, "one service.json with the keys of 0.0.1"),
    Moved("config_path", "1.8", "argument", _CONFIG),
    Moved("account_config", "1.8", "argument", _CONFIG, "email and password are keys of it"),
    Moved("service_config", "1.8", "argument", _CONFIG),
    Moved("db_config", "1.8", "argument", "db_config_path=…"),
    Moved("log_config", "1.8", "argument", _LOGGING, "log_level is a key of service.json"),
    Moved("service_mode", "1.8", "argument", "", _USER_MODE),
    Moved("is_agent", "1.8", "argument", "", _USER_MODE),
    Moved("intents", "discord.py", "argument", "", "every event of its bands reaches a service"),
    Moved("command_prefix", "discord.py", "argument", "match msg_up.text: …", "in on_msg_up"),
    Moved("token", "aiogram", "argument", _CONFIG, "e-mail and password stand in service.json"),
)

_FORMS = (
    Moved(
        "MoobiusWand().run(Demo, background=True)",
        "0.0.1",
        "form",
        "async with MoobiusWand() as wand: handle = await wand.run(Demo())",
        "the block ends when the services have stopped",
    ),
    Moved("wand.spell(1, obj)", "0.0.1", "form", "wand.spell(handle, obj)", "no numbers"),
    Moved(
        'self.send("msg_down", body)',
        "0.0.1",
        "form",
        "await self.send(msg_down)",
        "any other frame: await self.send(RawPayload(type=…, body=…))",
    ),
    Moved("msg_up.context.sender", "0.0.1", "form", "msg_up.sender"),
    Moved("msg_up.context.recipients", "0.0.1", "form", "msg_up.recipients"),
    Moved("msg_up.content['text']", "0.0.1", "form", "msg_up.text", "None unless it is a text"),
    Moved("msg_up.content['path']", "0.0.1", "form", "msg_up.content.path"),
    Moved(
        "feature_call.arguments[0].value",
        "0.0.1",
        "form",
        "feature_call.values[name]",
        "by position it works too",
    ),
    Moved("character.user_context.nickname", "0.0.1", "form", "character.nickname"),
    Moved(
        '{"feature_id": …, "button_text": …}',
        "0.0.1",
        "form",
        "Feature(feature_id=…, button_text=…)",
        "load_features(path) reads a features.json",
    ),
    Moved('{"path": …, "text": …}', "0.0.1", "form", "Playground(path=…, text=…)"),
    Moved(
        '[{"widget": "playground", "display": "visible", "expand": "true"}]',
        "0.0.1",
        "form",
        '[StyleItem(widget="playground")]',
        "visible and expanded are the defaults",
    ),
    Moved("self.http_api.upload_file(path)", "0.0.1", "form", "await self.upload_file(path)"),
    Moved("band.states.save(key)", "0.0.1", "form", "", "a change inside a value saves itself"),
    Moved("time.sleep(1), asyncio.sleep(1)", "0.0.1", "form", "await trio.sleep(1)"),
    Moved("asyncio.create_task(fn())", "0.0.1", "form", "self.start_soon(fn)"),
    Moved("requests.get(url), aiohttp", "0.0.1", "form", "httpx.AsyncClient"),
    Moved(
        'scheduler.add_job(fn, "interval", minutes=1)',
        "0.0.1",
        "form",
        "self.jobs.add(fn, every=60)",
        "or @every(minutes=1) on the method",
    ),
    Moved("discord.ui.Button(label=…)", "discord.py", "form", "Feature(button_text=…)"),
    Moved("@tasks.loop(minutes=1)", "discord.py", "form", "@every(minutes=1)"),
    Moved("message.author.id", "discord.py", "form", "msg_up.sender"),
    Moved("message.content", "discord.py", "form", "msg_up.text"),
    Moved("client.run(TOKEN)", "discord.py", "form", _RUN),
    Moved("@router.message()", "aiogram", "form", "async def on_msg_up(self, msg_up)"),
    Moved("@router.callback_query()", "aiogram", "form", "async def on_feature_call(…)"),
    Moved("message.answer(text)", "aiogram", "form", "self.reply(msg_up, text)"),
    Moved("InlineKeyboardButton(…)", "aiogram", "form", "Feature(…)"),
    Moved("FSMContext", "aiogram", "form", "states = container(State, factory=State)"),
    Moved("asyncio.run(dp.start_polling(bot))", "aiogram", "form", _RUN),
)

MOVED: tuple[Moved, ...] = _CALLBACKS + _METHODS + _ARGUMENTS + _FORMS
"""The table, in the order in which the documentation shows it."""
