"""People who use the page in a real browser, for tests with Playwright.

Everything on the page is found by role and name, as moobius_trio/local/page/README.md promises
them. Playwright is imported when a browser is opened: it is no dependency of this package.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, WebSocketRoute

__all__ = ("Desk", "Person", "find_chromium", "open_chromium")

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FOLD = "sessionStorage.getItem('panel') ?? sessionStorage.setItem('panel', 'folded')"
"""What the page remembers when its reader has folded the builder's panel (page/README.md)."""
PATIENCE_MS = 20_000
"""How long something may take to appear; on an idle machine it takes a tenth of a second."""


def find_chromium() -> str | None:
    """Where this machine's Chromium is; None when there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def open_chromium(program: str) -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


class Person:
    """One user in a browser of their own, and what is on their screen."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    @property
    def characters(self) -> Locator:
        """The character list, one by one."""
        people = self.page.get_by_role("complementary", name="Characters")
        return people.get_by_role("listitem")

    def sees(self, *nicknames: str) -> None:
        """Wait until the character list has exactly these, in this order."""
        from playwright.sync_api import expect

        expect(self.characters).to_have_count(len(nicknames))
        expect(self.characters).to_contain_text(list(nicknames))

    def hears(self, text: str, name: str | None = None) -> None:
        """Wait until a message with this text is there; with a name, one that is called so."""
        from playwright.sync_api import expect

        there = self.messages if name is None else self.message(name)
        expect(there.get_by_text(text, exact=True)).to_be_visible()

    @property
    def messages(self) -> Locator:
        """All messages."""
        return self.page.get_by_role("log", name="Messages").get_by_role("article")

    def message(self, name: str) -> Locator:
        """The messages of exactly this name, such as ``Alice to 2, text``."""
        return self.page.get_by_role("article", name=name, exact=True)

    @property
    def keys(self) -> Locator:
        """The keys."""
        return self.page.get_by_role("group", name="Keys").get_by_role("button")

    @property
    def stage(self) -> Locator:
        """The stage."""
        return self.page.get_by_role("region", name="Stage")

    def loaded(self, picture: Locator) -> None:
        """Wait until a picture is there, and its bytes are a picture."""
        picture.wait_for()
        if not picture.evaluate("image => image.decode().then(() => image.naturalWidth)"):
            raise AssertionError(f"{self.name} was shown an empty picture")

    def press(self, key: str, choice: str | None = None) -> None:
        """Press a key; with a choice, make it in the key's dialog and send it."""
        self.page.get_by_role("group", name="Keys").get_by_role("button", name=key).click()
        if choice is not None:
            dialog = self.page.get_by_role("dialog", name=key)
            dialog.get_by_role("combobox").select_option(choice)
            dialog.get_by_role("button", name="Send").click()

    def pick(self, *recipients: str) -> None:
        """Choose whom the next messages go to: ``All``, ``Service (∞)``, or nicknames."""
        group = self.page.get_by_role("group", name="Recipients")
        if recipients[0] not in ("All", "Service (∞)"):
            group.get_by_role("button", name="Service (∞)").click()  # nobody is picked now
        for recipient in recipients:
            group.get_by_role("button", name=recipient, exact=True).click()

    def say(self, text: str, *recipients: str) -> None:
        """Write a text and send it."""
        if recipients:
            self.pick(*recipients)
        self.page.get_by_role("textbox", name="Message").fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()


class Desk:
    """Where people sit down: opens pages, takes pictures, and notes what must not happen."""

    def __init__(self, chromium: Browser, pictures: Path, test: str) -> None:
        self.wrong: list[str] = []
        """Console errors, uncaught exceptions, requests that leave the platform."""
        self._chromium = chromium
        self._pictures = pictures
        self._test = re.sub(r"\W+", "-", test.removeprefix("test_"))
        self._people: list[Person] = []
        self._script = ""
        self._sockets: Mapping[str, Callable[[WebSocketRoute], None]] = {}

    def prepare(self, script: str, sockets: Mapping[str, Callable[[WebSocketRoute], None]]) -> None:
        """For all pages opened from now on: a script that runs before theirs, and what stands
        between them and the WebSockets of these addresses."""
        self._script, self._sockets = script, sockets

    def sit_down(self, url: str, name: str, *, fragment: str = "", builds: bool = False) -> Person:
        """Open the page as this user, and wait until they are in the band.

        Args:
            fragment: what the address has behind its ``#``.
            builds: with the builder's panel as the page opens it; otherwise it is folded, so that
                what is found by its text is in the chat.
        """
        address = f"/?as={name}" + (f"#{fragment}" if fragment else "")
        page = self.open_page(url, address, name, builds=builds)
        page.get_by_role("button", name="Leave").wait_for()
        person = Person(page, name)
        self._people.append(person)
        return person

    def open_page(self, url: str, address: str, name: str, *, builds: bool = False) -> Page:
        """Open an address of the platform at ``url`` in a browser of somebody's own; for
        ``builds`` see `sit_down`."""
        context = self._chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        if not builds:
            context.add_init_script(FOLD)
        page = context.new_page()
        page.on("console", lambda said: self._hear(name, said.type, said.text))
        page.on("pageerror", lambda error: self.wrong.append(f"{name}: {error}"))
        page.on("request", lambda request: self._check(name, url, request.url))
        page.on("websocket", lambda socket: self._check(name, url, socket.url))
        if self._script:
            page.add_init_script(self._script)
        for pattern, stand_between in self._sockets.items():
            page.route_web_socket(pattern, stand_between)
        page.goto(f"{url}{address}")
        return page

    def take_pictures(self, what: str) -> None:
        """A picture of everybody's screen."""
        for person in self._people:
            path = self._pictures / f"{self._test}-{what}-{person.name}.png"
            person.page.screenshot(path=path)

    def close(self) -> None:
        """Everybody closes the browser, with a last picture. A second time, nothing happens."""
        self.take_pictures("end")
        while self._people:
            self._people.pop().page.context.close()

    def _hear(self, name: str, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(f"{name}: console {kind}: {text}")

    def _check(self, name: str, url: str, address: str) -> None:
        own = (f"{url}/", url.replace("http", "ws", 1) + "/", "blob:", "data:")
        if not address.startswith(own):
            self.wrong.append(f"{name}: a request to {address}")
