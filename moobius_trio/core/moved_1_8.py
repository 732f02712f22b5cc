"""Names and forms of SDK 1.8, and what stands for each of them here. Data alone.

They are those of docs/protocol/generation-1.md sections 4 and 6; the ones that only 1.8's own
pages have (section 10 there) are among them, since services were written after these pages.
"""

from __future__ import annotations

from functools import partial

from moobius_trio.core.moved_row import Moved

__all__ = ("MOVED_FROM_1_8",)

_callback = partial(Moved, origin="1.8", kind="callback")
_method = partial(Moved, origin="1.8", kind="method")
_argument = partial(Moved, origin="1.8", kind="argument")
_form = partial(Moved, origin="1.8", kind="form")

_JOB = "@every(hours=1) async def check_in(self, band)"
_EACH_BAND = "a job that takes a band runs for each"
_BEFORE = "called before on_start"
_USER = "of user mode; a service is no user, and in tests the kit's actors are"

_CALLBACKS = (
    _callback("on_message_up", new="on_msg_up"),
    _callback("on_button_click", new="on_feature_call"),
    _callback("on_context_menu_click", new="on_menu_item_click"),
    _callback("on_join", new="on_join_channel"),
    _callback("on_leave", new="on_leave_channel"),
    _callback("before_channel_init", new="on_channel_init", note=_BEFORE),
    _callback("initialize_channel", new="on_channel_init", note=_BEFORE),
    _callback("on_channel_checkin", new=_JOB, note=_EACH_BAND),
    _callback("on_checkin", new=_JOB, note=_EACH_BAND),
    _callback("on_message_down", new="MoobiusUser.on_msg_down", note=_USER),
    _callback("on_update_characters", new="MoobiusUser.on_update_user_list", note=_USER),
    _callback("on_update_channel_info", new="MoobiusUser.on_update_channel_info", note=_USER),
    _callback("on_update_canvas", new="MoobiusUser.on_update_playground", note=_USER),
    _callback("on_update_buttons", new="MoobiusUser.on_update_features", note=_USER),
    _callback("on_update_style", new="MoobiusUser.on_update_style", note=_USER),
    _callback("on_update_menu", new="MoobiusUser.on_update_menu", note=_USER),
)

_USER_LIST = "send_update_user_list(channel_id, user_list, recipients)"
_FEATURES = "send_update_features(channel_id, feature_data, recipients)"
_PLAYGROUND = "send_update_playground(channel_id, content, recipients)"
_STYLE = "send_update_style(channel_id, style_content, recipients)"
_MENU = "send_update_menu(channel_id, menu, recipients)"
_CANVAS = "content is one Playground or several"
_MEMBERS = "self.bands[channel_id].members"
_KEPT = "kept up to date by the SDK"
_AGENT = "create_agent(name, avatar, description)"
_ONCE = "ensure_characters makes one once and finds it again by its key"
_ACCOUNT = "the account is signed in by serve"
_NEVER = "1.8 itself has no such call"

_METHODS = (
    _method("channels", new="self.bands"),
    _method("channel_storages", new="self.bands", note="a band has its containers itself"),
    _method(
        "send_message",
        new="create_message(channel_id, content, recipients)",
        note="reply(event, text) answers a user, send_file(channel_id, path, recipients) uploads",
    ),
    _method("send_characters", new=_USER_LIST),
    _method("send_update_characters", new=_USER_LIST),
    _method("send_buttons", new=_FEATURES),
    _method("send_update_buttons", new=_FEATURES),
    _method("send_canvas", new=_PLAYGROUND, note=_CANVAS),
    _method("send_update_canvas", new=_PLAYGROUND, note=_CANVAS),
    _method("send_style", new=_STYLE),
    _method("send_menu", new=_MENU),
    _method("send_update_context_menu", new=_MENU),
    _method("send_heartbeat", new="", note="the connection beats by itself"),
    _method("create_puppet", new=_AGENT, note=_ONCE),
    _method("create_character", new=_AGENT, note=_ONCE),
    _method("update_puppet", new="update_agent(agent, name=…)"),
    _method(
        "agent_join_service_channels",
        new="",
        note="a figure is wherever its service puts it into a list",
    ),
    _method("fetch_member_ids", new=_MEMBERS, note=_KEPT),
    _method("fetch_characters", new=_MEMBERS, note=_KEPT),
    _method(
        "fetch_character_profile",
        new="self.bands[channel_id].profile(user_id)",
        note="self.http_api.fetch_user_profile(user_id) asks the platform",
    ),
    _method("do_member_sync", new="", note="members are kept up to date by the SDK"),
    _method("upload", new="upload_file(path)"),
    _method("sign_up", new="self.http_api.sign_up", note=_ACCOUNT),
    _method("sign_out", new="self.http_api.sign_out", note=_ACCOUNT),
    _method("bind_service_to_channel", new="self.http_api.bind_service_to_channel"),
    _method("unbind_service_from_channel", new="self.http_api.unbind_service_from_channel"),
    _method("fetch_bound_channels", new="self.bands", note="its keys"),
    _method("send_join_channel", new="MoobiusUser.join", note=_USER),
    _method("send_leave_channel", new="MoobiusUser.leave", note=_USER),
    _method("send_button_click", new="MoobiusUser.click", note=_USER),
    _method("send_menu_item_click", new="MoobiusUser.choose", note=_USER),
    _method("send_refresh", new="MoobiusUser.refresh", note=_USER),
    _method("send_mark_as_read", new="", note=_NEVER),
    _method("fetch_message_readers", new="", note=_NEVER),
    _method("fetch_channel_service_id", new="", note=_NEVER),
    _method("user_data", new="", note=_NEVER),
)

_CONFIG = "service_config_path=…"
_CONVERT = "moobius-trio convert-config makes one service.json of its files"
_A_USER = "a user is a class of its own"

_ARGUMENTS = (
    _argument("config", new=_CONFIG, note=_CONVERT),
    _argument("config_path", new=_CONFIG, note=_CONVERT),
    _argument("account_config", new=_CONFIG, note="email and password are keys of it"),
    _argument("service_config", new=_CONFIG, note=_CONVERT),
    _argument("db_config", new="db_config_path=…"),
    _argument("log_config", new="log_level and logs in service.json"),
    _argument("service_mode", new="class Me(MoobiusUser)", note=_A_USER),
    _argument("is_agent", new="class Me(MoobiusUser)", note=_A_USER),
)

_FORMS = (
    _form(
        "MoobiusWand().run(Demo, background=True, config=…)",
        new="async with MoobiusWand() as wand: handle = await wand.run(Demo())",
        note="the block ends when the services have stopped",
    ),
    _form("wand.stop_all()", new="await handle.stop()", note="for each; or leave the wand's block"),
    _form(
        "self.send('message_down', body)",
        new="await self.send(msg_down)",
        note="any other frame: await self.send(RawPayload(type=…, body=…))",
    ),
    _form("message.content.text", new="msg_up.text", note="None unless it is a text"),
    _form("message.message_id", new="msg_up.msg_id"),
    _form("message.recipients == []", new="msg_up.to_service"),
    _form("message.context", new="", note="what was in it has names of its own"),
    _form(
        "await self.send_message(message)", new="await self.send(self.msg_up_to_msg_down(msg_up))"
    ),
    _form("button_click.button_id", new="feature_call.feature_id"),
    _form("button_click.arguments[0].value", new="feature_call.values[name]", note="always a text"),
    _form("button_click.bottom_button_id", new="feature_call.bottom_button_id"),
    _form(
        "Button(button_id=…, button_text=…, dialog=Dialog(title=…, components=[…]))",
        new="Feature(feature_id=…, button_text=…, arguments=[…], dialog=Dialog(title=…))",
        note="the fields are the key's own, the dialog has title and bottom_buttons",
    ),
    _form(
        'InputComponent(label=…, type="dropdown", required=True, choices=[…])',
        new='FeatureArgument(name=…, type="enum", values=[…])',
        note='"text" is "string"; textbox, number and password keep their names; optional=True '
        "where required was false",
    ),
    _form("ButtonArgument(…)", new="FeatureArgument(…)"),
    _form("BottomButton(id=…, text=…, submit=True)", new="BottomButton(id=…, text=…)"),
    _form(
        "MenuItem(…, dialog=Dialog(components=[…]))",
        new="MenuItem(…, arguments=[…])",
        note="also for ContextMenuElement",
    ),
    _form("CanvasItem(path=…, text=…)", new="Playground(path=…, text=…)"),
    _form("CanvasElement(…), Canvas(…)", new="Playground(…)"),
    _form(
        'StyleItem(widget="canvas", button_id=…)',
        new='StyleItem(widget="playground", feature_id=…)',
        note='widget "button" is "feature"; also for StyleElement',
    ),
    _form("ClickArgument(label=…, value=…)", new="FeatureCallArgument(name=…, value=…)"),
    _form("MessageBody, Message", new="MessageUp, MessageDown"),
    _form("CopyBody", new="Copy"),
    _form("character.character_id", new="character.user_id"),
    _form("character.name", new="character.nickname"),
    _form("character.character_context", new="character.avatar, character.description"),
    _form("group.character_ids", new="group.members"),
    _form('recipients=["service"]', new="recipients=()", note="of a user: to the Service"),
    _form('download(url, headers="self")', new="download(url, folder)", note="no token is sent"),
    _form("asyncio.sleep(1)", new="await trio.sleep(1)"),
)

MOVED_FROM_1_8: tuple[Moved, ...] = _CALLBACKS + _METHODS + _ARGUMENTS + _FORMS
"""The rows, in the order in which the documentation shows them."""
