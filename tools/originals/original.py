"""The published SDK as a child process: its configuration, its trust, calls to it, news from it.

What is called and expected stands in the scenes. Nothing of the SDK is imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio
from report import Report

__all__ = ("Original", "Refusal", "open_original", "trust")

PROGRAM: Final = Path(__file__).with_name("program.py")
PASSWORD: Final = "canary-of-the-password"  # noqa: S105  # made up at the first sign-in
BUNDLE: Final = "import certifi; print(certifi.where())"


class Refusal(Exception):
    """A call of the original raised; its error as text."""


class Original:
    """One program of the published SDK, while it runs.

    Attributes:
        output: the file of what it prints.
        called, told: how often each call was made, and each hook was called.
    """

    def __init__(self, process: trio.Process, stream: trio.SocketStream, output: Path) -> None:
        self.output = output
        self._process = process
        self._stream = stream
        self._news: list[dict[str, Any]] = []
        self._more = trio.Event()
        self._calls = 0
        self.called: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.ended = False

    async def call(self, name: str, *arguments: object, **named: object) -> Any:
        """Have it call one of its own methods; gives what that gave, as plain data.

        Raises:
            Refusal: the method raised.
        """
        self._calls += 1
        self.called[name] += 1
        number = self._calls
        order = {"id": number, "call": name, "arguments": arguments, "named": named}
        await self._stream.send_all(json.dumps(order).encode() + b"\n")
        answer = await self._first(lambda news: news.get("id") == number)
        if "error" in answer:
            raise Refusal(answer["error"])
        return answer["given"]

    async def event(self, hook: str, fits: Callable[[Any], bool] = lambda value: True) -> Any:
        """Wait for one of its hooks; gives what that was called with, as plain data."""
        found = await self._first(
            lambda news: news.get("event") == hook and fits(news.get("value"))
        )
        return found["value"]

    async def shown(self, hook: str) -> Any:
        """The same, but the next error that it logs is one here.

        Raises:
            AssertionError: it has logged an error.
        """
        found = await self._first(lambda news: news.get("event") in (hook, "error"))
        if found["event"] == "error":
            raise AssertionError(found["value"])
        return found["value"]

    def forget(self, hook: str) -> None:
        """What that hook was called with so far is of no interest."""
        self._news = [news for news in self._news if news.get("event") != hook]

    def logged(self) -> list[str]:
        """The errors it has logged and that nobody waited for; told once."""
        errors = [news["value"] for news in self._news if news.get("event") == "error"]
        self._news = [news for news in self._news if news.get("event") != "error"]
        return errors

    async def _first(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            for news in self._news:
                if fits(news):
                    self._news.remove(news)
                    return news
            if self.ended:
                raise Refusal("the program has ended")
            await self._more.wait()

    async def exit_code(self) -> int:
        """Wait until it ends by itself; gives its exit code."""
        return await self._process.wait()

    async def read(self) -> None:
        """Take its news until it ends."""
        pending = b""
        try:
            while data := await self._stream.receive_some():
                *lines, pending = (pending + data).split(b"\n")
                for news in map(json.loads, lines):
                    self._news.append(news)
                    self.told.update([news["event"]] if "event" in news else [])
                self._wake()
        except trio.BrokenResourceError:
            pass
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = trio.Event()


@asynccontextmanager
async def open_original(
    report: Report,
    python: str,
    folder: Path,
    url: str,
    *,
    email: str,
    channels: Sequence[str],
    service_mode: bool,
    password: str = PASSWORD,
    plain: bool = False,
) -> AsyncIterator[Original]:
    """Run the program under the original's Python, with the four files its users have.

    Args:
        report: is told at the end how often what was called.
        python: that of an environment with the published SDK.
        folder: where its files, its store and its output lie; used again, it is a second start.
        url: the platform's address; its certificate is trusted already.
        email: its account, made at the first sign-in.
        plain: its WebSocket address is one without TLS.
    """
    service = {
        "http_server_uri": f"{url}/",
        "ws_server_uri": url.replace("https", "ws" if plain else "wss", 1) + "/",
        "channels": list(channels),
        "others": "include",
        "service_mode": service_mode,
    }
    paths = _configure(folder, {"email": email, "password": password}, service)
    output = folder / "output.txt"
    ours, theirs = socket.socketpair()
    environ = {
        **os.environ,
        "ORIGINALS_SOCKET": str(theirs.fileno()),
        "SSL_CERT_FILE": str(_bundle(python)),  # its downloads look at the machine's authorities
    }
    environ.pop("PYTHONPATH", None)
    with output.open("ab") as log, theirs:
        process = await trio.lowlevel.open_process(
            [python, str(PROGRAM)],
            pass_fds=[theirs.fileno()],
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with (
            trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream,
            trio.open_nursery() as nursery,
        ):
            original = Original(process, stream, output)
            nursery.start_soon(original.read)
            await stream.send_all(json.dumps(paths).encode() + b"\n")
            try:
                yield original
            finally:
                report.count(original.called, original.told)
            nursery.cancel_scope.cancel()
    finally:
        # Killed: it has loops that no request to end reaches (section 9, 1).
        process.kill()
        with trio.CancelScope(shield=True):  # a killed process ends at once
            await process.wait()


def _configure(folder: Path, account: dict[str, str], service: dict[str, object]) -> dict[str, str]:
    """The configuration as generation-1.md section 6.2 has it; a service keeps its id."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    service_file = folder / "config" / "service.json"
    kept = json.loads(service_file.read_text()) if service_file.exists() else {}
    contents: dict[str, object] = {
        "account": account,
        "service": {**service, "service_id": kept.get("service_id", "")},
        "log": {
            "log_level": "DEBUG",
            "terminal_log_level": "DEBUG",
            "error_log_level": "WARNING",
            "log_file": None,
            "error_log_file": None,
            "log_retention": {},
        },
        "db": [
            {
                "implementation": "json",
                "name": "notes",
                "load": True,
                "clear": False,
                "settings": {"root_dir": str(folder / "db")},
            }
        ],
    }
    paths = {}
    for name, content in contents.items():
        path = folder / "config" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        paths[f"{name}_config"] = str(path)
    return paths


def trust(python: str, ca_file: Path) -> None:
    """Append an authority to the bundle of ``certifi`` in that environment, which is the only one
    the published SDK looks at (generation-1.md section 8). An earlier run's is taken out."""
    bundle = _bundle(python)
    published = bundle.with_suffix(".published")
    if not published.exists():
        shutil.copy(bundle, published)
    bundle.write_bytes(published.read_bytes() + b"\n" + ca_file.read_bytes())


def _bundle(python: str) -> Path:
    found = subprocess.run([python, "-c", BUNDLE], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())
