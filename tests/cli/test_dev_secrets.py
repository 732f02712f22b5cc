"""What ``dev`` shows on its terminal and hands to its page: nothing that is secret."""

from __future__ import annotations

from pathlib import Path

from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.developing import open_dev

SOUND = """
from moobius_trio import MoobiusService


class Clumsy(MoobiusService):
    pass
"""

CLUMSY = """
import threading
from pathlib import Path

from moobius_trio import MessageUp, MoobiusService


class Clumsy(MoobiusService):
    async def on_start(self) -> None:
        password = self._live.settings.password.reveal()
        token = self.http_api.access_token.reveal()
        Path("secrets.txt").write_text(f"{password}\\n{token}", encoding="utf-8")
        thread = threading.Thread(target=int, args=(token,), name="of the author")
        thread.start()
        thread.join()
        raise LookupError(f"sign-in with {password} gave {token}")
"""


async def test_a_crash_shows_no_secret_on_terminal_and_page(tmp_path: Path) -> None:
    """An error with password and token in its words reaches page and inspector with masks, and so
    does what ends a thread of the author's the terminal (S1)."""
    async with open_dev(tmp_path, files={"service.py": SOUND}) as dev:
        dev.save("service.py", CLUMSY)
        await dev.line("Exception in thread of the author:")
        await dev.line("ValueError", "'***'")
        await dev.line("the service has crashed", "LookupError: sign-in with *** gave ***")
        socket = dev.url.replace("http", "ws", 1)
        told = []
        for path in ("/local/watch", "/local/inspect"):
            async with websocket_connector(socket + path)() as stream:
                told.append(await stream.receive_text())
        secrets = (tmp_path / "secrets.txt").read_text(encoding="utf-8").splitlines()
        assert "sign-in with *** gave ***" in told[0]
        assert len(secrets) == 2
        assert [each for each in secrets if each in dev.errors or each in "".join(told)] == []
        await dev.stop()
