"""Names and forms of 0.0.1, 1.8, discord.py and aiogram, and what stands for each of them here.

Data alone, that of 1.8 in `core.moved_1_8`: `core.names` turns it into messages, `core.moving`
into a page of the documentation.
"""

from __future__ import annotations

from moobius_trio.core.moved_1_8 import MOVED_FROM_1_8
from moobius_trio.core.moved_row import Moved

__all__ = ("MOVED", "Moved")

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

_RUN = "moobius_trio.run(service.serve)"

_METHODS = (
    Moved("scheduler", "0.0.1", "method", "@every(minutes=1) or self.jobs.add(fn, every=60)"),
    Moved("start", "0.0.1", "method", "serve", "run(Demo().serve) starts trio and the service"),
    Moved("run", "discord.py", "method", _RUN),
    Moved("loop", "discord.py", "method", "self.start_soon(fn, *args)"),
    Moved("wait_until_ready", "discord.py", "method", "", "no event comes before on_start is done"),
    Moved("get_channel", "discord.py", "method", "self.bands[channel_id]"),
    Moved("start_polling", "aiogram", "method", _RUN),
    Moved("send_photo", "aiogram", "method", 'create_message(…, subtype="image")'),
)

_CONFIG = "service_config_path=…"
_LOGS = "logs in service.json"

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

MOVED: tuple[Moved, ...] = _CALLBACKS + _METHODS + _ARGUMENTS + _FORMS + MOVED_FROM_1_8
"""The table; of each origin in the order in which the documentation shows it."""
